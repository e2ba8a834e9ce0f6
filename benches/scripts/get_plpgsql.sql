SELECT * FROM bench.get_checkout_session(:id);

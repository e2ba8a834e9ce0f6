SELECT * FROM checkout.get_checkout_session(:id);

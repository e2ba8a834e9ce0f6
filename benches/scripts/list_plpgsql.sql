SELECT * FROM bench.list_checkout_sessions(page_size => 20);

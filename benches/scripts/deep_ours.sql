SELECT * FROM checkout.list_checkout_sessions(page_size => 20, starting_after => :deep);

\set n random(1, 1000000)
SELECT * FROM checkout.handle_request('lomi', 'POST', '/checkout-sessions', '{}', '{}', concat(
    '{"amount": 10000.0, "currency_code": "XOF", "customer_email": "customer', :n::integer, '@example.com", ',
    '"success_url": "https://shop.example/success?session={CHECKOUT_SESSION_ID}", ',
    '"cancel_url": "https://shop.example/cancel", "title": "Premium subscription", ',
    '"metadata": {"order": 123456, "cart": "c_98765"}}'));

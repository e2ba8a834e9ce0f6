\set milliseconds random(1000, 3000)
SELECT checkout.create_checkout_session(amount => 1, currency_code => 'XOF', customer_email => 'late@example.com',
    expires_in => :milliseconds * interval '1 ms');

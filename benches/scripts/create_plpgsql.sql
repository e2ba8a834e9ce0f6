\set n random(1, 1000000)
SELECT * FROM bench.create_checkout_session(amount => :amount, currency_code => :currency_code,
    customer_email => 'customer' || :n || '@example.com', success_url => :success_url, cancel_url => :cancel_url,
    title => :title, metadata => :metadata);

-- By the default price of a product.
\set n random(1, 1000000)
\set of random(1, :products)
SELECT * FROM checkout.create_checkout_session(product_id => :product || :of, customer_email => 'customer' || :n || '@example.com',
    success_url => :success_url, cancel_url => :cancel_url, title => :title, metadata => :metadata);

-- What people and their programs write is not always as a standard would have it. What is plainly meant is understood.
SELECT checkout.create_organization('Spellings') AS organization \gset
SELECT testing.login('shop_spellings', :'organization');
\c - shop_spellings
\a
-- A shop in Stripe's style sends codes in lower case. They are stored as the standards write them.
SELECT currency_code, country FROM (VALUES ('usd', 'us'), ('Xof', 'Sn'), ('NGN', 'NG')) AS c (currency, country_code),
    checkout.create_checkout_session(5, currency, customer_id => 'c', country => country_code);
SELECT DISTINCT currency_code FROM checkout.list_checkout_sessions(customer_id => 'c') ORDER BY currency_code;

-- Customers have addresses in all scripts (RFC 6531), with accents as characters of their own or not.
SELECT customer_email, s.customer_email = email AS kept, length(email) AS characters
FROM unnest(ARRAY[
    'संपर्क@डाटामेल.भारत', 'คนไทย@ตัวอย่าง.ไทย', 'josé@example.com', E'jose\u0301@example.com', '用户@例子.公司',
    'تجربة@مثال.إختبار', 'квіточка@пошта.укр', '"jane doe"@example.com', 'jane@[192.0.2.1]',
    'o''neill+tag@sub.example.co'
]) AS email, checkout.create_checkout_session(5, 'USD', customer_email => email) AS s;

-- They write their numbers as they are used to, or as their address book copies them.
SELECT customer_phone, s.customer_phone = phone AS kept
FROM unnest(ARRAY[
    '(+44) 20 7946 0958', '555-010-9999 ext. 12', '+1-201-555-0123;ext=12', E'+33\u00a01\u202f42 68 53 00',
    E'555\u2010010\u20139999', '٠١٢٣٤٥٦٧', '०११-२३४५६७८', E'\uff0b81\uff0803\uff091234', 'tel:+12015550123',
    '1-800-FLOWERS-24', '112'
]) AS phone, checkout.create_checkout_session(5, 'USD', customer_id => 'c', customer_phone => phone) AS s;

-- A form sends empty fields. A label with nothing to see is none; a reference, too, and then no policy applies to it.
SELECT title, description, reference, customer_name, customer_phone, trace_id
FROM unnest(ARRAY['', ' ', E'\t\n', E'\u00a0', E'\u200b', 'x']) AS field,
    checkout.create_checkout_session(5, 'USD', customer_id => 'c', title => field, description => field,
        reference => field, customer_name => field, trace_id => field,
        customer_phone => CASE field WHEN 'x' THEN '112' ELSE field END);
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'unique');
\c - shop_spellings
SELECT count(s) AS sessions FROM generate_series(1, 2),
    checkout.create_checkout_session(5, 'USD', customer_id => 'c', reference => ' ') AS s;
-- What identifies must not be blank.
SELECT argument, testing.creation(jsonb_build_object(argument, blank)) AS outcome
FROM unnest('{customer_id,product_id,price_id,subscription_id,payment_link_id,idempotency_key}'::text[]) AS argument,
    unnest(ARRAY['', ' ', E'\u00a0']) AS blank;
SELECT testing.creation('{"payment_methods": "{\" \"}"}');

-- Return URLs carry a shop's own state: up to 5,000 characters.
SELECT length(success_url), length(cancel_url)
FROM checkout.create_checkout_session(5, 'USD', customer_id => 'c',
    success_url => rpad('https://shop.example/?state=', 5000, 'x'),
    cancel_url => rpad('https://shop.example/?state=', 5000, 'ü'));

-- A buyer in an app returns to the app: to the schemes that the organization names, and to no other.
SELECT testing.creation('{"success_url": "myapp://done"}') AS before;
\c - postgres
SELECT app_link_schemes
FROM checkout.update_organization(:'organization', app_link_schemes => '{MyApp,com.example.shop}');
\c - shop_spellings
SELECT checkout_session_id AS id, client_secret AS secret, success_url, cancel_url
FROM checkout.create_checkout_session(5, 'USD', customer_id => 'c',
    success_url => 'myapp://done?id={CHECKOUT_SESSION_ID}',
    cancel_url => 'com.example.shop:/cart/%7BCHECKOUT_SESSION_ID%7D') \gset
\echo :success_url :cancel_url
SELECT replace(cancel_url, :'id', '<id>') AS cancel_url FROM checkout.public_checkout_session(:'id', :'secret');
SELECT url, testing.creation(jsonb_build_object('success_url', url))
FROM unnest(ARRAY[
    'MYAPP://done', 'https://shop.example/', 'other://done', 'javascript:alert(1)', E'java\tscript:alert(1)', 'myapp',
    'myapp:', 'myapp://do ne', 'myapp://user:secret@done', 'data:text/html,myapp://'
]) AS url;

-- Times beyond all bounds: create says which bounds, and a list has every session before them.
SELECT testing.creation('{"expires_at": "294276-12-31"}');
SELECT count(*) > 20 AS all FROM checkout.list_checkout_sessions(created_before => '294276-12-31', page_size => 100);
SELECT count(*) AS none FROM checkout.list_checkout_sessions(created_after => '294276-12-31');

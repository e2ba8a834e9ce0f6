-- The widest values that the dialects allow are accepted.
SELECT checkout.create_organization('Bounds') AS organization \gset
SELECT checkout.create_organization('Bounds of Yuno', sub_minor_amounts => true) AS yuno \gset
SELECT testing.login('shop_bounds', :'organization');
SELECT testing.login('shop_yuno', :'yuno');
\c - shop_bounds
\a
-- Flutterwave: amounts from 0.01, references of 6 to 42 characters, 5 to 2880 minutes, 0 to 10 retries, keys of 12 to
-- 255
SELECT amount, reference, expires_at - created_at AS lifetime, max_retry_attempts
FROM checkout.create_checkout_session(
    amount => 0.01, currency_code => 'NGN', customer_id => 'cus_1', reference => 'abc-12',
    expires_in => make_interval(mins => 5), max_retry_attempts => 0, idempotency_key => 'key-of-12-ch')
UNION ALL
SELECT amount, reference, expires_at - created_at, max_retry_attempts
FROM checkout.create_checkout_session(
    amount => 12.34, currency_code => 'NGN', customer_id => 'cus_1', reference => repeat('A', 42),
    expires_in => make_interval(mins => 2880), max_retry_attempts => 10, idempotency_key => repeat('k', 255))
UNION ALL
SELECT amount, reference, expires_at - created_at, max_retry_attempts
FROM checkout.create_checkout_session(amount => 12.34, currency_code => 'NGN', customer_id => 'cus_1',
    expires_in => make_interval(mins => 1442));
-- Each of its 160 currencies
SELECT count(*) AS currencies, count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
    array_agg(code) FILTER (WHERE outcome <> 'accepted') AS refused
FROM (
    SELECT code, testing.creation(jsonb_build_object('currency_code', code)) AS outcome
    FROM regexp_split_to_table(trim('
AED AFN ALL AMD ANG AOA AQD ARS AUD AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYR BZD CAD CDF CHF
CLP CNY COP CRC CUP CVE CYP CZK DJF DKK DOP DZD ECS EEK EGP ETB EUR FJD FKP GBP GEL GGP GHS GIP GMD GNF GTQ
GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR
LRD LSL LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MRO MTL MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR
PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SKK SLL SOS SRD STD SVC SYP SZL THB
TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VEF VND VUV XAF XCD XOF XPF YER ZAR ZMK ZWD ZMW
    ', E' \n'), '\s+') AS code
) AS tried;
-- Currencies that it does not list but ISO 4217 does
SELECT code, testing.creation(jsonb_build_object('currency_code', code)) AS outcome
FROM unnest('{BYN,MRU,SLE,STN,VES,AWG,BTN,ERN,SHP,SSP,WST,ZWG}'::text[]) AS code;
-- The number of their decimals
SELECT decimals, string_agg(code, ' ' ORDER BY code) AS currencies
FROM (
    SELECT code, scale(s.amount) AS decimals
    FROM unnest(
        '{BHD,BIF,BYR,CLF,CLP,DJF,EUR,GHS,GNF,HUF,IQD,ISK,JOD,JPY,KES,KMF,KRW,KWD,LYD,MGA,MRO,MRU,NGN,OMR,PYG,RWF,
        TND,TWD,UGX,USD,UYI,VND,VUV,XAF,XOF,XPF,ZAR}'::text[]) AS code,
        checkout.create_checkout_session(1, code, customer_id => 'c') AS s
) AS stored GROUP BY decimals ORDER BY decimals;

-- Yuno: ids of 36 to 64 characters, orders and descriptions of up to 255, URLs of up to 526, values in steps of 0.0001,
-- up to 50 metadata, a creation time of 27 characters
\c - shop_yuno
SELECT length(customer_id), length(reference), length(description), length(success_url), country, amount,
    (SELECT count(*) FROM jsonb_object_keys(metadata)) AS metadata,
    length(checkout_session_id::text) BETWEEN 36 AND 64 AS id_fits,
    length(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS characters
FROM checkout.create_checkout_session(amount => 0.0001, currency_code => 'COP', customer_id => repeat('c', 64),
    reference => repeat('m', 255), description => repeat('d', 255), country => 'CO',
    success_url => rpad('https://merchant.example/', 526, 'x'), expires_in => '5 hours',
    metadata => (SELECT jsonb_object_agg('key ' || n, repeat('v', 500)) FROM generate_series(1, 50) AS n));
-- Finer amounts are refused there, too. Without that setting of the organization, they are finer than the currency
-- allows.
SELECT amount, testing.creation(jsonb_build_object('amount', amount, 'currency_code', code)) AS outcome
FROM (VALUES (12.3456, 'COP'), (100.0001, 'JPY'), (1.23456, 'USD'), (1.2345, 'KWD')) AS amounts (amount, code);
\c - shop_bounds
SELECT testing.creation('{"amount": "12.3456", "currency_code": "COP"}');

-- The kobo dialect: at least NGN 1.00, a million naira, no name, both payment methods
SELECT amount, customer_name, payment_methods, metadata
FROM unnest('{1.00,1000000.00}'::numeric[]) AS naira,
    checkout.create_checkout_session(
        naira, 'NGN', customer_email => 'ade@example.com', payment_methods => '{bank_transfer,payid}',
        metadata => '{"order_id": "1", "plan": "pro", "cart": "[]"}');

-- PayGate: cedis from pesewas, its URLs, a day
SELECT amount, success_url, checkout.redirect_url(success_url, checkout_session_id)
    = 'https://yoursite.com/success?session_id=' || checkout_session_id AS redirects,
    expires_at - created_at AS lifetime
FROM checkout.create_checkout_session(5000 / 100.0, 'GHS', customer_id => 'cus_1', customer_phone => '0241234567',
    success_url => 'https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}',
        cancel_url => 'https://yoursite.com/cancel',
    expires_in => '24 hours');

-- Ours: the longest of every value at once
SELECT s.metadata = given.metadata AND length(title) = 255 AND length(description) = 5000
    AND cardinality(payment_methods) = 50
    AND length(success_url) = 2048 AND length(customer_phone) = 50 AND length(customer_email) = 254 AS as_given
FROM (SELECT jsonb_build_object('k', repeat('x', 32740)) AS metadata) AS given, checkout.create_checkout_session(
    amount => 999999999999999.99, currency_code => 'USD', title => repeat('日', 255), description => repeat('é', 5000),
    reference => repeat('x', 255), customer_id => repeat('x', 255), customer_name => repeat('x', 255),
    customer_email => repeat('l', 64) || '@' || repeat('d', 63) || '.' || repeat('d', 63) || '.' || repeat('d', 53)
        || '.example',
    customer_phone => rpad('+123', 49) || '4', quantity => 2147483647,
        success_url => rpad('https://example.com/', 2048, 'x'),
    payment_methods => (SELECT array_agg(rpad('method ' || n || ' ', 64, 'x')) FROM generate_series(1, 50) AS n),
    metadata => given.metadata, idempotency_key => repeat('ü', 255)) AS s;

-- Unusual but valid
SELECT argument, value, testing.creation(jsonb_build_object(argument, value)) AS outcome
FROM (VALUES
    ('customer_email', 'o''neill+tag@sub.example.co'), ('customer_email', 'ünï@example.com'),
    ('customer_email', 'a@localhost'),
    ('customer_phone', '(030) 123-456'), ('customer_phone', '112'), ('customer_phone', '+49 30 123.456/7'),
    ('success_url', 'HTTPS://EXAMPLE.COM/x'), ('success_url', 'http://127.0.0.1:8080'),
    ('success_url', 'https://[::1]/x'),
    ('success_url', 'https://münchen.example/ü?q=ü#ü'),
    ('success_url', 'https://example.com/{CHECKOUT_SESSION_ID}/{OTHER}'),
    ('title', E'two\nlines'), ('title', ' '), ('reference', '''; DROP TABLE orders; --'), ('title', '🧾'),
    ('payment_methods', '[5:6]={card,payid}'), ('metadata', '{}'), ('metadata', '{"": ""}')
) AS unusual (argument, value);

-- create refuses these. Each row has one fault, and the message for the caller.
SELECT checkout.create_organization('Create errors') AS organization \gset
SELECT testing.login('shop_errors', :'organization');
\c - shop_errors
\a
-- Too few arguments
SELECT testing.outcome('SELECT checkout.create_checkout_session()');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(amount => 10, customer_id => 'c')$$);
SELECT testing.outcome($$SELECT checkout.create_checkout_session(currency_code => 'USD', customer_id => 'c')$$);
SELECT testing.outcome($$SELECT checkout.create_checkout_session(10, 'USD')$$);

-- Faults of one argument each
SELECT argument, left(value, 40) AS value, testing.creation(jsonb_build_object(argument, value)) AS outcome
FROM (VALUES
    ('amount', '0'), ('amount', '-1'), ('amount', '-0.00'), ('amount', '0.001'), ('amount', '10.005'),
    ('amount', '1e-30'),
    ('amount', '0.00000000000000000000000000000000001'),
    ('amount', '1000000000000000'), ('amount', '1e20'), ('amount', '1e400'), ('amount', '-1e400'),
    ('amount', '999999999999999.999'),
    ('amount', '999999999999999999.9999999999999999999999999'),
    ('amount', 'NaN'), ('amount', 'Infinity'), ('amount', '-Infinity'), ('amount', 'ten'), ('amount', ''),
    ('amount', NULL),
    ('currency_code', NULL), ('currency_code', ''), ('currency_code', 'us'), ('currency_code', 'US'),
    ('currency_code', 'USDT'),
    ('currency_code', 'XXX'), ('currency_code', 'XTS'), ('currency_code', 'XAU'), ('currency_code', 'ZZZ'),
    ('currency_code', ' USD'),
    ('currency_code', 'US$'), ('currency_code', 'ÜSD'), ('currency_code', '840'),
    ('quantity', '0'), ('quantity', '-1'), ('quantity', '2147483648'), ('quantity', '1.5'),
    ('max_retry_attempts', '-1'), ('max_retry_attempts', '11'),
    ('country', ''), ('country', 'uk'), ('country', 'G'), ('country', 'GBR'), ('country', 'XX'), ('country', 'UK'),
    ('country', 'ZZ'),
    ('metadata', '[]'), ('metadata', '"text"'), ('metadata', '1'), ('metadata', 'null'), ('metadata', 'true'),
    ('metadata', '{'),
    ('metadata', '[{"key": "a"}]'), ('metadata', '{"a": "\u0000"}'),
    ('allow_quantity', 'perhaps'),
    ('payment_methods', '{}'), ('payment_methods', '{NULL}'), ('payment_methods', '{card,NULL}'),
    ('payment_methods', '{card,card}'),
    ('payment_methods', '{""}'), ('payment_methods', 'card'), ('payment_methods', E'{"a\u0001"}'),
    ('payment_methods', '{{card,payid},{card,wallet}}')
) AS faults (argument, value);

SELECT argument, value, testing.creation(jsonb_build_object(argument, value)) AS outcome
FROM (VALUES
    ('customer_email', ''), ('customer_email', 'john'), ('customer_email', 'john@'), ('customer_email', '@example.com'),
    ('customer_email', 'john doe@example.com'), ('customer_email', 'a@b@c'),
    ('customer_email', 'John <john@example.com>'),
    ('customer_email', 'mailto:john@example.com'), ('customer_email', E'john@example.com\nBcc: x@example.com'),
    ('customer_email', ' '), ('customer_email', 'a@b.example,c@d.example'), ('customer_email', 'john@example..com'),
    ('customer_email', E'john@example.com\u00a0'), ('customer_email', E'\u202ejohn@example.com'),
    ('customer_phone', '12'), ('customer_phone', 'call me'), ('customer_phone', '+'),
    ('customer_phone', E'+44 20\n7946 0958'), ('customer_phone', E'123456\u0001'),
    ('success_url', ''), ('success_url', 'example.com'), ('success_url', '/thanks'),
    ('success_url', '//example.com/thanks'),
    ('success_url', 'javascript:alert(1)'), ('success_url', 'JaVaScRiPt:alert(1)'),
    ('success_url', 'data:text/html,hello'),
    ('success_url', 'ftp://example.com/'), ('success_url', 'file:///etc/passwd'), ('success_url', 'https://'),
    ('success_url', 'https:///example.com'), ('success_url', 'https:example.com'),
    ('success_url', 'https://user:secret@example.com'),
    ('success_url', 'https://user@example.com'), ('success_url', 'https://exa mple.com'),
    ('success_url', ' https://example.com'),
    ('success_url', E'https://example.com/\n'), ('success_url', 'https://example.com\@evil.example'),
    ('success_url', 'https://[::1'),
    ('success_url', 'https://example.com:99999/'), ('success_url', E'java\tscript:alert(1)'),
    ('cancel_url', 'javascript:alert(1)'), ('cancel_url', 'cart'), ('success_url', 'myapp://done')
) AS faults (argument, value);

-- Lifetimes
SELECT argument, value, testing.creation(jsonb_build_object(argument, value)) AS outcome
FROM (VALUES
    ('expires_in', '0'), ('expires_in', '-1 minute'), ('expires_in', '999 milliseconds'),
    ('expires_in', '48 hours 1 microsecond'),
    ('expires_in', '1 month'), ('expires_in', '178000000 years'), ('expires_in', '-178000000 years'),
    ('expires_in', '2562047788 hours'), ('expires_in', 'soon'),
    ('expires_at', 'now'), ('expires_at', 'yesterday'), ('expires_at', '1970-01-01'), ('expires_at', '4713-01-01 BC'),
    ('expires_at', '9999-12-31'), ('expires_at', '262142-12-31 23:59:59.999999+00'),
    ('expires_at', '294276-12-31 23:59:59.999999+00'), ('expires_at', '294276-12-31'),
    ('expires_at', 'infinity'), ('expires_at', '-infinity'), ('expires_at', 'soon')
) AS faults (argument, value);
SELECT testing.creation(jsonb_build_object('expires_at', now() + interval '1 hour', 'expires_in', '1 hour'));
SELECT testing.creation(jsonb_build_object('expires_at', now() + interval '48 hours 1 minute'));

-- Texts that are too long or have control characters, and ids that are empty. An empty label is none.
SELECT argument, limit_of,
    testing.creation(jsonb_build_object(argument, repeat('ü', limit_of))) AS at_the_limit,
    testing.creation(jsonb_build_object(argument, repeat('x', limit_of + 1))) AS beyond,
    testing.creation(jsonb_build_object(argument, '')) AS empty,
    testing.creation(jsonb_build_object(argument, ' ')) AS blank,
    testing.creation(jsonb_build_object(argument, E'bell\u0007')) AS control
FROM (VALUES
    ('title', 255), ('description', 5000), ('reference', 255), ('customer_id', 255), ('customer_name', 255),
    ('product_id', 255),
    ('price_id', 255), ('subscription_id', 255), ('payment_link_id', 255), ('idempotency_key', 255)
) AS texts (argument, limit_of);
SELECT argument, testing.creation(jsonb_build_object(argument, value)) AS outcome
FROM (VALUES
    ('customer_email', repeat('x', 64) || '@' || repeat('y', 186) || '.example'),
    ('customer_phone', '1' || repeat(' ', 61) || '123'),
    ('success_url', 'https://example.com/' || repeat('x', 4981)),
    ('cancel_url', 'https://example.com/' || repeat('x', 4981)),
    ('payment_methods', '{' || repeat('x', 65) || '}'),
    ('payment_methods', (SELECT array_agg('method ' || n)::text FROM generate_series(1, 51) n)),
    ('metadata', jsonb_build_object('k', repeat('x', 33000))::text)
) AS faults (argument, value);

-- A message never repeats a value that may be personal.
SELECT argument, testing.creation(jsonb_build_object(argument, 'a secret of ' || argument))
    LIKE '%a secret%' AS repeated
FROM unnest('{customer_email,customer_phone,success_url,cancel_url,country,currency_code}'::text[]) AS argument;

-- An unknown argument
SELECT testing.creation('{"merchant_id": "m1"}')
    LIKE '42883: function checkout.create_checkout_session(%) does not exist%' AS unknown;
-- The lomi document's own text, outside of the helper
SELECT checkout.create_checkout_session(amount => 10000.0, currency_code => 'XOF', title => 'No customer');
\echo :LAST_ERROR_SQLSTATE
SELECT checkout.create_checkout_session(
    amount => -5, currency_code => 'XOF', customer_id => 'c', idempotency_key => 'kept?');
\echo :LAST_ERROR_SQLSTATE

-- A refused request stores nothing, not even its key.
\c - postgres
SELECT count(*) FILTER (WHERE length(title) = 255 OR length(description) = 5000 OR length(reference) = 255
    OR length(customer_id) = 255
    OR length(customer_name) = 255 OR length(product_id) = 255 OR length(price_id) = 255
        OR length(subscription_id) = 255
    OR length(payment_link_id) = 255) AS at_a_limit,
    count(*) AS sessions
FROM checkout_data.checkout_sessions WHERE organization_id = :'organization';
SELECT length(idempotency_key), count(*)
FROM checkout_data.idempotency_keys WHERE organization_id = :'organization' GROUP BY 1;

-- The buyer's page: a caller that presents the client secret of a session reads what a payment page needs, and nothing
-- else.
SELECT checkout.create_organization('Buyer''s shop', payment_methods => '{card,payid}') AS organization,
    checkout.create_organization('Buyer, others') AS other \gset
SELECT testing.login('shop_buyer', :'organization');
SELECT testing.login('shop_buyer_test', :'organization', 'test');
SELECT testing.login('shop_buyer_other', :'other');
-- The caller is a role with request access, without a credential.
\c - shop_buyer_other
SELECT checkout_session_id AS of_other, client_secret AS secret_of_other FROM checkout.create_checkout_session(1, 'USD',
    customer_id => 'c') \gset
\c - shop_buyer_test
SELECT checkout_session_id AS of_test, client_secret AS secret_of_test FROM checkout.create_checkout_session(1, 'USD',
    title => 'A test', customer_id => 'c') \gset
\c - shop_buyer

-- A session with all possible values. Those that are personal, or the merchant's, say so.
SELECT checkout_session_id AS id, client_secret AS secret, client_secret ~ '^cs_secret_[A-Za-z0-9_-]{66}$' AS shaped,
    expires_at AS ends
FROM checkout.create_checkout_session(129.9, 'EUR', title => 'Two chairs', description => 'Oak', reference => 'PRIVATE',
    customer_id => 'PRIVATE', customer_email => 'PRIVATE@example.com', customer_name => 'PRIVATE',
    customer_phone => '+44 20 7946 0000', product_id => 'PRIVATE', price_id => 'PRIVATE', subscription_id => 'PRIVATE',
        payment_link_id => 'PRIVATE', quantity => 2, allow_quantity => true, allow_coupon_code => true,
    require_billing_address => true, is_spi => true, is_pos => true, country => 'GB', success_url =>
        'https://shop.example/thanks?id={CHECKOUT_SESSION_ID}&again={CHECKOUT_SESSION_ID}',
    cancel_url => 'https://shop.example/cart#{CHECKOUT_SESSION_ID}', max_retry_attempts => 7, metadata =>
        '{"PRIVATE": "PRIVATE"}', idempotency_key => 'PRIVATE', trace_id => 'PRIVATE', expires_in => '1 hour') \gset
\echo :shaped
-- The secret belongs to the session: get returns the same one, and another session has another.
SELECT client_secret = :'secret' AS same FROM checkout.get_checkout_session(:'id');
SELECT count(DISTINCT client_secret) AS different FROM (SELECT s.client_secret FROM generate_series(1, 10) AS n,
    checkout.create_checkout_session(1, 'USD', customer_id => n::text) AS s) AS many;
-- It is also in a replay, and in a recovered session, but not in a list, and not after the end of the session.
SELECT checkout_session_id AS of_key, client_secret AS its_secret FROM checkout.create_checkout_session(2, 'USD',
    customer_id => 'c', idempotency_key => 'buyer') \gset
SELECT checkout_session_id = :'of_key' AS same, client_secret = :'its_secret' AS same_secret, idempotent_replay
FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c', idempotency_key => 'buyer');
SELECT status, client_secret FROM checkout.expire_checkout_session(:'of_key');
SELECT status, client_secret FROM checkout.expire_checkout_session(:'of_key');
SELECT checkout_session_id AS new, client_secret AS new_secret, client_secret <> :'its_secret' AS its_own
FROM checkout.recover_checkout_session(:'of_key') \gset
\echo :its_own
SELECT client_secret = :'new_secret' AS same FROM checkout.get_checkout_session(:'new');
SELECT count(*) > 10 AS many, count(client_secret) AS secrets FROM checkout.list_checkout_sessions();

-- All that the buyer reads
\c - visitor
SELECT jsonb_pretty(replace(replace(to_jsonb(p)::text, :'id', '<id>'), to_jsonb(:'ends'::timestamptz) #>> '{}',
    '<ends>')::jsonb - 'server_time') AS page, p.server_time BETWEEN now() AND clock_timestamp() AS now,
    p::text ~ 'PRIVATE|7946' AS private
FROM checkout.public_checkout_session(:'id', :'secret') AS p;
-- The other members of get are not shown; the common ones are equal.
\c - shop_buyer
SELECT string_agg(g.key, ' ' ORDER BY g.key) FILTER (WHERE p.key IS NULL) AS not_for_the_buyer, string_agg(p.key, ' '
    ORDER BY p.key) FILTER (WHERE g.key IS NULL) AS for_the_buyer_only,
    string_agg(p.key, ' ' ORDER BY p.key) FILTER (WHERE p.value <> g.value) AS told_otherwise
FROM (SELECT e.* FROM checkout.get_checkout_session(:'id') AS s, jsonb_each(to_jsonb(s)) AS e) AS g
FULL JOIN (SELECT e.* FROM checkout.public_checkout_session(:'id', :'secret') AS s, jsonb_each(to_jsonb(s)) AS e) AS p
    USING (key);
-- It works in a READ ONLY transaction and in the session's own environment, for any caller.
\c - visitor
BEGIN READ ONLY;
SELECT title, environment, success_url, cancel_url FROM checkout.public_checkout_session(:'of_test', :'secret_of_test');
COMMIT;
\c - shop_buyer_other
SELECT title, environment FROM checkout.public_checkout_session(:'of_test', :'secret_of_test');
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', :'of_test'));

-- The clock decides its state: a payment begins, its lease ends, another fails, the last one succeeds.
\c - postgres
CREATE FUNCTION testing.page(session uuid, secret text) RETURNS TABLE (status text, payment_status text, success_url
    boolean, cancel_url boolean) LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT status, payment_status, success_url IS NOT NULL, cancel_url IS NOT NULL FROM
        checkout.public_checkout_session(session, secret) $$;
\c - shop_buyer
SELECT * FROM testing.page(:'id', :'secret');
SELECT status FROM checkout.begin_payment(:'id', 'buyer-1', lease => '1 minute');
SELECT * FROM testing.page(:'id', :'secret');
SELECT testing.age(:'id', '2 minutes');
SELECT * FROM testing.page(:'id', :'secret');
SELECT status FROM checkout.record_payment(:'id', 'buyer-2', 'failed');
SELECT * FROM testing.page(:'id', :'secret');
SELECT status FROM checkout.record_payment(:'id', 'buyer-3', 'succeeded');
SELECT * FROM testing.page(:'id', :'secret');
-- Now it has the URL to go to, with every placeholder filled in.
SELECT replace(success_url, :'id', '<id>') AS success_url, replace(cancel_url, :'id', '<id>') AS cancel_url
FROM checkout.public_checkout_session(:'id', :'secret');
-- What builds a URL may escape the braces on the way, in either case of the hexadecimal digits.
\c - shop_buyer
SELECT url, replace(checkout.redirect_url(url, :'id'), :'id', '<id>') AS redirect FROM unnest(ARRAY[
    'https://shop.example/?id={CHECKOUT_SESSION_ID}', 'https://shop.example/?id=%7BCHECKOUT_SESSION_ID%7D',
    'https://shop.example/?id=%7bCHECKOUT_SESSION_ID%7d&again={CHECKOUT_SESSION_ID%7D',
    'https://shop.example/?to=https%3A%2F%2Fb.example%2F%7BCHECKOUT_SESSION_ID%7D%2Fpaid',
    'https://shop.example/?id=CHECKOUT_SESSION_ID', 'https://shop.example/?id=%7BCHECKOUT_SESSION%7D'
]) AS url;
SELECT checkout_session_id AS escaped, client_secret AS escaped_secret FROM checkout.create_checkout_session(1, 'USD',
    customer_id => 'c', cancel_url => 'https://shop.example/%7BCHECKOUT_SESSION_ID%7D') \gset
\c - visitor
SELECT replace(cancel_url, :'escaped', '<id>') AS cancel_url
FROM checkout.public_checkout_session(:'escaped', :'escaped_secret');
\c - shop_buyer
-- Expired by the clock, before any worker has stored it; and failed
SELECT checkout_session_id AS late, client_secret AS late_secret FROM checkout.create_checkout_session(1, 'USD',
    customer_id => 'c', success_url => 'https://shop.example', max_retry_attempts => 0) \gset
SELECT checkout_session_id AS failed, client_secret AS failed_secret FROM checkout.create_checkout_session(1, 'USD',
    customer_id => 'c', success_url => 'https://shop.example', max_retry_attempts => 0) \gset
SELECT testing.age(:'late', '2 hours');
SELECT status FROM checkout.record_payment(:'failed', 'buyer-4', 'failed');
SELECT * FROM testing.page(:'late', :'late_secret') UNION ALL SELECT * FROM testing.page(:'failed', :'failed_secret');
\c - postgres
SELECT status AS stored FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'late';

-- Every fault gets the same answer, to the byte: an unknown session, and a wrong secret.
SELECT checkout_session_id AS second, client_secret AS second_secret FROM checkout.create_organization('Gone') AS gone,
    LATERAL (SELECT set_config('checkout_sessions.organization_id', gone::text, false)) AS s,
    LATERAL (SELECT * FROM checkout.create_checkout_session(1, 'USD', customer_id => s::text)) AS made \gset gone_
ALTER TABLE checkout_data.organizations DISABLE TRIGGER organizations_deleted;
DELETE FROM checkout_data.organizations WHERE name = 'Gone';
ALTER TABLE checkout_data.organizations ENABLE TRIGGER organizations_deleted;
RESET checkout_sessions.organization_id;
CREATE FUNCTION testing.changed(secret text, at integer, byte integer DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT 'cs_secret_' || rtrim(translate(encode(set_byte(b, at, coalesce(byte, get_byte(b, at) # 255)), 'base64'),
        E'+/\n', '-_'), '=')
    FROM decode(translate(substr(secret, 11), '-_', '+/') || '==', 'base64') AS b
$$;
COMMENT ON FUNCTION testing.changed IS
    'A client secret with another byte: 16 of organization, one of environment, 32 of code.';
SELECT testing.changed(:'secret', 16, ascii('l')) = :'secret' AS live;
SELECT testing.changed(:'secret_of_test', 16, ascii('t')) = :'secret_of_test' AS test;
\c - visitor
CREATE TEMP TABLE wrong (what text, id uuid, secret text);
INSERT INTO wrong VALUES ('no such session', gen_random_uuid(), :'secret'),
    ('another session''s secret', :'late', :'secret'), ('this secret, another session', :'id', :'late_secret'),
    ('another organization''s', :'id', :'secret_of_other'), ('another organization''s session', :'of_other', :'secret'),
    ('of the test environment', :'id', :'secret_of_test'), ('the test session', :'of_test', :'secret'),
    ('environment changed', :'id', testing.changed(:'secret', 16, ascii('t'))),
    ('environment changed in test', :'of_test', testing.changed(:'secret_of_test', 16, ascii('l'))),
    ('environment nonsense', :'id', testing.changed(:'secret', 16, 0)),
    ('organization changed', :'id', testing.changed(:'secret', 0)),
    ('first byte of the code', :'id', testing.changed(:'secret', 17)),
    ('last byte of the code', :'id', testing.changed(:'secret', 48)),
    ('organization gone', :'gone_second', :'gone_second_secret'), ('empty', :'id', ''),
    ('prefix only', :'id', 'cs_secret_'), ('without prefix', :'id', substr(:'secret', 11)),
    ('cut short', :'id', left(:'secret', 75)), ('too long', :'id', :'secret' || 'A'),
    ('padded', :'id', :'secret' || '=='), ('in capitals', :'id', upper(:'secret')),
    ('with a space', :'id', :'secret' || ' '), ('an API key', :'id', 'sk_live_' || repeat('a', 61)),
    ('garbage', :'id', E'\u00e9\u2028\x7f'), ('injection', :'id', ''' OR true --'),
    ('long', :'id', 'cs_secret_' || repeat('A', 60000)), ('the id', :'id', :'id');
SELECT what, testing.outcome(format('SELECT checkout.public_checkout_session(%L, %L)', id, secret)) FROM wrong
WHERE testing.whole_error('SELECT checkout.public_checkout_session($1[1]::uuid, $1[2])', id::text, secret)
    IS DISTINCT FROM testing.whole_error('SELECT checkout.public_checkout_session($1[1]::uuid, $1[2])',
        '01890000-0000-7000-8000-000000000000', 'x');
SELECT count(*) AS tried, testing.outcome(format('SELECT checkout.public_checkout_session(%L, %L)', :'id', 'x'))
    AS answer
FROM wrong;
-- A secret has only one spelling: of 64 last characters, one is right.
SELECT count(*) FILTER (WHERE answer = 'accepted') AS accepted, count(*) AS tried
FROM regexp_split_to_table('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', '') AS last,
    testing.whole_error('SELECT checkout.public_checkout_session($1[1]::uuid, $1[2])', :'id',
    left(:'secret', 75) || last) AS answer;
SELECT testing.outcome('SELECT checkout.public_checkout_session(NULL, ''x'')');
SELECT testing.outcome(format('SELECT checkout.public_checkout_session(%L, NULL)', :'id'));
-- A secret gives access to the page, and to nothing else.
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', :'id'));
SELECT testing.outcome(format('SELECT checkout.authenticate(%L)', :'secret'));

-- When the organization's secret is changed, its client secrets are wrong like any other, and get returns new ones.
-- Other organizations keep theirs.
\c - postgres
SELECT name FROM checkout.rotate_client_secrets(:'organization');
SELECT testing.outcome('SELECT checkout.rotate_client_secrets(NULL)');
SELECT testing.outcome('SELECT checkout.rotate_client_secrets(''01890000-0000-7000-8000-000000000000'')');
\c - shop_buyer
SELECT count(*) AS tried, count(*) FILTER (
        WHERE answer = testing.whole_error('SELECT checkout.public_checkout_session($1[1]::uuid, $1[2])', :'id', 'x'))
    AS wrong
FROM (VALUES
    (:'id', :'secret'), (:'late', :'late_secret'), (:'of_test', :'secret_of_test'), (:'new', :'new_secret')
) AS known (id, secret), testing.whole_error('SELECT checkout.public_checkout_session($1[1]::uuid, $1[2])', id, secret)
    AS answer;
SELECT client_secret <> :'secret' AS new, p.title FROM checkout.get_checkout_session(:'id') AS g,
    checkout.public_checkout_session(:'id', g.client_secret) AS p;
SELECT checkout_session_id = :'of_key' AS same, client_secret <> :'its_secret' AS new_secret
FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c', idempotency_key => 'buyer');
SELECT status FROM checkout.public_checkout_session(:'of_other', :'secret_of_other');
-- A rotation that is rolled back has no effect.
\c - postgres
SELECT set_config('checkout_sessions.organization_id', :'organization', false) IS NOT NULL AS set;
SELECT client_secret AS secret FROM checkout.get_checkout_session(:'id') \gset
BEGIN;
SELECT name FROM checkout.rotate_client_secrets(:'organization');
SELECT client_secret <> :'secret' AS new FROM checkout.get_checkout_session(:'id');
SELECT testing.outcome(format('SELECT checkout.public_checkout_session(%L, %L)', :'id', :'secret'));
ROLLBACK;
SELECT client_secret = :'secret' AS as_before FROM checkout.get_checkout_session(:'id');
SELECT title FROM checkout.public_checkout_session(:'id', :'secret');
-- No function returns the organization's secret.
SELECT o::text ~ encode(k.client_secret_key, 'hex') AS shown
FROM checkout.list_organizations() AS o JOIN checkout_data.organizations AS k USING (organization_id)
WHERE organization_id = :'organization';

-- The dialects in SQL: what a request stores, for which organization, and which faults are still SQL errors.
-- The tests in tests/server/dialects/ check the documents line by line.
SELECT checkout.create_organization('Documented') AS our_id, checkout.create_organization('Neighbour') AS their_id \gset
SELECT api_key AS our_key FROM checkout.create_api_key(:'our_id', 'secret', 'live') \gset
SELECT api_key AS our_test_key FROM checkout.create_api_key(:'our_id', 'secret', 'test') \gset
SELECT api_key AS our_public_key FROM checkout.create_api_key(:'our_id', 'publishable', 'live') \gset
SELECT api_key AS their_test_key FROM checkout.create_api_key(:'their_id', 'secret', 'test') \gset
SELECT api_key AS their_key FROM checkout.create_api_key(:'their_id', 'secret', 'live') \gset
CREATE ROLE dialect_web LOGIN;
SELECT checkout.grant_access('dialect_web', 'request');
SELECT testing.login('documented_shop', :'our_id');

CREATE FUNCTION testing.unkeyed(message text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(regexp_replace(testing.masked(message), 'cs_[0-9a-f]{32}', 'cs_<id>', 'g'),
        '[sp]k_(live|test)_[A-Za-z0-9]+', '<key>', 'g')
$$;
CREATE FUNCTION testing.bearer(api_key text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('authorization', 'Bearer ' || api_key)
$$;
CREATE FUNCTION testing.http(
    dialect text, method text, path text, headers jsonb DEFAULT '{}', body jsonb DEFAULT NULL, query jsonb DEFAULT '{}')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.status, nullif(r.headers - 'X-Request-Id', '{}'), testing.unkeyed(r.body::text))
    FROM checkout.handle_request(dialect, method, path, headers, query, body::text) AS r
$$;
COMMENT ON FUNCTION testing.http IS 'An answer on one line, without what differs from run to run.';
CREATE FUNCTION testing.raises(
    dialect text, method text, path text, headers text DEFAULT '{}', query text DEFAULT '{}', body text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
    SELECT testing.outcome(
        format('SELECT * FROM checkout.handle_request(%L, %L, %L, %L, %L, %L)', dialect, method, path, headers, query,
            body))
$$;
COMMENT ON FUNCTION testing.raises IS 'The SQL error of a request, or that there is none.';
CREATE FUNCTION testing.row_counts() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    counts text := '';
    tables regclass;
    n bigint;
BEGIN
    FOR tables IN SELECT oid
        FROM pg_class WHERE relnamespace = 'checkout_data'::regnamespace AND relkind = 'r' ORDER BY relname LOOP
        EXECUTE format('SELECT count(*) FROM %s', tables) INTO n;
        counts := counts || tables || ' ' || n || E'\n';
    END LOOP;
    RETURN counts;
END
$$;
COMMENT ON FUNCTION testing.row_counts IS 'How many rows every table has, of all tenants.';
-- The smallest body that each dialect accepts, and its path
CREATE TABLE testing.creations (dialect text PRIMARY KEY, path text, body jsonb);
INSERT INTO testing.creations VALUES
    ('kobo', '/v1/checkout/session/initialize', '{"amount": 100, "email": "jane@example.com"}'),
    ('lomi', '/checkout-sessions', '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}'),
    ('paygate', '/v1/checkout/sessions',
        '{"amount": 1, "success_url": "https://a.example/", "cancel_url": "https://a.example/"}'),
    ('flutterwave', '/checkout/sessions', '{"amount": 1, "currency": "NGN"}'),
    ('yuno', '/v1/checkout/sessions',
        '{"merchant_order_id": "1234", "country": "CO", "amount": {"currency": "COP", "value": 1}}');
GRANT SELECT ON testing.creations TO PUBLIC;
CREATE TABLE testing.orders (note text);
GRANT ALL ON testing.orders TO PUBLIC;

-- a refused request leaves nothing behind
-- -------------------------------------------------------------------------------
\c - dialect_web
SELECT testing.bearer(:'our_key') AS ours, testing.bearer(:'their_key') AS theirs,
    testing.bearer(:'our_test_key') AS test,
    testing.bearer(:'our_public_key') AS public, testing.bearer(:'their_test_key') AS their_test \gset
SELECT testing.http('flutterwave', 'POST', '/checkout/sessions', :'ours',
    '{"amount": 1, "currency": "NGN", "reference": "order-4521"}') ~ '^200' AS made;
SELECT testing.row_counts() AS before \gset
BEGIN;
INSERT INTO testing.orders VALUES ('before the refusals');
-- Refused before anything is looked up
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'ours', '{"amount": "1"}');
SELECT testing.http('lomi', 'PATCH', '/checkout-sessions', :'ours', '{"amount": "1"}');
SELECT testing.http('lomi', 'POST', '/checkout-sessions', '{"x-api-key": "wrong"}', '{"amount": 1}');
-- Refused when the idempotency key has been claimed already
SELECT dialect,
    testing.http(dialect, 'POST', path, :'ours'::jsonb || '{"x-idempotency-key": "claimed-and-refused"}',
        body || refused)
FROM testing.creations JOIN (VALUES
    ('kobo', '{"email": "nobody"}'::jsonb), ('lomi', '{"success_url": "javascript:"}'),
    ('paygate', '{"expires_at": "2001-01-01T00:00:00Z"}'),
    ('flutterwave', '{"reference": "order-4521"}'), ('yuno', '{"country": "ZZ"}')
) AS refusals (dialect, refused) USING (dialect) ORDER BY dialect;
-- Refused because of stored rows
SELECT testing.http('paygate', 'POST', '/v1/checkout/sessions/cs_00000000000000000000000000000001/expire', :'ours')
    LIKE '404 %' AS not_found;
INSERT INTO testing.orders VALUES ('after the refusals');
SELECT testing.row_counts() = :'before' AS nothing_is_left;
COMMIT;
SELECT testing.row_counts() = :'before' AS nothing_is_left;
SELECT note FROM testing.orders;
-- The key is free, so the request can be corrected.
SELECT testing.http('kobo', 'POST', '/v1/checkout/session/initialize',
    :'ours'::jsonb || '{"x-idempotency-key": "claimed-and-refused"}', '{"amount": 100, "email": "jane@example.com"}')
    ~ '^200 .*\{"status": ?true' AS made;
-- An accepted request is committed or rolled back with the caller's transaction.
SELECT testing.row_counts() AS before \gset
BEGIN;
SELECT testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
    '{"amount": 100, "email": "jane@example.com"}') ~ '^200' AS made;
SELECT testing.row_counts() = :'before' AS nothing_yet;
ROLLBACK;
SELECT testing.row_counts() = :'before' AS nothing_is_left;

-- the credential of a request is for the request
-- -------------------------------------------------------------------------
\set whose 'SELECT testing.outcome($$SELECT checkout.current_organization_id()$$) AS who,'
\set whose :whose ' current_setting($$checkout_sessions.organization_id$$) AS organization,'
\set whose :whose ' current_setting($$checkout_sessions.environment$$) AS environment;'
BEGIN;
:whose
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'test',
    '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}') ~ '"environment":"test"' AS made;
:whose
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'test', '{"amount": 1}') AS refused;
:whose
-- Two organizations in one transaction, each with its own sessions
SELECT o.body ->> 'organization_id' = :'our_id' AS ours, t.body ->> 'organization_id' = :'their_id' AS theirs
FROM testing.creations AS c, checkout.handle_request(c.dialect, 'POST', c.path, :'ours', '{}', c.body::text) AS o,
    checkout.handle_request(c.dialect, 'POST', c.path, :'theirs', '{}', c.body::text) AS t
WHERE c.dialect = 'lomi';
COMMIT;
:whose
-- A credential presented before stays, and no request may contradict it.
BEGIN;
SELECT environment FROM checkout.authenticate(:'our_key');
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS same_tenant;
SELECT testing.http('lomi', 'GET', '/checkout-sessions') ~ '^200' AS no_key;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'theirs') AS another;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'test') AS test;
SELECT checkout.current_organization_id() = :'our_id' AS still_ours;
SELECT checkout.current_environment();
ROLLBACK;
-- A publishable key does not affect the next request.
SELECT testing.http('kobo', 'POST', path, :'public', body) ~ '^200' AS made,
    testing.http('lomi', 'GET', '/checkout-sessions', :'public') AS refused,
    testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS listed
FROM testing.creations WHERE dialect = 'kobo';
-- Without a credential
SELECT dialect, testing.http(dialect, 'POST', path, '{}', body) FROM testing.creations ORDER BY dialect;

-- A role that acts for an organization needs no key.
\c - documented_shop
SELECT dialect, testing.http(dialect, 'POST', path, '{}', body) ~ '^20[01] ' AS made
FROM testing.creations ORDER BY dialect;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS own_key;
-- A key of another organization, or an invalid one, is not ignored.
SELECT name, testing.http('lomi', 'GET', '/checkout-sessions', headers) FROM (VALUES
    ('another organization', :'theirs'::jsonb), ('another environment', :'test'),
    ('unknown', '{"x-api-key": "sk_live_0"}'),
    ('empty', '{"x-api-key": ""}'), ('no bearer', '{"authorization": "Basic c2s6"}'),
    ('not a key', '{"authorization": "Bearer eyJhbGciOi"}'),
    ('two keys', :'ours'::jsonb || '{"x-api-key": "sk_live_0"}')
) AS wrong (name, headers);
SELECT checkout.current_organization_id() = :'our_id' AS still_ours;
SELECT checkout.current_environment();
-- A publishable key of the organization limits its own request, and no other.
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'public') AS refused;
SELECT testing.http('lomi', 'GET', '/checkout-sessions') ~ '^200' AS listed;

-- an unexpected SQL error is one
-- ---------------------------------------------------------------------------------------
-- A hot standby and a READ ONLY transaction can read.
BEGIN READ ONLY;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS listed;
\set VERBOSITY terse
SELECT checkout.handle_request('lomi', 'POST', path, :'ours', '{}', body::text)
FROM testing.creations WHERE dialect = 'lomi';
ROLLBACK;
\set VERBOSITY default
-- If the caller catches it, only that block is undone, and the caller stays the same.
BEGIN READ ONLY;
SELECT testing.raises('lomi', 'POST', path, '{}', '{}', body::text) FROM testing.creations WHERE dialect = 'lomi';
SELECT current_user;
SELECT checkout.current_organization_id() = :'our_id' AS still_ours;
COMMIT;
SELECT current_user;
SELECT now() = statement_timestamp() AS nothing_is_open;
SELECT r.body ->> 'id' AS locked
FROM testing.creations AS c, checkout.handle_request(c.dialect, 'POST', c.path, '{}', '{}', c.body::text) AS r
WHERE c.dialect = 'paygate' \gset
\c - postgres
CREATE EXTENSION dblink SCHEMA testing;
SELECT testing.dblink_connect(
    'holder',
    format('host=%s port=%s dbname=%s user=postgres', current_setting('unix_socket_directories'),
        current_setting('port'), current_database()));
SELECT testing.dblink_exec('holder', 'BEGIN');
SELECT *
FROM testing.dblink('holder',
    format($$SELECT status FROM checkout_data.checkout_sessions WHERE checkout_session_id = %L FOR UPDATE$$,
        replace(:'locked', 'cs_', ''))) AS s (status text);
SET SESSION AUTHORIZATION dialect_web;
SET lock_timeout = '20ms';
SELECT testing.raises('paygate', 'POST', format('/v1/checkout/sessions/%s/expire', :'locked'), :'ours');
:whose
SELECT testing.http('paygate', 'GET', format('/v1/checkout/sessions/%s', :'locked'), :'ours')
    ~ '"status":"open"' AS still_open;
RESET SESSION AUTHORIZATION;
SELECT testing.dblink_exec('holder', 'COMMIT');
SET SESSION AUTHORIZATION dialect_web;
SELECT testing.http('paygate', 'POST', format('/v1/checkout/sessions/%s/expire', :'locked'), :'ours')
    ~ '"status":"expired"' AS expired;
RESET SESSION AUTHORIZATION;
RESET lock_timeout;
SELECT testing.dblink_disconnect('holder');
DROP EXTENSION dblink;
-- An administrator's trigger that fails
CREATE FUNCTION testing.closed()
RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed on Sundays' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER closed BEFORE INSERT ON checkout_data.checkout_sessions FOR EACH ROW EXECUTE FUNCTION testing.closed();
SET SESSION AUTHORIZATION dialect_web;
SELECT testing.row_counts() AS before \gset
SELECT dialect, testing.raises(
        dialect, 'POST', path, (:'ours'::jsonb || '{"idempotency-key": "on-a-sunday"}')::text, '{}', body::text)
FROM testing.creations ORDER BY dialect;
SELECT testing.row_counts() = :'before' AS nothing_is_left;
:whose
RESET SESSION AUTHORIZATION;
DROP TRIGGER closed ON checkout_data.checkout_sessions;
DROP FUNCTION testing.closed;

-- in savepoints and exception blocks
-- ------------------------------------------------------------------------------------
\c - dialect_web
BEGIN;
SAVEPOINT one;
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}', body)
    ~ '^201' AS made
FROM testing.creations WHERE dialect = 'lomi';
ROLLBACK TO one;
:whose
SAVEPOINT two;
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}', body)
    ~ '^201 \{"checkout' AS made_not_replayed
FROM testing.creations WHERE dialect = 'lomi';
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}',
    body || '{"amount": 2}') AS refused
FROM testing.creations WHERE dialect = 'lomi';
RELEASE two;
COMMIT;
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}', body)
    ~ '^201 \{"Idempotent-Replayed": "true"\}' AS replayed
FROM testing.creations WHERE dialect = 'lomi';
-- A refusal is an answer, and breaks nothing. An error undoes its block, and the credential with it.
DO $$
DECLARE
    answer text;
BEGIN
    BEGIN
        RAISE NOTICE '%', testing.http('lomi', 'POST', '/checkout-sessions', '{"x-api-key": "wrong"}', '{"amount": 1}');
        BEGIN
            answer := testing.http('lomi', 'POST', '/checkout-sessions', '{"x-api-key": "wrong"}', '{"amount": 1}');
            PERFORM 1 / 0;
        EXCEPTION WHEN division_by_zero THEN
            RAISE NOTICE 'undone: %', answer;
        END;
        PERFORM checkout.handle_request('nobody', 'GET', '/');
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE NOTICE 'caught: %', SQLERRM;
    END;
END $$;
CREATE FUNCTION pg_temp.create_and_raise(headers jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    session text;
BEGIN
    BEGIN
        SELECT r.body ->> 'checkout_session_id' INTO session
        FROM checkout.handle_request(
            'lomi', 'POST', '/checkout-sessions', headers, '{}',
            '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}') AS r;
        RAISE 'not after all';
    EXCEPTION WHEN raise_exception THEN
        answer := testing.http('lomi', 'GET', '/checkout-sessions/' || session, headers);
    END;
    RETURN concat_ws(', ', answer, testing.outcome('SELECT checkout.current_organization_id()'));
END $$;
SELECT pg_temp.create_and_raise(:'ours');

-- hostile input
-- --------------------------------------------------------------------------------------------------------
-- Wrong arguments of handle_request are SQL errors. NULL counts as absent where an argument is optional.
SELECT testing.raises(dialect, method, path, headers, query) FROM (VALUES
    (NULL, 'GET', '/', '{}', '{}'), ('lomi', NULL, '/', '{}', '{}'), ('lomi', 'GET', NULL, '{}', '{}'),
    ('nobody', 'GET', '/', '{}', '{}'),
    ('LOMI', 'GET', '/', '{}', '{}'), ('', 'GET', '/', '{}', '{}'), ('lomi', 'GET', '/', '[]', '{}'),
    ('lomi', 'GET', '/', '"x-api-key"', '{}'),
    ('lomi', 'GET', '/', '{}', '[]'), ('lomi', 'GET', '/', '{}', '7'), ('lomi', 'GET', '/', NULL, NULL),
    ('lomi', 'GET', '/', 'null', 'null')
) AS wrong (dialect, method, path, headers, query);
-- Methods and paths
SELECT method, path, testing.http('lomi', method, path, :'ours') FROM (VALUES
    ('', '/checkout-sessions'), ('get ', '/checkout-sessions'), ('TRACE', '/checkout-sessions'), ('GET', ''),
    ('GET', '/'), ('GET', '?/checkout-sessions'),
    ('GET', '//checkout-sessions'), ('GET', '/checkout-sessions//'), ('GET', '/checkout-sessions/..'),
    ('GET', '/checkout-sessions/%00'),
    ('GET', '/checkout-sessions/1/2'), ('GET', '/Checkout-Sessions'), ('GET', '/checkout-sessions/'' OR true --'),
    ('GET', E'/checkout-sessions/\n"\\'),
    ('GET', '/checkout-sessions/00000000-0000-0000-0000-000000000000;'), ('GET', 'https://host/checkout-sessions'),
    ('😀', '/😀')
) AS odd (method, path);
SELECT length(testing.http('lomi', 'GET', '/checkout-sessions/' || repeat('a', 60000), :'ours')) > 60000 AS answered;
-- Headers: names in any case, the first of several values counts, and only texts are allowed
SELECT headers, testing.http('lomi', 'GET', '/checkout-sessions', headers, NULL, '{"limit": "1", "status": "expired"}')
FROM (VALUES
    ('{"X-API-KEY": ["wrong", "other"]}'::jsonb), ('{"x-api-key": []}'), ('{"x-api-key": [[]]}'), ('{"x-api-key": 7}'),
    ('{"x-api-key": {}}'), ('{"x-api-key": null}'),
    ('{"authorization": true}'), ('{"authorization": ["Bearer"]}'), ('{"authorization": "Bearer sk_live_\u0001"}'),
    ('{"": "", " ": null, "x-trace-id": {"a": 1}}')
) AS odd (headers);
SELECT header,
    string_agg(
        format(
            '%s %s', value,
            left(testing.http('kobo', 'POST', path, :'test'::jsonb || jsonb_build_object(header, value), body), 3)),
        ', ' ORDER BY value) AS statuses
FROM testing.creations, (VALUES ('idempotency-key'), ('x-trace-id'), ('x-scenario-key')) AS headers (header),
    (VALUES ('7'::jsonb), ('{"a": 1}'), ('[]'), ('""'), ('"\u0007"'), ('["complete", 7]')) AS v (value)
WHERE dialect = 'kobo' GROUP BY header ORDER BY header;
-- Queries
SELECT query, testing.http('paygate', 'GET', '/v1/checkout/sessions', :'ours', NULL, query) FROM (VALUES
    ('{"limit": [], "status": "expired"}'::jsonb), ('{"limit": ["1", "2"], "status": "complete"}'),
    ('{"limit": {"a": 1}}'), ('{"status": 7}'), ('{"customer": {"$ne": null}}'), ('{"payment": ["\u0001"]}'),
    ('{"customer": ""}'), ('{"starting_after": "cs_''; DROP TABLE x; --"}'), ('{"LIMIT": "0"}')
) AS odd (query);
-- Bodies: members of every wrong type
SELECT dialect, count(*) AS bodies,
    array_agg(DISTINCT left(testing.http(dialect, 'POST', path, :'ours', body || jsonb_build_object(member, wrong)), 3))
    AS statuses
FROM testing.creations, LATERAL jsonb_object_keys(body) AS members (member),
    (VALUES ('{}'::jsonb), ('[]'), ('[[]]'), ('true'), ('null'), ('-1e300'), ('1e-300'), ('"\u0001"'), ('""'))
    AS w (wrong)
GROUP BY dialect ORDER BY dialect;
SELECT dialect, count(*) AS bodies,
    array_agg(DISTINCT left(testing.http(dialect, 'POST', path, :'ours', wrong), 3)) AS statuses
FROM testing.creations, (VALUES (NULL::jsonb), ('null'), ('[]'), ('"text"'), ('7'), ('false'), ('{}')) AS w (wrong)
GROUP BY dialect ORDER BY dialect;
-- Metadata: of the largest size, and larger
SELECT length,
    left(
        testing.http('lomi', 'POST', path, :'ours',
            body || jsonb_build_object('metadata', jsonb_build_object('a', repeat('m', length)))), 80)
FROM testing.creations, (VALUES (32000), (33000), (1000000)) AS lengths (length) WHERE dialect = 'lomi' ORDER BY length;
-- Deep nesting: a depth of 100 is stored as it is. A body too deep to be read is a bad request, because the client has
-- sent it.
SELECT depth,
    left(
        testing.http('lomi', 'POST', path, :'ours',
            body || format('{"metadata": %s1%s}', repeat('{"a": ', depth), repeat('}', depth))::jsonb), 25)
FROM testing.creations, (VALUES (100), (1000), (5000)) AS depths (depth) WHERE dialect = 'lomi' ORDER BY depth;

-- never another tenant's session
-- -----------------------------------------------------------------------------------------
-- Another tenant's sessions, made in each dialect; looked up with our keys, and with its keys of the other environment,
-- in each dialect.
CREATE TEMP TABLE theirs (id text, reference text);
INSERT INTO theirs
    SELECT coalesce(r.body #>> '{data,id}', r.body ->> 'checkout_session_id', r.body ->> 'checkout_session',
    replace(r.body ->> 'id', 'cs_', '')), 'their-' || c.dialect
FROM testing.creations AS c, checkout.handle_request(c.dialect, 'POST', c.path, :'theirs'::jsonb, '{}',
    (c.body || jsonb_build_object(
        'reference', 'their-' || c.dialect, 'merchant_order_id', 'their-' || c.dialect, 'customer', 'cus_their'))::text
    ) AS r;
SELECT count(DISTINCT id::uuid) FROM theirs;
CREATE TEMP TABLE lookups (dialect text, method text, path text, query jsonb DEFAULT '{}');
INSERT INTO lookups SELECT 'kobo', 'GET', '/v1/checkout/session/verify/' || found
FROM theirs, LATERAL (VALUES (id), (reference)) AS f (found)
    UNION ALL SELECT 'lomi', 'GET', '/checkout-sessions/' || id FROM theirs
    UNION ALL SELECT 'paygate', m.method, '/v1/checkout/sessions/cs_' || replace(id, '-', '') || m.rest
    FROM theirs, (VALUES ('GET', ''), ('POST', '/expire')) AS m (method, rest)
    UNION ALL SELECT 'yuno', 'GET', '/v1/checkout/sessions/' || id || rest
    FROM theirs, (VALUES (''), ('/payment-methods')) AS r (rest);
INSERT INTO lookups SELECT 'paygate', 'GET', '/v1/checkout/sessions',
    jsonb_build_object('starting_after', 'cs_' || replace(id, '-', ''))
FROM theirs;
SELECT dialect, method, count(*) AS lookups,
    array_agg(DISTINCT left(testing.http(dialect, method, path, headers, NULL, query), 3)) AS statuses
FROM lookups, (VALUES (:'ours'::jsonb), (:'test'), (:'their_test')) AS h (headers)
GROUP BY dialect, method ORDER BY dialect, method;
-- The answer is the same as for unknown ids.
SELECT testing.http('lomi', 'GET', '/checkout-sessions/' || id, :'ours')
    = testing.http('lomi', 'GET', '/checkout-sessions/00000000-0000-7000-8000-000000000000', :'ours') AS same
FROM theirs LIMIT 1;
SELECT testing.http('paygate', 'GET', '/v1/checkout/sessions', :'ours', NULL, '{"customer": "cus_their"}') AS none;
SELECT count(*)
FROM checkout.handle_request('lomi', 'GET', '/checkout-sessions', :'ours', '{"limit": "100"}') AS r,
    json_array_elements(r.body) AS s
WHERE s ->> 'organization_id' <> :'our_id';
-- Nor is any trace left: their sessions are unchanged, and their owner finds each.
SELECT dialect, method, count(*),
    array_agg(DISTINCT left(testing.http(dialect, method, path, :'theirs', NULL, query), 3)) AS statuses
FROM lookups WHERE method = 'GET' GROUP BY dialect, method ORDER BY dialect;
SELECT count(*) FILTER (WHERE s ->> 'status' = 'open') AS open, count(*)
FROM checkout.handle_request('lomi', 'GET', '/checkout-sessions', :'theirs', '{"limit": "100"}') AS r,
    json_array_elements(r.body) AS s
WHERE s ->> 'checkout_session_id' IN (SELECT id::uuid::text FROM theirs);
-- Each organization and environment has idempotency keys of its own.
SELECT name, testing.http('lomi', 'POST', path, headers || '{"idempotency-key": "the-same-key"}', body)
    ~ '^201 \{"checkout' AS made
FROM testing.creations, (VALUES ('ours', :'ours'::jsonb), ('theirs', :'theirs'), ('test', :'test')) AS h (name, headers)
WHERE dialect = 'lomi' ORDER BY name;

\c - dialect_web
\set order '{"amount": 10, "currency_code": "XOF", "customer_email": "a@b.co"}'
-- bodies that are many times larger as text, or unreadable
-- ---------------------------------------------------------------
SELECT what, left(testing.http('lomi', 'POST', '/checkout-sessions', :'ours', :'order'::jsonb || body), 100) AS answer
FROM (VALUES ('a number with 131,072 digits', '{"metadata": {"a": [1e131071]}}'::jsonb),
    ('and so small a one', '{"metadata": {"a": 1e-16383}}'),
    ('as the amount', '{"amount": 1e131071}'), ('where nobody looks', '{"other": 1e131071}'),
    ('forty digits will do', '{"metadata": {"a": 1e39, "b": 1e-40}}'),
    ('nested in 65 arrays', format('{"other": %s%s}', repeat('[', 65), repeat(']', 65))::jsonb),
    ('a name of the JSON library', '{"metadata": {"a": {"$serde_json::private::Number": "x"}}}'),
    ('one as the amount', '{"amount": {"$serde_json::private::Number": "10"}}')) AS bodies (what, body);
-- Without a key, nothing is read.
SELECT testing.http('lomi', 'POST', '/checkout-sessions', '{}', '{"a": 1e131071}');
\c - documented_shop
SELECT testing.outcome(
    format('SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'', metadata => %L)', metadata))
FROM unnest(ARRAY[
    '{"a": 1e131071}', '{"a": {"$serde_json::private::Number": "x"}}',
    format('{"a": %s%s}', repeat('[', 130), repeat(']', 130))]) AS metadata;
\c - dialect_web
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'ours', :'order'::jsonb || '{"quantity": 3000000000}');

-- A key stands for one request: in another dialect, or with another scenario, it is another request.
SELECT left(
    testing.http('kobo', 'POST', '/v1/checkout/session/initialize',
        :'ours'::jsonb || '{"idempotency-key": "between-dialects"}', '{"amount": 1000, "email": "a@b.co"}'), 3) AS kobo;
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'ours'::jsonb || '{"idempotency-key": "between-dialects"}',
    '{"amount": 10, "currency_code": "NGN", "customer_email": "a@b.co"}') AS lomi;
SELECT left(
    testing.http('lomi', 'POST', '/checkout-sessions', :'test'::jsonb || '{"idempotency-key": "scenario"}', :'order'),
    3) AS without;
SELECT left(
    testing.http('lomi', 'POST', '/checkout-sessions',
        :'test'::jsonb || '{"idempotency-key": "scenario", "x-scenario-key": "fail"}', :'order'), 3) AS with_one;

-- A page deep in a list does not need a plan of its own.
\c - postgres
SELECT count(testing.http('lomi', 'GET', '/checkout-sessions', :'ours', NULL, jsonb_build_object('offset', n::text)))
FROM generate_series(1, 10) AS n;
SELECT count(*) AS plans FROM pg_backend_memory_contexts WHERE name = 'CachedPlan' \gset
SELECT count(testing.http('lomi', 'GET', '/checkout-sessions', :'ours', NULL, jsonb_build_object('offset', n::text)))
FROM generate_series(1, 100) AS n;
SELECT count(*) - :plans < 10 AS few_plans_are_kept FROM pg_backend_memory_contexts WHERE name = 'CachedPlan';

-- The open session of a reference only answers a caller that asks for its price.
\c - postgres
SELECT name FROM checkout.update_organization(:'our_id', reference_policy => 'return_existing');
\c - dialect_web
SELECT left(
    testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
        '{"amount": 500000, "email": "a@b.co", "reference": "price-1"}'), 3) AS made;
SELECT left(
    testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
        '{"amount": 500000, "email": "a@b.co", "reference": "price-1"}'), 3) AS again;
SELECT testing.http('yuno', 'POST', '/v1/checkout/sessions', :'ours',
    '{"merchant_order_id": "price-1", "country": "CO", "amount": {"currency": "COP", "value": 7}}');
SELECT testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
    '{"amount": 500001, "email": "a@b.co", "reference": "price-1"}');
SELECT left(
    testing.http('yuno', 'POST', '/v1/checkout/sessions', :'ours',
        '{"merchant_order_id": "price-1", "country": "ng", "amount": {"currency": "ngn", "value": 5000}}'), 3) AS same;
\c - postgres
SELECT name FROM checkout.update_organization(:'our_id', reference_policy => 'none');

-- events in the shapes of the five
-- ---------------------------------------------------------------------------------------
\c - documented_shop
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(
    12.34, 'GHS', reference => 'order-1', customer_id => 'cus_1', customer_email => 'jane@example.com',
    country => 'GH', description => 'A pair of shoes', success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}',
        cancel_url => 'https://shop.example/cart', metadata => '{"order_id": "1"}') \gset
SELECT status FROM checkout.record_payment(:'id', 'pay_1', 'failed');
SELECT status FROM checkout.record_payment(:'id', 'pay_2', 'succeeded');
SELECT max(event_id) FILTER (WHERE event_type ~ 'completed') AS completed,
    max(event_id) FILTER (WHERE event_type ~ 'failed') AS failed
FROM checkout.list_webhook_events(:'id') \gset
\c - sender
SELECT dialect, testing.unkeyed(checkout.render_webhook_event(:'completed', dialect)) AS body
FROM testing.creations ORDER BY dialect;
-- The session as it was when the event was written
SELECT checkout.render_webhook_event(:'failed', 'paygate')::json #>> '{data,object,status}' AS status;
SELECT checkout.render_webhook_event(:'failed', 'paygate')::json #>> '{data,object,payment}' AS payment;
SELECT testing.outcome(format('SELECT checkout.render_webhook_event(%L, %L)', event_id, dialect)) FROM (VALUES
    (NULL, 'lomi'), (:'completed', NULL), (:'completed', 'nobody'), ('evt_1', 'lomi'), ('', 'lomi'),
    (overlay(:'completed' PLACING 'AAAA' FROM 5), 'lomi')) AS wrong (event_id, dialect);
-- This is for relays, which see all organizations, and for no other role.
\c - dialect_web
SELECT testing.outcome(format('SELECT checkout.render_webhook_event(%L, %L)', :'completed', 'lomi'));
\c - documented_shop
SELECT testing.outcome(format('SELECT checkout.render_webhook_event(%L, %L)', :'completed', 'lomi'));
\c - sender
SELECT testing.outcome($$SELECT checkout.handle_request('lomi', 'GET', '/checkout-sessions')$$);
\c - postgres
DROP TABLE testing.creations, testing.orders;

-- the ids of dialects in SQL
-- ---------------------------------------------------------------------------------------
\c - documented_shop
SELECT body ->> 'id' AS of_paygate, checkout.session_id(body ->> 'id') AS id
FROM checkout.handle_request('paygate', 'POST', '/v1/checkout/sessions',
    body => '{"amount": 1, "success_url": "https://a.example/", "cancel_url": "https://a.example/"}') \gset
SELECT status FROM checkout.get_checkout_session(checkout.session_id(:'of_paygate'));
SELECT checkout.session_id(:'id') = :'id' AS of_the_others;
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', 'cs_1')) AS not_by_itself;
SELECT id, testing.outcome(format('SELECT checkout.session_id(%L)', id))
FROM unnest('{NULL,"",cs_,cs_1,ORD-1,cs_secret_1}'::text[]) AS id;

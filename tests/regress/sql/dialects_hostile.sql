-- The dialects against hostile requests: arguments of wrong types, bodies of absurd sizes, and the ids of another
-- tenant.
SELECT checkout.create_organization('Documented') AS our_id, checkout.create_organization('Neighbour') AS their_id \gset
SELECT testing.bearer(testing.key(:'our_id')) AS ours, testing.bearer(testing.key(:'their_id')) AS theirs,
    testing.bearer(testing.key(:'our_id', environment => 'test')) AS test,
    testing.bearer(testing.key(:'their_id', environment => 'test')) AS their_test \gset
SELECT testing.login('probed_shop', :'our_id');
\c - visitor
-- A session for the lists below
SELECT expired.status
FROM testing.creations AS c, checkout.handle_request(c.dialect, 'POST', c.path, :'ours', '{}', c.body::text) AS made,
    checkout.handle_request('paygate', 'POST', format('%s/%s/expire', c.path, made.body ->> 'id'), :'ours') AS expired
WHERE c.dialect = 'paygate';

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
\c - probed_shop
SELECT testing.outcome(
    format('SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'', metadata => %L)', metadata))
FROM unnest(ARRAY[
    '{"a": 1e131071}', '{"a": {"$serde_json::private::Number": "x"}}',
    format('{"a": %s%s}', repeat('[', 130), repeat(']', 130))]) AS metadata;
\c - visitor
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'ours', :'order'::jsonb || '{"quantity": 3000000000}');

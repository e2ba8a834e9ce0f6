-- An HTTP request, in the form that PostgREST gives the database: headers and claims are settings of its transaction,
-- the role is taken with SET LOCAL ROLE, and pre_request() comes first.
SELECT checkout.create_organization('Request A') AS a, checkout.create_organization('Request B') AS b \gset
SELECT testing.key(:'a') AS key_a, testing.key(:'a', 'secret', 'test') AS key_a_test,
    testing.key(:'a', 'publishable') AS key_a_public, testing.key(:'b') AS key_b, testing.key(:'a') AS revoked \gset
SELECT status FROM checkout.revoke_api_key(:'revoked');
CREATE ROLE web_anonymous;
CREATE ROLE web_user;
CREATE ROLE web_authenticator LOGIN NOINHERIT;
GRANT web_anonymous, web_user TO web_authenticator;
SELECT checkout.grant_access('web_anonymous', 'request');
SELECT checkout.grant_access('web_user', 'request');
SELECT checkout.grant_access('web_authenticator', 'authenticator');
-- The same role without authenticator access
CREATE ROLE web_stranger LOGIN NOINHERIT;
GRANT web_anonymous TO web_stranger;

-- One request: its transaction, from beginning to end. Returns the result of the query, or the error.
CREATE FUNCTION testing.request(headers text, claims text, query text DEFAULT 'SELECT testing.who()',
    OUT answer text, OUT response text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.headers', headers, true), set_config('request.jwt.claims', claims, true),
        set_config('response.headers', '', true);
    PERFORM checkout.pre_request();
    EXECUTE query INTO answer;
    response := nullif(current_setting('response.headers'), '');
    RAISE SQLSTATE 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN answer := testing.masked(answer);
    WHEN OTHERS THEN answer := testing.masked(SQLSTATE || ': ' || SQLERRM);
END $$;
-- The organization for which a session would be created, a or b, and the session's mark.
CREATE TABLE testing.web_organizations AS
SELECT 'a' AS name, :'a'::uuid AS organization_id UNION ALL SELECT 'b', :'b';
GRANT SELECT ON testing.web_organizations TO PUBLIC;
CREATE FUNCTION testing.who() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', o.name, s.environment, s.created_with, 'by', s.created_by)
    FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') AS s
    JOIN testing.web_organizations AS o USING (organization_id)
$$;
\c - web_authenticator
SET ROLE web_anonymous;
\a
-- No request, an empty one, and the settings that PostgREST leaves on its connections: anonymous
SELECT headers, claims, r.answer, r.response
FROM (VALUES
    (NULL, NULL),
    ('', ''),
    ('{}', '{}'),
    ('{"user-agent":"curl"}', '{"role":"anon"}'),
    ('{"authorization":"Basic c2s6"}', ''),
    ('{"authorization":"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}', '{"sub":"user-1"}')
) AS requests (headers, claims), testing.request(headers, claims) AS r;

-- An API key, in either header, or in both if they are equal
SELECT what, r.answer
FROM (VALUES
    ('x-api-key', json_build_object('x-api-key', :'key_a')),
    ('test', json_build_object('x-api-key', :'key_a_test')),
    ('of b', json_build_object('x-api-key', :'key_b')),
    ('publishable', json_build_object('x-api-key', :'key_a_public')),
    ('bearer', json_build_object('authorization', 'Bearer ' || :'key_a')),
    ('bearer in lower case', json_build_object('authorization', 'bearer ' || :'key_a')),
    ('bearer, publishable', json_build_object('authorization', 'Bearer ' || :'key_a_public')),
    ('both', json_build_object('x-api-key', :'key_a', 'authorization', 'Bearer ' || :'key_a')),
    ('beside a token of somebody else''s',
        json_build_object('x-api-key', :'key_a', 'authorization', 'Bearer eyJhbGciOi')),
    ('two keys', json_build_object('x-api-key', :'key_a', 'authorization', 'Bearer ' || :'key_b')),
    ('two keys of one organization',
        json_build_object('x-api-key', :'key_a', 'authorization', 'Bearer ' || :'key_a_public')),
    ('revoked', json_build_object('x-api-key', :'revoked')),
    ('revoked bearer', json_build_object('authorization', 'Bearer ' || :'revoked')),
    ('unknown', json_build_object('x-api-key', 'sk_live_' || repeat('a', 61))),
    ('nonsense', json_build_object('x-api-key', 'nonsense')),
    ('empty', json_build_object('x-api-key', '')),
    ('bearer nonsense', json_build_object('authorization', 'Bearer sk_live_nonsense')),
    ('null', json_build_object('x-api-key', NULL)),
    ('a list', json_build_object('x-api-key', ARRAY[:'key_a'])),
    ('a number', json_build_object('x-api-key', 7)),
    ('a key where a user name goes', json_build_object('authorization', 'Basic ' || :'key_a'))
) AS requests (what, headers), testing.request(headers::text, '') AS r;
-- A bad key is an error, not an anonymous call. The error does not tell its fault.
SELECT count(DISTINCT r.answer) AS answers
FROM (VALUES
    (:'revoked'), ('sk_live_' || repeat('a', 61)), ('nonsense'), (''), (left(:'key_a', 20)), (:'key_a' || 'a')
) AS keys (key), testing.request(json_build_object('x-api-key', key)::text, '') AS r;
-- Invalid headers
SELECT headers, r.answer FROM unnest(ARRAY['[]', '"x"', '7', 'null', '{', 'nonsense', '{"x-api-key":']) AS headers,
    testing.request(headers, '') AS r;

-- The claims of a token that the authenticator has verified
SELECT claims, r.answer
FROM (VALUES
    ('{"sub":"user-1","organization_id":"A"}'),
    ('{"sub":"user-1","app_metadata":{"organization_id":"A"}}'),
    ('{"organization_id":"A"}'),
    ('{"sub":"","organization_id":"A"}'),
    ('{"sub":7,"organization_id":"A"}'),
    ('{"sub":"user-1","organization_id":"A","environment":"test"}'),
    ('{"sub":"user-1","app_metadata":{"organization_id":"A","environment":"test"}}'),
    ('{"sub":"user-1","organization_id":"A","app_metadata":{"organization_id":"A"}}'),
    ('{"sub":"user-1","organization_id":null,"app_metadata":{"organization_id":"B"}}'),
    ('{"sub":"user-1","organization_id":"A","kind":"secret"}'),
    ('{"sub":"user-1","organization_id":"A","kind":null}'),
    ('{"sub":"user-1","app_metadata":{"organization_id":"A","kind":"publishable"},"kind":"secret"}'),
    -- Claims do not count there: users of Supabase can write to user_metadata.
    ('{"sub":"user-1","user_metadata":{"organization_id":"A"}}'),
    ('{"sub":"user-1","org":"A"}'),
    ('{"sub":"user-1","app_metadata":"A"}'),
    ('{"sub":"user-1","app_metadata":[]}'),
    -- The organization's claim is wrong.
    ('{"organization_id":""}'),
    ('{"organization_id":7}'),
    ('{"organization_id":["A"]}'),
    ('{"organization_id":"a"}'),
    ('{"organization_id":"A'' OR true --"}'),
    ('{"organization_id":"01890000-0000-7000-8000-000000000000"}'),
    ('{"organization_id":"A","app_metadata":{"organization_id":"B"}}'),
    ('{"organization_id":"A","environment":"test","app_metadata":{"organization_id":"A"}}'),
    ('{"organization_id":"A","environment":"production"}'),
    ('{"organization_id":"A","environment":""}'),
    ('{"organization_id":"A","environment":7}'),
    ('{"organization_id":"A","environment":null}'),
    ('{"organization_id":"A","kind":"admin"}'),
    ('{"organization_id":"A","kind":""}'),
    ('{"organization_id":"A","kind":["secret"]}'),
    ('{"organization_id":"A","kind":"publishable","app_metadata":{"organization_id":"A"}}'),
    ('{"organization_id":"A","sub":"' || repeat('s', 255) || '"}'),
    ('{"organization_id":"A","sub":"' || repeat('s', 256) || '"}'),
    -- These are not claims.
    ('[]'),
    ('"A"'),
    ('null'),
    ('{"organization_id":'),
    ('nonsense')
) AS requests (claims), testing.request('', replace(replace(claims, '"A', '"' || :'a'), '"B', '"' || :'b')) AS r
\g | sed -E 's/s{255}/<255 s>/g'
-- The token's subject may do everything that a secret key may, or, if the token says so, that a publishable one may.
SELECT kind, r.answer FROM unnest('{secret,publishable}'::text[]) AS kind,
    testing.request('', json_build_object('organization_id', :'a', 'kind', kind)::text,
        'SELECT count(*) FROM checkout.list_checkout_sessions()') AS r;
-- A key and a token of the same tenant: the key counts
SELECT what, r.answer
FROM (VALUES
    ('same', :'key_a', :'a', 'live'),
    ('publishable', :'key_a_public', :'a', 'live'),
    ('another organization', :'key_b', :'a', 'live'),
    ('another environment', :'key_a_test', :'a', 'live'),
    ('same environment', :'key_a_test', :'a', 'test'),
    ('bad key', 'x', :'a', 'live')
) AS requests (what, key, organization, environment),
    testing.request(json_build_object('x-api-key', key)::text,
        json_build_object('organization_id', organization, 'environment', environment, 'sub', 'user-1')::text) AS r;
SELECT r.answer FROM testing.request(json_build_object('x-api-key', :'key_a_public')::text,
    format('{"organization_id":"%s"}', :'a'), 'SELECT count(*) FROM checkout.list_checkout_sessions()') AS r;
-- The role of the request does not matter, but it needs request access.
RESET ROLE; SET ROLE web_user;
SELECT r.answer FROM testing.request('', format('{"organization_id":"%s","sub":"user-1"}', :'a')) AS r;
RESET ROLE;
SELECT r.answer FROM testing.request('', format('{"organization_id":"%s","sub":"user-1"}', :'a')) AS r;

-- The claims of a role without authenticator access do not count, in any form; its API keys do.
\c - web_stranger
SET ROLE web_anonymous;
SELECT what, r.answer
FROM (VALUES
    ('claims', '', format('{"organization_id":"%s"}', :'a')),
    ('claims of Supabase', '', format('{"app_metadata":{"organization_id":"%s"}}', :'a')),
    ('no organization', '', '{"sub":"user-1"}'),
    ('key', json_build_object('x-api-key', :'key_a')::text, ''),
    ('key and claims', json_build_object('x-api-key', :'key_a')::text, format('{"organization_id":"%s"}', :'a')),
    ('malformed', '', '{"organization_id":7}')
) AS requests (what, headers, claims), testing.request(headers, claims) AS r;
\c - visitor
SELECT r.answer FROM testing.request('', format('{"organization_id":"%s"}', :'a')) AS r;
-- Nor do those of a role that has lost authenticator access, from its next request on.
\c - postgres
SELECT checkout.revoke_access('web_authenticator', 'authenticator');
\c - web_authenticator
SET ROLE web_anonymous;
SELECT r.answer FROM testing.request('', format('{"organization_id":"%s"}', :'a')) AS r;
\c - postgres
SELECT checkout.grant_access('web_authenticator', 'authenticator');

-- A setting says which claim has the organization; the authenticator cannot change it.
\c - web_authenticator
SET ROLE web_anonymous;
SET checkout_sessions.jwt_organization_claim = 'sub';
SELECT set_config('checkout_sessions.jwt_organization_claim', 'sub', true);
\c - postgres
SELECT setting, r.answer
FROM (VALUES
    ('org', '{"org":"A"}'),
    ('org', '{"organization_id":"A"}'),
    ('claims.tenant.id', '{"claims":{"tenant":{"id":"A"}}}'),
    ('claims.tenant.id', '{"claims":{"tenant":"A"}}'),
    (' org , tenant.id ', '{"tenant":{"id":"A"}}'),
    ('org,tenant', '{"org":"A","tenant":"B"}'),
    ('', '{"organization_id":"A"}'),
    (',', '{"organization_id":"A"}')
) AS settings (setting, claims),
    LATERAL (SELECT set_config('checkout_sessions.jwt_organization_claim', setting, false)) AS s,
    LATERAL testing.request('', replace(replace(claims, '"A"', '"' || :'a' || '"'), '"B"', '"' || :'b' || '"')) AS r
    WHERE s IS NOT NULL;
SELECT setting, testing.outcome(format('SET checkout_sessions.jwt_organization_claim = %L', setting)) AS refused
FROM unnest('{user_metadata.organization_id,"organization_id,user_metadata.org"}'::text[]) AS setting;
RESET checkout_sessions.jwt_organization_claim;

-- For a function that needs a secret key an HTTP request gets 403, and no SQLSTATE that PostgREST would turn into 401.
-- An anonymous request gets 403, too (28000).
\c - web_authenticator
SET ROLE web_anonymous;
SELECT what, r.answer
FROM (VALUES
    ('publishable', json_build_object('x-api-key', :'key_a_public')::text), ('anonymous', '{}'),
    ('secret', json_build_object('x-api-key', :'key_a')::text)
) AS requests (what, headers),
    testing.request(headers, '', 'SELECT count(*) > 0 FROM checkout.list_checkout_sessions()') AS r;
-- Presented to authenticate(), the same key gets the SQLSTATE of SQL.
SELECT testing.outcome(
    format('DO $do$ BEGIN PERFORM checkout.authenticate(%L), checkout.list_checkout_sessions(); END $do$',
    :'key_a_public'));

-- Idempotency-Key and X-Idempotency-Key set the argument.
BEGIN;
SELECT set_config('request.headers',
    json_build_object('x-api-key', :'key_a', 'idempotency-key', 'request-1', 'x-trace-id', 'trace-1')::text, true)
    IS NOT NULL AS requested;
SELECT checkout.pre_request();
SELECT checkout_session_id AS id, idempotent_replay, trace_id
FROM checkout.create_checkout_session(7, 'USD', customer_id => 'c') \gset
\echo replay :idempotent_replay, trace :trace_id
SELECT current_setting('response.headers') AS response;
COMMIT;
SELECT what, r.answer, r.response
FROM (VALUES
    ('again', '{"idempotency-key":"request-1"}', ''),
    ('by the other name', '{"x-idempotency-key":"request-1"}', ''),
    ('by both', '{"x-idempotency-key":"request-1","idempotency-key":"request-1"}', ''),
    ('differing', '{"x-idempotency-key":"request-1","idempotency-key":"request-2"}', ''),
    ('as the argument says', '{"idempotency-key":"request-1"}', ', idempotency_key => ''request-1'''),
    ('other than the argument', '{"idempotency-key":"request-1"}', ', idempotency_key => ''request-2'''),
    ('argument alone', '{}', ', idempotency_key => ''request-1'''),
    ('another key', '{"idempotency-key":"request-2"}', ''),
    ('another request', '{"idempotency-key":"request-1"}', ', title => ''t'''),
    ('empty', '{"idempotency-key":""}', ''),
    ('long', format('{"idempotency-key":"%s"}', repeat('k', 256)), ''),
    ('a list', '{"idempotency-key":["k"]}', '')
) AS requests (what, headers, argument),
    LATERAL testing.request(
        (headers::jsonb || jsonb_build_object('x-api-key', :'key_a', 'x-trace-id', 'trace-1'))::text, '',
        format($$
            SELECT CASE WHEN checkout_session_id = %L THEN 'same' ELSE 'another' END
                || CASE WHEN idempotent_replay THEN ', replay' ELSE '' END
            FROM checkout.create_checkout_session(7, 'USD', customer_id => 'c'%s)
        $$, :'id', argument)) AS r;
-- A request that is sent again has a new trace id, as header or as argument. It is the same request all the same.
SELECT what, r.answer, r.response
FROM (VALUES
    ('another trace', '{"x-trace-id":"trace-9"}', ''),
    ('no trace', '{}', ''),
    ('another as the argument', '{}', ', trace_id => ''trace-9''')
) AS requests (what, headers, argument),
    LATERAL testing.request(
        (headers::jsonb || jsonb_build_object('x-api-key', :'key_a', 'idempotency-key', 'request-1'))::text, '',
        format($$
            SELECT CASE WHEN checkout_session_id = %L THEN 'same' ELSE 'another' END || ' with ' || trace_id
            FROM checkout.create_checkout_session(7, 'USD', customer_id => 'c'%s)
        $$, :'id', argument)) AS r;
-- X-Trace-Id is returned, and stored with the session, unless an argument differs. Proxies add it, so an unsuitable
-- header is ignored; an unsuitable argument is refused.
SELECT what, r.answer, r.response
FROM (VALUES
    ('as header', '{"x-trace-id":"trace-2"}', ''),
    ('as argument', '{}', ', trace_id => ''trace-2'''),
    ('as both', '{"x-trace-id":"trace-2"}', ', trace_id => ''trace-2'''),
    ('differing', '{"x-trace-id":"trace-2"}', ', trace_id => ''trace-3'''),
    ('none', '{}', ''),
    ('empty', '{"x-trace-id":""}', ''),
    ('long', format('{"x-trace-id":"%s"}', repeat('t', 256)), ''),
    ('a list', '{"x-trace-id":["trace"]}', ''),
    ('a second line', '{"x-trace-id":"a\r\nSet-Cookie: x"}', ''),
    ('with quotes', '{"x-trace-id":"\"},{\"Set-Cookie\":\"x"}', ''),
    ('empty argument', '{}', ', trace_id => '''''),
    ('empty argument, and as header', '{"x-trace-id":"trace-2"}', ', trace_id => '''''),
    ('long argument', '{}', ', trace_id => repeat(''t'', 256)')
) AS requests (what, headers, argument),
    LATERAL testing.request(
        (headers::jsonb || jsonb_build_object('x-api-key', :'key_a'))::text, '',
        format($$
            SELECT 'kept: ' || coalesce(trace_id, 'none')
            FROM checkout.create_checkout_session(8, 'USD', customer_id => 'c'%s)
        $$, argument)) AS r;
-- Every function returns it, not only create; earlier response headers stay.
SELECT r.response FROM testing.request('{"x-trace-id":"trace-4"}', '', 'SELECT NULL') AS r;
BEGIN;
SELECT set_config('request.headers', '{"x-trace-id":"trace-5"}', true);
SELECT set_config('response.headers', '[{"Cache-Control":"no-store"}]', true);
SELECT checkout.pre_request();
SELECT current_setting('response.headers') AS response;
COMMIT;
-- Nothing is left for the next request on the connection, except the empty texts that PostgREST leaves.
SELECT current_setting('request.headers') = '' AS headers_empty;
SELECT current_setting('response.headers') = '' AS response_empty;
SELECT testing.outcome('SELECT testing.who()');
SELECT r.answer FROM testing.request('', '') AS r;
-- Without a request there are no response headers: the connection of an application has none. An application's own
-- request headers are not read, either: only the authenticator may set them.
\c - visitor
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT checkout_session_id = :'id' AS same, idempotent_replay, current_setting('response.headers', true) AS response
    FROM checkout.create_checkout_session(7, 'USD', customer_id => 'c', idempotency_key => 'request-1',
        trace_id => 'trace-1');
SELECT set_config('request.headers', '{"idempotency-key":"request-1","x-trace-id":"trace-1"}', true) IS NOT NULL AS set;
SELECT checkout_session_id <> :'id' AS another, idempotent_replay, trace_id
FROM checkout.create_checkout_session(7, 'USD', customer_id => 'c');
COMMIT;
\a

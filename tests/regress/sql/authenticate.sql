-- A caller presents an API key, and acts for its organization until the transaction ends.
SELECT checkout.create_organization('Authenticate A') AS a, checkout.create_organization('Authenticate B',
    payment_methods => '{payid}') AS b \gset
SELECT testing.key(:'a') AS key_a, testing.key(:'a', 'secret', 'test') AS key_a_test, testing.key(:'a', 'publishable')
    AS key_a_public,
    testing.key(:'b') AS key_b \gset
SELECT bindir.setting AS bindir FROM pg_config AS bindir WHERE name = 'BINDIR' \gset
\setenv BINDIR :bindir
\setenv ORGANIZATION_A :a
CREATE FUNCTION testing.listed() RETURNS text LANGUAGE sql
    AS $$ SELECT coalesce(string_agg(title, ' ' ORDER BY title), 'nothing') FROM checkout.list_checkout_sessions() $$;
CREATE FUNCTION testing.listing() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN testing.listed();
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
COMMENT ON FUNCTION testing.listing IS 'The titles of the sessions that the caller sees, or why it sees none.';
\c - visitor

-- No tenant before, and none after: a statement outside of a transaction block is a transaction of its own.
SELECT testing.listing();
SELECT organization_id = :'a' AS of_a, environment, kind, api_key_id = left(:'key_a', 20) AS named
FROM checkout.authenticate(:'key_a');
SELECT testing.listing();

-- One transaction: creates, reads, pays; its sessions are marked with the key.
BEGIN;
SELECT kind, environment FROM checkout.authenticate(:'key_a');
SELECT checkout.current_organization_id() = :'a' AS for_a;
SELECT checkout.current_environment();
SELECT checkout_session_id AS of_a, created_by = left(:'key_a', 20) AS by_the_key
FROM checkout.create_checkout_session(1, 'USD', title => 'a', customer_id => 'c') \gset
SELECT :'by_the_key' AS by_the_key, status FROM checkout.begin_payment(:'of_a', 'authenticate-1');
SELECT status FROM checkout.record_payment(:'of_a', 'authenticate-1', 'succeeded');
SELECT testing.listing();
COMMIT;
SELECT testing.listing();
-- Not after a rollback, nor after an error.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
ROLLBACK;
SELECT testing.listing();
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT 1 / 0;
ROLLBACK;
SELECT testing.listing();
-- The next transaction belongs to the next caller, which sees its own sessions.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_b');
SELECT count(*) FROM checkout.create_checkout_session(1, 'USD', title => 'b', customer_id => 'c');
SELECT testing.listing();
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', :'of_a')) AS of_a;
COMMIT;
-- Test and live are separate.
BEGIN;
SELECT environment FROM checkout.authenticate(:'key_a_test');
SELECT count(*) FROM checkout.create_checkout_session(1, 'USD', title => 'a-test', customer_id => 'c');
SELECT testing.listing();
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', :'of_a')) AS of_a;
COMMIT;
BEGIN;
SELECT environment FROM checkout.authenticate(:'key_a');
SELECT testing.listing();
COMMIT;

-- Savepoints: a key presented after a savepoint is rolled back with it; a key presented before stays.
BEGIN;
SAVEPOINT before;
SELECT kind FROM checkout.authenticate(:'key_a');
ROLLBACK TO before;
SELECT testing.listing();
SELECT kind FROM checkout.authenticate(:'key_b');
SAVEPOINT after;
SELECT testing.listing();
ROLLBACK TO after;
SELECT testing.listing();
COMMIT;
BEGIN;
SAVEPOINT kept;
SELECT kind FROM checkout.authenticate(:'key_a');
RELEASE kept;
SELECT testing.listing();
COMMIT;
SELECT testing.listing();
-- A transaction has one tenant. Another key of the same tenant is no contradiction.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT testing.outcome(format('SELECT checkout.authenticate(%L)', key))
FROM unnest(ARRAY[:'key_b', :'key_a_test']) AS key;
SELECT testing.listing();
SELECT kind FROM checkout.authenticate(:'key_a_public');
SELECT testing.listing();
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT testing.listing();
-- A refused key changes nothing.
SELECT testing.outcome('SELECT checkout.authenticate(''nonsense'')');
SELECT testing.listing();
COMMIT;

-- In functions and DO blocks the key counts for the transaction, not for the block.
BEGIN;
SELECT set_config('testing.key_a', :'key_a', true) IS NOT NULL AS told;
DO $$ BEGIN PERFORM checkout.authenticate(current_setting('testing.key_a')); RAISE NOTICE '%', testing.listing(); END
    $$;
SELECT testing.listing();
ROLLBACK;
BEGIN;
SELECT set_config('testing.key_a', :'key_a', true) IS NOT NULL AS told;
DO $$
BEGIN
    BEGIN
        PERFORM checkout.authenticate(current_setting('testing.key_a'));
        RAISE 'changed its mind';
    EXCEPTION WHEN raise_exception THEN
        RAISE NOTICE '%', testing.listing();
    END;
END $$;
SELECT testing.listing();
COMMIT;
CREATE FUNCTION pg_temp.with_a_path(key text) RETURNS text LANGUAGE sql SET search_path = pg_catalog
    AS $$ SELECT kind FROM checkout.authenticate(key) $$;
BEGIN;
SELECT pg_temp.with_a_path(:'key_a');
SELECT testing.listing();
COMMIT;
SELECT testing.listing();
-- It does not outlive a COMMIT in a procedure.
SELECT set_config('testing.key_a', :'key_a', false) IS NOT NULL AS told;
DO $$
BEGIN
    PERFORM checkout.authenticate(current_setting('testing.key_a'));
    RAISE NOTICE '%', testing.listing();
    COMMIT;
    RAISE NOTICE '%', testing.listing();
END $$;
RESET testing.key_a;
-- Prepared statements, and their plans, serve each caller that has presented a key.
PREPARE show_key(text) AS SELECT kind FROM checkout.authenticate($1);
PREPARE list AS SELECT title FROM checkout.list_checkout_sessions();
BEGIN; EXECUTE show_key(:'key_a'); EXECUTE list; COMMIT;
BEGIN; EXECUTE show_key(:'key_b'); EXECUTE list; COMMIT;
EXECUTE list;
-- READ ONLY: everything that only reads
BEGIN READ ONLY;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT testing.listing(), status FROM checkout.get_checkout_session(:'of_a');
SELECT testing.outcome('SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')');
COMMIT;

-- Bound to its own key: removing the settings gives neither another tenant, nor the rights of a role without one.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT testing.masked(statement) AS statement, testing.outcome(statement)
FROM unnest(ARRAY[
    'SET checkout_sessions.organization_id = ' || quote_literal(:'b'),
    'SET LOCAL checkout_sessions.organization_id = ' || quote_literal(:'b'),
    'SET LOCAL checkout_sessions.organization_id TO DEFAULT', 'RESET checkout_sessions.organization_id',
    'SET checkout_sessions.environment = ''test''', 'RESET checkout_sessions.environment',
    'SET LOCAL checkout_sessions.credential = ''''', 'SET checkout_sessions.credential TO DEFAULT',
    'RESET checkout_sessions.credential', 'DISCARD ALL'
]) AS statement;
SELECT testing.listing();
RESET ALL;
SELECT testing.listing();
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT kind FROM checkout.authenticate(:'key_a');
RESET ALL;
ROLLBACK TO s;
SELECT testing.listing();
COMMIT;
DISCARD ALL;
SELECT testing.listing();

-- These are not keys, and all get the same answer: unknown, mistyped, revoked, expired, another organization's id or
-- secret.
\c - postgres
SELECT testing.key(:'a') AS revoked, testing.key(:'a') AS expired \gset
SELECT status FROM checkout.revoke_api_key(:'revoked');
UPDATE checkout_data.api_keys SET created_at = created_at - interval '1 hour', expires_at = clock_timestamp()
WHERE api_key_id = left(:'expired', 20);
-- A key of the right form, with a right checksum, but with an id and a secret that do not belong together
SELECT left(:'key_a', 20) || substr(:'key_b', 21, 43) AS swapped,
    'sk_live_0123456789ab' || substr(:'key_a', 21, 43) AS unknown \gset
SELECT :'swapped' || testing.checksum(:'swapped') AS swapped,
    :'unknown' || testing.checksum(:'unknown') AS unknown \gset
\c - visitor
CREATE TEMP TABLE refused (what text, key text);
INSERT INTO refused VALUES ('unknown', :'unknown'), ('an id with the secret of another', :'swapped'),
    ('mistyped', left(:'key_a', 68) || CASE right(:'key_a', 1) WHEN '0' THEN '1' ELSE '0' END),
    ('cut short', left(:'key_a', 68)), ('too long', :'key_a' || 'a'), ('revoked', :'revoked'), ('expired', :'expired'),
    ('empty', ''), ('its id', left(:'key_a', 20)), ('of the other environment', replace(:'key_a', 'live', 'test')),
    ('of the other kind', replace(:'key_a', 'sk', 'pk')), ('with a space', :'key_a' || ' '),
    ('in capitals', upper(:'key_a')), ('its digest', sha256(:'key_a'::bytea)::text), ('injection', ''' OR true --'),
    ('long', repeat('k', 60000)), ('not ASCII', repeat('é', 69));
SELECT what FROM refused WHERE testing.whole_error('SELECT checkout.authenticate($1[1])', key) <>
    testing.whole_error('SELECT checkout.authenticate($1[1])', 'x');
SELECT testing.outcome('SELECT checkout.authenticate(''x'')');
SELECT testing.outcome('SELECT checkout.authenticate(NULL)');
SELECT count(*) AS accepted
FROM refused WHERE testing.whole_error('SELECT checkout.authenticate($1[1])', key) = 'accepted';
SELECT testing.listing();

-- A role with an organization of its own cannot present a key of another organization, nor of its other environment.
\c - postgres
CREATE ROLE bound LOGIN;
SELECT checkout.grant_access('bound', 'request');
SELECT testing.bind('bound', :'a');
\c - bound
SELECT testing.listing();
SELECT what, testing.outcome(format('SELECT checkout.authenticate(%L)', key)) FROM (VALUES ('own', :'key_a'),
    ('own, publishable', :'key_a_public'), ('of its test environment', :'key_a_test'), ('of another', :'key_b')) AS keys
    (what, key);
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT testing.listing();
COMMIT;
SELECT testing.listing();
-- A role that may choose its organization cannot choose another than that of its key.
\c - postgres
ALTER ROLE bound RESET checkout_sessions.organization_id;
GRANT SET ON PARAMETER checkout_sessions.organization_id, checkout_sessions.credential TO bound;
\c - bound
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SET LOCAL checkout_sessions.organization_id = :'b';
SELECT testing.listing();
SELECT testing.outcome('SELECT checkout.current_organization_id()');
SELECT testing.outcome('SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')');
ROLLBACK;
-- With secret access and no key, the setting decides, as always. A publishable key then gives only the rights of its
-- kind.
\c - postgres
SELECT checkout.grant_access('bound', 'secret');
\c - bound
SET checkout_sessions.organization_id = :'a';
SELECT testing.listing();
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a_public');
SELECT testing.listing();
COMMIT;
SELECT testing.listing();
RESET checkout_sessions.organization_id;

-- No role can set the credential: neither one that was granted SET on it, nor a superuser.
\c - postgres
CREATE FUNCTION testing.forge(organization uuid) RETURNS TABLE (way text, outcome text) LANGUAGE sql AS $$
    SELECT way, replace(testing.outcome(format(way, json_build_object('tenant', json_build_object('organization_id',
        organization, 'environment', 'live'),
        'kind', 'secret', 'name', NULL, 'payment_methods', NULL, 'http', false))),
        -- The name as it was written, until Postgres 17.
        'Checkout_Sessions.Credential', 'checkout_sessions.credential') FROM unnest(ARRAY[
            'SET checkout_sessions.credential = %L', 'SET LOCAL checkout_sessions.credential = %L',
            'SET SESSION "Checkout_Sessions.Credential" = %L',
            'SELECT set_config(''checkout_sessions.credential'', %L, true)',
            'ALTER ROLE CURRENT_USER SET checkout_sessions.credential = %L',
            'ALTER DATABASE regression SET checkout_sessions.credential = %L',
            'CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE sql SET checkout_sessions.credential = %L AS ''''']) AS
                way
$$;
\a
SELECT * FROM testing.forge(:'a');
ALTER SYSTEM SET checkout_sessions.credential = '{}';
SELECT testing.outcome('SELECT checkout.get_checkout_session(NULL)');
SELECT current_setting('checkout_sessions.credential') AS credential;
SELECT checkout.revoke_access('bound', 'secret');
\c - bound
SELECT * FROM testing.forge(:'a');
SELECT testing.listing();
SELECT current_setting('checkout_sessions.credential') AS credential;
\a
-- Nor is it possible at connection.
\setenv CALL '"$BINDIR/psql" -XAtqd regression -c "SELECT testing.listing()" 2>&1 | sed "s/.*FATAL/FATAL/"'
\! PGUSER=bound PGOPTIONS='-c checkout_sessions.credential={}' sh -c "$CALL"
\! PGUSER=postgres PGOPTIONS='-c checkout_sessions.credential={}' sh -c "$CALL"
-- The setting contains no secret.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_a');
SELECT current_setting('checkout_sessions.credential')::jsonb ->> 'kind' AS kind;
SELECT current_setting('checkout_sessions.credential') ~ substr(:'key_a', 21, 6) AS secret;
COMMIT;

-- A revoked key is refused, and a new one is accepted, even by a transaction that looks at the database as it was
-- before.
\c - postgres
SELECT testing.key(:'a') AS doomed \gset
\setenv DOOMED :doomed
\c - visitor
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT testing.outcome(format('SELECT checkout.authenticate(%L)', :'doomed'));
\! "$BINDIR/psql" -XAtq -U postgres -d regression -c "SELECT status FROM checkout.revoke_api_key('$DOOMED')"
SELECT testing.outcome(format('SELECT checkout.authenticate(%L)', :'doomed'));
\set new `"$BINDIR/psql" -XAtq -U postgres -d regression -c "SELECT testing.key('$ORGANIZATION_A')"`
SELECT testing.outcome(format('SELECT checkout.authenticate(%L)', :'new'));
COMMIT;

-- Payment methods: the request's, then the key's, then the organization's.
\c - postgres
SELECT api_key AS key_methods FROM checkout.create_api_key(:'b', 'secret', 'live', payment_methods =>
    '{card,ach}') \gset
SELECT api_key AS key_public FROM checkout.create_api_key(:'b', 'publishable', 'live', payment_methods =>
    '{card}') \gset
\c - visitor
CREATE FUNCTION pg_temp.methods(key text, given text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    methods text[];
BEGIN
    PERFORM checkout.authenticate(key);
    SELECT s.payment_methods INTO methods FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c',
        payment_methods => given) AS s;
    RAISE SQLSTATE 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN RETURN methods;
END $$;
SELECT what, pg_temp.methods(key, '{wallet}') AS of_the_request, pg_temp.methods(key, NULL) AS not_given
FROM (VALUES ('key without', :'key_b'), ('key with', :'key_methods'), ('publishable', :'key_public'),
    ('organization without', :'key_a')) AS keys (what, key);
-- They do not pass to the next transaction, nor to the next key.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_methods');
SELECT payment_methods FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c');
SELECT kind FROM checkout.authenticate(:'key_b');
SELECT payment_methods FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c');
COMMIT;
-- A recovered session is marked with the key that recovers it.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key_methods');
SELECT s.checkout_session_id AS id, s.created_by = left(:'key_methods', 20) AS by_the_key
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') AS c,
    checkout.expire_checkout_session(c.checkout_session_id) AS s \gset
SELECT kind FROM checkout.authenticate(:'key_b');
SELECT :'by_the_key' AS by_the_key, created_by = left(:'key_b', 20) AS by_the_other, payment_methods
FROM checkout.recover_checkout_session(:'id');
COMMIT;
\c - postgres
REVOKE SET ON PARAMETER checkout_sessions.organization_id, checkout_sessions.credential FROM bound;

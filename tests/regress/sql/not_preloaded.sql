-- If the library is not preloaded, a connection may set settings of any name before the first call loads it. Then these
-- are discarded.
SHOW shared_preload_libraries;
SELECT checkout.create_organization('Not preloaded') AS organization \gset
SELECT api_key AS key FROM checkout.create_api_key(:'organization', 'secret', 'live') \gset
SELECT format('{"tenant":{"organization_id":"%s","environment":"live"},"kind":"secret","name":null,'
    '"payment_methods":null,"http":false}', :'organization') AS forged \gset
SELECT bindir.setting AS bindir FROM pg_config AS bindir WHERE name = 'BINDIR' \gset
\setenv BINDIR :bindir
CREATE ROLE stranger LOGIN;
SELECT checkout.grant_access('stranger', 'request');
-- A key reads its tenant's sessions, which proves that they exist.
BEGIN;
SELECT kind FROM checkout.authenticate(:'key');
SELECT count(*) FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c');
COMMIT;
\c - stranger
BEGIN;
SELECT kind FROM checkout.authenticate(:'key');
SELECT count(*) FROM checkout.list_checkout_sessions();
COMMIT;

-- By SET, for the session or a transaction, before the first call
\c -
SET checkout_sessions.credential = :'forged';
SET checkout_sessions.organization_id = :'organization';
SELECT current_setting('checkout_sessions.credential') = :'forged' AS believed_by_the_server;
SELECT checkout.list_checkout_sessions();
SELECT current_setting('checkout_sessions.credential') AS credential,
    current_setting('checkout_sessions.organization_id') AS organization;
\c -
BEGIN;
SET LOCAL checkout_sessions.credential = :'forged';
SET LOCAL checkout_sessions.organization_id = :'organization';
SELECT checkout.list_checkout_sessions();
ROLLBACK;
SELECT checkout.list_checkout_sessions();
-- By set_config, in the statement with the call
\c -
SELECT set_config('checkout_sessions.credential', :'forged', false) IS NOT NULL AS set,
    set_config('checkout_sessions.organization_id', :'organization', false) IS NOT NULL AS set,
    (SELECT count(*) FROM checkout.list_checkout_sessions());
-- As a default of its role
\c -
ALTER ROLE stranger SET checkout_sessions.credential = :'forged';
\c - postgres
ALTER ROLE stranger RESET ALL;
-- At connection
SELECT format('-c checkout_sessions.credential=%s -c checkout_sessions.organization_id=%s', :'forged', :'organization')
    AS options \gset
\setenv FORGED :options
\! PGOPTIONS="$FORGED" "$BINDIR/psql" -XAtqU stranger regression -c 'SELECT checkout.list_checkout_sessions()' 2>&1
-- Loading the library does not help.
\c - stranger
SET checkout_sessions.credential = :'forged';
SET checkout_sessions.organization_id = :'organization';
LOAD 'checkout_sessions';
SELECT checkout.current_organization_id();
SELECT checkout.list_checkout_sessions();
-- Neither does a key that is presented with forged settings: the tenant is that of the key, or none.
\c -
SET checkout_sessions.organization_id = '01890000-0000-7000-8000-000000000000';
BEGIN;
SELECT organization_id = :'organization' AS of_the_key FROM checkout.authenticate(:'key');
SELECT count(*) FROM checkout.list_checkout_sessions();
COMMIT;
-- Keys work, but no worker writes down their last use.
\c - postgres
SELECT last_used_at FROM checkout.list_api_keys();
SELECT state FROM checkout.worker_status();

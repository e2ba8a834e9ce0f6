-- The DBA sets the organization of a role; an ordinary role cannot choose.
SELECT checkout.create_organization('Tenancy A') AS a, checkout.create_organization('Tenancy B') AS b \gset
SELECT bindir.setting AS bindir FROM pg_config AS bindir WHERE name = 'BINDIR' \gset
\setenv BINDIR :bindir
\setenv TENANT_A :a
\setenv TENANT_B :b
SELECT testing.login('tenant_a', :'a');
CREATE ROLE wanderer LOGIN;
SELECT checkout.grant_access('wanderer', 'secret');
CREATE ROLE "Weird ""role""; --" LOGIN;
SELECT checkout.grant_access('Weird "role"; --', 'secret');
SELECT has_function_privilege('Weird "role"; --', 'checkout.get_checkout_session(uuid)', 'EXECUTE')
    AS granted_to_a_weird_name;
SET checkout_sessions.organization_id = :'b';
SELECT checkout_session_id AS of_b FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
RESET checkout_sessions.organization_id;

-- ALTER ROLE ... SET binds a role to an organization, from its next connection on.
\c - tenant_a
SELECT checkout.current_organization_id() = :'a' AS acts_for_a;
SELECT checkout.current_environment();
SELECT checkout_session_id AS of_a FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
SELECT count(*) FROM checkout.list_checkout_sessions();

-- The role cannot change that: not by SET, in any of its forms,
\set VERBOSITY terse
SET checkout_sessions.organization_id = :'b';
SET LOCAL checkout_sessions.organization_id = :'b';
SET SESSION checkout_sessions.organization_id TO DEFAULT;
RESET checkout_sessions.organization_id;
\echo :LAST_ERROR_SQLSTATE
SET checkout_sessions.environment = 'test';
SET checkout_sessions.environment TO DEFAULT;
SET checkout_sessions.base_url = 'https://evil.example';
SET checkout_sessions.idempotency_key_lifetime = '1min';
SELECT set_config('checkout_sessions.organization_id', :'b', false);
SELECT set_config('checkout_sessions.organization_id', :'b', true);
\set VERBOSITY sqlstate
SELECT set_config('CHECKOUT_SESSIONS.Organization_Id', :'b', false);
\set VERBOSITY terse
UPDATE pg_settings SET setting = :'b' WHERE name = 'checkout_sessions.organization_id';
-- not by a function with a setting of its own,
CREATE FUNCTION pg_temp.other() RETURNS uuid LANGUAGE sql
SET checkout_sessions.organization_id = '00000000-0000-0000-0000-000000000001'
AS 'SELECT checkout.current_organization_id()';
-- not for itself, another role, the database or the server,
ALTER ROLE CURRENT_USER SET checkout_sessions.organization_id = :'b';
ALTER ROLE tenant_a SET checkout_sessions.environment = 'test';
\set VERBOSITY sqlstate
ALTER ROLE wanderer SET checkout_sessions.organization_id = :'b';
\set VERBOSITY terse
ALTER DATABASE regression SET checkout_sessions.organization_id = :'b';
ALTER SYSTEM SET checkout_sessions.organization_id = :'b';
GRANT SET ON PARAMETER checkout_sessions.organization_id TO wanderer;
-- nor by removing it: RESET ALL and DISCARD ALL restore the DBA's value.
RESET ALL;
SELECT checkout.current_organization_id() = :'a' AS acts_for_a;
DISCARD ALL;
SELECT checkout.current_organization_id() = :'a' AS acts_for_a;
\set VERBOSITY default

-- Not by the options of a connection, either
\setenv CALL '"$BINDIR/psql" -XAtqd regression -c "SELECT $FUNCTION" 2>&1 | sed "s/.*FATAL/FATAL/"'
\setenv FUNCTION 'checkout.list_checkout_sessions()'
\! PGUSER=tenant_a PGOPTIONS="-c checkout_sessions.organization_id=$TENANT_B" sh -c "$CALL"
\! PGUSER=wanderer PGOPTIONS="--checkout-sessions.organization-id=$TENANT_B" sh -c "$CALL"
\setenv FUNCTION 'checkout.current_environment()'
\! PGUSER=tenant_a PGOPTIONS="-c checkout_sessions.environment=test" sh -c "$CALL"
\setenv URI 'dbname=regression user=wanderer options=''-c checkout_sessions.organization_id='
\! "$BINDIR/psql" -XAtq "$URI$TENANT_B'" -c 'SELECT checkout.list_checkout_sessions()' 2>&1 | sed 's/.*FATAL/FATAL/'
-- A superuser may change it.
\setenv FUNCTION 'count(*) FROM checkout.list_checkout_sessions()'
\! PGUSER=postgres PGOPTIONS="-c checkout_sessions.organization_id=$TENANT_B" sh -c "$CALL"

-- GRANT SET makes a trusted backend, which sets the organization itself, for a session or a transaction.
\c - postgres
CREATE ROLE backend LOGIN;
SELECT checkout.grant_access('backend', 'secret');
GRANT SET ON PARAMETER checkout_sessions.organization_id TO backend;
\c - backend
SELECT testing.outcome('SELECT checkout.list_checkout_sessions()');
SET checkout_sessions.organization_id = :'b';
SELECT checkout_session_id = :'of_b' AS of_b FROM checkout.list_checkout_sessions();
BEGIN;
SET LOCAL checkout_sessions.organization_id = :'a';
SELECT checkout_session_id = :'of_a' AS of_a FROM checkout.list_checkout_sessions();
SELECT created_by FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c');
SAVEPOINT s;
SET LOCAL checkout_sessions.organization_id = :'b';
SELECT checkout_session_id = :'of_b' AS of_b FROM checkout.list_checkout_sessions();
ROLLBACK TO s;
SELECT count(*) AS of_a FROM checkout.list_checkout_sessions();
COMMIT;
SELECT count(*) AS of_b FROM checkout.list_checkout_sessions();
-- A plan kept for one organization serves the next with its own rows.
PREPARE listed AS SELECT count(*), min(amount) FROM checkout.list_checkout_sessions();
EXECUTE listed;
SET checkout_sessions.organization_id = :'a';
EXECUTE listed;
-- SET on the environment was not granted.
SELECT testing.outcome('SET checkout_sessions.environment = ''test''');

-- No organization, an empty one, an invalid one: 28000 and no rows
\a
\c - wanderer
SELECT testing.outcome('SELECT checkout.current_organization_id()');
SELECT testing.outcome('SELECT checkout.current_environment()');
\c - backend
SELECT value, testing.outcome(
        format('SET LOCAL checkout_sessions.organization_id = %L; SELECT checkout.list_checkout_sessions()', value))
    AS outcome
FROM unnest(ARRAY[
    '', ' ', 'nonsense', '01890000-0000-7000-8000-00000000000', '01890000-0000-7000-8000-0000000000000', 'NULL', '%',
    '*', ''' OR true --', ','
]) AS value;
SELECT call, testing.outcome(format('SET LOCAL checkout_sessions.organization_id = %L; %s', '', call)) AS outcome
FROM unnest(ARRAY[
    'SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')',
    format('SELECT checkout.get_checkout_session(%L)', :'of_a'),
    format('SELECT checkout.expire_checkout_session(%L)', :'of_a'),
    format('SELECT checkout.begin_payment(%L, ''p'')', :'of_a'),
    format('SELECT checkout.record_payment(%L, ''p'', ''failed'')', :'of_a'),
    format('SELECT checkout.recover_checkout_session(%L)', :'of_a'),
    format('SELECT checkout.list_payments(%L)', :'of_a'), 'SELECT checkout.list_payments()',
    format('SELECT checkout.apply_payment(''p'', %L)', :'of_a'), 'SELECT checkout.record_refund(''p'', ''r'')',
    'SELECT checkout.list_refunds(''p'')',
    'SELECT checkout.list_webhook_events()', 'SELECT * FROM checkout.session_funnel()',
    'SELECT checkout.create_product(''Mug'')', 'SELECT checkout.update_product(''mug'')',
    'SELECT checkout.list_products()', 'SELECT checkout.adjust_inventory(''mug'', 1)',
    'SELECT checkout.create_price(''mug'', ''USD'', 1)', 'SELECT checkout.update_price(''p'')',
    'SELECT checkout.list_prices()', 'SELECT checkout.create_coupon(''TEN'', 10)',
    'SELECT checkout.update_coupon(''TEN'')', 'SELECT checkout.list_coupons()',
    'SELECT * FROM checkout.coupon_performance()',
    'SELECT checkout.current_environment()']) AS call
\g | sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/<uuid>/g'
-- A UUID that belongs to no organization
SELECT call, testing.outcome(
        format('SET LOCAL checkout_sessions.organization_id = %L; %s', '01890000-0000-7000-8000-000000000000', call))
    AS outcome
FROM unnest(ARRAY[
    'SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')',
    'SELECT checkout.create_product(''Mug'')', 'SELECT checkout.create_coupon(''TEN'', 10)',
    'SELECT checkout.get_checkout_session(''01890000-0000-7000-8000-000000000000'')']) AS call;
SET checkout_sessions.organization_id = '01890000-0000-7000-8000-000000000000';
SELECT count(*) FROM checkout.list_checkout_sessions();
SELECT count(*) FROM checkout.list_webhook_events();

-- SET ROLE neither adds the other role's settings, nor removes one's own.
\c - postgres
GRANT tenant_a TO wanderer;
\c - wanderer
SET ROLE tenant_a;
SELECT testing.outcome('SELECT checkout.list_checkout_sessions()');
RESET ROLE;
\c - postgres
REVOKE tenant_a FROM wanderer;
GRANT wanderer TO tenant_a;
\c - tenant_a
SET ROLE wanderer;
SELECT count(*) FROM checkout.list_checkout_sessions();
SELECT created_by FROM checkout.create_checkout_session(3, 'USD', customer_id => 'c');
RESET ROLE;

-- grant_access and revoke_access
\c - postgres
SELECT call, testing.outcome(format('SELECT checkout.%s', call)) FROM unnest(ARRAY[
    'grant_access(NULL, ''secret'')', 'grant_access(''wanderer'', NULL)', 'grant_access(''wanderer'', ''root'')',
    'grant_access(''wanderer'', '''')',
    'grant_access(''nobody'', ''secret'')', 'grant_access(''-'', ''secret'')', 'grant_access(''PUBLIC'', ''secret'')',
    'grant_access(''Nobody'', ''secret'')',
    'revoke_access(NULL, ''secret'')', 'revoke_access(''wanderer'', NULL)', 'revoke_access(''wanderer'', ''root'')',
    'revoke_access(''-'', ''secret'')',
    'revoke_access(''wanderer'', ''secret'')', 'revoke_access(''wanderer'', ''secret'')',
    'revoke_access(''backend'', ''relay'')']) AS call;
\c - wanderer
SELECT testing.outcome('SELECT checkout.list_checkout_sessions()');
SELECT testing.outcome('SELECT checkout.redirect_url('''', NULL)');
\c - tenant_a
SELECT testing.outcome('SELECT checkout.grant_access(''wanderer'', ''secret'')');
SELECT testing.outcome('SELECT checkout.revoke_access(''backend'', ''secret'')');

-- A caller without a tenant gets that error first, before any fault of the request.
\c - postgres
SET checkout_sessions.organization_id = '';
SELECT testing.outcome('SELECT checkout.create_checkout_session(''NaN'', ''USD'', metadata => ''[]'')');
RESET checkout_sessions.organization_id;

REVOKE SET ON PARAMETER checkout_sessions.organization_id FROM backend;

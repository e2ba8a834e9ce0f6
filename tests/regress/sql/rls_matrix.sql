-- Who may do what: each function and each table, for each kind of role.
SELECT checkout.create_organization('Matrix A') AS a, checkout.create_organization('Matrix B') AS b \gset
SELECT testing.login('matrix_a', :'a');
SELECT testing.login('matrix_b', :'b');
CREATE ROLE matrix_dispatcher LOGIN;
CREATE ROLE matrix_admin LOGIN;
CREATE ROLE matrix_tenantless LOGIN;
CREATE ROLE matrix_nobody LOGIN;
SELECT checkout.grant_access('matrix_dispatcher', 'dispatcher'), checkout.grant_access('matrix_admin', 'admin'), checkout.grant_access('matrix_tenantless', 'secret');

-- A's: an open, an expired and a paid session, with a payment and events; B has one session.
SET checkout_sessions.organization_id = :'a';
SELECT testing.new_session(1) AS open, testing.new_session(2) AS expired, testing.new_session(3) AS paid \gset
SELECT s.status, p.status FROM checkout.expire_checkout_session(:'expired') AS s, checkout.record_payment(:'paid', 'matrix-1', 'succeeded') AS p;
SELECT count(*) FROM checkout.create_checkout_session(4, 'USD', customer_id => 'c', idempotency_key => 'matrix');
SELECT event_id AS event FROM checkout.list_webhook_events(:'paid') \gset
SELECT client_secret FROM checkout.get_checkout_session(:'open') \gset
SELECT api_key_id, api_key FROM checkout.create_api_key(:'a', 'secret', 'live') \gset
SET checkout_sessions.organization_id = :'b';
SELECT testing.new_session(5) AS of_b \gset
RESET checkout_sessions.organization_id;

-- Runs a statement as a role, and takes it back whatever it did.
CREATE FUNCTION testing.try_as(role name, organization text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('checkout_sessions.organization_id', organization, true);
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE EXCEPTION USING ERRCODE = 'ZZ999', MESSAGE = n;
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'ZZ999' THEN SQLERRM ELSE SQLSTATE END;
END $$;

CREATE TABLE testing.calls (n serial, function text, arguments text);
INSERT INTO testing.calls (function, arguments) VALUES
    ('create_checkout_session', '1, ''USD'', customer_id => ''c'''), ('get_checkout_session', quote_literal(:'open')), ('list_checkout_sessions', ''),
    ('expire_checkout_session', quote_literal(:'open')), ('recover_checkout_session', quote_literal(:'expired')),
    ('begin_payment', format('%L, ''matrix-2''', :'open')), ('record_payment', format('%L, ''matrix-2'', ''succeeded''', :'open')),
    ('list_payments', quote_literal(:'paid')), ('list_webhook_events', ''), ('session_funnel', ''), ('redirect_url', ''''', NULL'),
    ('current_organization_id', ''), ('current_environment', ''),
    ('claim_webhook_events', format('organization_id => %L', :'a')), ('ack_webhook_events', format('''{%s}'', gen_random_uuid()', :'event')),
    ('nack_webhook_event', format('%L, gen_random_uuid()', :'event')), ('redeliver_webhook_events', format('''{%s}''', :'event')), ('outbox_status', ''),
    ('create_organization', '''Matrix C'''), ('update_organization', quote_literal(:'a')), ('list_organizations', ''),
    ('expire_due_checkout_sessions', ''), ('worker_status', ''),
    ('authenticate', quote_literal(:'api_key')), ('pre_request', ''), ('public_checkout_session', format('%L, %L', :'open', :'client_secret')),
    ('rotate_client_secrets', quote_literal(:'a')), ('create_api_key', format('%L, ''secret'', ''live''', :'a')), ('list_api_keys', quote_literal(:'a')),
    ('revoke_api_key', quote_literal(:'api_key_id')), ('roll_api_key', quote_literal(:'api_key_id')), ('security_report', ''), ('handle_request', format('''lomi'', ''GET'', %L', '/checkout-sessions/' || :'open')), ('render_webhook_event', format('%L, ''lomi''', :'event')), ('sign_webhook', $$'m', now(), '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'$$), ('verify_webhook', $$'{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'$$), ('grant_access', '''matrix_nobody'', ''secret'''), ('revoke_access', '''matrix_a'', ''secret''');
-- No function is missing.
SELECT string_agg(p.proname, ' ') AS missing FROM pg_proc p WHERE p.pronamespace = 'checkout'::regnamespace AND NOT EXISTS (SELECT FROM testing.calls c WHERE c.function = p.proname);

-- Rows returned, or the SQLSTATE. PT404: as if there were no such session. nack shows a wrong token: PT409.
SELECT c.function,
    testing.try_as('postgres', :'a', call) AS superuser, testing.try_as('matrix_a', :'a', call) AS secret_a, testing.try_as('matrix_b', :'b', call) AS secret_b,
    testing.try_as('matrix_tenantless', '', call) AS no_tenant, testing.try_as('matrix_dispatcher', '', call) AS dispatcher,
    testing.try_as('matrix_admin', '', call) AS admin, testing.try_as('matrix_nobody', :'a', call) AS no_access
FROM testing.calls c, LATERAL (SELECT format('SELECT * FROM checkout.%I(%s)', c.function, c.arguments)) AS s (call)
WHERE c.function NOT IN ('list_organizations', 'claim_webhook_events', 'security_report') ORDER BY c.n;
-- Those see all organizations.
SELECT c.function, testing.try_as('matrix_a', :'a', call) AS secret_a, testing.try_as('matrix_dispatcher', '', call) AS dispatcher, CASE testing.try_as('matrix_admin', '', call) WHEN (SELECT count(*)::text FROM checkout_data.organizations) THEN 'all' ELSE testing.try_as('matrix_admin', '', call) END AS admin
FROM testing.calls c, LATERAL (SELECT format('SELECT * FROM checkout.%I(%s)', c.function, c.arguments)) AS s (call)
WHERE c.function IN ('list_organizations', 'claim_webhook_events') ORDER BY c.n;
SELECT testing.try_as('matrix_a', :'a', call) AS secret_a, testing.try_as('matrix_dispatcher', '', call) AS dispatcher, testing.try_as('matrix_nobody', :'a', call) AS no_access,
    testing.try_as('matrix_admin', '', call) = testing.try_as('postgres', '', call) AS admin_as_superuser FROM (VALUES ('SELECT * FROM checkout.security_report()')) AS s (call);

-- Functions of the storage schema: for nobody but the two roles that own the API; those that stand for an access do nothing.
SELECT p.oid::regprocedure AS callable_by_others
FROM pg_proc p, LATERAL (SELECT format('SELECT %s', replace(regexp_replace(p.oid::regprocedure::text, '\((?!\))', '(NULL::'), ',', ', NULL::'))) AS s (call)
WHERE p.pronamespace = 'checkout_data'::regnamespace
    AND (testing.try_as('matrix_a', :'a', call) <> '42501' OR testing.try_as('matrix_admin', '', call) <> '42501' OR testing.try_as('matrix_dispatcher', '', call) <> '42501'
        OR p.proname !~ '_access$' AND (has_function_privilege('matrix_a', p.oid, 'EXECUTE') OR has_function_privilege('matrix_admin', p.oid, 'EXECUTE')));
SELECT p.proname AS stands_for, p.prosrc AS does, string_agg(role, ' ' ORDER BY role) FILTER (WHERE has_function_privilege(role, p.oid, 'EXECUTE')) AS roles
FROM pg_proc p, unnest('{matrix_a,matrix_dispatcher,matrix_admin,matrix_nobody,checkout_sessions_api,checkout_sessions_worker}'::name[]) AS role
WHERE p.pronamespace = 'checkout_data'::regnamespace AND p.proname ~ '_access$' AND p.pronargs = 0 GROUP BY 1, 2 ORDER BY 1;

-- Tables: the API's own role sees the rows of the tenant, and no others; applications none at all.
CREATE TABLE testing.rows AS
SELECT relname AS name, format('%I.%I', nspname, relname) AS relation
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'checkout_data' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') ORDER BY relname;
SELECT name FROM testing.rows;
SELECT t.name, right_, testing.try_as('matrix_a', :'a', statement) AS secret_a, testing.try_as('matrix_b', :'b', statement) AS secret_b,
    testing.try_as('matrix_tenantless', '', statement) AS no_tenant, testing.try_as('matrix_dispatcher', '', statement) AS dispatcher,
    testing.try_as('matrix_admin', '', statement) AS admin, testing.try_as('matrix_nobody', :'a', statement) AS no_access
FROM testing.rows AS t, LATERAL (VALUES ('select', format('SELECT 1 FROM %s', relation)), ('insert', format('INSERT INTO %s DEFAULT VALUES', relation)),
    ('update', format('UPDATE %s SET organization_id = organization_id', relation)), ('delete', format('DELETE FROM %s', relation)), ('truncate', format('TRUNCATE %s CASCADE', relation))) AS s (right_, statement)
ORDER BY 1, s.statement;
SELECT t.name, right_, testing.try_as('checkout_sessions_api', :'a', statement) AS api_for_a, testing.try_as('checkout_sessions_api', :'b', statement) AS api_for_b,
    testing.try_as('checkout_sessions_api', '', statement) AS api_for_none,
    CASE WHEN right_ <> 'move' THEN testing.try_as('checkout_sessions_worker', '', statement) END AS worker
FROM testing.rows AS t, LATERAL (VALUES ('select', format('SELECT 1 FROM %s WHERE organization_id IN (%L, %L)', relation, :'a', :'b')),
    ('move', format('UPDATE %s SET organization_id = %L WHERE organization_id = %L', relation, :'b', :'a')),
    ('delete', format('DELETE FROM %s WHERE organization_id IN (%L, %L)', relation, :'a', :'b')), ('truncate', format('TRUNCATE %s CASCADE', relation))) AS s (right_, statement)
ORDER BY 1, 2;
-- The API's role cannot write rows of another tenant, nor change what makes a session.
SELECT what, testing.try_as('checkout_sessions_api', :'a', statement) AS api_for_a FROM (VALUES
    ('session for b', format($$INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at, expires_at, max_retry_attempts, customer_id)
        VALUES (%L, 'live', gen_random_uuid(), 1, 'USD', now(), now(), now() + '1 h', 3, 'c')$$, :'b')),
    ('session for a', format($$INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at, expires_at, max_retry_attempts, customer_id)
        VALUES (%L, 'live', gen_random_uuid(), 1, 'USD', now(), now(), now() + '1 h', 3, 'c')$$, :'a')),
    ('session for a, test', format($$INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at, expires_at, max_retry_attempts, customer_id)
        VALUES (%L, 'test', gen_random_uuid(), 1, 'USD', now(), now(), now() + '1 h', 3, 'c')$$, :'a')),
    ('payment of b', format($$INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, amount, currency_code, created_at, updated_at)
        VALUES (%L, 'live', 'p', %L, 'failed', 1, 'USD', now(), now())$$, :'b', :'of_b')),
    ('payment of a for a session of b', format($$INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, amount, currency_code, created_at, updated_at)
        VALUES (%L, 'live', 'p', %L, 'failed', 1, 'USD', now(), now())$$, :'a', :'of_b')),
    ('state of b', format('UPDATE checkout_data.checkout_sessions SET status = ''expired'' WHERE organization_id = %L', :'b')),
    ('amount', 'UPDATE checkout_data.checkout_sessions SET amount = 1'), ('metadata', 'UPDATE checkout_data.checkout_sessions SET metadata = ''{}'''),
    ('expires_at', 'UPDATE checkout_data.checkout_sessions SET expires_at = now() + ''1 day'''), ('organization', 'UPDATE checkout_data.organizations SET name = ''x''')
) AS s (what, statement);

-- What A learns of B's session: the same as of one that does not exist, in every function.
\c - matrix_a
SELECT function, testing.outcome(format(call, :'of_b')) = testing.outcome(format(call, '01890000-0000-7000-8000-000000000000')) AS same, testing.outcome(format(call, :'of_b')) AS outcome
FROM (VALUES ('get', 'SELECT checkout.get_checkout_session(%L)'), ('expire', 'SELECT checkout.expire_checkout_session(%L)'), ('recover', 'SELECT checkout.recover_checkout_session(%L)'),
    ('begin', 'SELECT checkout.begin_payment(%L, ''p'')'), ('record', 'SELECT checkout.record_payment(%L, ''p'', ''succeeded'')'), ('payments', 'SELECT checkout.list_payments(%L)'),
    ('events', 'SELECT checkout.list_webhook_events(%L)'), ('after', 'SELECT checkout.list_checkout_sessions(starting_after => %L)'), ('before', 'SELECT checkout.list_checkout_sessions(ending_before => %L)')
) AS calls (function, call);

-- Hooks: functions of a merchant's own, called in the transactions that end sessions.
SELECT checkout.create_organization('Hooks', reference_policy => 'expire_previous', max_retry_attempts => 0)
        AS organization, checkout.create_organization('Hooks, others') AS other \gset
SELECT testing.login('shop_hooks', :'organization');
SELECT testing.login('shop_hooks_other', :'other');
SELECT testing.login('shop_hooks_test', :'organization', 'test');
CREATE ROLE admin_hooks LOGIN;
SELECT checkout.grant_access('admin_hooks', 'admin');
-- The merchant's own tables and functions. Their owner needs the access of what they call.
CREATE ROLE owner_hooks;
SELECT checkout.grant_access('owner_hooks', 'secret'), checkout.grant_access('owner_hooks', 'request');
CREATE SCHEMA shop_hooks AUTHORIZATION owner_hooks;
GRANT USAGE ON SCHEMA shop_hooks TO PUBLIC;
SET ROLE owner_hooks;
CREATE TABLE shop_hooks.calls (
    n integer GENERATED ALWAYS AS IDENTITY, event text, session uuid, status text, note text);
GRANT SELECT ON shop_hooks.calls TO PUBLIC;
CREATE FUNCTION shop_hooks.note(event text, s checkout.checkout_session, note text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO shop_hooks.calls (event, session, status, note)
    VALUES (event, s.checkout_session_id, s.status, note)
$$;
CREATE FUNCTION shop_hooks.on_completed(s checkout.checkout_session) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM shop_hooks.note('completed', s, format('%s %s %s, as %s for %s in %s, path %s, %s, secret: %s',
        s.payment_status, s.payment_id, s.amount, current_user, checkout.current_organization_id() = s.organization_id,
        checkout.current_environment(), current_setting('search_path'),
        (SELECT v.status FROM checkout.checkout_sessions v WHERE v.checkout_session_id = s.checkout_session_id),
        s.client_secret));
END $$;
CREATE FUNCTION shop_hooks.on_expired(s checkout.checkout_session) RETURNS void LANGUAGE sql
    AS $$ SELECT shop_hooks.note('expired', s, s.reference) $$;
CREATE FUNCTION shop_hooks.on_failed(s checkout.checkout_session) RETURNS void LANGUAGE sql
    AS $$ SELECT shop_hooks.note('failed', s, s.attempts::text) $$;
CREATE FUNCTION shop_hooks.on_refunded(s checkout.checkout_session) RETURNS void LANGUAGE sql
    AS $$ SELECT shop_hooks.note('refunded', s, (SELECT sum(r.amount)::text FROM checkout.refunds r)) $$;
-- What any hook can be made to do, by the reference of its session.
CREATE TABLE shop_hooks.orders (action text PRIMARY KEY, statement text);
CREATE FUNCTION shop_hooks.obey(s checkout.checkout_session) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM shop_hooks.note('obeyed', s, s.description);
    EXECUTE (SELECT o.statement FROM shop_hooks.orders o WHERE o.action = s.description) USING s;
END $$;
RESET ROLE;

-- Only an administrator sets hooks, for functions that may be one.
CREATE FUNCTION testing.for_hooks(reference text, description text DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    SELECT checkout_session_id FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c',
        reference => for_hooks.reference, description => for_hooks.description)
$$;
\c - shop_hooks
SELECT testing.outcome(format('SELECT checkout.set_hook(%L, ''expired'', NULL)', :'organization'));
SELECT testing.outcome('SELECT checkout.list_hooks()');
\c - postgres
CREATE ROLE robot_hooks CREATEROLE;
CREATE ROLE member_hooks IN ROLE robot_hooks;
CREATE ROLE tenant_hooks;
GRANT SET ON PARAMETER checkout_sessions.environment TO tenant_hooks;
CREATE FUNCTION shop_hooks.super(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shop_hooks.member(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shop_hooks.tenant(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shop_hooks.admin(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shop_hooks.api(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shop_hooks.two(s checkout.checkout_session, t text DEFAULT '') RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shop_hooks.number(s checkout.checkout_session) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE shop_hooks.procedure(s checkout.checkout_session) LANGUAGE sql AS '';
CREATE FUNCTION pg_temp.temporary(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
GRANT CREATE ON SCHEMA shop_hooks TO member_hooks, tenant_hooks, admin_hooks, checkout_sessions_api;
ALTER FUNCTION shop_hooks.member OWNER TO member_hooks;
ALTER FUNCTION shop_hooks.tenant OWNER TO tenant_hooks;
ALTER FUNCTION shop_hooks.admin OWNER TO admin_hooks;
ALTER FUNCTION shop_hooks.api OWNER TO checkout_sessions_api;
ALTER FUNCTION pg_temp.temporary OWNER TO owner_hooks;
SELECT function, testing.outcome(format('SELECT checkout.set_hook(%L, ''expired'', %L)', :'organization', function))
FROM unnest('{"shop_hooks.super(checkout.checkout_session)", "shop_hooks.member(checkout.checkout_session)",
    "shop_hooks.tenant(checkout.checkout_session)", "shop_hooks.admin(checkout.checkout_session)",
    "shop_hooks.api(checkout.checkout_session)", "shop_hooks.two(checkout.checkout_session,text)",
    "shop_hooks.number(checkout.checkout_session)", "shop_hooks.procedure(checkout.checkout_session)",
    "pg_temp.temporary(checkout.checkout_session)", "shop_hooks.none(checkout.checkout_session)", "0"}'::text[])
    AS function;
SELECT testing.outcome(call) FROM unnest(ARRAY[
    format('SELECT checkout.set_hook(NULL, ''expired'', NULL)'),
    format('SELECT checkout.set_hook(%L, NULL, NULL)', :'organization'),
    format('SELECT checkout.set_hook(%L, ''created'', NULL)', :'organization'),
    'SELECT checkout.set_hook(''01890000-0000-7000-8000-000000000000'', ''expired'', NULL)']) AS call;
\c - admin_hooks
SELECT checkout.set_hook(:'organization', event,
    format('shop_hooks.on_%s(checkout.checkout_session)', event)::regprocedure)
FROM unnest('{completed,expired,failed,refunded}'::text[]) AS event;
SELECT event, function, owner, fault, failure_count, last_failed_at, last_failure
FROM checkout.list_hooks(:'organization');

-- Every way in which a session ends calls its hook, once, with the session as it is then.
\c - shop_hooks
SELECT checkout_session_id AS paid FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c') \gset
SELECT status FROM checkout.record_payment(:'paid', 'hooks-1', 'succeeded');
SELECT status, idempotent_replay FROM checkout.record_payment(:'paid', 'hooks-1', 'succeeded');
SELECT status FROM checkout.record_refund('hooks-1', 'refund-1', 4, 'pending');
SELECT status FROM checkout.record_refund('hooks-1', 'refund-1', 4);
SELECT status FROM checkout.record_refund('hooks-1', 'refund-2', 1);
SELECT p.status FROM checkout.record_payment(testing.new_session(), 'hooks-2', 'failed') AS p;
SELECT testing.for_hooks('by hand') AS gone \gset
SELECT status FROM checkout.expire_checkout_session(:'gone');
SELECT status FROM checkout.expire_checkout_session(:'gone');
SELECT status, rejection_reason FROM checkout.record_payment(:'gone', 'hooks-late', 'succeeded');
-- By the reference policy, by the clock and a late payment, by the clock and the sweep, by applying a payment
SELECT status FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', reference => 'previous');
SELECT testing.for_hooks('previous') AS next \gset
SELECT testing.age(:'next', '2 hours');
SELECT status, rejection_reason FROM checkout.record_payment(:'next', 'hooks-too-late', 'succeeded');
SELECT testing.for_hooks('swept') AS swept \gset
SELECT testing.age(:'swept', '2 hours');
\c - admin_hooks
SELECT checkout.expire_due_checkout_sessions() > 0 AS some;
\c - shop_hooks
SELECT testing.story(:'swept');
SELECT testing.for_hooks('applied') AS applied \gset
SELECT status FROM checkout.apply_payment('hooks-too-late', :'applied');
SELECT event, status, note FROM shop_hooks.calls ORDER BY n;

-- A failure is kept, and what the hook has changed is rolled back. The session ends, and the payment counts.
\c - postgres
INSERT INTO shop_hooks.orders VALUES
    ('raise', $$DO 'BEGIN RAISE ''no stock of %'', repeat(''é'', 600); END'$$),
    ('custom', $$DO 'BEGIN RAISE ''mine'' USING ERRCODE = ''PT418''; END'$$),
    ('nested', $$DO 'BEGIN RAISE ''a'' USING ERRCODE = ''AB123''; EXCEPTION WHEN OTHERS THEN PERFORM 1 / 0; END'$$),
    ('divide', 'SELECT 1 / 0'),
    ('cancel', $$DO 'BEGIN RAISE query_canceled USING MESSAGE = ''not really''; END'$$),
    ('loop', $$DO 'BEGIN LOOP END LOOP; END'$$),
    ('sleep', 'SELECT pg_sleep(60)'),
    ('swallow', $$DO 'BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END'$$),
    ('commit', $$DO 'BEGIN COMMIT; END'$$),
    ('role', 'SET ROLE postgres'),
    ('set role', $$SELECT set_config('role', 'checkout_sessions_api', true)$$),
    ('authorization', 'SET SESSION AUTHORIZATION postgres'),
    ('tenant', format($$SELECT set_config('checkout_sessions.organization_id', %L, true)$$, :'other')),
    ('environment', $$SET checkout_sessions.environment = 'test'$$),
    ('credential', $$SET checkout_sessions.credential = '{}'$$),
    ('authenticate', format('SELECT checkout.authenticate(%L)', testing.key(:'other'))),
    ('administer', format('SELECT checkout.set_hook(%L, ''failed'', NULL)', :'organization')),
    ('listen', 'LISTEN hooks'), ('prepare', 'PREPARE hooks AS SELECT 1'),
    ('temporary', 'CREATE TEMPORARY TABLE hooks ()'),
    ('hold', 'DECLARE hooks CURSOR WITH HOLD FOR SELECT 1'), ('discard', 'DISCARD ALL'),
    ('tables', 'SELECT count(*) FROM checkout_data.checkout_sessions'),
    ('update', $$UPDATE checkout_data.checkout_sessions SET status = 'open'$$),
    ('deferred', 'INSERT INTO shop_hooks.children VALUES (1)'),
    ('deeper', $$SELECT checkout.expire_checkout_session(checkout_session_id)
        FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c', description => 'deeper')$$),
    ('again', 'SELECT checkout.expire_checkout_session(($1).checkout_session_id)'),
    ('pay', $$SELECT status FROM checkout.record_payment(($1).checkout_session_id, 'hooks-pay', 'succeeded')$$),
    ('create', $$SELECT checkout.create_checkout_session(1, 'USD', customer_id => 'c', title => 'By a hook')$$),
    ('reset', 'RESET ALL'), ('path', 'SET search_path = public'), ('cursor', 'DECLARE hooks CURSOR FOR SELECT 1');
SET ROLE owner_hooks;
CREATE TABLE shop_hooks.parents (id integer PRIMARY KEY);
CREATE TABLE shop_hooks.children (id integer REFERENCES shop_hooks.parents DEFERRABLE INITIALLY DEFERRED);
GRANT SELECT ON shop_hooks.orders TO PUBLIC;
RESET ROLE;
SELECT checkout.set_hook(:'organization', event, 'shop_hooks.obey(checkout.checkout_session)')
FROM unnest('{expired,completed}'::text[]) AS event;
ALTER SYSTEM SET checkout_sessions.hook_timeout = '200ms';
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
CREATE FUNCTION testing.obey(action text, OUT status text, OUT failure text) LANGUAGE plpgsql AS $$
DECLARE
    id CONSTANT uuid := (SELECT checkout_session_id
        FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', description => action));
BEGIN
    SELECT e.status INTO obey.status FROM checkout.expire_checkout_session(id) AS e;
    SELECT testing.masked(f.sqlstate || ': ' || left(f.message, 100)) INTO failure FROM checkout.hook_failures f
    WHERE f.checkout_session_id = id;
END $$;
\c - shop_hooks
SELECT a.action, o.status, o.failure FROM shop_hooks.orders a, LATERAL testing.obey(a.action) AS o ORDER BY a.action;
SELECT sqlstate, message FROM checkout.hook_failures WHERE message LIKE '%deep';
SELECT length(message), octet_length(message) FROM checkout.hook_failures WHERE message LIKE 'no stock%';
-- What has failed has left nothing; what has not, has.
SELECT note, count(*) FROM shop_hooks.calls WHERE event = 'obeyed' GROUP BY note ORDER BY note;
SELECT title, created_by, environment, status, count(*) FROM checkout.list_checkout_sessions()
WHERE title = 'By a hook' GROUP BY title, created_by, environment, status;
SHOW search_path;
SHOW checkout_sessions.environment;
-- A report of money is taken, too.
SELECT testing.for_hooks(NULL, 'divide') AS paid \gset
SELECT status FROM checkout.record_payment(:'paid', 'hooks-3', 'succeeded');
SELECT event, function_name, sqlstate, message FROM checkout.hook_failures WHERE checkout_session_id = :'paid';
-- Others see nothing of that; statement_timeout and a cancel end the caller's statement.
\c - shop_hooks_other
SELECT count(*) FROM checkout.hook_failures;
\c - shop_hooks
SELECT testing.for_hooks(NULL, 'sleep') AS slow \gset
SET statement_timeout = '100ms';
SELECT status FROM checkout.expire_checkout_session(:'slow');
RESET statement_timeout;
SELECT status FROM checkout.get_checkout_session(:'slow');

-- Where hooks are required, a failure refuses the call, but no report of money and not the clock.
\c - admin_hooks
SELECT hooks_required FROM checkout.update_organization(:'organization', hooks_required => true);
\c - shop_hooks
SELECT checkout_session_id AS refused, client_secret AS secret
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', description => 'divide', reference => 'refused')
\gset
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'refused'));
SELECT testing.outcome('SELECT testing.for_hooks(''refused'')');
SELECT status FROM checkout.get_checkout_session(:'refused');
SELECT status FROM checkout.record_payment(:'refused', 'hooks-4', 'succeeded');
SELECT status FROM checkout.record_refund('hooks-4', 'refund-4');
SELECT testing.for_hooks(NULL, 'divide') AS swept \gset
SELECT testing.age(:'swept', '2 hours');
\c - admin_hooks
SELECT checkout.expire_due_checkout_sessions() > 0 AS some;
SELECT cancel_expires FROM checkout.update_organization(:'organization', cancel_expires => true);
\c - shop_hooks
SELECT status FROM checkout.get_checkout_session(:'swept');
SELECT sqlstate FROM checkout.hook_failures WHERE checkout_session_id = :'swept';
SELECT checkout_session_id AS refused, client_secret AS secret
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', description => 'divide') \gset
\c - visitor
SELECT testing.outcome(format('SELECT checkout.cancel_checkout_session(%L, %L)', :'refused', :'secret'));
\c - shop_hooks_test
SELECT testing.for_hooks(NULL, 'divide') AS refused \gset
SELECT testing.outcome(format('SELECT checkout.simulate_payment(%L, ''complete'')', :'refused'));

-- A function that has changed since is not called.
\c - postgres
SELECT hooks_required
FROM checkout.update_organization(:'organization', hooks_required => false, cancel_expires => false);
ALTER FUNCTION shop_hooks.obey OWNER TO postgres;
\c - shop_hooks
SELECT * FROM testing.obey('create');
\c - postgres
ALTER FUNCTION shop_hooks.obey OWNER TO owner_hooks;
ALTER ROLE owner_hooks SUPERUSER;
\c - shop_hooks
SELECT * FROM testing.obey('create');
\c - postgres
SELECT event, fault FROM checkout.list_hooks(:'organization') ORDER BY event;
ALTER ROLE owner_hooks NOSUPERUSER;
DROP FUNCTION shop_hooks.obey;
\c - shop_hooks
SELECT * FROM testing.obey('create');
\c - admin_hooks
SELECT event, fault, failure_count > 0 AS failed, last_failure FROM checkout.list_hooks(:'organization') ORDER BY event;
SELECT checkout.set_hook(:'organization', event, NULL)
FROM unnest('{completed,expired,failed,refunded}'::text[]) AS event;
SELECT checkout.set_hook(:'organization', 'expired', NULL);
SELECT * FROM checkout.list_hooks(:'organization');
\c - postgres
-- pg_upgrade refuses columns of OID types.
SELECT a.attname, a.atttypid::regtype FROM pg_attribute a
WHERE a.attrelid IN ('checkout_data.hooks'::regclass, 'checkout_data.hook_failures'::regclass) AND a.attnum > 0
ORDER BY a.attrelid::regclass::text, a.attnum;
ALTER SYSTEM RESET checkout_sessions.hook_timeout;
SELECT pg_reload_conf();

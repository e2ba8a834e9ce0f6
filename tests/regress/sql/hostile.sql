-- A caller that creates objects of its own to shadow others
SELECT checkout.create_organization('Hostile') AS organization, checkout.create_organization('Victim') AS victim \gset
SELECT testing.login('hostile', :'organization');
SELECT testing.login('victim', :'victim');
CREATE SCHEMA hostile AUTHORIZATION hostile;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
CREATE TABLE testing.traps (who name, what text);
GRANT INSERT ON testing.traps TO PUBLIC;
SELECT name FROM checkout.create_webhook_consumer('all');
\c - victim
SELECT checkout_session_id AS of_victim FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
\c - hostile

-- Functions and operators that always return true, and note who called them
CREATE FUNCTION hostile.trap(what text)
RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO testing.traps VALUES (current_user, what); RETURN true; END $$;
CREATE FUNCTION hostile.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap('uuid =') $$;
CREATE FUNCTION hostile.yes(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap('text =') $$;
CREATE FUNCTION hostile.yes(timestamptz, timestamptz)
RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap('timestamptz <=') $$;
CREATE OPERATOR hostile.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = hostile.yes);
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.yes);
CREATE OPERATOR hostile.<= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = hostile.yes);
CREATE FUNCTION hostile.clock_timestamp()
RETURNS timestamptz LANGUAGE sql AS $$ SELECT CASE WHEN hostile.trap('clock') THEN '2001-01-01'::timestamptz END $$;
CREATE FUNCTION hostile.current_organization_id()
RETURNS uuid LANGUAGE sql AS $$ SELECT CASE WHEN hostile.trap('organization') THEN gen_random_uuid() END $$;
CREATE FUNCTION hostile.to_jsonb(anyelement)
RETURNS jsonb LANGUAGE sql AS $$ SELECT CASE WHEN hostile.trap('to_jsonb') THEN '{}'::jsonb END $$;
CREATE FUNCTION hostile.replace(text, text, text)
RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN hostile.trap('replace') THEN 'https://evil.example' END $$;
CREATE FUNCTION hostile.date_trunc(text, timestamptz)
RETURNS timestamptz LANGUAGE sql AS $$ SELECT CASE WHEN hostile.trap('date_trunc') THEN $2 END $$;
CREATE FUNCTION hostile.count(bigint)
RETURNS bigint LANGUAGE sql AS $$ SELECT CASE WHEN hostile.trap('count') THEN 0::bigint END $$;
CREATE DOMAIN hostile.text AS pg_catalog.text CHECK (hostile.trap('text'));
-- Temporary tables and types with the names of ours, and of types that ours use
CREATE TEMP TABLE checkout_sessions (organization_id uuid);
CREATE TEMP TABLE payments (organization_id uuid);
CREATE TEMP TABLE webhook_outbox (organization_id uuid);
CREATE TEMP TABLE organizations (organization_id uuid);
CREATE TEMP TABLE pg_proc (proname name);
CREATE TEMP TABLE uuid (a integer);
CREATE TEMP TABLE numeric (a integer);
CREATE TYPE pg_temp.checkout_session AS (a integer);
SET search_path = hostile, pg_temp, pg_catalog;

-- Nevertheless everything works as before.
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(
    10, 'USD', customer_id => 'c', reference => 'r', idempotency_key => 'k',
    success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}') \gset
SELECT checkout_session_id OPERATOR(pg_catalog.=) :'id' AS same, idempotent_replay
FROM checkout.create_checkout_session(
    10, 'USD', customer_id => 'c', reference => 'r', idempotency_key => 'k',
    success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}');
SELECT status, amount, checkout.redirect_url(
        success_url, checkout_session_id) OPERATOR(pg_catalog.~~) 'https://shop.example/%' AS redirects
FROM checkout.get_checkout_session(:'id');
SELECT status
FROM checkout.list_checkout_sessions(
    status => 'open', customer_id => 'c', reference => 'r', created_before => '2999-01-01');
SELECT status FROM checkout.begin_payment(:'id', 'hostile-1');
SELECT status FROM checkout.record_payment(:'id', 'hostile-1', 'succeeded');
SELECT status FROM checkout.list_payments(:'id');
SELECT event_type, body OPERATOR(pg_catalog.~~) '%"payment_status" : "paid"%' AS whole
FROM checkout.list_webhook_events();
SELECT created, completed FROM checkout.session_funnel();
SELECT checkout_session_id AS id FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c') \gset
SELECT status FROM checkout.expire_checkout_session(:'id');
SELECT status FROM checkout.recover_checkout_session(:'id');
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT checkout_session_id AS id FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c') \gset
SELECT status FROM checkout.expire_checkout_session(:'id');
SELECT event_type, event_id AS event, lease_token AS token FROM checkout.claim_webhook_events('jobs') \gset
\echo :event_type
SELECT status FROM checkout.nack_webhook_event('jobs', :'event', :'token', retry_after => '0');
SELECT lease_token AS token FROM checkout.claim_webhook_events('jobs') \gset
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event'], :'token');
SELECT name FROM checkout.list_webhook_consumers();
SELECT name FROM checkout.delete_webhook_consumer('jobs');
\set VERBOSITY sqlstate
SELECT checkout.get_checkout_session(:'of_victim');
\set VERBOSITY default
-- Also if the caller has every right
RESET search_path;
\c - postgres
SET search_path = hostile, pg_catalog;
SELECT event_type FROM checkout.claim_webhook_events('all');
SELECT count(*) OPERATOR(pg_catalog.=) 0 AS claimed FROM checkout.claim_webhook_deliveries();
SELECT count(*) OPERATOR(pg_catalog.=) 0 AS recorded FROM checkout.record_webhook_attempts('[]');
SELECT checkout.expire_due_checkout_sessions() OPERATOR(pg_catalog.>=) 0 AS swept;
SELECT name FROM checkout.update_organization(:'organization', max_retry_attempts => 1);
SELECT checkout.grant_access('hostile', 'secret');
SELECT checkout.revoke_access('hostile', 'relay');
SELECT dead OPERATOR(pg_catalog.>=) 0 AS counted FROM checkout.outbox_status();
SELECT name FROM checkout.delete_webhook_consumer('all', true);
SELECT state FROM checkout.worker_status();
RESET search_path;
SELECT * FROM testing.traps;

-- A caller cannot become the roles that own the functions, nor add to their schemas.
\c - hostile
SELECT testing.outcome(statement)
FROM unnest(ARRAY[
    'SET ROLE checkout_sessions_api', 'SET ROLE checkout_sessions_worker',
    'CREATE FUNCTION checkout.f() RETURNS integer LANGUAGE sql AS ''SELECT 1''', 'CREATE TABLE checkout_data.t ()',
    'ALTER FUNCTION checkout.get_checkout_session(uuid) RESET search_path', 'DROP EXTENSION checkout_sessions',
    'DROP SCHEMA checkout CASCADE', 'ALTER TABLE checkout_data.payments DISABLE ROW LEVEL SECURITY',
    'CREATE TRIGGER t AFTER INSERT ON checkout_data.payments EXECUTE FUNCTION hostile.yes()',
    'CREATE POLICY p ON checkout_data.payments USING (true)',
    'SET row_security = off; SELECT checkout.list_checkout_sessions()', 'SET session_replication_role = replica',
    'COPY checkout_data.checkout_sessions TO STDOUT', 'SELECT checkout_data.wake_worker()',
    'LOCK TABLE checkout_data.payments'
]) AS statement;
-- It cannot see rows of other tenants in the statistics that it may read, either.
SELECT count(*) FROM pg_stats WHERE schemaname = 'checkout_data';

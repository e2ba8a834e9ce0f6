-- Roles, ownership, row-level security, rights, dump registration, and what \df+ says.

-- roles -----------------------------------------------------------------------------------------------------------
-- Cluster-wide, so another database may have made them already. One that could do more than ours is refused.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['checkout_sessions_api', 'checkout_sessions_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION', name);
        ELSIF EXISTS (
            SELECT FROM pg_catalog.pg_roles r
            WHERE r.rolname OPERATOR(pg_catalog.=) name
                AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole)
        ) THEN
            RAISE insufficient_privilege USING
                MESSAGE = pg_catalog.format('role "%s" exists with LOGIN, SUPERUSER, BYPASSRLS or CREATEROLE', name),
                HINT = pg_catalog.format('Rename it, or run ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE.', name);
        END IF;
    END LOOP;
END
$$;

-- who owns what ---------------------------------------------------------------------------------------------------
-- Functions run as restricted roles that own no table, so that row-level security applies to them.
DO $$
DECLARE
    callable pg_catalog.regprocedure;
    role text;
BEGIN
    FOR callable, role IN
        SELECT p.oid::pg_catalog.regprocedure,
            CASE WHEN p.proname OPERATOR(pg_catalog.=) ANY (ARRAY[
                'expire_due_checkout_sessions', 'worker_status', 'outbox_status', 'claim_webhook_events', 'ack_webhook_events',
                'nack_webhook_event', 'redeliver_webhook_events', 'create_organization', 'update_organization',
                'list_organizations'])
            THEN 'checkout_sessions_worker' ELSE 'checkout_sessions_api' END
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'checkout'::pg_catalog.regnamespace AND p.prosecdef
    LOOP
        -- An owner must be able to create in the schema while it becomes one.
        EXECUTE pg_catalog.format('GRANT CREATE ON SCHEMA checkout TO %I', role);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', callable, role);
        EXECUTE pg_catalog.format('REVOKE CREATE ON SCHEMA checkout FROM %I', role);
    END LOOP;
END
$$;

-- Bodies of events show times in UTC, whoever asks.
ALTER FUNCTION checkout.claim_webhook_events SET timezone TO 'UTC';
ALTER FUNCTION checkout.nack_webhook_event SET timezone TO 'UTC';
ALTER FUNCTION checkout.list_webhook_events SET timezone TO 'UTC';

-- rights ----------------------------------------------------------------------------------------------------------
-- Nothing to PUBLIC, and nothing to the roles that default privileges may have given rights to. checkout.grant_access()
-- gives them back by role.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT 'PUBLIC' UNION ALL
        SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles r
        WHERE r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['anon', 'authenticated', 'service_role'])
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA checkout, checkout_data FROM %s', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA checkout, checkout_data FROM %s', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA checkout, checkout_data FROM %s', name);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA checkout, checkout_data TO checkout_sessions_api, checkout_sessions_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout_data TO checkout_sessions_api, checkout_sessions_worker;
GRANT EXECUTE ON FUNCTION checkout.current_organization_id(), checkout.current_environment()
    TO checkout_sessions_api, checkout_sessions_worker;

-- A session is immutable but for its state: only these columns can be changed.
GRANT SELECT, INSERT ON checkout_data.checkout_sessions TO checkout_sessions_api;
GRANT UPDATE (status, payment_status, payment_id, attempts, lease_expires_at, completed_at, updated_at, event_count)
    ON checkout_data.checkout_sessions TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE ON checkout_data.payments TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE ON checkout_data.idempotency_keys TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.webhook_outbox TO checkout_sessions_api;
GRANT SELECT ON checkout_data.organizations TO checkout_sessions_api;

GRANT SELECT ON checkout_data.checkout_sessions TO checkout_sessions_worker;
GRANT UPDATE (status, payment_status, lease_expires_at, expiring_notice_at, updated_at, event_count)
    ON checkout_data.checkout_sessions TO checkout_sessions_worker;
GRANT SELECT ON checkout_data.payments TO checkout_sessions_worker;
GRANT SELECT, DELETE, UPDATE ON checkout_data.idempotency_keys TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.webhook_outbox TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE ON checkout_data.organizations TO checkout_sessions_worker;

-- row-level security ----------------------------------------------------------------------------------------------
-- One policy for each role that has rights on a table; without a policy a role sees no row. Not FORCEd: the owner's
-- pg_dump would fail, and nobody logs in as the owner.
ALTER TABLE checkout_data.organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkout_data.checkout_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkout_data.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkout_data.payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkout_data.webhook_outbox ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant ON checkout_data.organizations TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id())
    WITH CHECK (false);
CREATE POLICY tenant ON checkout_data.checkout_sessions TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment())
    WITH CHECK (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment());
CREATE POLICY tenant ON checkout_data.idempotency_keys TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment())
    WITH CHECK (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment());
CREATE POLICY tenant ON checkout_data.payments TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment())
    WITH CHECK (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment());
CREATE POLICY tenant ON checkout_data.webhook_outbox TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment())
    WITH CHECK (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment());

CREATE POLICY every_tenant ON checkout_data.organizations TO checkout_sessions_worker USING (true) WITH CHECK (true);
CREATE POLICY every_tenant ON checkout_data.checkout_sessions TO checkout_sessions_worker USING (true) WITH CHECK (true);
CREATE POLICY every_tenant ON checkout_data.idempotency_keys TO checkout_sessions_worker USING (true) WITH CHECK (true);
CREATE POLICY every_tenant ON checkout_data.payments TO checkout_sessions_worker USING (true) WITH CHECK (true);
CREATE POLICY every_tenant ON checkout_data.webhook_outbox TO checkout_sessions_worker USING (true) WITH CHECK (true);

-- dump ------------------------------------------------------------------------------------------------------------
-- Without this a dump would have the extension but none of its rows. There are no sequences.
SELECT pg_catalog.pg_extension_config_dump('checkout_data.organizations', '');
SELECT pg_catalog.pg_extension_config_dump('checkout_data.checkout_sessions', '');
SELECT pg_catalog.pg_extension_config_dump('checkout_data.idempotency_keys', '');
SELECT pg_catalog.pg_extension_config_dump('checkout_data.payments', '');
SELECT pg_catalog.pg_extension_config_dump('checkout_data.webhook_outbox', '');

-- The worker learns of this database when the script commits.
SELECT checkout_data.wake_worker();

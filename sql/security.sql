-- Security: owners of functions and views, grants, row-level security policies, and the registration of tables for dumps.

-- owners ----------------------------------------------------------------------------------------------------------
-- SECURITY DEFINER functions run as roles that own no table, so row-level security applies to them.
DO $$
DECLARE
    callable pg_catalog.regprocedure;
    role text;
BEGIN
    FOR callable, role IN
        SELECT p.oid::pg_catalog.regprocedure,
            CASE WHEN p.proname OPERATOR(pg_catalog.=) ANY (checkout_data.functions_above_tenants())
            THEN 'checkout_sessions_worker' ELSE 'checkout_sessions_api' END
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'checkout'::pg_catalog.regnamespace AND p.prosecdef
    LOOP
        -- The new owner of a function needs CREATE on its schema.
        EXECUTE pg_catalog.format('GRANT CREATE ON SCHEMA checkout TO %I', role);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', callable, role);
        EXECUTE pg_catalog.format('REVOKE CREATE ON SCHEMA checkout FROM %I', role);
    END LOOP;
END
$$;
-- A view reads its tables as its owner, so row-level security applies to them, too.
DO $$
DECLARE
    view pg_catalog.regclass;
BEGIN
    GRANT CREATE ON SCHEMA checkout TO checkout_sessions_api;
    FOR view IN
        SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'checkout'::pg_catalog.regnamespace
            AND c.relkind OPERATOR(pg_catalog.=) 'v'
    LOOP
        EXECUTE pg_catalog.format('ALTER VIEW %s OWNER TO checkout_sessions_api', view);
    END LOOP;
    REVOKE CREATE ON SCHEMA checkout FROM checkout_sessions_api;
END
$$;

-- grants ----------------------------------------------------------------------------------------------------------
-- Revokes the rights of PUBLIC, and those that default privileges gave. checkout.grant_access() gives roles theirs.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT DISTINCT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
            ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END
        FROM (
            SELECT p.proacl, p.proowner, 'f' FROM pg_catalog.pg_proc p
            WHERE p.pronamespace OPERATOR(pg_catalog.=) ANY
                (ARRAY['checkout', 'checkout_data']::pg_catalog.regnamespace[])
            UNION ALL SELECT c.relacl, c.relowner, 'r' FROM pg_catalog.pg_class c
            WHERE c.relnamespace OPERATOR(pg_catalog.=) ANY
                (ARRAY['checkout', 'checkout_data']::pg_catalog.regnamespace[])
            UNION ALL SELECT n.nspacl, n.nspowner, 'n' FROM pg_catalog.pg_namespace n
            WHERE n.oid OPERATOR(pg_catalog.=) ANY (ARRAY['checkout', 'checkout_data']::pg_catalog.regnamespace[])
        ) AS object (acl, owner, kind),
            LATERAL pg_catalog.aclexplode(
                COALESCE(object.acl, pg_catalog.acldefault(object.kind::pg_catalog."char", object.owner))) AS a
        WHERE a.grantee OPERATOR(pg_catalog.<>) object.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA checkout, checkout_data FROM %s', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA checkout, checkout_data FROM %s', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA checkout, checkout_data FROM %s', name);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA checkout, checkout_data TO checkout_sessions_api, checkout_sessions_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout_data TO checkout_sessions_api, checkout_sessions_worker;
REVOKE EXECUTE ON FUNCTION checkout_data.secret_access(), checkout_data.restricted_access(),
    checkout_data.publishable_access(),
    checkout_data.authenticator_access(), checkout_data.request_access(), checkout_data.relay_access(),
    checkout_data.monitor_access(), checkout_data.admin_access(), checkout_data.log_access(text, text, text)
    FROM checkout_sessions_api, checkout_sessions_worker;
GRANT EXECUTE ON FUNCTION checkout.current_organization_id(), checkout.current_environment()
    TO checkout_sessions_api, checkout_sessions_worker;

-- Only the state of a session changes, and of one with terms the amount and the quantity: the other columns cannot be
-- updated.
GRANT SELECT, INSERT ON checkout_data.checkout_sessions TO checkout_sessions_api;
GRANT UPDATE (status, payment_status, payment_id, attempts, lease_expires_at, completed_at, updated_at, event_count,
    amount, quantity, has_terms) ON checkout_data.checkout_sessions TO checkout_sessions_api;
GRANT SELECT, INSERT, DELETE, UPDATE (deadline, event_count, fails_at_deadline, has_terms)
    ON checkout_data.open_sessions TO checkout_sessions_api;
-- Nothing of a price or a coupon changes that a session may have used.
GRANT SELECT, INSERT, UPDATE (name, description, image_url, active, metadata, updated_at)
    ON checkout_data.products TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (active, is_default, updated_at) ON checkout_data.prices TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (active, held, updated_at) ON checkout_data.coupons TO checkout_sessions_api;
GRANT SELECT, INSERT, DELETE, UPDATE (on_hand, held, continue_selling, updated_at)
    ON checkout_data.inventory TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.inventory_changes TO checkout_sessions_api;
GRANT SELECT, INSERT, DELETE, UPDATE (quantity, state, deadline) ON checkout_data.holds TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (unit_amount, quantity, subtotal, discount)
    ON checkout_data.session_lines TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (subtotal, discount, amount, coupon_code, coupon_tries, billing_address, hold_count)
    ON checkout_data.session_terms TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (latest_checkout_session_id, anchor, periods, periods_paid, current_period_start,
    current_period_end, ends_at, cancel_at_period_end, canceled_at, announced, next_event_at, event_count, updated_at)
    ON checkout_data.subscriptions TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (period_start, period_end) ON checkout_data.session_periods TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (first_opened_at, last_opened_at, cancelled_at, reason_code, reason)
    ON checkout_data.session_visits TO checkout_sessions_api;
GRANT SELECT ON checkout_data.session_counts, checkout_data.session_folds TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.uncounted_hours TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE ON checkout_data.payments TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (status, amount, reason, updated_at) ON checkout_data.refunds TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE ON checkout_data.idempotency_keys TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.webhook_outbox TO checkout_sessions_api;
GRANT SELECT ON checkout_data.organizations, checkout_data.hooks TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.hook_failures TO checkout_sessions_api;
-- Nobody may change the log.
GRANT SELECT, INSERT ON checkout_data.admin_log TO checkout_sessions_api, checkout_sessions_worker;
GRANT SELECT ON checkout_data.request_failures TO checkout_sessions_api;
GRANT SELECT, INSERT ON checkout_data.webhook_endpoints TO checkout_sessions_api;
GRANT UPDATE (url, event_types, body_format, signature_scheme, description, secret, previous_secret,
    previous_secret_expires_at, disabled_at, disabled_reason, failing_since, updated_at, deleted_at)
    ON checkout_data.webhook_endpoints TO checkout_sessions_api;
GRANT SELECT, INSERT, UPDATE (next_attempt_at) ON checkout_data.webhook_deliveries TO checkout_sessions_api;
GRANT SELECT ON checkout_data.webhook_attempts, checkout_data.webhook_consumers, checkout_data.webhook_receivers
    TO checkout_sessions_api;

-- What has ended long ago is removed.
GRANT SELECT, DELETE, UPDATE (event_count) ON checkout_data.checkout_sessions TO checkout_sessions_worker;
GRANT SELECT, DELETE, UPDATE (expiring_notice_at, event_count)
    ON checkout_data.open_sessions TO checkout_sessions_worker;
GRANT SELECT, DELETE ON checkout_data.payments, checkout_data.refunds, checkout_data.session_lines,
    checkout_data.session_terms, checkout_data.session_visits, checkout_data.session_periods TO checkout_sessions_worker;
GRANT SELECT ON checkout_data.products, checkout_data.prices TO checkout_sessions_worker;
GRANT SELECT, INSERT, DELETE ON checkout_data.session_counts, checkout_data.uncounted_hours TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE (folded_until, looked_at, horizon, next_at, removal_at) ON checkout_data.session_folds
    TO checkout_sessions_worker;
GRANT SELECT, DELETE, UPDATE (state) ON checkout_data.holds TO checkout_sessions_worker;
GRANT SELECT, UPDATE (on_hand, held, updated_at) ON checkout_data.inventory TO checkout_sessions_worker;
GRANT SELECT, UPDATE (held, redeemed, updated_at) ON checkout_data.coupons TO checkout_sessions_worker;
GRANT SELECT, DELETE, UPDATE (announced, next_event_at, event_count) ON checkout_data.subscriptions
    TO checkout_sessions_worker;
GRANT SELECT, INSERT ON checkout_data.inventory_changes TO checkout_sessions_worker;
GRANT SELECT, DELETE, UPDATE ON checkout_data.idempotency_keys TO checkout_sessions_worker;
-- Nobody may update the outbox.
GRANT SELECT, INSERT, UPDATE (snapshot), DELETE ON checkout_data.webhook_outbox TO checkout_sessions_worker;
GRANT SELECT, UPDATE, DELETE ON checkout_data.webhook_endpoints TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.webhook_deliveries TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.webhook_consumers TO checkout_sessions_worker;
GRANT SELECT, INSERT, DELETE ON checkout_data.webhook_attempts TO checkout_sessions_worker;
GRANT SELECT ON checkout_data.webhook_receivers TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE ON checkout_data.organizations TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.hooks TO checkout_sessions_worker;
GRANT SELECT, INSERT, DELETE ON checkout_data.hook_failures TO checkout_sessions_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON checkout_data.request_failures, checkout_data.request_alerts
    TO checkout_sessions_worker;
GRANT SELECT, INSERT, DELETE ON checkout_data.activations TO checkout_sessions_worker;
-- Organizations are deleted with all their rows.
GRANT DELETE ON checkout_data.organizations, checkout_data.products, checkout_data.prices, checkout_data.inventory,
    checkout_data.inventory_changes, checkout_data.coupons, checkout_data.session_folds TO checkout_sessions_worker;
-- What is personal is erased.
GRANT UPDATE (customer_email, customer_name, customer_phone, metadata) ON checkout_data.checkout_sessions
    TO checkout_sessions_worker;
GRANT UPDATE (billing_address) ON checkout_data.session_terms TO checkout_sessions_worker;
GRANT UPDATE (reason) ON checkout_data.session_visits, checkout_data.refunds TO checkout_sessions_worker;
GRANT UPDATE (failure_message) ON checkout_data.payments TO checkout_sessions_worker;
GRANT UPDATE (customer) ON checkout_data.holds TO checkout_sessions_worker;
GRANT UPDATE (customer_email) ON checkout_data.subscriptions TO checkout_sessions_worker;
GRANT UPDATE (response_body, error) ON checkout_data.webhook_attempts TO checkout_sessions_worker;
GRANT UPDATE (message) ON checkout_data.hook_failures TO checkout_sessions_worker;
GRANT SELECT, INSERT, DELETE ON checkout_data.api_keys TO checkout_sessions_worker;
GRANT UPDATE (expires_at, revoked_at, last_used_at, replaced_by) ON checkout_data.api_keys TO checkout_sessions_worker;

-- row-level security ----------------------------------------------------------------------------------------------
-- One policy for each role that has rights on a table; without a policy a role sees no row. Not FORCE: pg_dump by the
-- owner would fail, and the owner of the tables is a superuser.
CREATE POLICY tenant ON checkout_data.organizations TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id())
    WITH CHECK (false);
CREATE POLICY tenant ON checkout_data.hooks TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id())
    WITH CHECK (false);
-- Events go to the consumers of all organizations, too.
CREATE POLICY tenant ON checkout_data.webhook_consumers TO checkout_sessions_api
    USING (organization_id IS NULL
        OR organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment())
    WITH CHECK (false);
-- Some of the log is of both environments. A tenant adds only what is its own.
CREATE POLICY tenant ON checkout_data.admin_log TO checkout_sessions_api
    USING (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND (environment IS NULL OR environment OPERATOR(pg_catalog.=) checkout.current_environment()))
    WITH CHECK (organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id()
        AND environment OPERATOR(pg_catalog.=) checkout.current_environment());
DO $$
DECLARE
    name text;
    own_rows CONSTANT text := 'organization_id OPERATOR(pg_catalog.=) checkout.current_organization_id() '
        'AND environment OPERATOR(pg_catalog.=) checkout.current_environment()';
BEGIN
    -- Without organizations, hooks, webhook_consumers and admin_log, see above, and without api_keys, which is read to
    -- find the tenant.
    FOREACH name IN ARRAY ARRAY[
        'checkout_sessions', 'open_sessions', 'idempotency_keys', 'payments', 'refunds', 'products', 'inventory',
        'inventory_changes', 'prices', 'coupons', 'holds', 'session_lines', 'session_terms', 'session_visits',
        'subscriptions', 'session_periods', 'webhook_outbox', 'webhook_endpoints', 'webhook_deliveries', 'webhook_attempts',
        'hook_failures', 'request_failures', 'session_counts', 'session_folds', 'uncounted_hours'
    ] LOOP
        EXECUTE pg_catalog.format(
            'CREATE POLICY tenant ON checkout_data.%I TO checkout_sessions_api USING (%s) WITH CHECK (%s)',
            name, own_rows, own_rows);
    END LOOP;
    FOR name IN
        SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'checkout_data'::pg_catalog.regnamespace
            AND c.relkind OPERATOR(pg_catalog.=) 'r'
        ORDER BY c.relname
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE checkout_data.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format(
            'CREATE POLICY every_tenant ON checkout_data.%I TO checkout_sessions_worker '
                'USING (true) WITH CHECK (true)',
            name);
        -- pg_dump includes the rows of an extension's table only if it is registered. There are no sequences.
        PERFORM pg_catalog.pg_extension_config_dump(
            pg_catalog.format('checkout_data.%I', name)::pg_catalog.regclass, '');
    END LOOP;
END
$$;

-- Accesses: the sets of functions that a role can be granted.

-- A role has an access if it may execute the function of that name. So the server stores and dumps the grants, and
-- removes them when a role is dropped. The first four accesses also decide what a role may do in a transaction that
-- has presented no credential: see src/tenant.rs. The functions do nothing and are not called.
CREATE FUNCTION checkout_data.secret_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.secret_access IS
    'A role that may execute this acts as a secret API key of the organization in its settings.';
CREATE FUNCTION checkout_data.restricted_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.restricted_access IS
    'A role that may execute this acts as a restricted API key of the organization in its settings.';
CREATE FUNCTION checkout_data.publishable_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.publishable_access IS
    'A role that may execute this acts as a publishable API key of the organization in its settings.';
CREATE FUNCTION checkout_data.authenticator_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.authenticator_access IS
    'The claims of requests are believed if the session user may execute this.';
CREATE FUNCTION checkout_data.request_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.request_access IS
    'A role that may execute this must present a credential in each transaction.';
CREATE FUNCTION checkout_data.relay_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.relay_access IS
    'A role that may execute this delivers the events of all organizations.';
CREATE FUNCTION checkout_data.admin_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.admin_access IS
    'A role that may execute this manages organizations, their API keys and the worker.';

CREATE FUNCTION checkout_data.monitor_access() RETURNS void LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '';
COMMENT ON FUNCTION checkout_data.monitor_access IS
    'A role that may execute this watches the installation. It sees figures, and no rows of organizations.';

CREATE FUNCTION checkout_data.accesses() RETURNS TABLE (access text, function_name text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT given.access, unnest(given.functions)
    FROM (VALUES
        ('secret', ARRAY[
            'get_subscription', 'list_subscriptions', 'cancel_subscription', 'resume_subscription', 'subscription',
            'session_periods',
            'create_checkout_session', 'get_checkout_session', 'list_checkout_sessions', 'expire_checkout_session',
            'recover_checkout_session', 'begin_payment', 'record_payment', 'apply_payment', 'simulate_payment',
            'list_payments', 'record_refund', 'list_refunds', 'list_session_lines', 'set_quantity', 'set_unit_amount', 'apply_coupon', 'remove_coupon',
            'set_billing_address', 'complete_free_checkout_session',
            'open_checkout_session', 'cancel_checkout_session', 'restart_checkout_session', 'simulate_public_payment',
            'page_policy',
            'list_webhook_events',
            'create_webhook_endpoint', 'list_webhook_endpoints', 'update_webhook_endpoint', 'delete_webhook_endpoint',
            'roll_webhook_secret', 'create_webhook_consumer', 'list_webhook_consumers', 'delete_webhook_consumer',
            'claim_webhook_events', 'ack_webhook_events', 'nack_webhook_event', 'list_webhook_deliveries',
            'list_webhook_attempts', 'redeliver_webhook_events', 'session_funnel', 'handle_request', 'sign_webhook',
            'verify_webhook', 'public_checkout_session', 'redirect_url', 'session_id', 'current_organization_id',
            'current_environment', 'payments', 'checkout_session', 'refunds', 'payment', 'webhook_events',
            'webhook_deliveries', 'webhook_attempts', 'prices', 'product', 'inventory_changes', 'session_lines', 'session_terms',
            'create_product', 'update_product', 'list_products', 'adjust_inventory', 'create_price', 'update_price',
            'list_prices', 'create_coupon', 'update_coupon', 'list_coupons', 'coupon_performance', 'current_credential',
            'session_visits', 'export_customer', 'erase_customer']),
        -- What only reads.
        ('restricted', ARRAY[
            'get_subscription', 'list_subscriptions', 'subscription', 'session_periods',
            'get_checkout_session', 'list_checkout_sessions', 'list_payments', 'list_refunds', 'list_session_lines',
            'list_webhook_events', 'list_webhook_endpoints', 'list_webhook_consumers', 'list_webhook_deliveries',
            'list_webhook_attempts', 'list_products', 'list_prices', 'list_coupons', 'coupon_performance',
            'session_funnel', 'handle_request', 'public_checkout_session', 'redirect_url', 'session_id',
            'current_credential', 'current_organization_id', 'current_environment', 'payments', 'checkout_session',
            'refunds', 'payment', 'webhook_events', 'webhook_deliveries', 'webhook_attempts', 'prices', 'product',
            'inventory_changes', 'session_lines', 'session_terms', 'session_visits', 'page_policy', 'export_customer']),
        ('publishable', ARRAY[
            'create_checkout_session', 'handle_request', 'public_checkout_session', 'redirect_url', 'session_id',
            'set_quantity', 'set_unit_amount', 'apply_coupon', 'remove_coupon', 'set_billing_address',
            'complete_free_checkout_session',
            'open_checkout_session', 'cancel_checkout_session', 'restart_checkout_session', 'simulate_public_payment',
            'page_policy',
            'current_organization_id', 'current_environment']),
        -- Everything that any API key may do. The key that is presented decides.
        ('request', ARRAY[
            'get_subscription', 'list_subscriptions', 'cancel_subscription', 'resume_subscription', 'subscription',
            'session_periods',
            'authenticate', 'pre_request', 'create_checkout_session', 'get_checkout_session', 'list_checkout_sessions',
            'expire_checkout_session', 'recover_checkout_session', 'begin_payment', 'record_payment', 'apply_payment',
            'simulate_payment', 'list_payments', 'record_refund', 'list_refunds', 'list_session_lines', 'set_quantity', 'set_unit_amount', 'apply_coupon', 'remove_coupon',
            'set_billing_address', 'complete_free_checkout_session',
            'open_checkout_session', 'cancel_checkout_session', 'restart_checkout_session', 'simulate_public_payment',
            'page_policy',
            'list_webhook_events',
            'create_webhook_endpoint',
            'list_webhook_endpoints', 'update_webhook_endpoint',
            'delete_webhook_endpoint', 'roll_webhook_secret', 'create_webhook_consumer', 'list_webhook_consumers',
            'delete_webhook_consumer', 'claim_webhook_events', 'ack_webhook_events', 'nack_webhook_event',
            'list_webhook_deliveries', 'list_webhook_attempts', 'redeliver_webhook_events', 'session_funnel',
            'handle_request', 'public_checkout_session', 'redirect_url', 'session_id', 'current_organization_id',
            'current_environment', 'payments', 'checkout_session', 'refunds', 'payment', 'webhook_events',
            'webhook_deliveries', 'webhook_attempts', 'prices', 'product', 'inventory_changes', 'session_lines', 'session_terms',
            'create_product', 'update_product', 'list_products', 'adjust_inventory', 'create_price', 'update_price',
            'list_prices', 'create_coupon', 'update_coupon', 'list_coupons', 'coupon_performance', 'current_credential',
            'session_visits', 'export_customer', 'erase_customer']),
        -- Sets the role of each request, and calls no function itself.
        ('authenticator', ARRAY[]::text[]),
        ('relay', ARRAY[
            'claim_webhook_deliveries', 'record_webhook_attempt', 'record_webhook_attempts',
            'release_webhook_delivery', 'next_webhook_attempt_at', 'list_webhook_consumers', 'claim_webhook_events',
            'ack_webhook_events', 'nack_webhook_event', 'redeliver_webhook_events',
            'list_dead_webhook_deliveries', 'render_webhook_event', 'sign_webhook', 'verify_webhook', 'outbox_status']),
        ('admin', ARRAY[
            'create_organization', 'update_organization', 'list_organizations', 'rotate_client_secrets',
            'create_api_key', 'list_api_keys', 'revoke_api_key', 'roll_api_key', 'expire_due_checkout_sessions',
            'fold_sessions', 'run_maintenance', 'create_webhook_consumer', 'list_webhook_consumers', 'delete_webhook_consumer',
            'redeliver_webhook_events', 'list_dead_webhook_deliveries', 'outbox_status',
            'worker_status', 'security_report', 'activate_database', 'verify_restore', 'set_hook', 'list_hooks',
            'delete_organization', 'list_admin_log', 'monitor_figures']),
        -- What says how it is, and nothing of whom.
        ('monitor', ARRAY['worker_status', 'outbox_status', 'monitor_figures', 'security_report'])
    ) AS given (access, functions)
    $$;
COMMENT ON FUNCTION checkout_data.accesses IS 'Returns the functions of schema checkout that each access includes.';

CREATE FUNCTION checkout_data.functions_above_tenants() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT ARRAY[
        'expire_due_checkout_sessions', 'fold_sessions', 'run_maintenance', 'worker_status', 'outbox_status',
        'claim_webhook_deliveries',
        'record_webhook_attempt', 'record_webhook_attempts', 'release_webhook_delivery', 'next_webhook_attempt_at',
        'list_dead_webhook_deliveries', 'create_organization', 'update_organization', 'list_organizations',
        'rotate_client_secrets', 'create_api_key', 'list_api_keys', 'revoke_api_key', 'roll_api_key',
        'security_report', 'render_webhook_event', 'activate_database', 'verify_restore', 'set_hook', 'list_hooks',
        'list_admin_log', 'monitor_figures',
        'delete_organization',
        'erase_customer',
        -- These act for the tenant of their caller, or for all.
        'create_webhook_consumer', 'list_webhook_consumers', 'delete_webhook_consumer',
        'claim_webhook_events', 'ack_webhook_events', 'nack_webhook_event', 'redeliver_webhook_events',
        -- These determine the tenant.
        'authenticate', 'pre_request', 'public_checkout_session', 'page_policy']
    $$;
COMMENT ON FUNCTION checkout_data.functions_above_tenants IS
    'Returns the functions of schema checkout that see all tenants. checkout_sessions_worker owns them.';

CREATE FUNCTION checkout_data.functions_of_access(access text) RETURNS SETOF regprocedure
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'checkout_data'::regnamespace
        AND (p.proname = functions_of_access.access || '_access'
            -- The views call this one with the rights of their reader.
            OR p.proname = 'reader_organization_id' AND functions_of_access.access IN ('secret', 'restricted', 'request'))
    UNION ALL
    SELECT p.oid::regprocedure FROM pg_proc p JOIN checkout_data.accesses() a ON a.function_name = p.proname
    WHERE p.pronamespace = 'checkout'::regnamespace AND a.access = functions_of_access.access
    $$;
COMMENT ON FUNCTION checkout_data.functions_of_access IS
    'Returns the functions that a role with an access may execute, including the function that stands for the access.';

CREATE FUNCTION checkout_data.views_of_access(access text) RETURNS SETOF regclass
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v'
        AND views_of_access.access IN ('secret', 'restricted', 'request')
        AND EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    $$;
COMMENT ON FUNCTION checkout_data.views_of_access IS 'Returns the views that a role with an access may read.';

CREATE FUNCTION checkout_data.check_access(role text, access text) RETURNS regrole
    LANGUAGE plpgsql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        found CONSTANT oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = check_access.role);
    BEGIN
        IF role IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'argument "role" must not be null';
        END IF;
        IF access IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'argument "access" must not be null';
        END IF;
        -- As text. A cast to regrole would read the name as an identifier: Shop_A as shop_a.
        IF found IS NULL THEN
            RAISE undefined_object USING MESSAGE = format('role "%s" does not exist', role),
                HINT = 'Write the name as it is: upper and lower case count, and double quotes are part of it.';
        END IF;
        IF access <> ALL (ARRAY[
            'secret', 'restricted', 'publishable', 'request', 'authenticator', 'relay', 'monitor', 'admin'])
        THEN
            RAISE invalid_parameter_value USING MESSAGE =
                'argument "access" must be secret, restricted, publishable, request, authenticator, relay, monitor or admin';
        END IF;
        -- Their rights are what the functions work with.
        IF found IN (SELECT p.proowner FROM pg_proc p
            WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace))
        THEN
            RAISE invalid_parameter_value
                USING MESSAGE = 'argument "role" must not be a role that owns functions of the extension';
        END IF;
        RETURN found;
    END
    $$;
COMMENT ON FUNCTION checkout_data.check_access IS
    'Checks the arguments of grant_access and revoke_access, and returns the role.';

CREATE FUNCTION checkout_data.log_access(action text, role text, access text) RETURNS void
    LANGUAGE sql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    INSERT INTO checkout_data.admin_log (admin_log_id, created_at, session_role, role, action, subject, changes)
    VALUES (gen_random_uuid(), clock_timestamp(), session_user, current_user, log_access.action, log_access.role,
        jsonb_build_object('access', jsonb_build_object(
            CASE log_access.action WHEN 'access.granted' THEN 'to' ELSE 'from' END, log_access.access)))
    $$;
COMMENT ON FUNCTION checkout_data.log_access IS
    'Writes into the log of administration that an access was granted or revoked.';

-- for superusers --------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.grant_access(role text, access text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        callable regprocedure;
        view regclass;
        grantee CONSTANT regrole := checkout_data.check_access(role, access);
    BEGIN
        FOR callable IN SELECT checkout_data.functions_of_access(access) LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', callable, grantee);
        END LOOP;
        FOR view IN SELECT checkout_data.views_of_access(access) LOOP
            EXECUTE format('GRANT SELECT ON %s TO %s', view, grantee);
        END LOOP;
        EXECUTE format('GRANT USAGE ON SCHEMA checkout TO %s', grantee);
        PERFORM checkout_data.log_access('access.granted', role, access);
    END
    $$;
COMMENT ON FUNCTION checkout.grant_access IS
$$Lets a role call the functions of an access, and read its views. Only a superuser can call this.

- role: the name of the role as it is, without double quotes. Not one that owns the extension, or functions of it: those
  need no access.
- access: one of the following.

The accesses are:

- secret: all functions and views for one organization. The role's setting checkout_sessions.organization_id names it.
- restricted: all functions and views that only read, for that organization.
- publishable: creates sessions for that organization.
- request: as much as the API key or token allows that is presented in the same transaction. For PostgREST's roles.
- authenticator: makes the claims of tokens believed. For the role that PostgREST connects as.
- relay: the outbox of all organizations.
- monitor: figures of the worker, the outbox and the sessions, and the security report; no rows of organizations. For the
  role of a monitor, or for pg_monitor.
- admin: organizations, API keys and the worker.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 42501: the caller is not a superuser.
- 42704: the role does not exist.$$;

CREATE FUNCTION checkout.revoke_access(role text, access text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        callable regprocedure;
        view regclass;
        taken_from CONSTANT regrole := checkout_data.check_access(role, access);
        held CONSTANT boolean := EXISTS (
            SELECT FROM pg_proc p, aclexplode(p.proacl) AS granted
            WHERE p.pronamespace = 'checkout_data'::regnamespace AND p.proname = access || '_access'
                AND granted.grantee = taken_from);
        other_accesses CONSTANT text[] := ARRAY(
            SELECT left(p.proname, -length('_access'))
            FROM pg_proc p, aclexplode(p.proacl) AS granted
            WHERE p.pronamespace = 'checkout_data'::regnamespace AND right(p.proname, length('_access')) = '_access'
                AND granted.grantee = taken_from AND p.proname <> access || '_access');
    BEGIN
        -- The role keeps what another of its accesses includes.
        FOR callable IN
            SELECT checkout_data.functions_of_access(access)
            EXCEPT
            SELECT kept.callable
            FROM unnest(other_accesses) AS other (access),
                LATERAL checkout_data.functions_of_access(other.access) AS kept (callable)
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM %s', callable, taken_from);
        END LOOP;
        FOR view IN
            SELECT checkout_data.views_of_access(access)
            EXCEPT
            SELECT kept.view
            FROM unnest(other_accesses) AS other (access),
                LATERAL checkout_data.views_of_access(other.access) AS kept (view)
        LOOP
            EXECUTE format('REVOKE SELECT ON %s FROM %s', view, taken_from);
        END LOOP;
        IF other_accesses = '{}' THEN
            EXECUTE format('REVOKE USAGE ON SCHEMA checkout FROM %s', taken_from);
        END IF;
        IF held THEN
            PERFORM checkout_data.log_access('access.revoked', role, access);
        ELSE
            RAISE NOTICE USING MESSAGE = format('role "%s" was not granted the access %s itself', role, access),
                HINT = 'Whoever is a member of a role with an access has it, too.';
        END IF;
    END
    $$;
COMMENT ON FUNCTION checkout.revoke_access IS
$$Takes an access back that grant_access gave. Only a superuser can call this.

The role keeps functions and views that another of its accesses includes, and what it has as a member of another role. If it
was not granted the access, a NOTICE says so.

- role, access: as for grant_access.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 42501: the caller is not a superuser.
- 42704: the role does not exist.$$;

-- References between tables: what else would be foreign keys.

-- There are none, because CREATE EXTENSION would make them before a restore has loaded the rows: pg_restore --jobs loads
-- tables in any order, and a subscriber of logical replication does, too. Those who write a row have locked or read what
-- it belongs to. No role can delete a session or an organization; these triggers are for administrators, who can.
-- checkout.verify_restore() finds rows that belong to nothing.

CREATE FUNCTION checkout_data.checkout_sessions_deleted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        used CONSTANT uuid := (
            SELECT d.checkout_session_id
            FROM deleted d JOIN checkout_data.payments p USING (organization_id, environment, checkout_session_id)
            LIMIT 1);
    BEGIN
        IF used IS NOT NULL THEN
            RAISE foreign_key_violation
                USING MESSAGE = format('checkout session %s has payments and cannot be deleted', used);
        END IF;
        DELETE FROM checkout_data.open_sessions o USING deleted d
        WHERE o.organization_id = d.organization_id AND o.environment = d.environment
            AND o.checkout_session_id = d.checkout_session_id;
        RETURN NULL;
    END
    $$;
COMMENT ON FUNCTION checkout_data.checkout_sessions_deleted IS
    'Trigger function: refuses with 23503 to delete a session that has payments. One without is no longer open.';

CREATE TRIGGER checkout_sessions_deleted AFTER DELETE ON checkout_data.checkout_sessions
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.checkout_sessions_deleted();

CREATE FUNCTION checkout_data.organizations_deleted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        used uuid;
        reason text;
    BEGIN
        SELECT d.organization_id, u.what INTO used, reason
        FROM deleted d, LATERAL (
            SELECT 'API keys' WHERE EXISTS (
                SELECT FROM checkout_data.api_keys k WHERE k.organization_id = d.organization_id)
            UNION ALL
            SELECT 'webhook endpoints' WHERE EXISTS (
                SELECT FROM checkout_data.webhook_endpoints e WHERE e.organization_id = d.organization_id)
            UNION ALL
            SELECT 'webhook consumers' WHERE EXISTS (
                SELECT FROM checkout_data.webhook_consumers c WHERE c.organization_id = d.organization_id)
            UNION ALL
            SELECT 'checkout sessions' WHERE EXISTS (
                SELECT FROM checkout_data.checkout_sessions s WHERE s.organization_id = d.organization_id)
            UNION ALL
            SELECT 'hooks' WHERE EXISTS (
                SELECT FROM checkout_data.hooks h WHERE h.organization_id = d.organization_id)
            UNION ALL
            SELECT 'products' WHERE EXISTS (
                SELECT FROM checkout_data.products p WHERE p.organization_id = d.organization_id)
            UNION ALL
            SELECT 'coupons' WHERE EXISTS (
                SELECT FROM checkout_data.coupons c WHERE c.organization_id = d.organization_id)
        ) AS u (what)
        LIMIT 1;
        IF FOUND THEN
            RAISE foreign_key_violation
                USING MESSAGE = format('organization %s has %s and cannot be deleted', used, reason);
        END IF;
        DELETE FROM checkout_data.request_failures f USING deleted d WHERE f.organization_id = d.organization_id;
        DELETE FROM checkout_data.request_alerts a USING deleted d WHERE a.organization_id = d.organization_id;
        RETURN NULL;
    END
    $$;
COMMENT ON FUNCTION checkout_data.organizations_deleted IS
    'Trigger function: refuses with 23503 to delete an organization that has API keys, endpoints, consumers, sessions, '
    'hooks, products or coupons.';

CREATE TRIGGER organizations_deleted AFTER DELETE ON checkout_data.organizations
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.organizations_deleted();

-- The log of administration: who has made, changed, rolled or revoked what.

CREATE TABLE checkout_data.admin_log (
    admin_log_id uuid NOT NULL,
    organization_id uuid,
    environment checkout_data.environment,
    created_at timestamptz NOT NULL,
    session_role text NOT NULL,
    role text NOT NULL,
    credential text,
    action text COLLATE "C" NOT NULL CHECK (action ~ '^[a-z_]+[.][a-z_]+$'),
    subject checkout_data.identifier NOT NULL,
    changes checkout_data.json_object NOT NULL,
    CONSTRAINT admin_log_environment_check CHECK (environment IS NULL OR organization_id IS NOT NULL)
);
COMMENT ON TABLE checkout_data.admin_log IS
    'Who has made, changed, rolled or revoked what. A row is written in the transaction that did it, and is not changed.';
COMMENT ON COLUMN checkout_data.admin_log.organization_id IS
    'Whose it is. NULL: of the whole database. Not a foreign key: the log outlives the organization.';
COMMENT ON COLUMN checkout_data.admin_log.environment IS 'NULL: of both.';
COMMENT ON COLUMN checkout_data.admin_log.session_role IS 'The role that has connected; role is the one that it had taken.';
COMMENT ON COLUMN checkout_data.admin_log.credential IS
    'The id of the API key, or the subject of the token, that was presented. NULL: none was.';
COMMENT ON COLUMN checkout_data.admin_log.changes IS
    'The settings that changed, each with from and to. Never a secret.';

CREATE INDEX admin_log_created_at_idx ON checkout_data.admin_log (created_at);
CREATE INDEX admin_log_organization_idx ON checkout_data.admin_log (organization_id, created_at);
ALTER TABLE checkout_data.admin_log ADD CONSTRAINT admin_log_pkey PRIMARY KEY (admin_log_id);

-- Rights say so already. This is for the role that was given too many, such as a member of pg_write_all_data. The worker
-- may remove what is old, as far as its rights go.
CREATE FUNCTION checkout_data.admin_log_append_only() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    BEGIN
        IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper)
            OR TG_OP = 'DELETE' AND current_user = 'checkout_sessions_worker'
        THEN
            RETURN NULL;
        END IF;
        RAISE insufficient_privilege USING MESSAGE = 'rows of checkout_data.admin_log can only be added';
    END
    $$;
COMMENT ON FUNCTION checkout_data.admin_log_append_only IS
    'Trigger function: refuses to change the log, except to superusers.';

CREATE TRIGGER admin_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkout_data.admin_log
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.admin_log_append_only();

CREATE TYPE checkout.admin_log_entry AS (
    admin_log_id uuid,
    organization_id uuid,
    environment text,
    created_at timestamptz,
    session_role text,
    role text,
    credential text,
    action text,
    subject text,
    changes jsonb
);
COMMENT ON TYPE checkout.admin_log_entry IS 'What somebody has made, changed, rolled or revoked.';

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.list_admin_log(
    organization_id uuid DEFAULT NULL,
    created_after timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL
) RETURNS SETOF checkout.admin_log_entry
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT l.admin_log_id, l.organization_id, l.environment::text, l.created_at, l.session_role, l.role, l.credential,
        l.action::text, l.subject::text, l.changes::jsonb
    FROM checkout_data.admin_log l
    WHERE (list_admin_log.organization_id IS NULL OR l.organization_id = list_admin_log.organization_id)
        AND l.created_at >= COALESCE(list_admin_log.created_after, '-infinity')
        AND l.created_at < COALESCE(list_admin_log.created_before, 'infinity')
    ORDER BY l.created_at DESC, l.admin_log_id DESC
    $$;
COMMENT ON FUNCTION checkout.list_admin_log IS
$$Returns who has made, changed, rolled or revoked what, the newest first.

The log is written in the same transaction as the change, by the functions and by grant_access and revoke_access. Only a
superuser can change it, or get around it.

- organization_id: only what is this organization's. Default: all, and what is of the whole database.
- created_after (inclusive), created_before (exclusive): when it was done.

Of the columns:

- session_role: the role that had connected. role: the one that it had taken. credential: the id of the API key, or the
  subject of the token.
- action: what was done, such as organization.updated, api_key.revoked, webhook_endpoint.created, access.granted.
- subject: to which organization, key, endpoint, consumer, event of a hook, role or database.
- changes: the settings that changed, each with from and to. Never a secret.$$;

-- for readers of an organization ----------------------------------------------------------------------------------

CREATE VIEW checkout.admin_log AS
    SELECT l.admin_log_id, l.organization_id, l.environment::pg_catalog.text AS environment, l.created_at, l.session_role,
        l.role, l.credential, l.action::pg_catalog.text AS action, l.subject::pg_catalog.text AS subject,
        l.changes::pg_catalog.jsonb AS changes
    FROM checkout_data.admin_log l
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.admin_log IS
    'Who has made, changed, rolled or revoked what of the caller''s organization: in the caller''s environment, or in '
    'both. Administrators call list_admin_log.';
COMMENT ON COLUMN checkout.admin_log.changes IS 'The settings that changed, each with from and to. Never a secret.';

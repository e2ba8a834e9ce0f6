-- Hooks: functions of an organization's own, called in the transactions that end its sessions.

CREATE DOMAIN checkout_data.hook_event AS text COLLATE "C"
    CHECK (VALUE IN ('completed', 'expired', 'failed', 'refunded'));
CREATE DOMAIN checkout_data.object_name AS text COLLATE "C" CHECK (octet_length(VALUE) BETWEEN 1 AND 63);

-- A function has its names here and no regprocedure: pg_upgrade refuses those, and a dump may load them before there is
-- the function. A setting of the organization, so for both environments.
CREATE TABLE checkout_data.hooks (
    organization_id uuid NOT NULL,
    event checkout_data.hook_event NOT NULL,
    schema_name checkout_data.object_name NOT NULL,
    function_name checkout_data.object_name NOT NULL,
    owner_name checkout_data.object_name NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT hooks_pkey PRIMARY KEY (organization_id, event)
);
COMMENT ON TABLE checkout_data.hooks IS 'The functions that are called when sessions end or are refunded.';
COMMENT ON COLUMN checkout_data.hooks.owner_name IS
    'The owner of the function when it was set. The function of another owner is not called.';
CREATE TRIGGER organizations_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON checkout_data.hooks
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.organizations_changed();

CREATE TABLE checkout_data.hook_failures (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    hook_failure_id uuid NOT NULL,
    checkout_session_id uuid NOT NULL,
    event checkout_data.hook_event NOT NULL,
    function_name text NOT NULL CHECK (octet_length(function_name) BETWEEN 1 AND 300),
    sqlstate text COLLATE "C" NOT NULL CHECK (sqlstate ~ '^[0-9A-Z]{5}$'),
    message text NOT NULL CHECK (octet_length(message) <= 1024),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE checkout_data.hook_failures IS 'Hooks that have failed: what they had changed was rolled back.';
-- Serves the removal of old failures.
CREATE INDEX hook_failures_created_at_idx ON checkout_data.hook_failures (created_at);
ALTER TABLE checkout_data.hook_failures ADD CONSTRAINT hook_failures_pkey
    PRIMARY KEY (organization_id, environment, hook_failure_id);

CREATE FUNCTION checkout_data.hook_fault(function oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN p.prokind <> 'f' OR p.pronargs <> 1 OR p.proargtypes[0] <> 'checkout.checkout_session'::regtype
            OR p.provariadic <> 0 OR p.proretset OR p.prorettype <> 'void'::regtype
            THEN 'does not take one checkout.checkout_session and return void'
        WHEN n.nspname ^@ 'pg_temp_' THEN 'is temporary'
        -- A superuser is a member of every role.
        WHEN EXISTS (
            SELECT FROM pg_roles r
            WHERE (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication OR r.rolname IN (
                    'checkout_sessions_api', 'checkout_sessions_worker', 'pg_execute_server_program',
                    'pg_read_server_files', 'pg_write_server_files'))
                AND pg_has_role(p.proowner, r.oid, 'MEMBER'))
            THEN 'has an owner who is, or can become, a role above tenants'
        WHEN has_function_privilege(p.proowner, 'checkout_data.admin_access()', 'EXECUTE')
            OR has_function_privilege(p.proowner, 'checkout_data.relay_access()', 'EXECUTE')
            OR has_function_privilege(p.proowner, 'checkout_data.authenticator_access()', 'EXECUTE')
            THEN 'has an owner with admin, relay or authenticator access'
        WHEN has_parameter_privilege(p.proowner, 'checkout_sessions.organization_id', 'SET')
            OR has_parameter_privilege(p.proowner, 'checkout_sessions.environment', 'SET')
            THEN 'has an owner who may change the tenant'
        END
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.oid = hook_fault.function
    $$;
COMMENT ON FUNCTION checkout_data.hook_fault IS
    'Returns why a function cannot be a hook; NULL if it can, or does not exist.';

CREATE FUNCTION checkout_data.hook_function(
    schema_name text, function_name text
) RETURNS TABLE (function oid, owner oid, owner_name text, fault text)
    LANGUAGE sql STABLE ROWS 1
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT p.oid, p.proowner, pg_get_userbyid(p.proowner)::text, checkout_data.hook_fault(p.oid)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = hook_function.schema_name::name AND p.proname = hook_function.function_name::name
        AND p.pronargs = 1 AND p.proargtypes[0] = 'checkout.checkout_session'::regtype
    $$;
COMMENT ON FUNCTION checkout_data.hook_function IS
    'Returns the function of a hook, its owner, and why it must not be called. No row: there is no such function.';

CREATE TYPE checkout.hook AS (
    organization_id uuid,
    event text,
    function text,
    owner text,
    fault text,
    failure_count bigint,
    last_failed_at timestamptz,
    last_failure text,
    created_at timestamptz
);
COMMENT ON TYPE checkout.hook IS 'A function that is called when sessions of an organization end or are refunded.';
COMMENT ON COLUMN checkout.hook.function IS 'The name of the function, with its schema.';
COMMENT ON COLUMN checkout.hook.owner IS 'The role that the function runs as.';
COMMENT ON COLUMN checkout.hook.fault IS 'Why the function is not called. NULL: it is called.';
COMMENT ON COLUMN checkout.hook.failure_count IS 'The number of failures of this event that are kept, for 30 days.';
COMMENT ON COLUMN checkout.hook.last_failure IS 'The SQLSTATE and the message of the last failure.';

CREATE FUNCTION checkout_data.hook_of(h checkout_data.hooks) RETURNS checkout.hook
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT ROW(
        h.organization_id, h.event, format('%I.%I', h.schema_name, h.function_name), h.owner_name,
        CASE WHEN f.function IS NULL THEN 'does not exist'
            WHEN f.owner_name <> h.owner_name THEN 'has another owner than when it was set'
            ELSE f.fault END,
        (SELECT count(*) FROM checkout_data.hook_failures x
            WHERE x.organization_id = h.organization_id AND x.event = h.event),
        l.created_at, l.sqlstate || ': ' || l.message, h.created_at
    )::checkout.hook
    FROM (SELECT) AS one
    LEFT JOIN checkout_data.hook_function(h.schema_name, h.function_name) AS f ON true
    LEFT JOIN LATERAL (
        SELECT x.created_at, x.sqlstate, x.message FROM checkout_data.hook_failures x
        WHERE x.organization_id = h.organization_id AND x.event = h.event
        ORDER BY x.created_at DESC, x.hook_failure_id DESC LIMIT 1) AS l ON true
    $$;
COMMENT ON FUNCTION checkout_data.hook_of IS 'Returns a hook as administrators see it.';

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.set_hook(
    organization_id uuid,
    event text,
    function regprocedure
) RETURNS void
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'set_hook_wrapper';
COMMENT ON FUNCTION checkout.set_hook IS
$$Lets a function be called when sessions of an organization end or are refunded, in the same transaction.

The function runs as its owner, with the tenant of the session, and search_path pg_catalog, pg_temp. If it fails, what
it has changed is rolled back, the view hook_failures says why, and the session ends all the same. Where the
organization's setting hooks_required is on, its failure refuses the calls that end sessions, but no report of money and
not the clock.

- event: completed, expired, failed or refunded.
- function: takes one checkout.checkout_session, the session as it is afterwards, and returns void. NULL removes the
  hook. Its owner must not be a superuser, or another role above tenants.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 42883: the function does not exist.
- PT404: the organization does not exist.$$;

CREATE FUNCTION checkout.list_hooks(
    organization_id uuid DEFAULT NULL
) RETURNS SETOF checkout.hook
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_hooks_wrapper';
COMMENT ON FUNCTION checkout.list_hooks IS
$$Returns the hooks of an organization, or of all, with the number of their failures and the last one.

- organization_id: NULL for all organizations.$$;

-- for readers of an organization ----------------------------------------------------------------------------------

CREATE VIEW checkout.hook_failures AS
    SELECT f.hook_failure_id, f.organization_id, f.environment::pg_catalog.text AS environment, f.checkout_session_id,
        f.event::pg_catalog.text AS event, f.function_name, f.sqlstate, f.message, f.created_at
    FROM checkout_data.hook_failures f
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.hook_failures IS
    'The hooks of the caller''s organization that have failed in the last 30 days. What they had changed was rolled '
    'back.';
COMMENT ON COLUMN checkout.hook_failures.message IS 'At most 1 kB of the error that the hook has raised.';

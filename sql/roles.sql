-- The two roles that functions run as. security.sql gives them their rights.

-- Roles belong to the cluster, so another database may have created them already. A role with more rights is refused.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['checkout_sessions_api', 'checkout_sessions_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) name) THEN
            EXECUTE pg_catalog.format(
                'CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION', name);
        ELSIF EXISTS (
            SELECT FROM pg_catalog.pg_roles r
            WHERE r.rolname OPERATOR(pg_catalog.=) name
                AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication)
        ) THEN
            RAISE insufficient_privilege USING
                MESSAGE = pg_catalog.format(
                    'role "%s" exists with LOGIN, SUPERUSER, BYPASSRLS, CREATEROLE or REPLICATION', name),
                HINT = pg_catalog.format(
                    'Rename it, or run ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION.',
                    name);
        ELSIF EXISTS (
            SELECT FROM pg_catalog.pg_auth_members m
            JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) ANY (ARRAY[m.roleid, m.member])
            WHERE r.rolname OPERATOR(pg_catalog.=) name
        ) THEN
            RAISE insufficient_privilege USING
                MESSAGE = pg_catalog.format('role "%s" exists and has members, or is one', name),
                HINT = 'Revoke the memberships, or rename it: its members see every tenant.';
        END IF;
    END LOOP;
END
$$;

-- Installing, dumping, dropping
SELECT extname, extrelocatable AS relocatable,
    extnamespace::regnamespace <> 'checkout'::regnamespace AS in_no_schema_of_ours
FROM pg_extension WHERE extname = 'checkout_sessions';
SELECT superuser, trusted, relocatable, schema FROM pg_available_extension_versions WHERE name = 'checkout_sessions';
-- A dump has all rows of every table.
SELECT c.relname, c.oid = ANY (e.extconfig) AS dumped, e.extcondition[array_position(e.extconfig, c.oid)] AS condition
FROM pg_class c, pg_extension e
WHERE e.extname = 'checkout_sessions' AND c.relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)
    AND c.relkind IN ('r', 'S', 'p')
ORDER BY 1;
-- No row of one table needs a row of another to be there first, so a restore may load the tables in any order.
SELECT k.conname AS foreign_key FROM pg_constraint k
WHERE k.connamespace = 'checkout_data'::regnamespace AND k.contype = 'f';
-- No index depends on the collations of the C library, whose order changes from one version to the next.
SELECT i.indexrelid::regclass AS index, c.collname
FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid, unnest(i.indcollation) AS used
    JOIN pg_collation c ON c.oid = used
WHERE r.relnamespace = 'checkout_data'::regnamespace AND c.collname <> 'C';

\set SHOW_CONTEXT never
CREATE DATABASE hygiene;
\c hygiene postgres
-- The installation does not adopt an existing schema of another owner.
CREATE ROLE squatter LOGIN;
CREATE SCHEMA checkout AUTHORIZATION squatter;
CREATE EXTENSION checkout_sessions;
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA checkout;
CREATE SCHEMA checkout_data AUTHORIZATION squatter;
CREATE EXTENSION checkout_sessions;
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA checkout_data;
SELECT count(*) AS left_behind FROM pg_namespace WHERE nspname LIKE 'checkout%';
-- Its location is fixed, and it does not depend on a schema that can be dropped.
CREATE SCHEMA elsewhere;
CREATE EXTENSION checkout_sessions SCHEMA elsewhere;
\echo :LAST_ERROR_SQLSTATE
SET search_path = elsewhere, pg_catalog;
CREATE EXTENSION checkout_sessions;
RESET search_path;
DROP SCHEMA elsewhere CASCADE;
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'checkout%' ORDER BY 1;
ALTER EXTENSION checkout_sessions SET SCHEMA public;
\echo :LAST_ERROR_SQLSTATE
DROP EXTENSION checkout_sessions;
-- An existing role of our name with more rights is refused.
ALTER ROLE checkout_sessions_api LOGIN;
CREATE EXTENSION checkout_sessions;
\echo :LAST_ERROR_SQLSTATE
ALTER ROLE checkout_sessions_api NOLOGIN;
ALTER ROLE checkout_sessions_worker SUPERUSER;
CREATE EXTENSION checkout_sessions;
ALTER ROLE checkout_sessions_worker NOSUPERUSER BYPASSRLS;
CREATE EXTENSION checkout_sessions;
ALTER ROLE checkout_sessions_worker NOBYPASSRLS CREATEROLE;
CREATE EXTENSION checkout_sessions;
ALTER ROLE checkout_sessions_worker NOCREATEROLE REPLICATION;
CREATE EXTENSION checkout_sessions;
ALTER ROLE checkout_sessions_worker NOREPLICATION;
-- So is one that another role can act as, or that can act as another.
GRANT checkout_sessions_worker TO squatter;
CREATE EXTENSION checkout_sessions;
REVOKE checkout_sessions_worker FROM squatter;
GRANT squatter TO checkout_sessions_api;
CREATE EXTENSION checkout_sessions;
REVOKE squatter FROM checkout_sessions_api;
SELECT count(*) AS left_behind FROM pg_namespace WHERE nspname LIKE 'checkout%';
-- Only a superuser can install it; an owner of the database cannot.
ALTER DATABASE hygiene OWNER TO squatter;
\c hygiene squatter
CREATE EXTENSION checkout_sessions;
\echo :LAST_ERROR_SQLSTATE
\c hygiene postgres
-- The extension revokes what default privileges grant to PUBLIC, and to the roles of PostgREST and Supabase.
CREATE ROLE anon;
CREATE ROLE authenticated;
CREATE ROLE service_role;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, authenticated, service_role, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon, authenticated, service_role;
-- Objects in the installer's search path are not used.
CREATE SCHEMA trap;
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap.char_length(text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap.yes(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.yes);
CREATE FUNCTION trap.yes(uuid, uuid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = trap.yes);
SET search_path = trap, pg_catalog, public;
CREATE EXTENSION checkout_sessions;
RESET search_path;
SELECT count(*) AS uses_of_a_trap FROM pg_depend d JOIN pg_namespace n ON n.nspname = 'trap'
WHERE d.refobjid IN (SELECT oid FROM pg_proc WHERE pronamespace = n.oid UNION SELECT oid FROM pg_operator
    WHERE oprnamespace = n.oid)
    AND NOT (d.objid IN (SELECT oid FROM pg_operator WHERE oprnamespace = n.oid));
SELECT role, count(*) FILTER (WHERE has_function_privilege(role, p.oid, 'EXECUTE')) AS functions,
    (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r'
        AND has_table_privilege(role, c.oid, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER')) AS tables,
    has_schema_privilege(role, 'checkout', 'USAGE') AS checkout,
    has_schema_privilege(role, 'checkout_data', 'USAGE') AS checkout_data
FROM unnest('{anon,authenticated,service_role,squatter}'::name[]) AS role, pg_proc p
WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) GROUP BY role ORDER BY role;
-- It works at once, here and in the other database.
SELECT checkout.create_organization('Hygiene') AS organization \gset
SET checkout_sessions.organization_id = :'organization';
SELECT status FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
-- With sessions it is dropped only by who says so. Dropping it leaves only the roles, which belong to the cluster. It
-- can be created again.
\c hygiene postgres
DROP EXTENSION checkout_sessions;
\echo :LAST_ERROR_SQLSTATE
SET checkout_sessions.allow_drop = on;
DROP EXTENSION checkout_sessions;
SELECT count(*) AS left_behind FROM pg_namespace WHERE nspname LIKE 'checkout%';
SELECT count(*) AS functions_left FROM pg_proc WHERE probin LIKE '%checkout_sessions%';
SELECT count(*) AS roles FROM pg_roles WHERE rolname IN ('checkout_sessions_api', 'checkout_sessions_worker');
CREATE EXTENSION checkout_sessions;
SELECT count(*) AS organizations FROM checkout.list_organizations();
\c regression postgres
DROP DATABASE hygiene;
DROP ROLE squatter, anon, authenticated, service_role;
SELECT count(*) > 0 AS unharmed FROM checkout.list_organizations();
-- The session in an event has the members of a session for callers, except those that belong to a call.
SELECT attname AS only_of_a_call FROM pg_attribute
WHERE attrelid = 'checkout.checkout_session'::regclass AND attnum > 0
    AND attname NOT IN (
        SELECT json_object_keys(checkout_data.session_json(checkout_data.session_of_event(
            NULL::checkout_data.webhook_outbox, NULL::checkout_data.checkout_sessions))::json))
ORDER BY 1;
SELECT json_object_keys(checkout_data.session_json(checkout_data.session_of_event(
    NULL::checkout_data.webhook_outbox, NULL::checkout_data.checkout_sessions))::json) AS only_of_events
EXCEPT SELECT attname::text FROM pg_attribute WHERE attrelid = 'checkout.checkout_session'::regclass;

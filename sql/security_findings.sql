-- What the security report finds: it compares the catalogs with a fresh installation.

CREATE FUNCTION checkout_data.security_findings() RETURNS TABLE (finding text, object text, role text, advice text)
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    -- Names and expressions are compared as texts.
    SET quote_all_identifiers TO off
    -- Compiling the query takes a hundred times as long as running it.
    SET jit TO off
    AS $$
    WITH
    schema AS (SELECT n.* FROM pg_namespace n WHERE n.nspname IN ('checkout', 'checkout_data')),
    owner_role AS (
        SELECT r.* FROM pg_roles r WHERE r.rolname IN ('checkout_sessions_api', 'checkout_sessions_worker')),
    function AS (SELECT p.* FROM pg_proc p JOIN schema n ON n.oid = p.pronamespace),
    relation AS (
        SELECT c.* FROM pg_class c JOIN schema n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),
    -- The accesses of each role, and the functions that they include.
    granted_access AS (
        SELECT a.grantee, left(f.proname, -length('_access')) AS access
        FROM function f, aclexplode(f.proacl) AS a
        WHERE f.proname ~ '_access$' AND f.prorettype = 'void'::regtype AND f.pronargs = 0
            AND a.grantee NOT IN (0, f.proowner)),
    application_role AS (SELECT r.* FROM pg_roles r WHERE r.oid IN (SELECT g.grantee FROM granted_access g)),
    executable AS (
        SELECT g.grantee, callable::oid AS function
        FROM granted_access g, LATERAL checkout_data.functions_of_access(g.access) AS callable),
    readable AS (
        SELECT g.grantee, view::oid AS view
        FROM granted_access g, LATERAL checkout_data.views_of_access(g.access) AS view),
    -- The views for applications: the only ones that may read tables with the rights of their owner.
    open_view AS (SELECT c.* FROM relation c JOIN checkout_data.views_of_access('secret') AS v ON v = c.oid),
    -- Every grant on an object of the two schemas, except the owners' own.
    object AS (
        SELECT 'pg_proc'::regclass AS class, f.oid, 0 AS part, f.oid::regprocedure::text AS name, f.proowner AS owner,
            COALESCE(f.proacl, acldefault('f', f.proowner)) AS acl FROM function f
        UNION ALL
        SELECT 'pg_class'::regclass, c.oid, 0, c.oid::regclass::text, c.relowner, c.relacl FROM relation c
        UNION ALL
        SELECT 'pg_class'::regclass, c.oid, a.attnum, concat(c.oid::regclass, '.', quote_ident(a.attname)), c.relowner,
            a.attacl
        FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attacl IS NOT NULL
        UNION ALL
        SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspname, n.nspowner, n.nspacl FROM schema n),
    privilege AS (
        SELECT o.class, o.oid, o.part, o.name, a.grantee, a.privilege_type, a.is_grantable
        FROM object o, aclexplode(o.acl) AS a WHERE a.grantee <> o.owner),
    installed AS (
        SELECT i.classoid, i.objoid, i.objsubid, a.grantee, a.privilege_type
        FROM pg_init_privs i, aclexplode(i.initprivs) AS a
        WHERE EXISTS (SELECT FROM object o WHERE o.class = i.classoid AND o.oid = i.objoid)),
    unexpected AS (
        SELECT p.*, CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(p.grantee) END AS role_name
        FROM privilege p
        WHERE p.is_grantable OR NOT (
            -- Expected: the grants of the installation to its own roles,
            (p.grantee IN (SELECT r.oid FROM owner_role r)
                AND EXISTS (
                    SELECT FROM installed i
                    WHERE i.classoid = p.class AND i.objoid = p.oid AND i.objsubid = p.part
                        AND i.grantee = p.grantee AND i.privilege_type = p.privilege_type))
            -- and the grants of grant_access.
            OR (p.class = 'pg_proc'::regclass
                AND EXISTS (SELECT FROM executable e WHERE e.grantee = p.grantee AND e.function = p.oid))
            OR (p.class = 'pg_class'::regclass AND p.part = 0 AND p.privilege_type = 'SELECT'
                AND EXISTS (SELECT FROM readable e WHERE e.grantee = p.grantee AND e.view = p.oid))
            OR (p.name = 'checkout' AND p.privilege_type = 'USAGE' AND p.grantee <> 0))),
    policy AS (
        SELECT c.relname, p.polname, p.polcmd = '*' AND p.polpermissive AS for_all, p.polroles,
            pg_get_expr(p.polqual, p.polrelid) AS qual, pg_get_expr(p.polwithcheck, p.polrelid) AS with_check
        FROM pg_policy p JOIN relation c ON c.oid = p.polrelid),
    expected_policy AS (
        SELECT c.relname, e.polname, ARRAY[(SELECT r.oid FROM owner_role r WHERE r.rolname = e.role)] AS polroles,
            e.qual, e.with_check
        FROM relation c
        JOIN (VALUES
            ('every_tenant', 'checkout_sessions_worker', NULL, 'true', 'true'),
            ('tenant', 'checkout_sessions_api', ARRAY['organizations', 'hooks'],
                '(organization_id = checkout.current_organization_id())', 'false'),
            ('tenant', 'checkout_sessions_api', ARRAY['webhook_consumers'],
                '((organization_id IS NULL) OR ((organization_id = checkout.current_organization_id()) '
                    'AND ((environment)::text = checkout.current_environment())))', 'false'),
            ('tenant', 'checkout_sessions_api', ARRAY['admin_log'],
                '((organization_id = checkout.current_organization_id()) AND ((environment IS NULL) '
                    'OR ((environment)::text = checkout.current_environment())))',
                '((organization_id = checkout.current_organization_id()) '
                    'AND ((environment)::text = checkout.current_environment()))'),
            ('tenant', 'checkout_sessions_api',
                ARRAY['checkout_sessions', 'open_sessions', 'idempotency_keys', 'payments', 'refunds', 'products',
                    'inventory', 'inventory_changes', 'prices', 'coupons', 'holds', 'session_lines',
                    'session_terms', 'session_visits', 'subscriptions', 'session_periods', 'webhook_outbox',
                    'webhook_endpoints', 'webhook_deliveries', 'webhook_attempts', 'hook_failures', 'request_failures',
                    'session_counts', 'session_folds', 'uncounted_hours'],
                '((organization_id = checkout.current_organization_id()) '
                    'AND ((environment)::text = checkout.current_environment()))',
                '((organization_id = checkout.current_organization_id()) '
                    'AND ((environment)::text = checkout.current_environment()))')
        ) AS e (polname, role, tables, qual, with_check) ON e.tables IS NULL OR c.relname = ANY (e.tables)
        WHERE c.relkind = 'r'),
    -- Each calls the function of its name.
    expected_trigger (tgname, relname, reason) AS (VALUES
        ('organizations_changed', 'organizations',
            'without it backends go on with settings and secrets that have been changed'),
        ('organizations_changed', 'hooks', 'without it backends go on calling hooks that have been changed'),
        ('organizations_deleted', 'organizations', 'without it an organization that is in use can be deleted'),
        ('admin_log_append_only', 'admin_log', 'without it a role with too many rights can change the log'),
        ('checkout_sessions_deleted', 'checkout_sessions', 'without it a session that has payments can be deleted'))

    SELECT 'dangerous role', NULL, r.rolname::text,
        format('ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION', r.rolname)
    FROM owner_role r WHERE r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication

    UNION ALL
    SELECT 'role membership', pg_get_userbyid(m.roleid)::text, pg_get_userbyid(m.member)::text,
        format('REVOKE %I FROM %I', pg_get_userbyid(m.roleid), pg_get_userbyid(m.member))
    FROM pg_auth_members m WHERE (SELECT array_agg(r.oid) FROM owner_role r) && ARRAY[m.roleid, m.member]

    UNION ALL
    SELECT 'application role with server rights', NULL, r.rolname::text,
        'let applications use a role without SUPERUSER, CREATEROLE or REPLICATION, that is no member of such a role '
            'or of those that reach the server''s files'
    FROM application_role r
    WHERE r.rolsuper OR r.rolcreaterole OR r.rolreplication
        -- An authenticator is a member of the roles that requests use.
        OR EXISTS (SELECT FROM granted_access g WHERE g.grantee = r.oid AND g.access <> 'authenticator')
            AND EXISTS (
                SELECT FROM pg_roles above
                WHERE pg_has_role(r.oid, above.oid, 'MEMBER') AND above.oid <> r.oid
                    AND (above.rolsuper OR above.rolcreaterole OR above.rolreplication OR above.rolname IN
                        ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')))

    UNION ALL
    SELECT 'role above row-level security', c.oid::regclass::text, r.rolname::text,
        'ALTER ROLE ... NOBYPASSRLS, or take its right on the table away (which it may have by pg_read_all_data)'
    FROM pg_roles r, relation c
    WHERE r.rolbypassrls AND NOT r.rolsuper AND c.relkind = 'r'
        AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')

    UNION ALL
    SELECT 'anonymous role with rights of its own', NULL, r.rolname::text,
        'a role with request access acts by the credential that each request presents: '
            'take its other accesses, and its memberships, away'
    FROM application_role r
    WHERE NOT r.rolsuper AND EXISTS (SELECT FROM granted_access g WHERE g.grantee = r.oid AND g.access = 'request')
        -- MEMBER includes roles with NOINHERIT: they can SET ROLE.
        AND EXISTS (
            SELECT FROM granted_access g
            WHERE g.access IN ('secret', 'authenticator', 'relay', 'monitor', 'admin')
                AND pg_has_role(r.oid, g.grantee, 'MEMBER'))

    UNION ALL
    SELECT 'unexpected grant', concat(u.privilege_type, ' on ', u.name), u.role_name,
        CASE WHEN u.class = 'pg_proc'::regclass THEN 'REVOKE it; checkout.grant_access() gives roles what they need'
            ELSE 'REVOKE it; no application needs it' END
    FROM unexpected u

    UNION ALL
    SELECT DISTINCT 'default privileges',
        concat(CASE d.defaclobjtype WHEN 'f' THEN 'functions' WHEN 'r' THEN 'tables' ELSE 'schemas' END,
            COALESCE(' in schema ' || n.nspname, '')),
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END,
        format('ALTER DEFAULT PRIVILEGES FOR ROLE %I ... REVOKE it: it would open what an update adds',
            pg_get_userbyid(d.defaclrole))
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) AS a
    WHERE d.defaclobjtype IN ('f', 'r', 'n') AND a.grantee <> d.defaclrole
        AND (n.oid IN (SELECT s.oid FROM schema s)
            OR n.oid IS NULL
                AND d.defaclrole = (SELECT e.extowner FROM pg_extension e WHERE e.extname = 'checkout_sessions'))
        -- Without an entry PUBLIC may execute new functions, so an entry that grants PUBLIC this adds nothing.
        AND NOT (n.oid IS NULL AND d.defaclobjtype = 'f' AND a.grantee = 0)

    UNION ALL
    SELECT 'owner', o.name, pg_get_userbyid(o.owner)::text, 'ALTER ... OWNER TO a superuser'
    FROM object o JOIN pg_roles r ON r.oid = o.owner
    WHERE o.part = 0 AND NOT r.rolsuper
        AND NOT (o.class = 'pg_proc'::regclass AND EXISTS (SELECT FROM function f WHERE f.oid = o.oid AND f.prosecdef))
        AND NOT (o.class = 'pg_class'::regclass AND EXISTS (SELECT FROM open_view v WHERE v.oid = o.oid))

    UNION ALL
    SELECT 'owner', v.oid::regclass::text, pg_get_userbyid(v.relowner)::text,
        'ALTER VIEW ... OWNER TO checkout_sessions_api'
    FROM open_view v WHERE v.relowner <> (SELECT r.oid FROM owner_role r WHERE r.rolname = 'checkout_sessions_api')

    UNION ALL
    SELECT 'owner', f.oid::regprocedure::text, pg_get_userbyid(f.proowner)::text,
        format('ALTER FUNCTION ... OWNER TO %I', own.rolname)
    FROM function f JOIN owner_role own ON own.rolname =
        CASE WHEN f.proname = ANY (checkout_data.functions_above_tenants()) THEN 'checkout_sessions_worker'
            ELSE 'checkout_sessions_api' END
    WHERE f.prosecdef AND f.proowner <> own.oid

    UNION ALL
    SELECT 'search path', f.oid::regprocedure::text, NULL, 'ALTER FUNCTION ... SET search_path TO pg_catalog, pg_temp'
    FROM function f
    WHERE f.prosecdef AND 'search_path=pg_catalog, pg_temp' <> ALL (COALESCE(f.proconfig, ARRAY['']))

    UNION ALL
    SELECT 'changed function', f.oid::regprocedure::text, NULL,
        'restore it: create the extension in another database and compare'
    FROM function f JOIN pg_language l ON l.oid = f.prolang
    WHERE NOT f.prosecdef AND f.proname IN (SELECT a.function_name FROM checkout_data.accesses() a)
            AND f.proname NOT IN
                ('current_organization_id', 'current_environment', 'sign_webhook', 'verify_webhook', 'session_id',
                'payments', 'checkout_session', 'refunds', 'payment', 'webhook_events', 'webhook_deliveries', 'webhook_attempts',
                'prices', 'product', 'inventory_changes', 'session_lines', 'session_terms', 'session_visits',
                'subscription', 'session_periods')
        OR EXISTS (
            SELECT FROM unnest(f.proconfig) AS setting
            WHERE setting NOT IN ('search_path=pg_catalog, pg_temp', 'TimeZone=UTC', 'jit=off',
                'quote_all_identifiers=off', 'enable_bitmapscan=off', 'enable_seqscan=off',
                'enable_sort=off'))
        OR l.lanname = 'c' AND f.probin <> '$libdir/checkout_sessions'
        OR l.lanname <> 'c' AND f.proname = ANY (ARRAY[
            'reader_organization_id', 'wake_worker', 'organizations_changed', 'event_type_matches', 'event_body_as',
            'webhook_headers', 'is_utf8', 'folded', 'deliveries_due', 'event_id', 'session_json', 'library_version'])
        OR l.lanname <> 'c' AND f.pronamespace = (SELECT s.oid FROM schema s WHERE s.nspname = 'checkout')
            AND f.proname <> ALL (ARRAY[
                'session_funnel', 'outbox_status', 'next_webhook_attempt_at', 'grant_access',
                'revoke_access', 'security_report', 'verify_restore', 'payments', 'checkout_session', 'refunds',
                'payment', 'webhook_events', 'webhook_deliveries', 'webhook_attempts', 'prices', 'product',
                'session_lines', 'session_terms', 'session_visits', 'subscription', 'session_periods',
                'inventory_changes', 'coupon_performance', 'list_admin_log', 'monitor_figures'])
            AND f.oid IN (
                SELECT d.objid FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e')

    UNION ALL
    SELECT 'foreign object', o.name, pg_get_userbyid(o.owner)::text, 'drop it, or move it to another schema'
    FROM object o
    WHERE o.part = 0 AND o.class <> 'pg_namespace'::regclass AND NOT EXISTS (
        SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'checkout_sessions'
        WHERE d.classid = o.class AND d.objid = o.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')

    UNION ALL
    SELECT 'outside object', format('%s in schema %I', p.oid::regprocedure, n.nspname),
        pg_get_userbyid(p.proowner)::text,
        'drop it: it acts as a role that sees what applications must not'
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proowner IN (SELECT r.oid FROM owner_role r) AND n.oid NOT IN (SELECT s.oid FROM schema s)

    UNION ALL
    SELECT 'outside object', c.oid::regclass::text, pg_get_userbyid(c.relowner)::text,
        'drop it: roles that may read it see rows of the tables'
    FROM pg_class c
    WHERE c.relnamespace NOT IN (SELECT s.oid FROM schema s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND (c.relowner IN (SELECT r.oid FROM owner_role r)
            OR EXISTS (SELECT FROM pg_inherits i JOIN relation t ON t.oid = i.inhparent WHERE i.inhrelid = c.oid)
            OR EXISTS (
                SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                JOIN relation t ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                -- A view on a view for applications asks for the reader's credential, too.
                WHERE w.ev_class = c.oid AND t.oid NOT IN (SELECT v.oid FROM open_view v)))

    UNION ALL
    SELECT 'changed view', v.oid::regclass::text, NULL,
        'restore it: create the extension in another database and compare'
    FROM open_view v
    WHERE NOT EXISTS (
            SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            WHERE w.ev_class = v.oid AND (
                d.refclassid = 'pg_proc'::regclass
                    AND d.refobjid IN (SELECT f.oid FROM function f WHERE f.proname = 'reader_organization_id')
                OR v.relname = 'open_checkout_sessions' AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjid IN (SELECT t.oid FROM open_view t WHERE t.relname = 'checkout_sessions')))
        OR pg_relation_is_updatable(v.oid, true) <> 0

    UNION ALL
    SELECT 'row-level security is off', c.oid::regclass::text, NULL,
        CASE c.relkind WHEN 'r' THEN 'ALTER TABLE ... ENABLE ROW LEVEL SECURITY'
            ELSE 'ALTER VIEW ... SET (security_invoker = true)' END
    FROM relation c
    WHERE c.relkind = 'r' AND NOT c.relrowsecurity
        -- A view without it reads its tables with the rights of its owner.
        OR c.relkind = 'v' AND NOT COALESCE('security_invoker=true' = ANY (c.reloptions), false)
            AND c.oid NOT IN (SELECT v.oid FROM open_view v)

    UNION ALL
    SELECT CASE WHEN e.relname IS NULL THEN 'added policy' WHEN p.relname IS NULL THEN 'missing policy'
            ELSE 'changed policy' END,
        format('%I on checkout_data.%I', COALESCE(p.polname, e.polname), COALESCE(p.relname, e.relname)), NULL,
        'restore the policies of the installation'
    FROM policy p FULL JOIN expected_policy e ON e.relname = p.relname AND e.polname = p.polname
    WHERE e.relname IS NULL OR p.relname IS NULL
        OR (p.for_all, p.polroles, p.qual, p.with_check) IS DISTINCT FROM (true, e.polroles, e.qual, e.with_check)

    UNION ALL
    SELECT 'trigger', format('%I on %s', t.tgname, c.oid::regclass), NULL,
        'drop it: it runs with the rights of the role that changes a row'
    FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND NOT EXISTS (
        SELECT FROM expected_trigger e JOIN function f ON f.proname = e.tgname
        WHERE e.tgname = t.tgname AND e.relname = c.relname AND f.oid = t.tgfoid)
    UNION ALL
    SELECT 'trigger', format('%s on checkout_data.%s', e.tgname, e.relname), NULL, 'enable it: ' || e.reason
    FROM expected_trigger e
    WHERE NOT EXISTS (
        SELECT FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid
        WHERE c.relname = e.relname AND t.tgname = e.tgname AND t.tgenabled IN ('O', 'A'))

    UNION ALL
    SELECT 'rule', format('%I on %s', w.rulename, c.oid::regclass), NULL,
        'drop it: it runs instead of what the functions say'
    FROM pg_rewrite w JOIN relation c ON c.oid = w.ev_class WHERE c.relkind = 'r' OR w.ev_type <> '1'

    UNION ALL
    SELECT 'tenant can be chosen', p.parname,
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END,
        'REVOKE SET, ALTER SYSTEM ON PARAMETER: only a trusted backend with secret access and no other may choose '
            'for whom it acts'
    FROM pg_parameter_acl p, aclexplode(p.paracl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE p.parname LIKE 'checkout_sessions.%' AND NOT COALESCE(r.rolsuper, false)
        -- These grants are the cluster's, accesses are the database's: a role without an access cannot use the grant.
        AND (a.grantee = 0 OR EXISTS (
            SELECT FROM granted_access g
            WHERE g.grantee = a.grantee AND NOT (
                g.access = 'secret'
                AND p.parname IN ('checkout_sessions.organization_id', 'checkout_sessions.environment'))))
    UNION ALL
    SELECT 'tenant can be chosen', s.name, r.rolname::text,
        'take its memberships away: only a trusted backend with secret access and no other may choose for whom it acts'
    FROM application_role r, pg_settings s
    WHERE s.name IN ('checkout_sessions.organization_id', 'checkout_sessions.environment') AND NOT r.rolsuper
        AND EXISTS (
            SELECT FROM granted_access g
            WHERE g.grantee = r.oid AND g.access IN ('request', 'restricted', 'publishable'))
        AND has_parameter_privilege(r.oid, s.name, 'SET')
        AND NOT EXISTS (
            SELECT FROM pg_parameter_acl p, aclexplode(p.paracl) AS a
            WHERE p.parname = s.name AND a.grantee IN (0, r.oid))

    UNION ALL
    SELECT 'tenant of everybody', split_part(setting, '=', 1), 'PUBLIC',
        'RESET it: a tenant is for one role (ALTER ROLE ... SET) or one transaction'
    FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
    WHERE s.setrole = 0 AND setting LIKE 'checkout_sessions.organization_id=%'
    UNION ALL
    SELECT 'tenant of everybody', s.name, 'PUBLIC',
        'take it out of the server''s configuration: a tenant is for one role or one transaction'
    FROM pg_settings s
    WHERE s.name = 'checkout_sessions.organization_id'
        AND s.source IN ('configuration file', 'command line', 'environment variable')

    UNION ALL
    SELECT 'can drop everything', 'extension checkout_sessions', r.rolname::text,
        'REASSIGN OWNED to a superuser, or take the role''s memberships away: an owner can drop all sessions and payments'
    FROM pg_extension e JOIN pg_roles r ON pg_has_role(r.oid, e.extowner, 'MEMBER')
    WHERE e.extname = 'checkout_sessions' AND NOT r.rolsuper
    UNION ALL
    SELECT 'can drop everything', format('database %I', d.datname), r.rolname::text,
        'ALTER DATABASE ... OWNER TO a superuser: an owner can drop all sessions and payments with the database'
    FROM pg_database d JOIN pg_roles r ON pg_has_role(r.oid, d.datdba, 'MEMBER')
    WHERE d.datname = current_database() AND NOT r.rolsuper
    UNION ALL
    SELECT 'can drop everything', split_part(setting, '=', 1),
        CASE s.setrole WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(s.setrole) END,
        'RESET it: set it only in the session that is to destroy all sessions and payments'
    FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
        AND lower(setting) ~ '^checkout_sessions[.]allow_drop=(on|t|y|1)'
    UNION ALL
    SELECT 'can drop everything', s.name, 'PUBLIC',
        'take it out of the server''s configuration: set it only in the session that is to destroy everything'
    FROM pg_settings s
    WHERE s.name = 'checkout_sessions.allow_drop' AND s.reset_val = 'on'
        AND s.source IN ('configuration file', 'command line', 'environment variable')
    UNION ALL
    SELECT 'can drop everything', 'shared_preload_libraries', pg_get_userbyid(e.extowner)::text,
        'add checkout_sessions to it: the library is what refuses to drop an extension with sessions and payments'
    FROM pg_extension e
    -- The setting exists only if the library was preloaded.
    WHERE e.extname = 'checkout_sessions' AND current_setting('checkout_sessions.worker_database', true) IS NULL
        AND NOT EXISTS (
            SELECT FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
            WHERE s.setrole = 0 AND s.setdatabase = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                AND setting ~ '^session_preload_libraries=.*checkout_sessions')

    ORDER BY 1, 2, 3
    $$;
COMMENT ON FUNCTION checkout_data.security_findings IS
    'Returns the rows of security_report(). Fails if the caller may not read the catalogs and tables.';

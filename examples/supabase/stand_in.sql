-- Supabase's roles, for a server that is not Supabase's. Run again, it changes nothing.
SELECT format('CREATE ROLE %I %s', role, attributes)
FROM (VALUES ('anon', 'NOLOGIN'), ('authenticated', 'NOLOGIN'), ('service_role', 'NOLOGIN BYPASSRLS'),
        ('authenticator', 'LOGIN NOINHERIT'))
    AS supabase (role, attributes)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
GRANT anon, authenticated, service_role TO authenticator;

-- The role of the relay, for psql as a superuser. Run again, it changes nothing.

-- Relay access alone: it reads due events of all organizations, and never a secret.
-- Give it a password: \password relay
SELECT 'CREATE ROLE relay LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'relay') \gexec
SELECT checkout.grant_access('relay', 'relay');

-- Reports every right that would let unauthorized callers in: no row.
SELECT * FROM checkout.security_report();

-- The role of the relay, for psql as a superuser. Run again, it changes nothing.

-- Relay access alone: it sees events that are due, of all organizations, and never a secret.
-- Give it a password: \password relay
SELECT 'CREATE ROLE relay LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'relay') \gexec
SELECT checkout.grant_access('relay', 'relay');

-- Says what would let somebody in who should not be: no row.
SELECT * FROM checkout.security_report();

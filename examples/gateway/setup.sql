-- The role of the gateway, for psql as a superuser. Run again, it changes nothing.

-- Request access alone lets it see nothing: each request acts for whoever its API key says.
-- Give it a password: \password gateway
SELECT 'CREATE ROLE gateway LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway') \gexec
SELECT checkout.grant_access('gateway', 'request');
-- A request that waits longer than anybody would is given up, and its connection is free again.
ALTER ROLE gateway SET statement_timeout = '10s';

-- Says what would let somebody in who should not be: no row.
SELECT * FROM checkout.security_report();

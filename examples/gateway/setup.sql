-- The role of the gateway, for psql as a superuser. Run again, it changes nothing.

-- Request access alone gives no rights on any data: each request acts for the organization of its API key.
-- Give it a password: \password gateway
SELECT 'CREATE ROLE gateway LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway') \gexec
SELECT checkout.grant_access('gateway', 'request');
-- A request that waits longer than a client would is cancelled, and its connection is free again.
ALTER ROLE gateway SET statement_timeout = '10s';

-- Reports every right that would let unauthorized callers in: no row.
SELECT * FROM checkout.security_report();

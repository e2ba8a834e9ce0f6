-- The roles of PostgREST, for psql as a superuser. Run again, it changes nothing.

-- PostgREST connects as authenticator, and takes another role for each request. NOINHERIT: without one it has no
-- rights.
-- It verifies tokens; authenticator access says that their claims can be trusted.
-- Give it a password: \password authenticator
SELECT 'CREATE ROLE authenticator LOGIN NOINHERIT'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticator') \gexec
SELECT checkout.grant_access('authenticator', 'authenticator');

-- The role of a request without a token, also of one with an API key. Request access alone gives no rights on any data:
-- each function requires the credential that this very request has presented.
SELECT 'CREATE ROLE web_anon NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'web_anon') \gexec
SELECT checkout.grant_access('web_anon', 'request');

-- The role of requests whose token says {"role": "member"}; its organization_id is their organization.
SELECT 'CREATE ROLE member NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'member') \gexec
SELECT checkout.grant_access('member', 'request');

GRANT web_anon, member TO authenticator;

-- Reports every right that would let unauthorized callers in: no row.
SELECT * FROM checkout.security_report();

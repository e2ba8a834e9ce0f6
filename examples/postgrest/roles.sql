-- The roles of PostgREST, for psql as a superuser. Run again, it changes nothing.

-- PostgREST connects as authenticator, and takes another role for each request. NOINHERIT: by itself it may do nothing.
-- It verifies tokens; authenticator access says that their claims are to be believed.
-- Give it a password: \password authenticator
SELECT 'CREATE ROLE authenticator LOGIN NOINHERIT'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticator') \gexec
SELECT checkout.grant_access('authenticator', 'authenticator');

-- The role of a request without a token; one with an API key is among them. Request access alone lets nobody see
-- anything: each function asks for the credential that this very request has presented.
SELECT 'CREATE ROLE web_anon NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'web_anon') \gexec
SELECT checkout.grant_access('web_anon', 'request');

-- The role of requests whose token says {"role": "member"}; its organization_id says for whom they act.
SELECT 'CREATE ROLE member NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'member') \gexec
SELECT checkout.grant_access('member', 'request');

GRANT web_anon, member TO authenticator;

-- Says what would let somebody in who should not be: no row.
SELECT * FROM checkout.security_report();

-- Setup for Supabase, to be run as a superuser (supabase_admin). Run again, it changes nothing.

CREATE EXTENSION IF NOT EXISTS checkout_sessions;

-- Every role that PostgREST takes, because pre_request is called before every request of any kind. Request access alone
-- gives no rights on any data: each function requires the API key or the token that this very request has presented.
SELECT checkout.grant_access('anon', 'request');
SELECT checkout.grant_access('authenticated', 'request');
SELECT checkout.grant_access('service_role', 'request');

-- PostgREST connects as authenticator, and has verified the tokens whose claims it passes on.
SELECT checkout.grant_access('authenticator', 'authenticator');
ALTER ROLE authenticator SET pgrst.db_pre_request = 'checkout.pre_request';
NOTIFY pgrst, 'reload config';

-- Reports every right that would let unauthorized callers in. No rows: there is none.
SELECT * FROM checkout.security_report();

-- What to run on Supabase, as a superuser (supabase_admin). Run again, it changes nothing.

CREATE EXTENSION IF NOT EXISTS checkout_sessions;

-- Every role that PostgREST takes, for pre_request is called before every request, whatever it is for. Request access
-- alone lets nobody see anything: each function asks for the API key or the token that this very request has presented.
SELECT checkout.grant_access('anon', 'request');
SELECT checkout.grant_access('authenticated', 'request');
SELECT checkout.grant_access('service_role', 'request');

-- PostgREST connects as authenticator, and has verified the tokens whose claims it passes on.
SELECT checkout.grant_access('authenticator', 'authenticator');
ALTER ROLE authenticator SET pgrst.db_pre_request = 'checkout.pre_request';
NOTIFY pgrst, 'reload config';

-- Says what would let somebody in who should not be. No rows: nothing.
SELECT * FROM checkout.security_report();

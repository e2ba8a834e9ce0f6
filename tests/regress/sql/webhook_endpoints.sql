-- Webhook endpoints: a shop registers the URLs for its events, lists them, and changes them.
SELECT checkout.create_organization('Endpoints') AS organization,
    checkout.create_organization('Endpoints of another') AS other \gset
SELECT testing.login('shop_endpoints', :'organization');
SELECT testing.login('shop_endpoints_test', :'organization', 'test');
SELECT testing.login('shop_endpoints_other', :'other');
SELECT testing.key(:'organization') AS secret_key, testing.key(:'organization', 'publishable') AS publishable_key \gset

-- A URL is enough. The secret is returned only this once.
\c - shop_endpoints
SELECT * FROM checkout.create_webhook_endpoint('https://shop.example/hooks') \gset
SELECT :'url' AS url;
SELECT :'event_types' AS event_types;
SELECT :'body_format' AS body_format;
SELECT :'signature_scheme' AS signature_scheme;
SELECT :'enabled' AS enabled;
SELECT :'created_by' AS created_by;
SELECT description, disabled_reason, disabled_at, failing_since, previous_secret_expires_at
FROM checkout.list_webhook_endpoints();
SELECT :'organization_id' = checkout.current_organization_id()::text AS mine;
SELECT :'environment' AS environment;
SELECT now() - :'created_at'::timestamptz < '1 minute' AS now;
SELECT :'updated_at' = :'created_at' AS unchanged;
SELECT substr(:'webhook_endpoint_id', 15, 1) AS uuid_version;
SELECT :'secret' ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS secret_of_32_bytes;
\set first :webhook_endpoint_id
\set first_secret :secret
-- With all arguments
SELECT webhook_endpoint_id AS second, url, event_types, body_format, signature_scheme, description,
    secret <> :'first_secret' AS secret_of_its_own
FROM checkout.create_webhook_endpoint('https://shop.example:8443/h?tenant=1',
    '{checkout.session.completed,checkout.session.expired,webhook_endpoint.*}', 'lomi', 'stripe',
        'Bücher & Söhne') \gset
\echo :url :event_types :body_format :signature_scheme :description :secret_of_its_own
-- The list: oldest first, and never with secrets
SELECT url, event_types, enabled, secret FROM checkout.list_webhook_endpoints();
-- An endpoint created with an API key shows that key.
\c - visitor
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_key');
SELECT created_by = left(:'secret_key', 20) AS by_the_key, webhook_endpoint_id AS third
FROM checkout.create_webhook_endpoint('https://shop.example/key') \gset
SELECT (checkout.delete_webhook_endpoint(:'third')).url;
SELECT :'by_the_key' AS by_the_key;
COMMIT;

-- Without a credential, and with a publishable one
SELECT function, testing.outcome(call) FROM (VALUES
    ('create', 'SELECT checkout.create_webhook_endpoint(''https://shop.example'')'),
    ('list', 'SELECT checkout.list_webhook_endpoints()'),
    ('update', format('SELECT checkout.update_webhook_endpoint(%L)', :'first')),
    ('delete', format('SELECT checkout.delete_webhook_endpoint(%L)', :'first')),
    ('roll', format('SELECT checkout.roll_webhook_secret(%L)', :'first')),
    ('deliveries', format('SELECT checkout.list_webhook_deliveries(%L)', :'first')),
    ('attempts', 'SELECT checkout.list_webhook_attempts(''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'')'))
    AS calls (function, call);
BEGIN;
SELECT kind FROM checkout.authenticate(:'publishable_key');
SELECT function, testing.outcome(call) FROM (VALUES
    ('create', 'SELECT checkout.create_webhook_endpoint(''https://shop.example'')'),
    ('list', 'SELECT checkout.list_webhook_endpoints()'),
    ('update', format('SELECT checkout.update_webhook_endpoint(%L)', :'first')),
    ('delete', format('SELECT checkout.delete_webhook_endpoint(%L)', :'first')),
    ('roll', format('SELECT checkout.roll_webhook_secret(%L)', :'first')),
    ('deliveries', format('SELECT checkout.list_webhook_deliveries(%L)', :'first')),
    ('attempts', 'SELECT checkout.list_webhook_attempts(''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'')'))
    AS calls (function, call);
COMMIT;
-- An HTTP request gets 403, not 401.
BEGIN;
SELECT set_config('request.headers', format('{"x-api-key": "%s"}', :'publishable_key'), true) IS NOT NULL AS set;
SELECT checkout.pre_request();
SELECT testing.outcome('SELECT checkout.create_webhook_endpoint(''https://shop.example'')') AS create;
SELECT testing.outcome('SELECT checkout.list_webhook_endpoints()') AS list;
COMMIT;

-- These are refused.
\c - shop_endpoints
\a
SELECT call, testing.outcome('SELECT checkout.' || replace(call, '$', quote_literal(:'first'))) AS outcome
FROM unnest(ARRAY[
    'create_webhook_endpoint(NULL)', 'create_webhook_endpoint(''https://shop.example'', NULL)',
    'create_webhook_endpoint(''https://shop.example'', body_format => NULL)',
    'create_webhook_endpoint(''https://shop.example'', signature_scheme => NULL)',
    'create_webhook_endpoint(''https://shop.example'', ''{}'')',
    'create_webhook_endpoint(''https://shop.example'', ''{NULL}'')',
    'create_webhook_endpoint(''https://shop.example'', ''{checkout.session.paid}'')',
    'create_webhook_endpoint(''https://shop.example'', ''{checkout.session.pay*}'')',
    'create_webhook_endpoint(''https://shop.example'', ''{*.completed}'')',
    'create_webhook_endpoint(''https://shop.example'', ''{checkout.session}'')',
    'create_webhook_endpoint(''https://shop.example'', ''{*,*}'')',
    'create_webhook_endpoint(''https://shop.example'', body_format => ''stripe'')',
    'create_webhook_endpoint(''https://shop.example'', body_format => '''')',
    'create_webhook_endpoint(''https://shop.example'', signature_scheme => ''hmac'')',
    'create_webhook_endpoint(''https://shop.example'', description => E''two\nlines'')',
    'create_webhook_endpoint(''https://shop.example'', description => repeat(''x'', 256))',
    'update_webhook_endpoint(NULL)', 'update_webhook_endpoint($, event_types => ''{}'')',
    'update_webhook_endpoint($, event_types => ''{invoice.*}'')',
    'update_webhook_endpoint($, body_format => ''xml'')', 'update_webhook_endpoint($, signature_scheme => ''none'')',
    'update_webhook_endpoint($, description => repeat(''x'', 256))',
    'delete_webhook_endpoint(NULL)', 'roll_webhook_secret(NULL)', 'roll_webhook_secret($, NULL)',
    'roll_webhook_secret($, ''-1 second'')',
    'roll_webhook_secret($, ''30 days 1 second'')', 'roll_webhook_secret($, ''178000000 years'')',
    'list_webhook_deliveries(NULL)', 'list_webhook_deliveries($, ''lost'')',
    'list_webhook_deliveries($, page_size => 0)', 'list_webhook_deliveries($, page_size => 101)',
    'list_webhook_deliveries($, starting_after => ''evt_1'')', 'list_webhook_attempts(NULL)',
    'list_webhook_attempts(''1'')', 'list_webhook_attempts(''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'')'
]) AS call;
-- URLs: each refused one gets 22023. The message names the argument and does not repeat the URL.
SELECT url, outcome, outcome
    = testing.outcome(format('SELECT checkout.update_webhook_endpoint(%L, url => %L)', :'first', url)) AS update
FROM unnest(ARRAY[
    '', 'shop.example/hooks', '/hooks', 'ftp://shop.example', 'http://shop.example', 'http://localhost:3000/hooks',
    'https:shop.example', 'https://', 'https:///hooks', 'https://user:secret@shop.example', 'https://shop.example/a b',
    E'https://shop.example/\n', 'mailto:hooks@shop.example', 'javascript:alert(1)', 'https://shop.example/#fragment',
    'https://localhost/hooks', 'https://127.0.0.1', 'https://10.0.0.1', 'https://169.254.169.254/latest/meta-data',
    'https://[::1]', 'https://0x7f.1', 'https://2130706433'
]) AS url,
    LATERAL (SELECT testing.outcome(format('SELECT checkout.create_webhook_endpoint(%L)', url))) AS c (outcome);
SELECT testing.outcome(
    format('SELECT checkout.create_webhook_endpoint(%L)', 'https://shop.example/' || repeat('x', 2028)))
    AS of_2049_characters;
\a
-- Nothing of that is stored.
SELECT url, event_types, body_format, signature_scheme, description FROM checkout.list_webhook_endpoints();
-- Private addresses, if the server's settings allow them
\c - postgres
SELECT testing.outcome('SELECT checkout.create_webhook_endpoint(''https://10.1.2.3/hooks'')') AS without_a_tenant;
BEGIN;
SET LOCAL checkout_sessions.organization_id = :'organization';
SET LOCAL checkout_sessions.webhook_allowed_ranges = '10.0.0.0/8, 192.168.1.1';
SELECT url, testing.outcome(format('SELECT checkout.create_webhook_endpoint(%L)', url))
FROM unnest('{https://10.1.2.3/hooks,https://192.168.1.1,https://192.168.1.2,http://10.1.2.3}'::text[]) AS url;
ROLLBACK;
BEGIN;
SET LOCAL checkout_sessions.organization_id = :'organization';
SELECT testing.outcome('SET LOCAL checkout_sessions.webhook_allowed_ranges = ''10.0.0.0/8,intranet''')
    AS a_setting_that_says_nothing;
ROLLBACK;
-- Schemes are in any case.
\c - shop_endpoints
SELECT testing.outcome('SELECT checkout.create_webhook_endpoint(''HTTP://shop.example'')') AS http;
SELECT testing.outcome('SELECT checkout.update_webhook_endpoint(''' || :'first'
    || ''', ''HTTPS://shop.example/hooks'')') AS https;
SELECT testing.outcome('SELECT checkout.update_webhook_endpoint(''' || :'first'
    || ''', ''https://shop.example/hooks'')');
-- The test environment allows a developer's machine.
\c - shop_endpoints_test
SELECT url, testing.outcome(format('SELECT checkout.create_webhook_endpoint(%L)', url))
FROM unnest('{http://shop.example,http://10.0.0.1,https://10.0.0.1,http://user@localhost}'::text[]) AS url;
SELECT webhook_endpoint_id AS of_test, url, environment
FROM checkout.create_webhook_endpoint('http://localhost:3000/hooks') \gset
\echo :url :environment

-- Environments and organizations are separate: unknown endpoints and those of others get the same answer.
SELECT url FROM checkout.list_webhook_endpoints();
SELECT function, testing.outcome(format(call, :'first')) AS of_live,
    testing.outcome(format(call, gen_random_uuid())) = testing.outcome(format(call, :'first')) AS as_unknown
FROM (VALUES
    ('update', 'SELECT checkout.update_webhook_endpoint(%L, ''https://thief.example'')'),
    ('delete', 'SELECT checkout.delete_webhook_endpoint(%L)'),
    ('roll', 'SELECT checkout.roll_webhook_secret(%L)'), ('deliveries', 'SELECT checkout.list_webhook_deliveries(%L)'))
    AS calls (function, call);
\c - shop_endpoints_other
SELECT url FROM checkout.list_webhook_endpoints();
SELECT function, testing.outcome(format(call, :'first')) AS of_another FROM (VALUES
    ('update', 'SELECT checkout.update_webhook_endpoint(%L, ''https://thief.example'')'),
    ('delete', 'SELECT checkout.delete_webhook_endpoint(%L)'),
    ('roll', 'SELECT checkout.roll_webhook_secret(%L)'), ('deliveries', 'SELECT checkout.list_webhook_deliveries(%L)'))
    AS calls (function, call);

-- Change: an argument that is not given stays.
\c - shop_endpoints
SELECT url, event_types, body_format, signature_scheme, description, enabled, secret, updated_at > created_at AS later
FROM checkout.update_webhook_endpoint(:'first', description => 'Orders');
SELECT url, event_types, body_format, signature_scheme, description, enabled, secret
FROM checkout.update_webhook_endpoint(
    :'first', url => 'https://shop.example/hooks/v2', event_types => '{checkout.session.*}', body_format => 'yuno',
    signature_scheme => 'stripe');
SELECT url, event_types, body_format, signature_scheme, description, enabled
FROM checkout.update_webhook_endpoint(:'first');
-- An empty description removes it.
SELECT description, description IS NULL AS gone FROM checkout.update_webhook_endpoint(:'first', description => '');

-- Disabled and enabled again. Disabling it twice changes neither the time nor the reason.
SELECT enabled, disabled_reason, disabled_at = updated_at AS now, disabled_at
FROM checkout.update_webhook_endpoint(:'second', enabled => false) \gset
\echo :enabled :disabled_reason :now
SELECT enabled, disabled_reason, disabled_at = :'disabled_at' AS as_before, updated_at > disabled_at AS later
FROM checkout.update_webhook_endpoint(:'second', enabled => false);
SELECT enabled, disabled_reason FROM checkout.update_webhook_endpoint(:'second', description => 'off');
SELECT enabled, disabled_reason, disabled_at, failing_since
FROM checkout.update_webhook_endpoint(:'second', enabled => true);

-- Roll its secret: for a day, messages are signed with both secrets, so that receivers can change over.
SELECT event_types FROM checkout.update_webhook_endpoint(:'second', event_types => '{*}');
SELECT secret <> :'first_secret' AND secret ~ '^whsec_' AS another, secret AS rolled_secret,
    previous_secret_expires_at - updated_at AS overlap
FROM checkout.roll_webhook_secret(:'first') \gset
SELECT :'another' AS another;
SELECT :'overlap' AS overlap;
SELECT secret, previous_secret_expires_at - updated_at AS overlap FROM checkout.list_webhook_endpoints();
SELECT signature_scheme FROM checkout.update_webhook_endpoint(:'first', signature_scheme => 'standard');
SELECT testing.new_session(10) AS session \gset
SELECT status FROM checkout.record_payment(:'session', 'endpoints-1', 'succeeded');
\c - sender
SELECT headers, body, event_id AS event, lease_token AS lease
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'first' \gset
SELECT jsonb_object_keys(:'headers') AS name ORDER BY 1;
SELECT :'headers'::jsonb ->> 'webhook-id' = :'event' AS same_id;
SELECT cardinality(string_to_array(:'headers'::jsonb ->> 'webhook-signature', ' ')) AS signatures;
SELECT checkout.verify_webhook(:'headers', :'body', :'rolled_secret') AS with_the_new;
SELECT checkout.verify_webhook(:'headers', :'body', :'first_secret') AS with_the_old;
SELECT checkout.verify_webhook(:'headers', :'body' || ' ', :'rolled_secret') AS changed;
-- The same in the other scheme
\c - shop_endpoints
SELECT signature_scheme FROM checkout.update_webhook_endpoint(:'first', signature_scheme => 'stripe');
\c - sender
SELECT checkout.release_webhook_delivery(:'event', :'first', :'lease') AS released;
SELECT headers, body, lease_token AS lease
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'first' \gset
SELECT jsonb_object_keys(:'headers') AS name ORDER BY 1;
SELECT regexp_replace(:'headers'::jsonb ->> 'stripe-signature', '[0-9a-f]{64}|\d{10}', '_', 'g') AS stripe_signature;
SELECT checkout.verify_webhook(:'headers', :'body', :'rolled_secret', 'stripe') AS with_the_new;
SELECT checkout.verify_webhook(:'headers', :'body', :'first_secret', 'stripe') AS with_the_old;
SELECT checkout.release_webhook_delivery(:'event', :'first', :'lease') AS released;
-- After the overlap, with the new one only
\c - postgres
UPDATE checkout_data.webhook_endpoints SET previous_secret_expires_at = clock_timestamp()
WHERE webhook_endpoint_id = :'first';
\c - sender
SELECT headers, body, lease_token AS lease
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'first' \gset
SELECT regexp_replace(:'headers'::jsonb ->> 'stripe-signature', '[0-9a-f]{64}|\d{10}', '_', 'g') AS stripe_signature;
SELECT checkout.verify_webhook(:'headers', :'body', :'rolled_secret', 'stripe') AS with_the_new;
SELECT checkout.verify_webhook(:'headers', :'body', :'first_secret', 'stripe') AS with_the_old;
SELECT checkout.release_webhook_delivery(:'event', :'first', :'lease') AS released;
-- A leaked secret is ended at once. If a secret is rolled twice in a row, only the last old one still signs.
\c - shop_endpoints
SELECT previous_secret_expires_at IS NULL AS at_once, secret AS rolled_again
FROM checkout.roll_webhook_secret(:'first', '0') \gset
\echo at once: :at_once
SELECT previous_secret_expires_at - updated_at AS overlap, secret AS rolled_last
FROM checkout.roll_webhook_secret(:'first', '30 days') \gset
\echo :overlap
\c - sender
SELECT headers, body, lease_token AS lease
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'first' \gset
SELECT checkout.verify_webhook(:'headers', :'body', :'rolled_last', 'stripe') AS last;
SELECT checkout.verify_webhook(:'headers', :'body', :'rolled_again', 'stripe') AS before;
SELECT checkout.verify_webhook(:'headers', :'body', :'rolled_secret', 'stripe') AS leaked;

-- Delete: refused while events wait for it, unless told otherwise. Then it is gone at once, with its waiting
-- deliveries, and relays learn that those in flight are gone.
\c - shop_endpoints
SELECT testing.outcome(format('SELECT checkout.delete_webhook_endpoint(%L)', :'first'))
    AS with_an_event_that_it_has_not_had;
SELECT testing.outcome(format('SELECT checkout.delete_webhook_endpoint(%L, NULL)', :'first')) AS undecided;
SELECT url FROM checkout.list_webhook_endpoints();
SELECT url, secret FROM checkout.delete_webhook_endpoint(:'first', discard_undelivered => true);
SELECT url FROM checkout.list_webhook_endpoints();
SELECT function, testing.outcome(format(call, :'first')) FROM (VALUES
    ('delete', 'SELECT checkout.delete_webhook_endpoint(%L)'),
    ('update', 'SELECT checkout.update_webhook_endpoint(%L, enabled => true)'),
    ('roll', 'SELECT checkout.roll_webhook_secret(%L)'), ('deliveries', 'SELECT checkout.list_webhook_deliveries(%L)'),
    ('attempts', format('SELECT checkout.list_webhook_attempts(%L, %%L)', :'event'))) AS calls (function, call);
\c - sender
SELECT testing.outcome(format('SELECT checkout.record_webhook_attempt(%L, %L, %L, 200)', :'event', :'first', :'lease'));
SELECT testing.deliveries_due(:'organization');
SELECT count(*) FILTER (WHERE webhook_endpoint_id = :'first') AS to_the_deleted,
    count(*) FILTER (WHERE webhook_endpoint_id = :'second') AS to_the_other
FROM checkout.claim_webhook_deliveries();
\c - shop_endpoints
SELECT event_type, status FROM checkout.list_webhook_events(:'session');
SELECT url FROM checkout.delete_webhook_endpoint(:'second', true);
SELECT event_type, status FROM checkout.list_webhook_events(:'session');

-- Sixteen in each environment; deleted ones do not count.
SELECT count(checkout.create_webhook_endpoint('https://shop.example/' || n)) FROM generate_series(1, 16) AS n;
SELECT testing.outcome('SELECT checkout.create_webhook_endpoint(''https://shop.example/17'')');
SELECT count(*), count(DISTINCT webhook_endpoint_id) AS ids FROM checkout.list_webhook_endpoints();
SELECT (checkout.delete_webhook_endpoint(webhook_endpoint_id)).url FROM checkout.list_webhook_endpoints() LIMIT 1;
SELECT testing.outcome('SELECT checkout.create_webhook_endpoint(''https://shop.example/17'')');
\c - shop_endpoints_test
SELECT testing.outcome('SELECT checkout.create_webhook_endpoint(''https://shop.example/2'')')
    AS in_the_other_environment;
-- Only the database has the secrets; the endpoint has no other.
\c - postgres
SELECT count(*) > 16 AS stored, bool_and(secret ~ '^whsec_') AS secrets, count(DISTINCT secret) = count(*) AS all_differ
FROM checkout_data.webhook_endpoints WHERE organization_id = :'organization';
CALL testing.forget_receivers();

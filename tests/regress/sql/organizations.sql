-- Organizations: roles with admin access create and change them; create uses their settings as defaults.
CREATE ROLE operator LOGIN;
SELECT checkout.grant_access('operator', 'admin');
\c - operator
\x
-- The defaults
SELECT checkout.create_organization('Plain') AS plain \gset
SELECT to_jsonb(o) - ARRAY['organization_id', 'created_at', 'updated_at'] AS settings,
    created_at = updated_at AS never_updated
FROM checkout.list_organizations() AS o WHERE organization_id = :'plain';
-- With all settings
SELECT checkout.create_organization(
    name => 'Every setting', default_lifetime => '2 hours', minimum_lifetime => '5 minutes',
    maximum_lifetime => '30 days',
    max_retry_attempts => 10, reference_policy => 'return_existing', sub_minor_amounts => true,
        payment_methods => '{card}',
    base_url => 'https://pay.example', expiring_notice => '10 minutes', maximum_lease => '1 hour',
    payment_method_leases => '{"card": "90 seconds"}', require_payment_amount => true,
    app_link_schemes => '{MyApp}', strict_parameters => true,
    allowed_origins => '{HTTPS://Shop.example:443,http://localhost:3000}',
    embedding_origins => '{https://Shop.example:443}', allow_restart => true, cancel_expires => true,
    payment_method_urls => '{"card": "https://pay.example/start?session={CHECKOUT_SESSION_ID}"}') AS every \gset
SELECT to_jsonb(o) - ARRAY['organization_id', 'created_at', 'updated_at'] AS settings
FROM checkout.list_organizations() AS o WHERE organization_id = :'every';
-- Changed one by one; a setting that is not named stays.
SELECT to_jsonb(o) - ARRAY['organization_id', 'created_at', 'updated_at'] AS settings,
    updated_at > created_at AS updated
FROM checkout.update_organization(:'every', name => 'Renamed') AS o;
SELECT max_retry_attempts, name FROM checkout.update_organization(:'every', max_retry_attempts => 0);
SELECT default_lifetime, maximum_lifetime FROM checkout.update_organization(:'every', default_lifetime => '3 hours');
SELECT sub_minor_amounts, reference_policy
FROM checkout.update_organization(:'every', sub_minor_amounts => false, reference_policy => 'none');
SELECT payment_methods FROM checkout.update_organization(:'every', payment_methods => '{a,b}');
-- An empty base_url and a zero notice remove the setting; a call without settings changes nothing.
SELECT base_url, expiring_notice, payment_method_leases, app_link_schemes, allowed_origins, embedding_origins,
    payment_method_urls
FROM checkout.update_organization(:'every', base_url => '', expiring_notice => '0', payment_method_leases => '{}',
    app_link_schemes => '{}', allowed_origins => '{}', embedding_origins => '{}', payment_method_urls => '{}');
SELECT maximum_lease, require_payment_amount, strict_parameters, allow_restart, cancel_expires
FROM checkout.update_organization(:'every', maximum_lease => '15 minutes', require_payment_amount => false,
    strict_parameters => false, allow_restart => false, cancel_expires => false);
SELECT to_jsonb(o) - ARRAY['organization_id', 'created_at', 'updated_at'] AS settings
FROM checkout.update_organization(:'every') AS o;
\x
-- Ids are random, so that one cannot be guessed from another.
SELECT substr(:'every', 15, 1) AS version;
-- An organization that comes from another database keeps its id.
SELECT checkout.create_organization('Moved', organization_id => '0b5e7b8a-0000-4000-8000-000000000001');
SELECT name FROM checkout.list_organizations() WHERE organization_id = '0b5e7b8a-0000-4000-8000-000000000001';
-- All organizations, oldest first
SELECT name FROM checkout.list_organizations() WHERE organization_id IN (:'plain', :'every');

-- These are refused.
\a
CREATE FUNCTION pg_temp.try(arguments jsonb) RETURNS text LANGUAGE sql AS
    $$ SELECT testing.outcome(testing.call('create_organization', '{"name": "Refused"}' || arguments)) $$;
SELECT argument, left(value, 40) AS value, pg_temp.try(jsonb_build_object(argument, value)) FROM (VALUES
    ('name', NULL), ('name', ''), ('name', repeat('x', 256)), ('name', E'bell\u0007'),
    ('default_lifetime', '0'), ('default_lifetime', '-1 hour'), ('default_lifetime', '999 ms'),
    ('default_lifetime', '49 hours'), ('default_lifetime', '178000000 years'),
    ('minimum_lifetime', '0'), ('minimum_lifetime', '999 ms'), ('minimum_lifetime', '2 hours'),
    ('minimum_lifetime', '49 hours'),
    ('maximum_lifetime', '31 days'), ('maximum_lifetime', '1 month 1 second'), ('maximum_lifetime', '59 minutes'),
    ('maximum_lifetime', '0'),
    ('max_retry_attempts', '-1'), ('max_retry_attempts', '11'), ('reference_policy', ''), ('reference_policy', 'open'),
    ('reference_policy', 'UNIQUE'),
    ('payment_methods', '{}'), ('payment_methods', '{NULL}'), ('payment_methods', '{a,a}'), ('payment_methods', '{""}'),
    ('base_url', 'pay.example'), ('base_url', 'javascript:alert(1)'), ('base_url', 'https://user@pay.example'),
    ('base_url', 'https://pay.example/' || repeat('x', 2029)), ('base_url', 'https://pay.example/c?k=1'),
    ('base_url', 'https://pay.example/#f'), ('base_url', 'https://pay.example/?id={CHECKOUT_SESSION}'),
    ('expiring_notice', '-1 second'), ('expiring_notice', '0.5 seconds'), ('expiring_notice', '31 days'),
    ('maximum_lease', '0'), ('maximum_lease', '31 days'), ('payment_method_leases', '[]'),
    ('payment_method_leases', '{"card": "soon"}'), ('app_link_schemes', '{https}'), ('app_link_schemes', '{NULL}'),
    ('allowed_origins', '{*}'), ('allowed_origins', '{https://shop.example/}'), ('allowed_origins', '{NULL}'),
    ('embedding_origins', '{*}'), ('embedding_origins', '{https://shop.example/cart}'),
    ('payment_method_urls', '[]'), ('payment_method_urls', '{"card": 1}'),
    ('payment_method_urls', '{"card": "javascript:alert(1)"}'), ('payment_method_urls', '{"": "https://pay.example"}'),
    ('base_url', 'https://pay.example/#/{CHECKOUT_SESSION_ID}'), ('base_url', 'https://pay.example/{CLIENT_SECRET}'),
    ('organization_id', '00000000-0000-0000-0000-000000000000'),
    ('organization_id', '0b5e7b8a-0000-4000-8000-000000000001')
) AS faults (argument, value);
-- The widest values
SELECT pg_temp.try(
    jsonb_build_object('name', repeat('ü', 255), 'minimum_lifetime', '1 second', 'maximum_lifetime', '1 month',
        'default_lifetime', '30 days', 'expiring_notice', '30 days')) AS widest;
SELECT pg_temp.try(
    '{"minimum_lifetime": "1 second", "maximum_lifetime": "1 second", "default_lifetime": "1 second", '
        '"expiring_notice": "1 second"}') AS narrowest;
-- The same for a change: the new settings are checked together with those that stay
SELECT arguments, testing.outcome(
        format('SELECT checkout.update_organization(%s)', replace(arguments, '$', quote_literal(:'every'))))
FROM unnest(ARRAY[
    'NULL', '''01890000-0000-4000-8000-000000000000''', '$, name => ''''', '$, minimum_lifetime => ''4 hours''',
    '$, maximum_lifetime => ''2 hours''',
    '$, default_lifetime => ''4 minutes''', '$, max_retry_attempts => 11', '$, reference_policy => ''any''',
    '$, payment_methods => ''{}''',
    '$, base_url => ''ftp://pay.example''', '$, expiring_notice => ''31 days''']) AS arguments;
SELECT name, default_lifetime, minimum_lifetime, maximum_lifetime, reference_policy
FROM checkout.list_organizations() WHERE organization_id = :'every';
SELECT count(*) AS refused_but_stored
FROM checkout.list_organizations() WHERE name = 'Refused' AND maximum_lifetime <> '1 second';

-- A session takes omitted values from its organization, when it is created.
\c - postgres
SELECT testing.login('shop_every', :'every');
SELECT default_lifetime
FROM checkout.update_organization(
    :'every', max_retry_attempts => 2, payment_methods => '{x}', expiring_notice => '30 minutes');
\c - shop_every
SELECT checkout_session_id AS id, expires_at - created_at AS lifetime, max_retry_attempts, payment_methods
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c') \gset
\echo :lifetime :max_retry_attempts :payment_methods
SELECT lifetime, testing.creation(jsonb_build_object('expires_in', lifetime))
FROM unnest('{4 minutes 59 seconds,5 minutes,30 days,1 month 1 second}'::text[]) AS lifetime;
\c - operator
SELECT max_retry_attempts
FROM checkout.update_organization(
    :'every', max_retry_attempts => 5, payment_methods => '{y}', default_lifetime => '6 minutes');
\c - shop_every
SELECT expires_at - created_at AS lifetime, max_retry_attempts, payment_methods
FROM checkout.get_checkout_session(:'id');
SELECT expires_at - created_at AS lifetime, max_retry_attempts, payment_methods
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
-- The tables refuse what the functions would, whoever writes it.
\c - postgres
SELECT setting, split_part(
    testing.outcome(format('UPDATE checkout_data.organizations SET %s WHERE organization_id = %L', setting, :'every')),
    ': ', 1) AS outcome
FROM unnest(ARRAY[$$base_url = 'HTTPS://pay.example'$$, $$base_url = 'javascript:alert(1)'$$, $$base_url = ''$$,
    $$payment_methods = '{}'$$]) AS setting;
SELECT api_key_id AS key_id FROM checkout.create_api_key(:'every', 'secret', 'live') \gset
SELECT split_part(
    testing.outcome(
        format('UPDATE checkout_data.api_keys SET payment_methods = ''{}'' WHERE api_key_id = %L', :'key_id')),
    ': ', 1) AS outcome;
\c - shop_every
-- Only admin access
SELECT testing.outcome(call)
FROM unnest(ARRAY[
    'SELECT checkout.create_organization(''Mine'')', 'SELECT checkout.list_organizations()',
    format('SELECT checkout.update_organization(%L, name => ''Mine'')', :'every'), 'SELECT checkout.worker_status()',
    'SELECT checkout.outbox_status()'
]) AS call;
\c - operator
SELECT testing.outcome(call)
FROM unnest(ARRAY[
    'SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')',
    'SELECT checkout.list_checkout_sessions()', 'SELECT checkout.claim_webhook_events(''jobs'')',
    'SELECT checkout.grant_access(''operator'', ''secret'')', 'SELECT * FROM checkout_data.organizations'
]) AS call;

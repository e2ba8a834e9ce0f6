-- API keys: an administrator creates them and sees them once, and lists, revokes and rolls them.
SELECT checkout.create_organization('Keys') AS organization,
    checkout.create_organization('Keys of others') AS other \gset
CREATE ROLE key_admin LOGIN;
SELECT checkout.grant_access('key_admin', 'admin');
-- Says whether a key is accepted.
CREATE FUNCTION testing.accepted(key text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM checkout.authenticate(key);
    RAISE 'back to where it was' USING ERRCODE = 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN RETURN true;
    WHEN invalid_authorization_specification THEN RETURN false;
END $$;
\c - key_admin

-- A key with every argument
SELECT api_key AS key, api_key_id AS id,
    to_jsonb(k) - '{api_key,api_key_id,created_at,organization_id}'::text[] AS rest,
    k.organization_id = :'organization' AS of_the_organization,
    k.created_at BETWEEN now() AND clock_timestamp() AS created_now
FROM checkout.create_api_key(
    :'organization', 'secret', 'live', name => 'Till', payment_methods => '{card,payid}',
    expires_at => '2999-01-01 00:00+00') AS k \gset
\echo :rest of the organization :of_the_organization, created now :created_now
-- Its form: prefix, id, 256 random bits, checksum; only letters and digits after the prefix
SELECT :'key' ~ '^sk_live_[0-9A-Za-z]{61}$' AS shaped;
SELECT left(:'key', 20) = :'id' AS begins_with_its_id;
SELECT testing.checksum(left(:'key', 63)) = right(:'key', 6) AS checksum;
SELECT testing.checksum('123456789') AS checksum_of_the_digits;
-- One of each kind and environment, with no other arguments
SELECT left(api_key, 8) AS prefix, k.kind, k.environment, name, payment_methods, status, expires_at, revoked_at,
    replaced_by, last_used_at
FROM unnest('{secret,restricted,publishable}'::text[]) AS kind, unnest('{live,test}'::text[]) AS environment,
    checkout.create_api_key(:'organization', kind, environment) AS k;
-- No two are equal.
SELECT count(DISTINCT right(testing.key(:'other'), 61)) AS different FROM generate_series(1, 20);

-- The stored digest identifies the key, and is not the key.
\c - postgres
SELECT digest = sha256(:'key'::bytea) AS is_the_digest, k::text LIKE '%' || substr(:'key', 21) || '%' AS has_the_key,
    k::text ~ encode(substr(:'key', 21)::bytea, 'hex') AS has_it_in_hex, payment_methods, created_by
FROM checkout_data.api_keys AS k WHERE api_key_id = :'id';
SELECT count(*) AS stored, count(DISTINCT digest) AS digests FROM checkout_data.api_keys WHERE organization_id IN
    (:'organization', :'other');

-- A list has the keys of one organization, or of all, but never their texts.
\c - key_admin
SELECT left(api_key_id, 8) AS prefix, organization_id = :'organization' AS of_the_organization, kind, environment, name,
    status, created_by, api_key
FROM checkout.list_api_keys(:'organization');
SELECT count(*) FILTER (WHERE organization_id = :'organization') AS own,
    count(*) FILTER (WHERE organization_id = :'other') AS of_other,
    bool_or(k::text LIKE '%' || substr(:'key', 21) || '%') AS shows_the_key, count(api_key) AS keys
FROM checkout.list_api_keys() AS k;
SELECT count(*) AS of_nobody FROM checkout.list_api_keys('01890000-0000-7000-8000-000000000000');

-- A revoked key is refused from that moment on, also in the transaction that revokes it. A second revocation changes
-- nothing.
SELECT testing.accepted(:'key');
BEGIN;
SELECT api_key_id = :'id' AS same, status, revoked_at BETWEEN now() AND clock_timestamp() AS revoked_now, api_key
FROM checkout.revoke_api_key(:'id');
SELECT testing.accepted(:'key');
ROLLBACK;
SELECT testing.accepted(:'key');
SELECT revoked_at FROM checkout.revoke_api_key(:'id') \gset
SELECT testing.accepted(:'key');
SELECT status, revoked_at = :'revoked_at' AS as_before FROM checkout.revoke_api_key(:'id');
SELECT status, revoked_at = :'revoked_at' AS as_before
FROM checkout.list_api_keys(:'organization') WHERE api_key_id = :'id';
-- The whole key stands for the key of that name.
SELECT testing.key(:'organization') AS key \gset
SELECT api_key_id = left(:'key', 20) AS same, status FROM checkout.revoke_api_key(:'key');
-- Created and revoked at once
BEGIN;
SELECT testing.key(:'organization') AS key \gset
SELECT testing.accepted(:'key');
SELECT status FROM checkout.revoke_api_key(left(:'key', 20));
SELECT testing.accepted(:'key');
COMMIT;

-- A rolled key has a successor of the same kind. For the overlap, by default a day, both are accepted.
SELECT api_key AS key, api_key_id AS id FROM checkout.create_api_key(:'organization', 'publishable', 'test', name =>
    'Web', payment_methods => '{card}') \gset
SELECT api_key AS successor, api_key_id AS successor_id, to_jsonb(k) -
    '{api_key,api_key_id,created_at,organization_id}'::text[] AS rest
FROM checkout.roll_api_key(:'id') AS k \gset
\echo :rest
SELECT testing.accepted(:'key') AS old;
SELECT testing.accepted(:'successor') AS new;
SELECT left(:'successor', 20) = :'successor_id' AS named;
SELECT status, replaced_by = :'successor_id' AS replaced, expires_at - now() BETWEEN '23:59:00' AND '1 day' AS for_a_day
FROM checkout.list_api_keys(:'organization') WHERE api_key_id = :'id';
SELECT testing.outcome(format('SELECT checkout.roll_api_key(%L)', :'id')) AS rolled_again;
-- Without an overlap the old one ends at once. The successor can be rolled, too.
SELECT api_key AS last, api_key_id AS last_id FROM checkout.roll_api_key(:'successor_id', overlap => '0') \gset
SELECT testing.accepted(:'key') AS first;
SELECT testing.accepted(:'successor') AS second;
SELECT testing.accepted(:'last') AS third;
SELECT testing.outcome(format('SELECT checkout.roll_api_key(%L)', :'successor_id')) AS rolled_after_its_end;
-- By its whole text, too
SELECT api_key_id <> left(:'last', 20) AS another, status FROM checkout.roll_api_key(:'last', '30 days');
SELECT replaced_by IS NOT NULL AS replaced, status
FROM checkout.list_api_keys(:'organization') WHERE api_key_id = :'last_id';
-- Revoking the old one ends the overlap.
SELECT status FROM checkout.revoke_api_key(:'last_id');
SELECT testing.accepted(:'last');
SELECT testing.outcome(format('SELECT checkout.roll_api_key(%L)', :'last_id')) AS rolled_when_revoked;

-- The successor of a key with an end lives as long. An overlap does not lengthen the life of the old key.
SELECT api_key_id AS id, expires_at AS ends FROM checkout.create_api_key(:'organization', 'secret', 'live', expires_at
    => now() + '2 hours') \gset
SELECT api_key_id AS successor_id, expires_at - created_at BETWEEN '01:59:59' AND '02:00:01' AS as_long
FROM checkout.roll_api_key(:'id', '1 day') \gset
SELECT :'as_long' AS as_long, expires_at = :'ends' AS ends_as_before
FROM checkout.list_api_keys(:'organization') WHERE api_key_id = :'id';
SELECT expires_at = '2999-01-01' AS as_told FROM checkout.roll_api_key(:'successor_id', expires_at => '2999-01-01');
-- A shorter overlap makes the old key end earlier.
SELECT api_key_id AS id FROM checkout.create_api_key(:'organization', 'secret', 'live', expires_at => now() +
    '2 hours') \gset
SELECT count(*) FROM checkout.roll_api_key(:'id', '1 hour');
SELECT expires_at - now() BETWEEN '00:59:00' AND '01:00:00' AS earlier FROM checkout.list_api_keys(:'organization')
    WHERE api_key_id = :'id';
-- The successor of a key without an end has none either, unless one is given.
SELECT api_key_id AS id FROM checkout.create_api_key(:'organization', 'secret', 'live') \gset
SELECT api_key_id AS next_id, expires_at IS NULL AS for_ever FROM checkout.roll_api_key(:'id') \gset
\echo :for_ever
SELECT expires_at = '2999-01-01' AS as_told FROM checkout.roll_api_key(:'next_id', expires_at => '2999-01-01');

-- A key ends by the clock.
SELECT api_key AS key, api_key_id AS id FROM checkout.create_api_key(:'organization', 'secret', 'live', expires_at =>
    now() + '1 hour') \gset
SELECT testing.accepted(:'key');
\c - postgres
UPDATE checkout_data.api_keys SET created_at = created_at - interval '1 hour', expires_at = expires_at - interval
    '1 hour' WHERE api_key_id = :'id';
\c - key_admin
SELECT testing.accepted(:'key');
SELECT status FROM checkout.list_api_keys(:'organization') WHERE api_key_id = :'id';
SELECT testing.outcome(format('SELECT checkout.roll_api_key(%L)', :'id')) AS rolled_when_expired;
-- Revoked after that, it is listed as revoked.
SELECT status FROM checkout.revoke_api_key(:'id');

-- Wrong arguments are refused, by name.
SELECT testing.key(:'organization') AS key \gset
SELECT left(:'key', 20) AS id \gset
\a
SELECT arguments, testing.outcome(format('SELECT checkout.create_api_key(%s)', replace(arguments, 'ORG',
    quote_literal(:'organization')))) AS outcome FROM (VALUES
    ('NULL, ''secret'', ''live'''), ('ORG, NULL, ''live'''), ('ORG, ''secret'', NULL'),
        ('ORG, ''reading'', ''live'''), ('ORG, ''Secret'', ''live'''), ('ORG, '''', ''live'''),
    ('ORG, ''secret'', ''production'''), ('ORG, ''secret'', ''Test'''), ('ORG, ''secret'', ''live '''),
    ('''01890000-0000-7000-8000-000000000000'', ''secret'', ''live'''),
    ('ORG, ''secret'', ''live'', name => '''''), ('ORG, ''secret'', ''live'', name => repeat(''n'', 256)'),
        ('ORG, ''secret'', ''live'', name => repeat(''ü'', 255)'),
    ('ORG, ''secret'', ''live'', payment_methods => ''{}'''),
        ('ORG, ''secret'', ''live'', payment_methods => ''{NULL}'''),
        ('ORG, ''secret'', ''live'', payment_methods => ''{""}'''),
    ('ORG, ''secret'', ''live'', payment_methods => ''{card,card}'''),
    ('ORG, ''secret'', ''live'', expires_at => now()'), ('ORG, ''secret'', ''live'', expires_at => ''2001-01-01'''),
    ('ORG, ''secret'', ''live'', expires_at => ''infinity'''),
        ('ORG, ''secret'', ''live'', expires_at => ''-infinity''')) AS calls (arguments);
SELECT function, arguments, testing.outcome(format('SELECT checkout.%s(%s)', function, replace(arguments, 'ID',
    quote_literal(:'id')))) AS outcome FROM (VALUES
    ('revoke_api_key', 'NULL'), ('revoke_api_key', ''''''), ('revoke_api_key', '''Till'''), ('revoke_api_key',
        '''sk_live_'''), ('revoke_api_key', '''sk_live_0123456789ab'''),
    ('revoke_api_key', '''SK_LIVE_0123456789AB'''), ('revoke_api_key', '''%'''), ('revoke_api_key',
        '''sk_live_ '' || repeat(''é'', 300)'),
    ('roll_api_key', 'NULL'), ('roll_api_key', '''sk_live_0123456789ab'''), ('roll_api_key', 'ID, overlap => NULL'),
        ('roll_api_key', 'ID, overlap => ''-1 second'''),
    ('roll_api_key', 'ID, overlap => ''30 days 00:00:01'''), ('roll_api_key', 'ID, overlap => ''1 year'''),
        ('roll_api_key', 'ID, expires_at => now()'),
    ('roll_api_key', 'ID, expires_at => ''2001-01-01'''), ('roll_api_key', 'ID, expires_at => ''infinity''')) AS calls
        (function, arguments);
\a
-- None of these calls has changed it.
SELECT status, expires_at, replaced_by, testing.accepted(:'key')
FROM checkout.list_api_keys(:'organization') WHERE api_key_id = :'id';

-- An error does not repeat a whole key that is given instead of a name, whether it is mistyped or unknown to this
-- database.
SELECT left(replace(:'key', left(:'key', 20), 'sk_live_0123456789ab'), 63) AS of_another \gset
SELECT :'of_another' || testing.checksum(:'of_another') AS of_another \gset
SELECT what, function, testing.masked(split_part(error, ' / SQL statement', 1)) AS error,
    error ~ substr(:'key', 21, 6) AS repeats_the_secret
FROM (VALUES
    ('mistyped', :'key' || 'x'), ('cut short', left(:'key', 60)), ('of another database', :'of_another')
) AS keys (what, given), unnest('{revoke_api_key,roll_api_key}'::text[]) AS function,
    LATERAL (SELECT testing.whole_error(format('SELECT checkout.%I($1[1])', function), given)) AS whole (error);

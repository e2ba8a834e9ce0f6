-- API keys of organizations.

CREATE DOMAIN checkout_data.api_key_kind AS text COLLATE "C" CHECK (
    VALUE IN ('secret', 'restricted', 'publishable'));

-- Of the credentials that create sessions.
CREATE DOMAIN checkout_data.creator_kind AS text COLLATE "C" CHECK (VALUE IN ('secret', 'publishable'));

-- Unlike in all other tables, the organization does not lead the primary key: the key is looked up to find it.
CREATE TABLE checkout_data.api_keys (
    api_key_id text COLLATE "C" PRIMARY KEY CHECK (api_key_id ~ '^[srp]k_(live|test)_[0-9A-Za-z]{12}$'),
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    kind checkout_data.api_key_kind NOT NULL,
    digest checkout_data.sha256 NOT NULL,
    name checkout_data.identifier,
    payment_methods text[] CHECK (cardinality(payment_methods) > 0),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz CHECK (expires_at >= created_at),
    revoked_at timestamptz,
    last_used_at timestamptz,
    replaced_by text,
    -- The id says what the key is, so that both cannot differ.
    CONSTRAINT api_keys_id_check CHECK (
        left(api_key_id, 8) = left(kind, 1) || 'k_' || environment || '_')
);
COMMENT ON TABLE checkout_data.api_keys IS
    'The API keys of the organizations. Only digests are stored, never the keys themselves.';
COMMENT ON COLUMN checkout_data.api_keys.api_key_id IS 'The name of the key: its first 20 characters. Not a secret.';
COMMENT ON COLUMN checkout_data.api_keys.digest IS
    'SHA-256 of the whole key. A key has 256 random bits, so it needs neither salt nor stretching.';
COMMENT ON COLUMN checkout_data.api_keys.payment_methods IS
    'The payment methods of sessions that are created with this key and name none. NULL: the organization''s.';
COMMENT ON COLUMN checkout_data.api_keys.last_used_at IS 'Written by the worker, about a minute late.';
COMMENT ON COLUMN checkout_data.api_keys.replaced_by IS 'The key that replaced this one when it was rolled.';
CREATE INDEX api_keys_organization_idx ON checkout_data.api_keys (organization_id);

CREATE TYPE checkout.api_key AS (
    api_key_id text,
    organization_id uuid,
    environment text,
    kind text,
    name text,
    payment_methods text[],
    status text,
    created_at timestamptz,
    created_by text,
    expires_at timestamptz,
    revoked_at timestamptz,
    replaced_by text,
    last_used_at timestamptz,
    api_key text
);
COMMENT ON TYPE checkout.api_key IS 'An API key of an organization.';
COMMENT ON COLUMN checkout.api_key.api_key_id IS 'The name of the key: its first 20 characters. Not a secret.';
COMMENT ON COLUMN checkout.api_key.kind IS 'secret (for servers), restricted (only reads) or publishable (for browsers).';
COMMENT ON COLUMN checkout.api_key.status IS 'active, replaced (rolled, and still accepted), expired or revoked.';
COMMENT ON COLUMN checkout.api_key.replaced_by IS 'The key that replaced this one when it was rolled.';
COMMENT ON COLUMN checkout.api_key.last_used_at IS
    'Updated about a minute late. NULL where the library is not preloaded.';
COMMENT ON COLUMN checkout.api_key.api_key IS
    'The key itself. Only the call that creates it returns it; otherwise NULL.';

CREATE FUNCTION checkout_data.api_key_of(k checkout_data.api_keys, at timestamptz, api_key text)
    RETURNS checkout.api_key
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        k.api_key_id, k.organization_id, k.environment, k.kind, k.name, k.payment_methods,
        CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
            WHEN k.expires_at OPERATOR(pg_catalog.<=) at THEN 'expired'
            WHEN k.replaced_by IS NOT NULL THEN 'replaced' ELSE 'active' END,
        k.created_at, k.created_by, k.expires_at, k.revoked_at, k.replaced_by, k.last_used_at, api_key
    )::checkout.api_key
    $$;
COMMENT ON FUNCTION checkout_data.api_key_of IS 'Returns an API key as administrators see it at a time.';

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.create_api_key(
    organization_id uuid,
    kind text,
    environment text,
    name text DEFAULT NULL,
    payment_methods text[] DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL
) RETURNS checkout.api_key
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_api_key_wrapper';
COMMENT ON FUNCTION checkout.create_api_key IS
$$Creates an API key and returns it, this one time with the key itself in api_key.

Only the SHA-256 of the key is stored.

- kind: secret (for servers: all that the organization may do), restricted (reads all that the organization has, and
  changes nothing: for dashboards and reports) or publishable (for browsers: creates sessions).
- environment: live or test.
- name: a description for people.
- payment_methods: the payment methods of sessions that are created with the key and name none. Default: the
  organization's.
- expires_at: when the key stops working. Default: never.

Errors:
- 22004, 22023: an argument is missing or wrong.
- PT404: the organization does not exist.$$;

CREATE FUNCTION checkout.list_api_keys(
    organization_id uuid DEFAULT NULL
) RETURNS SETOF checkout.api_key
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_api_keys_wrapper';
COMMENT ON FUNCTION checkout.list_api_keys IS
$$Returns the API keys of one organization, or of all, oldest first.

The keys themselves are never returned.$$;

CREATE FUNCTION checkout.revoke_api_key(
    api_key_id text
) RETURNS checkout.api_key
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'revoke_api_key_wrapper';
COMMENT ON FUNCTION checkout.revoke_api_key IS
$$Makes an API key invalid, at once and for good, and returns it.

A key that is already revoked does not change.

- api_key_id: the first 20 characters of the key.

Errors:
- 22004: api_key_id is missing.
- 22P02: api_key_id is not the id of a key.
- PT404: the key does not exist.$$;

CREATE FUNCTION checkout.roll_api_key(
    api_key_id text,
    overlap interval DEFAULT '24 hours',
    expires_at timestamptz DEFAULT NULL
) RETURNS checkout.api_key
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'roll_api_key_wrapper';
COMMENT ON FUNCTION checkout.roll_api_key IS
$$Creates an API key that replaces another, and returns it with the key itself.

- api_key_id: the first 20 characters of the old key.
- overlap: how long the old key is still accepted, 0 to 30 days. With 0 it is invalid at once.
- expires_at: when the new key stops working. Default: if the old key was created with an end, the new key lives as
  long as the old one did; otherwise never.

Errors:
- 22003, 22004, 22023, 22P02: an argument is missing or wrong.
- PT404: the key does not exist.
- PT409: the key is already revoked, expired or replaced.$$;

-- Webhook endpoints: the URLs that organizations have their events sent to.

CREATE DOMAIN checkout_data.webhook_secret AS text CHECK (VALUE ~ '^whsec_[A-Za-z0-9+/]+={0,2}$');

CREATE TABLE checkout_data.webhook_endpoints (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    url text NOT NULL CHECK (url ~* '^https?://'),
    event_types text[] NOT NULL CHECK (cardinality(event_types) > 0),
    body_format text NOT NULL CHECK (body_format IN ('canonical', 'kobo', 'lomi', 'paygate', 'flutterwave', 'yuno')),
    signature_scheme text NOT NULL CHECK (signature_scheme IN ('standard', 'stripe')),
    description text,
    secret checkout_data.webhook_secret NOT NULL,
    previous_secret checkout_data.webhook_secret,
    previous_secret_expires_at timestamptz,
    disabled_at timestamptz,
    disabled_reason text CHECK (disabled_reason IN ('requested', 'gone', 'failing')),
    failing_since timestamptz,
    event_count checkout_data.count NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    slot integer NOT NULL CHECK (slot BETWEEN 1 AND 16),
    CONSTRAINT webhook_endpoints_state_check CHECK (
        (disabled_at IS NULL) = (disabled_reason IS NULL)
        AND (previous_secret IS NULL) = (previous_secret_expires_at IS NULL))
);
COMMENT ON TABLE checkout_data.webhook_endpoints IS
    'The URLs that events of organizations are sent to, and the secrets that sign them.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.event_types IS
    'Names of events, beginnings of names followed by *, or * for all.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.previous_secret IS
    'Also signs what is sent, until previous_secret_expires_at.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.disabled_reason IS
    'requested: by its organization. gone: it answered 410. failing: for five days.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.failing_since IS
    'Since this time no attempt has succeeded. NULL: the last attempt succeeded.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.deleted_at IS
    'The worker removes the row and its deliveries an hour later: transactions that are writing events may still see '
    'the endpoint.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.slot IS
    'A number from 1 to 16, unique within the organization and environment. It limits the number of endpoints.';
CREATE UNIQUE INDEX webhook_endpoints_slot_idx ON checkout_data.webhook_endpoints (organization_id, environment, slot)
    WHERE deleted_at IS NULL;
-- Serves claims, which go from endpoint to endpoint.
CREATE INDEX webhook_endpoints_enabled_idx ON checkout_data.webhook_endpoints (webhook_endpoint_id)
    WHERE disabled_at IS NULL AND deleted_at IS NULL;
ALTER TABLE checkout_data.webhook_endpoints ADD CONSTRAINT webhook_endpoints_pkey
    PRIMARY KEY (organization_id, environment, webhook_endpoint_id);

CREATE TYPE checkout.webhook_endpoint AS (
    webhook_endpoint_id uuid,
    organization_id uuid,
    environment text,
    url text,
    event_types text[],
    body_format text,
    signature_scheme text,
    description text,
    enabled boolean,
    disabled_reason text,
    disabled_at timestamptz,
    failing_since timestamptz,
    created_at timestamptz,
    created_by text,
    updated_at timestamptz,
    previous_secret_expires_at timestamptz,
    secret text
);
COMMENT ON TYPE checkout.webhook_endpoint IS 'A URL that events of an organization are sent to.';
COMMENT ON COLUMN checkout.webhook_endpoint.event_types IS
    'Names of events, beginnings of names followed by *, or * for all.';
COMMENT ON COLUMN checkout.webhook_endpoint.body_format IS
    'canonical, or the dialect in which bodies are written: kobo, lomi, paygate, flutterwave, yuno.';
COMMENT ON COLUMN checkout.webhook_endpoint.signature_scheme IS
    'standard (Standard Webhooks) or stripe (for receivers that have constructEvent).';
COMMENT ON COLUMN checkout.webhook_endpoint.enabled IS 'While false, deliveries to the endpoint wait.';
COMMENT ON COLUMN checkout.webhook_endpoint.disabled_reason IS
    'requested, gone (it answered 410) or failing (for five days).';
COMMENT ON COLUMN checkout.webhook_endpoint.failing_since IS
    'Since this time no attempt has succeeded. NULL: the last attempt succeeded.';
COMMENT ON COLUMN checkout.webhook_endpoint.previous_secret_expires_at IS
    'Until this time the previous secret also signs what is sent.';
COMMENT ON COLUMN checkout.webhook_endpoint.secret IS
    'Receivers verify signatures with it. Only the call that creates it returns it; otherwise NULL.';

CREATE FUNCTION checkout_data.endpoint_of(p checkout_data.webhook_endpoints, secret text)
    RETURNS checkout.webhook_endpoint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.webhook_endpoint_id, p.organization_id, p.environment, p.url, p.event_types, p.body_format,
        p.signature_scheme, p.description, p.disabled_at IS NULL, p.disabled_reason, p.disabled_at, p.failing_since,
        p.created_at, p.created_by, p.updated_at, p.previous_secret_expires_at, secret
    )::checkout.webhook_endpoint
    $$;
COMMENT ON FUNCTION checkout_data.endpoint_of IS 'Returns a webhook endpoint as callers see it.';

CREATE FUNCTION checkout_data.event_type_matches(
    event_types text[],
    body_format text,
    event_type text
) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'event_type_matches_wrapper';
COMMENT ON FUNCTION checkout_data.event_type_matches IS
    'Returns true if a receiver with these event_types and this body_format gets events of this type. It asks for an '
    'event by our name or by that in its bodies.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.create_webhook_endpoint(
    url text,
    event_types text[] DEFAULT '{*}',
    body_format text DEFAULT 'canonical',
    signature_scheme text DEFAULT 'standard',
    description text DEFAULT NULL
) RETURNS checkout.webhook_endpoint
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_webhook_endpoint_wrapper';
COMMENT ON FUNCTION checkout.create_webhook_endpoint IS
$$Registers a URL for the organization's events in this environment, and returns the endpoint with its secret.

Receivers verify signatures with the secret; it is returned only this time. From now on events of its event_types go to
the endpoint. Other endpoints and consumers lose nothing. Earlier events, and those of transactions that have already
begun, do not go to it; redeliver_webhook_events sends them.

- url: https, at a public address. In the test environment also http to this machine (localhost).
- event_types: names of events (checkout.session.completed), beginnings of names followed by * (checkout.session.*),
  or * for all.
- body_format: canonical, or the dialect in which bodies are written: kobo, lomi, paygate, flutterwave, yuno. In lomi and
  paygate, the event of a session that has failed is checkout.session.expired: who asks for that gets it.
- signature_scheme: standard (Standard Webhooks 1.0.0) or stripe (for receivers that have constructEvent).
- description: for people.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT409: there are 16 endpoints already.$$;

CREATE FUNCTION checkout.list_webhook_endpoints() RETURNS SETOF checkout.webhook_endpoint
    LANGUAGE c STABLE STRICT SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_webhook_endpoints_wrapper';
COMMENT ON FUNCTION checkout.list_webhook_endpoints IS
$$Returns the organization's webhook endpoints in this environment, oldest first, without their secrets.

Errors:
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.$$;

CREATE FUNCTION checkout.update_webhook_endpoint(
    webhook_endpoint_id uuid,
    url text DEFAULT NULL,
    event_types text[] DEFAULT NULL,
    body_format text DEFAULT NULL,
    signature_scheme text DEFAULT NULL,
    description text DEFAULT NULL,
    enabled boolean DEFAULT NULL
) RETURNS checkout.webhook_endpoint
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'update_webhook_endpoint_wrapper';
COMMENT ON FUNCTION checkout.update_webhook_endpoint IS
$$Changes a webhook endpoint, and returns it.

A setting whose argument is NULL stays as it is. An empty description removes the description.

- url, event_types, body_format, signature_scheme, description: as for create_webhook_endpoint.
- enabled: with false, deliveries to the endpoint wait, including those of events written later. With true, they are
  due at once.

An endpoint is disabled automatically when it answers 410 or has failed for five days. The event
webhook_endpoint.disabled informs the organization's other endpoints.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the endpoint does not exist.$$;

CREATE FUNCTION checkout.delete_webhook_endpoint(
    webhook_endpoint_id uuid,
    discard_undelivered boolean DEFAULT false
) RETURNS checkout.webhook_endpoint
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'delete_webhook_endpoint_wrapper';
COMMENT ON FUNCTION checkout.delete_webhook_endpoint IS
$$Removes a webhook endpoint with its deliveries and attempts, and returns it.

- discard_undelivered: must be true if there are events that the endpoint has not received yet. Those are then not
  sent, and neither are events of transactions in progress, unless you redeliver them to another endpoint. To receive
  them elsewhere, change the url of the endpoint instead.

Errors:
- 22004: an argument is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the endpoint does not exist.
- PT409: the endpoint has undelivered events.$$;

CREATE FUNCTION checkout.roll_webhook_secret(
    webhook_endpoint_id uuid,
    overlap interval DEFAULT '24 hours'
) RETURNS checkout.webhook_endpoint
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'roll_webhook_secret_wrapper';
COMMENT ON FUNCTION checkout.roll_webhook_secret IS
$$Gives a webhook endpoint a new secret, and returns the endpoint, this one time with the secret.

- overlap: how long the old secret also signs what is sent, 0 to 30 days, so that receivers can change over. With 0 it
  ends at once.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the endpoint does not exist.$$;

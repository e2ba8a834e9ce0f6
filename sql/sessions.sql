-- Checkout sessions: their table, and the functions that read and end them. Those that create them: new_sessions.sql.

CREATE DOMAIN checkout_data.session_status AS text CHECK (VALUE IN ('open', 'complete', 'failed', 'expired'));
CREATE DOMAIN checkout_data.session_payment_status AS text CHECK (VALUE IN
    ('unpaid', 'processing', 'paid', 'no_payment_required'));
CREATE DOMAIN checkout_data.session_amount AS numeric
    CHECK (VALUE >= 0 AND VALUE < 1000000000000000 AND scale(VALUE) <= 4);
CREATE DOMAIN checkout_data.country_code AS text CHECK (VALUE ~ '^[A-Z]{2}$');
CREATE DOMAIN checkout_data.reference_constraint AS text CHECK (VALUE IN ('none', 'unique', 'open'));

-- No foreign key to organizations: it would lock the organization's row in every create, and row locks of concurrent
-- creates pile up in multixacts. See also references.sql.
CREATE TABLE checkout_data.checkout_sessions (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    status checkout_data.session_status NOT NULL DEFAULT 'open',
    payment_status checkout_data.session_payment_status NOT NULL DEFAULT 'unpaid',
    amount checkout_data.session_amount NOT NULL,
    currency_code checkout_data.currency_code NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    lease_expires_at timestamptz,
    completed_at timestamptz,
    payment_id text COLLATE "C",
    attempts checkout_data.count NOT NULL DEFAULT 0,
    max_retry_attempts checkout_data.retries NOT NULL,
    event_count checkout_data.count NOT NULL DEFAULT 0,
    quantity checkout_data.positive NOT NULL DEFAULT 1,
    allow_quantity boolean NOT NULL DEFAULT false,
    allow_coupon_code boolean NOT NULL DEFAULT false,
    require_billing_address boolean NOT NULL DEFAULT false,
    is_spi boolean NOT NULL DEFAULT false,
    is_pos boolean NOT NULL DEFAULT false,
    has_terms boolean NOT NULL DEFAULT false,
    reference text COLLATE "C",
    reference_policy checkout_data.reference_constraint NOT NULL DEFAULT 'none',
    recovered_from uuid,
    created_by text COLLATE "C",
    created_with checkout_data.creator_kind NOT NULL DEFAULT 'secret',
    id_prefix text,
    trace_id text,
    title text,
    description text,
    product_id text,
    price_id text,
    subscription_id text,
    payment_link_id text,
    country checkout_data.country_code,
    customer_id text COLLATE "C",
    customer_email text COLLATE "C",
    customer_name text,
    customer_phone text,
    success_url text,
    cancel_url text,
    payment_methods text[],
    metadata checkout_data.json_object NOT NULL DEFAULT '{}',
    CONSTRAINT checkout_sessions_expires_at_check CHECK (expires_at > created_at),
    -- The server reads these again for every statement, so they are as short as they can be.
    CONSTRAINT checkout_sessions_paid_check CHECK (
        payment_status = CASE WHEN lease_expires_at IS NOT NULL THEN 'processing' WHEN payment_id IS NOT NULL THEN 'paid'
            WHEN completed_at IS NOT NULL THEN 'no_payment_required' ELSE 'unpaid' END
        AND (status = 'complete') = (completed_at IS NOT NULL)
        AND (payment_id IS NULL OR completed_at IS NOT NULL)
    ),
    CONSTRAINT checkout_sessions_amount_check CHECK (
        CASE WHEN amount > 0 THEN (payment_id IS NULL) = (completed_at IS NULL) ELSE has_terms END
    ),
    CONSTRAINT checkout_sessions_lease_check CHECK (
        CASE WHEN status = 'open' THEN lease_expires_at IS NOT NULL OR attempts <= max_retry_attempts
            ELSE lease_expires_at IS NULL END
    )
) WITH (fillfactor = 85);
COMMENT ON TABLE checkout_data.checkout_sessions IS
    'One row per checkout session. Only the state of a session changes, and no index has any of it.';
COMMENT ON COLUMN checkout_data.checkout_sessions.environment IS
    'live or test. Part of the key: the two never see each other, and a million test sessions do not slow the live '
    'list.';
COMMENT ON COLUMN checkout_data.checkout_sessions.checkout_session_id IS
    'UUIDv7 of created_at: keys sort in order of creation and serve as the list''s cursor.';
COMMENT ON COLUMN checkout_data.checkout_sessions.status IS
    'As last written. For readers, an open row is expired once its deadline has passed: see '
    'checkout_data.effective_status(). Nothing writes that here, unless a payment comes too late.';
COMMENT ON COLUMN checkout_data.checkout_sessions.lease_expires_at IS
    'Until this time the payment in progress holds the session open.';
COMMENT ON COLUMN checkout_data.checkout_sessions.event_count IS
    'The number of webhook events of the session: the sequence of the last one. If the row says open and open_sessions '
    'has none, the event of the expiry comes on top.';
COMMENT ON COLUMN checkout_data.checkout_sessions.created_with IS
    'publishable: a browser created the session and chose its amount. The reference policy does not apply to it, and '
    'a server that creates a session never gets it as a replay.';
COMMENT ON COLUMN checkout_data.checkout_sessions.id_prefix IS
    'In URLs {CHECKOUT_SESSION_ID} becomes this prefix and the id without hyphens. NULL: the id as a UUID.';
COMMENT ON COLUMN checkout_data.checkout_sessions.has_terms IS
    'True if the session has lines and a row in session_terms. Without, nothing else is read or written for them.';
COMMENT ON COLUMN checkout_data.checkout_sessions.reference_policy IS
    'The uniqueness of the reference that applied when the session was created.';

-- Serve list by customer and by reference, newest first, and what was recovered from a session.
CREATE INDEX checkout_sessions_customer_email_idx
    ON checkout_data.checkout_sessions (organization_id, environment, customer_email, checkout_session_id)
    WHERE customer_email IS NOT NULL;
-- Serves who asks whether a customer has bought before, however he writes his address. Nearly all are in lower case.
CREATE INDEX checkout_sessions_customer_email_folded_idx
    ON checkout_data.checkout_sessions (organization_id, environment, checkout_data.folded(customer_email))
    WHERE customer_email <> checkout_data.folded(customer_email);
CREATE INDEX checkout_sessions_customer_id_idx
    ON checkout_data.checkout_sessions (organization_id, environment, customer_id, checkout_session_id)
    WHERE customer_id IS NOT NULL;
CREATE INDEX checkout_sessions_recovered_from_idx
    ON checkout_data.checkout_sessions (organization_id, environment, recovered_from)
    WHERE recovered_from IS NOT NULL;
CREATE INDEX checkout_sessions_reference_idx
    ON checkout_data.checkout_sessions (organization_id, environment, reference, checkout_session_id)
    WHERE reference IS NOT NULL;
-- Serves queries of the view that are in the order of created_at, or about a time.
CREATE INDEX checkout_sessions_created_at_idx
    ON checkout_data.checkout_sessions (organization_id, environment, created_at);
-- Enforces the reference policy unique; that of open sessions is in open_sessions.
CREATE UNIQUE INDEX checkout_sessions_reference_unique_idx
    ON checkout_data.checkout_sessions (organization_id, environment, reference) WHERE reference_policy = 'unique';
ALTER TABLE checkout_data.checkout_sessions ADD CONSTRAINT checkout_sessions_pkey
    PRIMARY KEY (organization_id, environment, checkout_session_id);

-- The state of a session at a time, and the session as callers see it. Like all functions that show rows, each is one
-- expression without a search path of its own, so that the planner inlines it; names and operators are qualified.

CREATE FUNCTION checkout_data.deadline(s checkout_data.checkout_sessions) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN s.attempts OPERATOR(pg_catalog.>) s.max_retry_attempts
        THEN COALESCE(s.lease_expires_at, s.expires_at) ELSE GREATEST(s.expires_at, s.lease_expires_at) END
    $$;
COMMENT ON FUNCTION checkout_data.deadline IS
    'Returns when an open session ends by the clock. A payment in progress holds it open until its lease ends; a session '
    'that has no retries left is open only that long.';

CREATE FUNCTION checkout_data.ends_as(s checkout_data.checkout_sessions) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN s.attempts OPERATOR(pg_catalog.>) s.max_retry_attempts THEN 'failed' ELSE 'expired' END
    $$;
COMMENT ON FUNCTION checkout_data.ends_as IS 'Returns the status of an open session after its deadline.';

CREATE FUNCTION checkout_data.effective_status(s checkout_data.checkout_sessions, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN s.status OPERATOR(pg_catalog.=) 'open'
            AND checkout_data.deadline(s) OPERATOR(pg_catalog.<=) at
        THEN checkout_data.ends_as(s) ELSE s.status END
    $$;
COMMENT ON FUNCTION checkout_data.effective_status IS
    'Returns the status of a session at a time. The only definition of it in SQL, except for the view of sessions.';

CREATE FUNCTION checkout_data.effective_payment_status(s checkout_data.checkout_sessions, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN s.payment_status OPERATOR(pg_catalog.=) 'processing'
            AND s.lease_expires_at OPERATOR(pg_catalog.<=) at
        THEN 'unpaid'
        WHEN s.has_terms AND s.amount OPERATOR(pg_catalog.=) 0 AND s.payment_status OPERATOR(pg_catalog.=) 'unpaid'
        THEN 'no_payment_required' ELSE s.payment_status END
    $$;
COMMENT ON FUNCTION checkout_data.effective_payment_status IS
    'Returns the payment status of a session at a time: processing ends with the lease, and where nothing is due no '
    'payment is required.';

CREATE FUNCTION checkout_data.changing_terms(s checkout_data.checkout_sessions) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN s.has_terms
        THEN pg_catalog.jsonb_build_object('amount', s.amount, 'quantity', s.quantity) ELSE '{}' END
    $$;
COMMENT ON FUNCTION checkout_data.changing_terms IS
    'Returns what an event must keep of a session that has terms, because the buyer may change it.';

CREATE TYPE checkout.checkout_session AS (
    checkout_session_id uuid,
    organization_id uuid,
    environment text,
    amount numeric,
    currency_code text,
    status text,
    payment_status text,
    payment_id text,
    attempts integer,
    max_retry_attempts integer,
    title text,
    description text,
    reference text,
    customer_id text,
    customer_email text,
    customer_name text,
    customer_phone text,
    product_id text,
    price_id text,
    subscription_id text,
    payment_link_id text,
    quantity integer,
    allow_quantity boolean,
    allow_coupon_code boolean,
    require_billing_address boolean,
    is_spi boolean,
    is_pos boolean,
    country text,
    success_url text,
    cancel_url text,
    url text,
    client_secret text,
    payment_methods text[],
    metadata jsonb,
    recovered_from uuid,
    expires_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz,
    created_by text,
    created_with text,
    trace_id text,
    updated_at timestamptz,
    idempotent_replay boolean
);
COMMENT ON TYPE checkout.checkout_session IS 'A checkout session as it is at the moment of the call.';
COMMENT ON COLUMN checkout.checkout_session.checkout_session_id IS 'UUIDv7: ids sort in order of creation.';
COMMENT ON COLUMN checkout.checkout_session.environment IS 'live or test.';
COMMENT ON COLUMN checkout.checkout_session.amount IS
    'In major units of the currency: 12.34 is 12 dollars and 34 cents.';
COMMENT ON COLUMN checkout.checkout_session.currency_code IS 'ISO 4217, in upper case.';
COMMENT ON COLUMN checkout.checkout_session.status IS
    'open, complete, failed or expired. The last three are final. A session is expired as soon as its deadline has '
    'passed, even before the worker has announced it.';
COMMENT ON COLUMN checkout.checkout_session.payment_status IS
    'unpaid, processing (a payment has begun and its lease has not ended), paid, or no_payment_required (nothing is due).';
COMMENT ON COLUMN checkout.checkout_session.payment_id IS 'The accepted payment, once the session is complete.';
COMMENT ON COLUMN checkout.checkout_session.attempts IS 'How many attempts to pay have failed.';
COMMENT ON COLUMN checkout.checkout_session.max_retry_attempts IS
    'How often a failed payment may be retried. With one more failure the session is failed, unless another payment '
    'holds a lease: then once that ends.';
COMMENT ON COLUMN checkout.checkout_session.reference IS 'The merchant''s order id.';
COMMENT ON COLUMN checkout.checkout_session.url IS
    'The hosted payment page, with the client_secret in its fragment. Send the buyer there. Returned with the '
    'client_secret while the session is open; NULL without a base URL.';
COMMENT ON COLUMN checkout.checkout_session.client_secret IS
    'Lets the buyer''s page read and pay this session, and nothing else. Returned when one session is created or read '
    'with a secret credential; NULL in lists and when a session ends.';
COMMENT ON COLUMN checkout.checkout_session.created_by IS
    'The id of the API key, the subject of the token, or the role that created the session.';
COMMENT ON COLUMN checkout.checkout_session.created_with IS
    'secret or publishable. With publishable a browser chose the amount: compare it with your order''s before you '
    'deliver.';
COMMENT ON COLUMN checkout.checkout_session.trace_id IS
    'The trace id of the request that created the session: argument trace_id, or header X-Trace-Id; in a dialect without '
    'one, the X-Request-Id of the answer.';
COMMENT ON COLUMN checkout.checkout_session.recovered_from IS 'The expired session that this one was created from.';
COMMENT ON COLUMN checkout.checkout_session.idempotent_replay IS
    'True if create_checkout_session returned an existing session: its idempotency key was used before, or its '
    'reference has an open session of the same order and the reference_policy is return_existing.';

CREATE FUNCTION checkout_data.session_at(
    s checkout_data.checkout_sessions, at timestamptz, idempotent_replay boolean, client_secret text, url text
)
    RETURNS checkout.checkout_session
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.checkout_session_id, s.organization_id, s.environment, s.amount, s.currency_code,
        checkout_data.effective_status(s, at), checkout_data.effective_payment_status(s, at),
        s.payment_id, s.attempts, s.max_retry_attempts, s.title, s.description, s.reference,
        s.customer_id, s.customer_email, s.customer_name, s.customer_phone,
        s.product_id, s.price_id, s.subscription_id, s.payment_link_id,
        s.quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address, s.is_spi, s.is_pos, s.country,
        s.success_url, s.cancel_url,
        CASE WHEN checkout_data.effective_status(s, at) OPERATOR(pg_catalog.=) 'open' THEN url END, client_secret, s.payment_methods, s.metadata, s.recovered_from,
        s.expires_at, s.completed_at, s.created_at, s.created_by, s.created_with, s.trace_id,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'open' AND checkout_data.deadline(s) OPERATOR(pg_catalog.<=) at
            THEN checkout_data.deadline(s) ELSE s.updated_at END,
        idempotent_replay
    )::checkout.checkout_session
    $$;
COMMENT ON FUNCTION checkout_data.session_at IS 'Returns a session as callers see it at a time.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.get_checkout_session(
    checkout_session_id uuid
) RETURNS checkout.checkout_session
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'get_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.get_checkout_session IS
$$Returns a checkout session as it is now.

A session is expired as soon as its deadline has passed, even before the worker has announced it. Works in READ ONLY
transactions and on a standby.

Errors:
- 22004: checkout_session_id is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session does not exist in this organization and environment.$$;

CREATE FUNCTION checkout.list_checkout_sessions(
    status text DEFAULT NULL,
    customer_id text DEFAULT NULL,
    customer_email text DEFAULT NULL,
    reference text DEFAULT NULL,
    payment_id text DEFAULT NULL,
    created_after timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after uuid DEFAULT NULL,
    ending_before uuid DEFAULT NULL,
    page_offset integer DEFAULT 0
) RETURNS SETOF checkout.checkout_session
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_checkout_sessions_wrapper';
COMMENT ON FUNCTION checkout.list_checkout_sessions IS
$$Returns checkout sessions, newest first. A session is returned if it matches every argument given.

- status: open, complete, failed or expired, as of now.
- customer_id, customer_email, reference: as given to create_checkout_session.
- payment_id: the session that this payment was for.
- created_after (inclusive), created_before (exclusive): when the session was created.
- page_size: 1 to 100.
- starting_after, ending_before: the id of a session; the page after or before it is returned.
- page_offset: how many sessions to skip. On later pages starting_after is faster.

Errors:
- 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: starting_after or ending_before is not a session of this organization and environment.$$;

CREATE FUNCTION checkout.expire_checkout_session(
    checkout_session_id uuid
) RETURNS checkout.checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'expire_checkout_session_wrapper';
COMMENT ON FUNCTION checkout.expire_checkout_session IS
$$Expires an open checkout session now, and returns it. A session that is already expired does not change.

Errors:
- 22004: checkout_session_id is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the session does not exist.
- PT409: the session is complete or failed, or a payment is in progress.$$;

-- Tables, constraints and indexes. Who may see and do what is in security.sql.

-- domains ---------------------------------------------------------------------------------------------------------
-- What a single value must be. The server keeps a domain's checks ready, while it reads those of a table anew from their
-- stored text in every statement that inserts or updates: with a dozen of them that was a fifth of the time of a create.

CREATE DOMAIN checkout_data.environment AS text CHECK (VALUE IN ('live', 'test'));
CREATE DOMAIN checkout_data.session_status AS text CHECK (VALUE IN ('open', 'complete', 'failed', 'expired'));
CREATE DOMAIN checkout_data.session_payment_status AS text CHECK (VALUE IN ('unpaid', 'processing', 'paid'));
CREATE DOMAIN checkout_data.payment_status AS text CHECK (VALUE IN ('processing', 'succeeded', 'failed', 'rejected'));
CREATE DOMAIN checkout_data.rejection_reason AS text CHECK (VALUE IN
    ('session_expired', 'session_failed', 'already_paid', 'amount_mismatch', 'currency_mismatch'));
CREATE DOMAIN checkout_data.event_type AS text CHECK (VALUE IN (
    'checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed',
    'checkout.session.expiring', 'checkout.session.payment_failed', 'checkout.session.payment_rejected',
    'webhook_endpoint.disabled'));
CREATE DOMAIN checkout_data.session_amount AS numeric
    CHECK (VALUE > 0 AND VALUE < 1000000000000000 AND scale(VALUE) <= 4);
CREATE DOMAIN checkout_data.payment_amount AS numeric CHECK (VALUE >= 0 AND VALUE <> 'NaN');
CREATE DOMAIN checkout_data.currency_code AS text CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN checkout_data.country_code AS text CHECK (VALUE ~ '^[A-Z]{2}$');
CREATE DOMAIN checkout_data.count AS integer CHECK (VALUE >= 0);
CREATE DOMAIN checkout_data.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN checkout_data.retries AS integer CHECK (VALUE BETWEEN 0 AND 10);
CREATE DOMAIN checkout_data.reference_constraint AS text CHECK (VALUE IN ('none', 'unique', 'open'));
CREATE DOMAIN checkout_data.json_object AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
CREATE DOMAIN checkout_data.identifier AS text CHECK (char_length(VALUE) BETWEEN 1 AND 255);
CREATE DOMAIN checkout_data.sha256 AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN checkout_data.secret_key AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN checkout_data.webhook_secret AS text CHECK (VALUE ~ '^whsec_[A-Za-z0-9+/]+={0,2}$');
CREATE DOMAIN checkout_data.api_key_kind AS text CHECK (VALUE IN ('secret', 'publishable'));

-- organizations ---------------------------------------------------------------------------------------------------

CREATE TABLE checkout_data.organizations (
    organization_id uuid PRIMARY KEY,
    name checkout_data.identifier NOT NULL,
    default_lifetime interval NOT NULL DEFAULT '60 minutes',
    minimum_lifetime interval NOT NULL DEFAULT '1 second' CHECK (minimum_lifetime >= '1 second'),
    maximum_lifetime interval NOT NULL DEFAULT '48 hours' CHECK (maximum_lifetime <= '30 days'),
    max_retry_attempts checkout_data.retries NOT NULL DEFAULT 3,
    reference_policy text NOT NULL DEFAULT 'none'
        CHECK (reference_policy IN ('none', 'unique', 'error', 'return_existing', 'expire_previous')),
    sub_minor_amounts boolean NOT NULL DEFAULT false,
    payment_methods text[] NOT NULL DEFAULT '{bank_transfer,payid}',
    base_url text,
    expiring_notice interval CHECK (expiring_notice BETWEEN '1 second' AND '30 days'),
    client_secret_key checkout_data.secret_key NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organizations_lifetime_check CHECK (default_lifetime BETWEEN minimum_lifetime AND maximum_lifetime)
);
COMMENT ON TABLE checkout_data.organizations IS 'The tenants and their settings.';
COMMENT ON COLUMN checkout_data.organizations.default_lifetime IS 'How long a session stays open when create names neither expires_at nor expires_in.';
COMMENT ON COLUMN checkout_data.organizations.reference_policy IS 'none: references may repeat. unique: one session per reference, ever. error, return_existing, expire_previous: one open session per reference, and what create does when there is one.';
COMMENT ON COLUMN checkout_data.organizations.sub_minor_amounts IS 'Whether amounts may have up to 4 decimals whatever the currency.';
COMMENT ON COLUMN checkout_data.organizations.payment_methods IS 'The payment methods of a session whose create names none.';
COMMENT ON COLUMN checkout_data.organizations.base_url IS 'Where the hosted payment page of a session lives: a session''s url is this, a slash and its id. NULL: the setting checkout_sessions.base_url.';
COMMENT ON COLUMN checkout_data.organizations.expiring_notice IS 'How long before the deadline checkout.session.expiring is written. NULL: never.';

COMMENT ON COLUMN checkout_data.organizations.client_secret_key IS '32 random bytes, from which the client secrets of its sessions are derived.';

-- API keys --------------------------------------------------------------------------------------------------------

-- The one table whose key does not begin with the organization: a key is looked up to learn whose it is. Its id is random.
CREATE TABLE checkout_data.api_keys (
    api_key_id text PRIMARY KEY CHECK (api_key_id ~ '^[sp]k_(live|test)_[0-9A-Za-z]{12}$'),
    organization_id uuid NOT NULL REFERENCES checkout_data.organizations,
    environment checkout_data.environment NOT NULL,
    kind checkout_data.api_key_kind NOT NULL,
    digest checkout_data.sha256 NOT NULL,
    name checkout_data.identifier,
    payment_methods text[],
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz CHECK (expires_at >= created_at),
    revoked_at timestamptz,
    last_used_at timestamptz,
    replaced_by text,
    -- The id says what the key is, so that both cannot differ.
    CONSTRAINT api_keys_id_check CHECK (
        left(api_key_id, 8) = CASE WHEN kind = 'secret' THEN 'sk' ELSE 'pk' END || '_' || environment || '_')
);
COMMENT ON TABLE checkout_data.api_keys IS 'The API keys of the organizations: never the keys, only what tells them from others.';
COMMENT ON COLUMN checkout_data.api_keys.api_key_id IS 'The name of the key: its first 20 characters.';
COMMENT ON COLUMN checkout_data.api_keys.digest IS 'SHA-256 of the whole key. The key has 256 random bits, so that no more is needed.';
COMMENT ON COLUMN checkout_data.api_keys.payment_methods IS 'Of sessions created with it that name none. NULL: the organization''s.';
COMMENT ON COLUMN checkout_data.api_keys.last_used_at IS 'Written by the worker, about a minute late.';
COMMENT ON COLUMN checkout_data.api_keys.replaced_by IS 'The key that was made when this one was rolled.';
CREATE INDEX api_keys_organization_idx ON checkout_data.api_keys (organization_id);

-- sessions --------------------------------------------------------------------------------------------------------

-- No foreign key to organizations: it would lock the organization's row in every create, and row locks of concurrent
-- creates pile up in multixacts. Only a superuser can delete an organization; the sessions then have no reader.
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
    deadline timestamptz NOT NULL GENERATED ALWAYS AS (GREATEST(expires_at, lease_expires_at)) STORED,
    expiring_notice_at timestamptz,
    completed_at timestamptz,
    payment_id text,
    attempts checkout_data.count NOT NULL DEFAULT 0,
    max_retry_attempts checkout_data.retries NOT NULL,
    event_count checkout_data.count NOT NULL DEFAULT 0,
    quantity checkout_data.positive NOT NULL DEFAULT 1,
    allow_quantity boolean NOT NULL DEFAULT false,
    allow_coupon_code boolean NOT NULL DEFAULT false,
    require_billing_address boolean NOT NULL DEFAULT false,
    is_spi boolean NOT NULL DEFAULT false,
    is_pos boolean NOT NULL DEFAULT false,
    reference text,
    reference_policy checkout_data.reference_constraint NOT NULL DEFAULT 'none',
    recovered_from uuid,
    created_by text,
    created_with checkout_data.api_key_kind NOT NULL DEFAULT 'secret',
    id_prefix text,
    trace_id text,
    title text,
    description text,
    product_id text,
    price_id text,
    subscription_id text,
    payment_link_id text,
    country checkout_data.country_code,
    customer_id text,
    customer_email text,
    customer_name text,
    customer_phone text,
    success_url text,
    cancel_url text,
    url text,
    payment_methods text[],
    metadata checkout_data.json_object NOT NULL DEFAULT '{}',
    CONSTRAINT checkout_sessions_pkey PRIMARY KEY (organization_id, environment, checkout_session_id),
    CONSTRAINT checkout_sessions_expires_at_check CHECK (expires_at > created_at),
    CONSTRAINT checkout_sessions_paid_check CHECK (
        (status = 'complete') = (payment_status = 'paid')
        AND (status = 'complete') = (payment_id IS NOT NULL)
        AND (status = 'complete') = (completed_at IS NOT NULL)
    ),
    CONSTRAINT checkout_sessions_lease_check CHECK (
        (payment_status = 'processing') = (lease_expires_at IS NOT NULL)
        AND (status = 'open' OR lease_expires_at IS NULL)
    )
);
COMMENT ON TABLE checkout_data.checkout_sessions IS 'One row per checkout session. Immutable but for its state.';
COMMENT ON COLUMN checkout_data.checkout_sessions.environment IS 'live or test. Part of the key: the two never see each other, and a million test sessions do not slow the live list.';
COMMENT ON COLUMN checkout_data.checkout_sessions.checkout_session_id IS 'UUIDv7 of created_at, so that the key is in order of creation and is the list''s cursor.';
COMMENT ON COLUMN checkout_data.checkout_sessions.status IS 'As last written. An open row whose deadline has passed is expired for every reader: see checkout_data.effective_status().';
COMMENT ON COLUMN checkout_data.checkout_sessions.lease_expires_at IS 'Until when a payment that has begun holds the session open.';
COMMENT ON COLUMN checkout_data.checkout_sessions.deadline IS 'When an open session becomes expired: expires_at, or the end of a lease that is later.';
COMMENT ON COLUMN checkout_data.checkout_sessions.expiring_notice_at IS 'When checkout.session.expiring is due; NULL when it never is or has been written.';
COMMENT ON COLUMN checkout_data.checkout_sessions.event_count IS 'How many webhook events the session has had: the sequence of the last one.';
COMMENT ON COLUMN checkout_data.checkout_sessions.created_with IS 'publishable: a browser made it, and named its amount. Such a session is not under the reference policy, and no server is given it for its own.';
COMMENT ON COLUMN checkout_data.checkout_sessions.id_prefix IS 'What takes the place of {CHECKOUT_SESSION_ID} begins with this, and has no hyphens; NULL: it is the UUID.';
COMMENT ON COLUMN checkout_data.checkout_sessions.reference_policy IS 'Which uniqueness of the reference this session was created under.';

-- Serves the worker: what is due, in order. Every session leaves it with its terminal transition.
CREATE INDEX checkout_sessions_deadline_idx ON checkout_data.checkout_sessions (deadline) WHERE status = 'open';
-- Serves the worker: reminders that are due. Empty unless an organization asks for them.
CREATE INDEX checkout_sessions_expiring_notice_idx ON checkout_data.checkout_sessions (expiring_notice_at)
    WHERE expiring_notice_at IS NOT NULL AND status = 'open';
-- Serves list with status => 'open', which is asked most and is rare among old sessions.
CREATE INDEX checkout_sessions_open_idx ON checkout_data.checkout_sessions (organization_id, environment, checkout_session_id)
    WHERE status = 'open';
-- Serve list by customer and by reference, newest first.
CREATE INDEX checkout_sessions_customer_email_idx
    ON checkout_data.checkout_sessions (organization_id, environment, customer_email, checkout_session_id)
    WHERE customer_email IS NOT NULL;
CREATE INDEX checkout_sessions_customer_id_idx
    ON checkout_data.checkout_sessions (organization_id, environment, customer_id, checkout_session_id)
    WHERE customer_id IS NOT NULL;
CREATE INDEX checkout_sessions_reference_idx
    ON checkout_data.checkout_sessions (organization_id, environment, reference, checkout_session_id)
    WHERE reference IS NOT NULL;
-- Serves the limit of open sessions of a publishable API key.
CREATE INDEX checkout_sessions_publishable_idx ON checkout_data.checkout_sessions (organization_id, environment, created_by)
    WHERE created_with = 'publishable' AND status = 'open';
-- The reference policies, as constraints.
CREATE UNIQUE INDEX checkout_sessions_reference_unique_idx
    ON checkout_data.checkout_sessions (organization_id, environment, reference) WHERE reference_policy = 'unique';
CREATE UNIQUE INDEX checkout_sessions_reference_open_idx
    ON checkout_data.checkout_sessions (organization_id, environment, reference)
    WHERE reference_policy = 'open' AND status = 'open';

-- idempotency -----------------------------------------------------------------------------------------------------

-- No foreign key to the session: a key is taken before its session is stored, so it would have to be deferred, and SET
-- CONSTRAINTS ALL IMMEDIATE is the caller's to say. Both are written by one call of create_checkout_session; a key whose
-- session an administrator has deleted is free.
CREATE TABLE checkout_data.idempotency_keys (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    created_with checkout_data.api_key_kind NOT NULL,
    idempotency_key checkout_data.identifier NOT NULL,
    request_hash checkout_data.sha256 NOT NULL,
    checkout_session_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (organization_id, environment, created_with, idempotency_key)
);
COMMENT ON TABLE checkout_data.idempotency_keys IS 'The idempotency keys of create_checkout_session, each committed with its session. Purged by the worker.';
COMMENT ON COLUMN checkout_data.idempotency_keys.created_with IS 'Browsers and servers do not see each other''s keys: what a browser can guess must not be in a server''s way.';
COMMENT ON COLUMN checkout_data.idempotency_keys.request_hash IS 'SHA-256 of the request, in a canonical form.';
CREATE INDEX idempotency_keys_expires_at_idx ON checkout_data.idempotency_keys (expires_at);

-- payments --------------------------------------------------------------------------------------------------------

CREATE TABLE checkout_data.payments (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    payment_id checkout_data.identifier NOT NULL,
    checkout_session_id uuid NOT NULL,
    status checkout_data.payment_status NOT NULL,
    rejection_reason checkout_data.rejection_reason,
    amount checkout_data.payment_amount NOT NULL,
    currency_code checkout_data.currency_code NOT NULL,
    payment_method text,
    failure_code text,
    failure_message text,
    lease_expires_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT payments_pkey PRIMARY KEY (organization_id, environment, payment_id),
    CONSTRAINT payments_session_fkey FOREIGN KEY (organization_id, environment, checkout_session_id)
        REFERENCES checkout_data.checkout_sessions,
    CONSTRAINT payments_rejection_check CHECK ((status = 'rejected') = (rejection_reason IS NOT NULL)),
    CONSTRAINT payments_lease_check CHECK (status <> 'processing' OR lease_expires_at IS NOT NULL)
);
COMMENT ON TABLE checkout_data.payments IS 'Every payment that was begun or reported for a session, the refused ones too: a payment is never lost.';
COMMENT ON COLUMN checkout_data.payments.rejection_reason IS 'Why money that was taken was not accepted for the session, and has to be refunded.';
-- A session is paid once. Also serves the payments of a session.
CREATE UNIQUE INDEX payments_succeeded_idx ON checkout_data.payments (organization_id, environment, checkout_session_id)
    WHERE status = 'succeeded';
CREATE INDEX payments_session_idx ON checkout_data.payments (organization_id, environment, checkout_session_id);

-- the outbox ------------------------------------------------------------------------------------------------------

-- No foreign key to sessions: an event is written from the row that its statement has just changed, and to look that up
-- once more would take a quarter of the time of a sweep. No role can delete a session.
CREATE TABLE checkout_data.webhook_outbox (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    event_type checkout_data.event_type NOT NULL,
    created_at timestamptz NOT NULL,
    payment_id text,
    payment jsonb,
    endpoint jsonb,
    session_status checkout_data.session_status,
    session_attempts checkout_data.count,
    fanned_out boolean NOT NULL DEFAULT false,
    delivery_attempts checkout_data.count NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lease_token uuid,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_error text,
    CONSTRAINT webhook_outbox_pkey PRIMARY KEY (organization_id, environment, checkout_session_id, sequence),
    CONSTRAINT webhook_outbox_payment_fkey FOREIGN KEY (organization_id, environment, payment_id)
        REFERENCES checkout_data.payments,
    CONSTRAINT webhook_outbox_state_check CHECK (
        num_nonnulls(next_attempt_at, delivered_at, dead_at) = CASE WHEN fanned_out THEN 0 ELSE 1 END
        AND (lease_token IS NULL OR next_attempt_at IS NOT NULL)
        AND (endpoint IS NOT NULL) = (event_type = 'webhook_endpoint.disabled')
        AND num_nonnulls(session_status, session_attempts) = CASE WHEN endpoint IS NULL THEN 2 ELSE 0 END)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE checkout_data.webhook_outbox IS 'One row per event, written by the statement that made the transition. What is delivered is rendered from it when it is claimed. Inserts alone tell the whole story; updates only track delivery.';
COMMENT ON COLUMN checkout_data.webhook_outbox.checkout_session_id IS 'The session that the event is about; of an event about a webhook endpoint, the endpoint''s id.';
COMMENT ON COLUMN checkout_data.webhook_outbox.sequence IS 'The number of the event within its session, from 1, without gaps.';
COMMENT ON COLUMN checkout_data.webhook_outbox.payment IS 'The payment that the event is about, as it was when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.endpoint IS 'The webhook endpoint that the event is about, as it was when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.fanned_out IS 'Whether the organization had webhook endpoints when the event was written: then its deliveries have its state, and it is not for consumers of claim_webhook_events.';
COMMENT ON COLUMN checkout_data.webhook_outbox.session_status IS 'The session''s status when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.session_attempts IS 'The session''s failed payments when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.next_attempt_at IS 'When the event is due for a claim; while it is leased, when the lease ends. NULL when delivered or dead.';
COMMENT ON COLUMN checkout_data.webhook_outbox.lease_token IS 'Names the claim that holds the event; ack and nack must present it.';
-- A session ends once.
CREATE UNIQUE INDEX webhook_outbox_terminal_idx
    ON checkout_data.webhook_outbox (organization_id, environment, checkout_session_id)
    WHERE event_type IN ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed');
-- Serves claims: what is due, oldest first.
CREATE INDEX webhook_outbox_next_attempt_idx ON checkout_data.webhook_outbox (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
-- Serves retention.
CREATE INDEX webhook_outbox_delivered_idx ON checkout_data.webhook_outbox (delivered_at) WHERE delivered_at IS NOT NULL;
-- Serves the list of what is dead.
CREATE INDEX webhook_outbox_dead_idx ON checkout_data.webhook_outbox (dead_at) WHERE dead_at IS NOT NULL;
-- Serves retention of events that go to endpoints.
CREATE INDEX webhook_outbox_fanned_out_idx ON checkout_data.webhook_outbox (created_at, checkout_session_id, sequence)
    WHERE fanned_out;

-- webhook endpoints -----------------------------------------------------------------------------------------------

CREATE TABLE checkout_data.webhook_endpoints (
    organization_id uuid NOT NULL REFERENCES checkout_data.organizations,
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
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (organization_id, environment, webhook_endpoint_id),
    CONSTRAINT webhook_endpoints_state_check CHECK (
        (disabled_at IS NULL) = (disabled_reason IS NULL)
        AND (previous_secret IS NULL) = (previous_secret_expires_at IS NULL))
);
COMMENT ON TABLE checkout_data.webhook_endpoints IS 'Where the organizations want their events sent, and the secrets that sign them.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.event_types IS 'Names, or beginnings of names with a * behind them.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.previous_secret IS 'Signs, too, until previous_secret_expires_at.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.disabled_reason IS 'requested: by its organization. gone: it has answered 410. failing: for five days.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.failing_since IS 'Since when no attempt has succeeded.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.deleted_at IS 'The worker removes it, and its deliveries, an hour later: whoever is writing an event may still see it.';
COMMENT ON COLUMN checkout_data.webhook_endpoints.slot IS 'Which of the organization''s endpoints it is: there can be as many as there are numbers.';
CREATE UNIQUE INDEX webhook_endpoints_slot_idx ON checkout_data.webhook_endpoints (organization_id, environment, slot)
    WHERE deleted_at IS NULL;
-- Serves claims, which go from endpoint to endpoint.
CREATE INDEX webhook_endpoints_enabled_idx ON checkout_data.webhook_endpoints (webhook_endpoint_id)
    WHERE disabled_at IS NULL AND deleted_at IS NULL;

-- No foreign keys to endpoints and events: every event would lock its endpoints' rows, and row locks of concurrent writers
-- pile up in multixacts. The worker removes what is left over.
CREATE TABLE checkout_data.webhook_deliveries (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    checkout_session_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    created_at timestamptz NOT NULL,
    attempts checkout_data.count NOT NULL DEFAULT 0,
    attempts_ever checkout_data.count NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lease_token uuid,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_attempt_at timestamptz,
    last_status_code integer,
    last_error text,
    CONSTRAINT webhook_deliveries_pkey
        PRIMARY KEY (organization_id, environment, webhook_endpoint_id, checkout_session_id, sequence),
    CONSTRAINT webhook_deliveries_state_check CHECK (
        num_nonnulls(next_attempt_at, delivered_at, dead_at) = 1 AND (lease_token IS NULL OR next_attempt_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE checkout_data.webhook_deliveries IS 'One row per event and endpoint that it goes to, written by the statement that wrote the event.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.checkout_session_id IS 'With sequence, the event.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.attempts IS 'Since it was written or redelivered: how many are left follows from it.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.attempts_ever IS 'The number of the last attempt.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.next_attempt_at IS 'When it is due; while it is leased, when the lease ends. NULL when delivered or dead.';
-- Serves claims: what is due of an endpoint, oldest first.
CREATE INDEX webhook_deliveries_next_attempt_idx ON checkout_data.webhook_deliveries (webhook_endpoint_id, next_attempt_at)
    WHERE next_attempt_at IS NOT NULL;
-- Serves the list of what is dead.
CREATE INDEX webhook_deliveries_dead_idx ON checkout_data.webhook_deliveries (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE checkout_data.webhook_attempts (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    checkout_session_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    attempt checkout_data.positive NOT NULL,
    recorded_at timestamptz NOT NULL,
    status_code integer CHECK (status_code BETWEEN 100 AND 599),
    error text,
    duration interval,
    response_body text CHECK (char_length(response_body) <= 1000),
    CONSTRAINT webhook_attempts_pkey
        PRIMARY KEY (organization_id, environment, webhook_endpoint_id, checkout_session_id, sequence, attempt),
    CONSTRAINT webhook_attempts_delivery_fkey
        FOREIGN KEY (organization_id, environment, webhook_endpoint_id, checkout_session_id, sequence)
        REFERENCES checkout_data.webhook_deliveries ON DELETE CASCADE
);
COMMENT ON TABLE checkout_data.webhook_attempts IS 'What became of each attempt to deliver an event to an endpoint.';
COMMENT ON COLUMN checkout_data.webhook_attempts.status_code IS 'Of the HTTP response; NULL: there was none.';

\echo Use "CREATE EXTENSION checkout_sessions" to load this file. \quit

-- The schemas, and the types of what the functions return.
-- Every name and operator below is looked up in pg_catalog alone.
SET LOCAL search_path TO pg_catalog, pg_temp;

DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE feature_not_supported USING MESSAGE = 'checkout_sessions needs a database whose encoding is UTF8';
    END IF;
END
$$;

-- Plain CREATE SCHEMA: fails where somebody made a schema of that name before us, instead of adopting it.
CREATE SCHEMA checkout;
COMMENT ON SCHEMA checkout IS 'Checkout sessions: the functions that applications call.';

CREATE SCHEMA checkout_data;
COMMENT ON SCHEMA checkout_data IS 'Checkout sessions: storage. Applications have no rights here; they call the functions of schema checkout.';

-- what the functions return ---------------------------------------------------------------------------------------

CREATE TYPE checkout.organization AS (
    organization_id uuid,
    name text,
    default_lifetime interval,
    minimum_lifetime interval,
    maximum_lifetime interval,
    max_retry_attempts integer,
    reference_policy text,
    sub_minor_amounts boolean,
    payment_methods text[],
    base_url text,
    expiring_notice interval,
    created_at timestamptz,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.organization IS 'A tenant and its settings.';

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
COMMENT ON COLUMN checkout.checkout_session.checkout_session_id IS 'UUIDv7, in order of creation.';
COMMENT ON COLUMN checkout.checkout_session.environment IS 'live or test.';
COMMENT ON COLUMN checkout.checkout_session.amount IS 'In major units of the currency: 12.34 is 12 dollars and 34 cents.';
COMMENT ON COLUMN checkout.checkout_session.currency_code IS 'ISO 4217.';
COMMENT ON COLUMN checkout.checkout_session.status IS 'open, complete, failed or expired. The last three are final. A session whose time has run out is expired, whether or not the worker has been there.';
COMMENT ON COLUMN checkout.checkout_session.payment_status IS 'unpaid, processing (a payment has begun and its lease has not ended) or paid.';
COMMENT ON COLUMN checkout.checkout_session.payment_id IS 'The payment that was accepted, once complete.';
COMMENT ON COLUMN checkout.checkout_session.attempts IS 'How many payments have failed.';
COMMENT ON COLUMN checkout.checkout_session.max_retry_attempts IS 'How many times a failed payment may be tried again before the session is failed.';
COMMENT ON COLUMN checkout.checkout_session.reference IS 'The merchant''s order id.';
COMMENT ON COLUMN checkout.checkout_session.url IS 'The hosted payment page. NULL without a base URL.';
COMMENT ON COLUMN checkout.checkout_session.client_secret IS 'With it the buyer''s page reads this session, by public_checkout_session, and nothing else. Given where one session is created or read; NULL in lists and when it ends.';
COMMENT ON COLUMN checkout.checkout_session.created_by IS 'The id of the API key, the subject of the token, or the role that created it.';
COMMENT ON COLUMN checkout.checkout_session.created_with IS 'secret, or publishable: then a browser has named the amount; compare it with your order''s before you deliver.';
COMMENT ON COLUMN checkout.checkout_session.trace_id IS 'What the request that created it was called: the X-Trace-Id header.';
COMMENT ON COLUMN checkout.checkout_session.recovered_from IS 'The expired session that this one was cloned from.';
COMMENT ON COLUMN checkout.checkout_session.idempotent_replay IS 'True when create_checkout_session answered with a session that was there before: its idempotency key had been used, or its reference had an open session and the organization asks to return that.';

CREATE TYPE checkout.public_checkout_session AS (
    checkout_session_id uuid,
    environment text,
    organization_name text,
    title text,
    description text,
    amount numeric,
    currency_code text,
    quantity integer,
    allow_quantity boolean,
    allow_coupon_code boolean,
    require_billing_address boolean,
    payment_methods text[],
    status text,
    payment_status text,
    expires_at timestamptz,
    success_url text,
    cancel_url text
);
COMMENT ON TYPE checkout.public_checkout_session IS 'What a payment page needs of a checkout session, without personal data.';
COMMENT ON COLUMN checkout.public_checkout_session.amount IS 'In major units of the currency: 12.34 is 12 dollars and 34 cents.';
COMMENT ON COLUMN checkout.public_checkout_session.success_url IS 'Where to send the buyer once the session is complete; NULL before. {CHECKOUT_SESSION_ID} is filled in.';
COMMENT ON COLUMN checkout.public_checkout_session.cancel_url IS 'Where to send a buyer who does not want to pay. {CHECKOUT_SESSION_ID} is filled in.';

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
COMMENT ON COLUMN checkout.api_key.kind IS 'secret (for servers) or publishable (for browsers).';
COMMENT ON COLUMN checkout.api_key.status IS 'active, replaced (rolled, and still accepted), expired or revoked.';
COMMENT ON COLUMN checkout.api_key.replaced_by IS 'The key that was made when this one was rolled.';
COMMENT ON COLUMN checkout.api_key.last_used_at IS 'About a minute late; not kept where the library is not preloaded.';
COMMENT ON COLUMN checkout.api_key.api_key IS 'The key. Given once, by the call that made it; NULL ever after.';

CREATE TYPE checkout.payment AS (
    payment_id text,
    checkout_session_id uuid,
    organization_id uuid,
    environment text,
    status text,
    rejection_reason text,
    amount numeric,
    currency_code text,
    payment_method text,
    failure_code text,
    failure_message text,
    lease_expires_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    idempotent_replay boolean
);
COMMENT ON TYPE checkout.payment IS 'One payment of a checkout session.';
COMMENT ON COLUMN checkout.payment.status IS 'processing, succeeded (accepted: the session is complete), failed (no money was taken) or rejected (money was taken but not accepted: refund it).';
COMMENT ON COLUMN checkout.payment.rejection_reason IS 'session_expired, session_failed, already_paid, amount_mismatch or currency_mismatch.';
COMMENT ON COLUMN checkout.payment.lease_expires_at IS 'Until when the payment holds its session open.';
COMMENT ON COLUMN checkout.payment.idempotent_replay IS 'True when the call changed nothing because this payment had been recorded before.';

CREATE TYPE checkout.webhook_event AS (
    event_id text,
    event_type text,
    organization_id uuid,
    environment text,
    checkout_session_id uuid,
    sequence integer,
    payment_id text,
    created_at timestamptz,
    status text,
    delivery_attempts integer,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_error text,
    lease_token uuid,
    body text
);
COMMENT ON TYPE checkout.webhook_event IS 'An event of the outbox.';
COMMENT ON COLUMN checkout.webhook_event.event_id IS 'The same in every delivery: send it as webhook-id, and let receivers drop what they have seen.';
COMMENT ON COLUMN checkout.webhook_event.checkout_session_id IS 'NULL where the event is about a webhook endpoint.';
COMMENT ON COLUMN checkout.webhook_event.sequence IS 'The number of the event within its session, from 1, without gaps.';
COMMENT ON COLUMN checkout.webhook_event.status IS 'pending, leased, delivered or dead: for the consumer of claim_webhook_events or, where the organization has webhook endpoints, for those together; skipped where none of these asked for it.';
COMMENT ON COLUMN checkout.webhook_event.delivery_attempts IS 'To the consumer of claim_webhook_events, as what follows. What endpoints were sent is in list_webhook_deliveries.';
COMMENT ON COLUMN checkout.webhook_event.lease_token IS 'Presented to ack_webhook_events and nack_webhook_event. Only claim_webhook_events gives it.';
COMMENT ON COLUMN checkout.webhook_event.body IS 'The JSON text to send, and to sign, as it stands.';

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
COMMENT ON COLUMN checkout.webhook_endpoint.event_types IS 'Which events: names, beginnings of names with a * behind them, or * for all.';
COMMENT ON COLUMN checkout.webhook_endpoint.body_format IS 'canonical, or the dialect whose words the bodies speak: kobo, lomi, paygate, flutterwave, yuno.';
COMMENT ON COLUMN checkout.webhook_endpoint.signature_scheme IS 'standard (Standard Webhooks) or stripe (for receivers that have constructEvent).';
COMMENT ON COLUMN checkout.webhook_endpoint.enabled IS 'While false, its deliveries wait.';
COMMENT ON COLUMN checkout.webhook_endpoint.disabled_reason IS 'requested, gone (it has answered 410) or failing (for five days).';
COMMENT ON COLUMN checkout.webhook_endpoint.failing_since IS 'Since when no attempt has succeeded; NULL when the last one did.';
COMMENT ON COLUMN checkout.webhook_endpoint.previous_secret_expires_at IS 'Until when what is sent is signed with the secret before, too.';
COMMENT ON COLUMN checkout.webhook_endpoint.secret IS 'What receivers verify signatures with. Given once, by the call that made it; NULL ever after.';

CREATE TYPE checkout.webhook_delivery AS (
    event_id text,
    webhook_endpoint_id uuid,
    event_type text,
    organization_id uuid,
    environment text,
    checkout_session_id uuid,
    status text,
    delivery_attempts integer,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_attempt_at timestamptz,
    last_status_code integer,
    last_error text,
    created_at timestamptz
);
COMMENT ON TYPE checkout.webhook_delivery IS 'The delivery of one event to one endpoint.';
COMMENT ON COLUMN checkout.webhook_delivery.status IS 'pending, leased, delivered, dead, or paused while its endpoint is disabled.';
COMMENT ON COLUMN checkout.webhook_delivery.delivery_attempts IS 'Since the event was written, or redelivered.';

CREATE TYPE checkout.webhook_delivery_request AS (
    event_id text,
    webhook_endpoint_id uuid,
    organization_id uuid,
    environment text,
    event_type text,
    url text,
    headers jsonb,
    body text,
    attempt integer,
    lease_token uuid,
    lease_expires_at timestamptz
);
COMMENT ON TYPE checkout.webhook_delivery_request IS 'A request to be sent to an endpoint: POST the body to the url with the headers.';
COMMENT ON COLUMN checkout.webhook_delivery_request.headers IS 'Names and values, the signature among them: it is of now, so send at once.';
COMMENT ON COLUMN checkout.webhook_delivery_request.attempt IS 'The number of the attempt, from 1, redeliveries included.';
COMMENT ON COLUMN checkout.webhook_delivery_request.lease_token IS 'Presented to record_webhook_attempt and release_webhook_delivery.';

CREATE TYPE checkout.webhook_attempt AS (
    event_id text,
    webhook_endpoint_id uuid,
    attempt integer,
    recorded_at timestamptz,
    status_code integer,
    error text,
    duration interval,
    response_body text
);
COMMENT ON TYPE checkout.webhook_attempt IS 'What became of an attempt to deliver an event to an endpoint.';
COMMENT ON COLUMN checkout.webhook_attempt.status_code IS 'Of the HTTP response; NULL: there was none, and error says why.';
COMMENT ON COLUMN checkout.webhook_attempt.response_body IS 'Its first 1,000 characters.';

CREATE TYPE checkout.http_response AS (
    status integer,
    headers jsonb,
    body json
);
COMMENT ON TYPE checkout.http_response IS 'The answer to an HTTP request.';
COMMENT ON COLUMN checkout.http_response.body IS 'json, not jsonb: its members are in the documented order.';

-- Payments of checkout sessions.

CREATE DOMAIN checkout_data.payment_status AS text CHECK (VALUE IN ('processing', 'succeeded', 'failed', 'rejected'));
CREATE DOMAIN checkout_data.rejection_reason AS text CHECK (VALUE IN
    ('session_expired', 'session_failed', 'already_paid', 'amount_mismatch', 'currency_mismatch'));
CREATE DOMAIN checkout_data.payment_amount AS numeric CHECK (VALUE >= 0 AND VALUE <> 'NaN');

-- Like all tables, without foreign keys: see references.sql. Who writes a payment has locked its session.
CREATE TABLE checkout_data.payments (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    payment_id checkout_data.identifier COLLATE "C" NOT NULL,
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
    CONSTRAINT payments_rejection_check CHECK ((status = 'rejected') = (rejection_reason IS NOT NULL)),
    CONSTRAINT payments_lease_check CHECK (status <> 'processing' OR lease_expires_at IS NOT NULL)
);
COMMENT ON TABLE checkout_data.payments IS
    'Every payment that was begun or reported for a session, including rejected ones: a payment is never lost.';
COMMENT ON COLUMN checkout_data.payments.rejection_reason IS
    'Why the session did not accept money that was taken. The money has to be refunded.';
-- A session is paid once. Also serves the payments of a session.
CREATE UNIQUE INDEX payments_succeeded_idx
    ON checkout_data.payments (organization_id, environment, checkout_session_id) WHERE status = 'succeeded';
CREATE INDEX payments_session_idx ON checkout_data.payments (organization_id, environment, checkout_session_id);

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
COMMENT ON COLUMN checkout.payment.status IS
    'processing, succeeded (accepted: the session is complete), failed (no money was taken) or rejected (money was '
    'taken but not accepted: refund it).';
COMMENT ON COLUMN checkout.payment.rejection_reason IS
    'session_expired, session_failed, already_paid, amount_mismatch or currency_mismatch.';
COMMENT ON COLUMN checkout.payment.lease_expires_at IS 'Until this time the payment holds its session open.';
COMMENT ON COLUMN checkout.payment.idempotent_replay IS
    'True if the call changed nothing because this payment was recorded before.';

CREATE FUNCTION checkout_data.payment_of(p checkout_data.payments, idempotent_replay boolean) RETURNS checkout.payment
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.payment_id, p.checkout_session_id, p.organization_id, p.environment, p.status, p.rejection_reason,
        p.amount, p.currency_code, p.payment_method, p.failure_code, p.failure_message, p.lease_expires_at,
        p.created_at, p.updated_at, idempotent_replay
    )::checkout.payment
    $$;
COMMENT ON FUNCTION checkout_data.payment_of IS 'Returns a payment as callers see it.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.begin_payment(
    checkout_session_id uuid,
    payment_id text,
    payment_method text DEFAULT NULL,
    lease interval DEFAULT '5 minutes'
) RETURNS checkout.payment
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'begin_payment_wrapper';
COMMENT ON FUNCTION checkout.begin_payment IS
$$Records that a payment has begun, and returns the payment.

Call this before you send the buyer to the payment provider. Until the lease of the payment ends, the session stays
open, even past its deadline, and no other payment can begin. Repeating the call returns the same payment while its
lease runs.

- payment_id: your id or the provider's, unique within the organization and environment.
- payment_method: one of the session's payment methods.
- lease: 1 second to 15 minutes.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session does not exist.
- PT409: the session is not open, another payment is in progress, or the payment is already recorded.$$;

CREATE FUNCTION checkout.record_payment(
    checkout_session_id uuid,
    payment_id text,
    outcome text,
    amount numeric DEFAULT NULL,
    currency_code text DEFAULT NULL,
    payment_method text DEFAULT NULL,
    failure_code text DEFAULT NULL,
    failure_message text DEFAULT NULL
) RETURNS checkout.payment
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'record_payment_wrapper';
COMMENT ON FUNCTION checkout.record_payment IS
$$Records how a payment ended, and returns the payment. Check its status.

- succeeded: the payment is accepted and the session is complete.
- failed: no money was taken. The session is failed when more payments have failed than its max_retry_attempts.
- rejected: money was taken that the session cannot accept, and has to be refunded. rejection_reason says why:
  session_expired, session_failed, already_paid, amount_mismatch or currency_mismatch. This is a result and not an
  error, so that the payment is stored.

Repeating the call with the same payment_id returns the same payment, with idempotent_replay true.

- outcome: succeeded or failed.
- amount (in major units), currency_code: what was paid. Default: the session's.
- failure_code, failure_message: only with outcome failed.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session does not exist.
- PT409: the payment belongs to another session, or was recorded with another amount.$$;

CREATE FUNCTION checkout.list_payments(
    checkout_session_id uuid
) RETURNS SETOF checkout.payment
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_payments_wrapper';
COMMENT ON FUNCTION checkout.list_payments IS
$$Returns the payments of a checkout session, oldest first, including failed and rejected ones.

Errors:
- 22004: checkout_session_id is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session does not exist.$$;

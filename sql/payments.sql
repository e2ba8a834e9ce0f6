-- Payments of checkout sessions.

CREATE DOMAIN checkout_data.payment_status AS text CHECK (VALUE IN
    ('processing', 'succeeded', 'failed', 'canceled', 'rejected'));
CREATE DOMAIN checkout_data.rejection_reason AS text CHECK (VALUE IN
    ('session_expired', 'session_failed', 'already_paid', 'amount_mismatch', 'currency_mismatch',
    'out_of_stock', 'trial_used', 'already_renewed', 'subscription_canceled'));
-- As it was reported: rejected payments may have any number, and a currency that is none of ISO 4217.
CREATE DOMAIN checkout_data.payment_amount AS numeric CHECK (VALUE > '-Infinity' AND VALUE < 'Infinity');
CREATE DOMAIN checkout_data.refund_sum AS numeric CHECK (VALUE >= 0 AND VALUE < 'Infinity');
CREATE DOMAIN checkout_data.payment_currency_code AS text CHECK (char_length(VALUE) BETWEEN 1 AND 16);

-- Like all tables, without foreign keys: see references.sql. Who writes a payment has locked its session.
CREATE TABLE checkout_data.payments (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    payment_id checkout_data.identifier COLLATE "C" NOT NULL,
    checkout_session_id uuid NOT NULL,
    status checkout_data.payment_status NOT NULL,
    rejection_reason checkout_data.rejection_reason,
    amount checkout_data.payment_amount NOT NULL,
    currency_code checkout_data.payment_currency_code NOT NULL,
    payment_method text,
    failure_code text,
    failure_message text,
    lease_expires_at timestamptz,
    attempt_ids text[] NOT NULL DEFAULT '{}',
    refunded_amount checkout_data.refund_sum NOT NULL DEFAULT 0,
    pending_refund_amount checkout_data.refund_sum NOT NULL DEFAULT 0,
    reported_amount checkout_data.payment_amount,
    reported_currency_code checkout_data.payment_currency_code,
    applied_from uuid,
    occurred_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT payments_rejection_check CHECK ((status = 'rejected') = (rejection_reason IS NOT NULL)),
    CONSTRAINT payments_lease_check CHECK (status <> 'processing' OR lease_expires_at IS NOT NULL),
    CONSTRAINT payments_refunds_check CHECK (
        refunded_amount + pending_refund_amount = 0
        OR status IN ('succeeded', 'rejected') AND refunded_amount + pending_refund_amount <= GREATEST(amount,
            CASE WHEN reported_currency_code = currency_code THEN reported_amount END)
    )
);
COMMENT ON TABLE checkout_data.payments IS
    'Every payment that was begun or reported for a session, including rejected ones: a payment is never lost.';
COMMENT ON COLUMN checkout_data.payments.rejection_reason IS
    'Why the session did not accept money that was taken. The money has to be refunded, or applied to another session.';
COMMENT ON COLUMN checkout_data.payments.attempt_ids IS 'The failed attempts that were counted and had an id.';
COMMENT ON COLUMN checkout_data.payments.refunded_amount IS 'The sum of the refunds that have succeeded.';
COMMENT ON COLUMN checkout_data.payments.pending_refund_amount IS 'The sum of the refunds that are pending.';
COMMENT ON COLUMN checkout_data.payments.reported_amount IS
    'What a later report of an accepted payment said, if it was something else; with reported_currency_code.';
COMMENT ON COLUMN checkout_data.payments.applied_from IS
    'The session that had rejected the payment, before apply_payment.';
COMMENT ON COLUMN checkout_data.payments.occurred_at IS 'When it happened, by the provider''s clock.';
-- A session is paid once. Also serves the payments of a session.
CREATE UNIQUE INDEX payments_succeeded_idx
    ON checkout_data.payments (organization_id, environment, checkout_session_id) WHERE status = 'succeeded';
-- Serve lists: of all payments, and of those to refund.
CREATE INDEX payments_created_at_idx ON checkout_data.payments (organization_id, environment, created_at, payment_id);
CREATE INDEX payments_to_refund_idx ON checkout_data.payments (organization_id, environment, created_at, payment_id)
    WHERE status = 'rejected' AND amount > refunded_amount + pending_refund_amount;
CREATE INDEX payments_session_idx
    ON checkout_data.payments (organization_id, environment, checkout_session_id, created_at, payment_id);
ALTER TABLE checkout_data.payments ADD CONSTRAINT payments_pkey
    PRIMARY KEY (organization_id, environment, payment_id);

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
    refunded_amount numeric,
    pending_refund_amount numeric,
    reported_amount numeric,
    reported_currency_code text,
    applied_from uuid,
    occurred_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    idempotent_replay boolean
);
COMMENT ON TYPE checkout.payment IS 'One payment of a checkout session.';
COMMENT ON COLUMN checkout.payment.status IS
    'processing, succeeded (accepted: the session is complete), failed or canceled (no money was taken), or rejected '
    '(money was taken but not accepted: refund it).';
COMMENT ON COLUMN checkout.payment.rejection_reason IS
    'session_expired, session_failed, already_paid, amount_mismatch, currency_mismatch, out_of_stock, trial_used, '
    'already_renewed or subscription_canceled.';
COMMENT ON COLUMN checkout.payment.currency_code IS
    'ISO 4217. Of a rejected payment, the code that was reported.';
COMMENT ON COLUMN checkout.payment.refunded_amount IS 'How much of it was returned: the refunds that have succeeded.';
COMMENT ON COLUMN checkout.payment.pending_refund_amount IS 'How much of it is being returned.';
COMMENT ON COLUMN checkout.payment.reported_amount IS
    'What a later report of an accepted payment said, if it was something else. Ask the provider. NULL otherwise.';
COMMENT ON COLUMN checkout.payment.reported_currency_code IS 'The currency of reported_amount.';
COMMENT ON COLUMN checkout.payment.applied_from IS
    'The session that had rejected the payment, if apply_payment gave it to this one.';
COMMENT ON COLUMN checkout.payment.occurred_at IS 'When it happened, as the provider says.';
COMMENT ON COLUMN checkout.payment.lease_expires_at IS 'Until this time the payment holds its session open.';
COMMENT ON COLUMN checkout.payment.idempotent_replay IS
    'True if the call changed nothing because this payment was recorded before.';

CREATE FUNCTION checkout_data.payment_of(p checkout_data.payments, idempotent_replay boolean) RETURNS checkout.payment
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.payment_id, p.checkout_session_id, p.organization_id, p.environment, p.status, p.rejection_reason,
        p.amount, p.currency_code, p.payment_method, p.failure_code, p.failure_message, p.lease_expires_at,
        p.refunded_amount, p.pending_refund_amount, p.reported_amount, p.reported_currency_code, p.applied_from,
        p.occurred_at, p.created_at, p.updated_at, idempotent_replay
    )::checkout.payment
    $$;
COMMENT ON FUNCTION checkout_data.payment_of IS 'Returns a payment as callers see it.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.begin_payment(
    checkout_session_id uuid,
    payment_id text,
    payment_method text DEFAULT NULL,
    lease interval DEFAULT NULL
) RETURNS checkout.payment
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'begin_payment_wrapper';
COMMENT ON FUNCTION checkout.begin_payment IS
$$Records that a payment has begun, and returns the payment.

Call this before you send the buyer to the payment provider. Until the lease of the payment ends, the session stays
open, even past its deadline, and no other payment can begin. Repeating the call returns the same payment while its
lease runs. A payment that has failed or was canceled may begin again.

- payment_id: your id or the provider's, unique within the organization and environment.
- payment_method: one of the session's payment methods.
- lease: 1 second up to the organization's maximum_lease, or that of the payment_method in payment_method_leases.
  Default: 5 minutes, or the maximum if that is shorter. Give a bank transfer the days that it takes.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the session does not exist.
- PT409: the session is not open, another payment is in progress, the payment has taken money already, the session
  asks for a billing address and has none, or what it sells is sold out.$$;

CREATE FUNCTION checkout.record_payment(
    checkout_session_id uuid,
    payment_id text,
    outcome text,
    amount numeric DEFAULT NULL,
    currency_code text DEFAULT NULL,
    payment_method text DEFAULT NULL,
    failure_code text DEFAULT NULL,
    failure_message text DEFAULT NULL,
    attempt_id text DEFAULT NULL,
    occurred_at timestamptz DEFAULT NULL
) RETURNS checkout.payment
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'record_payment_wrapper';
COMMENT ON FUNCTION checkout.record_payment IS
$$Records how a payment ended, and returns the payment. Check its status.

- succeeded: the payment is accepted and the session is complete.
- failed: no money was taken. The session is failed when more attempts have failed than its max_retry_attempts; if
  another payment holds a lease, once that lease ends and the session is still unpaid.
- canceled: no money was taken, because the buyer left the provider's page. This is no attempt. The lease ends.
- rejected: money was taken that the session cannot accept, and has to be refunded. rejection_reason says why:
  session_expired, session_failed, already_paid, amount_mismatch, currency_mismatch, out_of_stock (what the session does
  not hold is gone: a unit, a redemption of the coupon), trial_used, already_renewed (the period is paid) or
  subscription_canceled. This is a result and not an error, so that the payment is stored.

A report is refused only if it cannot be attributed. Whatever else is odd about it is stored as it came, or cleaned: a
label that is too long is cut, a currency code may be in lower case or unknown, and the noise of binary floating-point
numbers is removed from the amount (19.990000000000002 is 19.99).

Repeating the call with the same payment_id returns the same payment, with idempotent_replay true. A later report
corrects the amount and currency of a payment that was rejected for these, and the session accepts it if it is still
open. A later report of an accepted payment with another amount changes reported_amount only.

- outcome: succeeded, failed or canceled.
- amount (in major units), currency_code: what was paid. Default: the session's. With the organization's setting
  require_payment_amount a success must say the amount.
- failure_code, failure_message: for outcome failed.
- attempt_id: the provider's id of the attempt, if a payment can fail more than once under its id. Each failed attempt
  counts once. Without attempt_id a payment counts as one failed attempt.
- occurred_at: when it happened, by the provider's clock. It is kept, and decides nothing.

Errors:
- 22004, 22023: checkout_session_id, payment_id or outcome is missing or wrong; amount is no finite number, or missing
  and required.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the session does not exist.
- PT409: the payment belongs to another session.$$;

CREATE FUNCTION checkout.apply_payment(
    payment_id text,
    checkout_session_id uuid
) RETURNS checkout.payment
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'apply_payment_wrapper';
COMMENT ON FUNCTION checkout.apply_payment IS
$$Pays an open session with a payment that another session has rejected, and returns the payment.

For a payment that came too late, and the session that recovered its expired one: nothing needs to be refunded. The
payment becomes one of the open session, which is complete, and applied_from names the session that had rejected it.
Each of the two sessions gets an event: checkout.session.completed and checkout.session.payment_applied. Repeating the
call returns the same payment, with idempotent_replay true.

- payment_id: a rejected payment of which nothing was refunded.
- checkout_session_id: an open session of the same organization and environment, with the amount and currency of the
  payment.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the payment or the session does not exist.
- PT409: the payment is not rejected or was refunded, the session is not open, or the amounts or currencies differ.$$;

CREATE FUNCTION checkout.simulate_payment(
    checkout_session_id uuid,
    scenario text
) RETURNS checkout.checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'simulate_payment_wrapper';
COMMENT ON FUNCTION checkout.simulate_payment IS
$$Plays the buyer and the payment provider in the test environment, and returns the session.

All that follows is as if your server had called begin_payment, record_payment and record_refund: the payments are kept,
and events are written. A payment that is in progress, whoever has begun it, is the one that succeeds or fails.

- scenario: a word, with a code or a status where it needs one.

The scenarios are:

- complete: a payment of the session's amount succeeds; a session in which nothing is due is completed without one.
- fail: attempts fail until the session has failed.
- decline:CODE: one attempt fails, with this failure_code of 1 to 255 characters.
- late: the session expires, and then it is paid: the payment is rejected (session_expired).
- twice: the session is paid, and then paid again: the second payment is rejected (already_paid).
- wrong_amount: one more than the session's amount is paid: the payment is rejected (amount_mismatch).
- slow: a payment begins, and the session is processing. Called again, the payment succeeds.
- expire: the session expires.
- refund: the accepted payment is refunded in full; an open session is paid first.
- error:STATUS: nothing happens, and the call fails with this HTTP status, 400 to 599 (SQLSTATE PT400 to PT599).

Each decline is another attempt. All else happens once: a call that finds it done changes nothing. Simulated payments
have ids that begin with simulated_ and the session's id. In HTTP requests that create a session, the header
X-Scenario-Key takes the same words.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT403: the environment is live.
- PT404: the session does not exist.
- PT409: the scenario does not fit the state of the session, or another payment is in progress.$$;

CREATE FUNCTION checkout.simulate_public_payment(
    checkout_session_id uuid,
    client_secret text,
    scenario text
) RETURNS checkout.public_checkout_session
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'simulate_public_payment_wrapper';
COMMENT ON FUNCTION checkout.simulate_public_payment IS
$$Plays the payment provider in the test environment for the buyer's page, and returns the session as the buyer sees it.

- client_secret: of the session, for its buyer's page.
- scenario: as for simulate_payment.

Errors:
- 22004, 22023: an argument is missing or wrong.
- PT403: the environment is live.
- PT404: the session does not exist, or the client_secret is wrong.
- PT409: the scenario does not fit the state of the session, or another payment is in progress.$$;

CREATE FUNCTION checkout.list_payments(
    checkout_session_id uuid DEFAULT NULL,
    status text DEFAULT NULL,
    rejection_reason text DEFAULT NULL,
    payment_method text DEFAULT NULL,
    to_refund boolean DEFAULT NULL,
    occurred_after timestamptz DEFAULT NULL,
    occurred_before timestamptz DEFAULT NULL,
    page_size integer DEFAULT 100,
    starting_after text DEFAULT NULL
) RETURNS SETOF checkout.payment
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_payments_wrapper';
COMMENT ON FUNCTION checkout.list_payments IS
$$Returns payments: those of a session oldest first, or else the newest first. Failed and rejected ones are included.

A payment is returned if it matches every argument given.

- status: processing, succeeded, failed, canceled or rejected.
- rejection_reason: session_expired, session_failed, already_paid, amount_mismatch or currency_mismatch.
- to_refund: true for the payments whose money was taken, not accepted, and is not returned or being returned in full.
- occurred_after (inclusive), occurred_before (exclusive): when the payment happened by the provider's clock, or when it
  was first recorded, if the provider has not said.
- page_size: 1 to 100.
- starting_after: a payment_id; the page after it is returned.

Errors:
- 22004, 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session, or the payment of starting_after, does not exist.$$;

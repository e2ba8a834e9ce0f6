-- Refunds: what of a payment was returned.

CREATE DOMAIN checkout_data.refund_status AS text CHECK (VALUE IN ('pending', 'succeeded', 'failed'));

-- Who writes a refund has locked its payment, which has the sums.
CREATE TABLE checkout_data.refunds (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    refund_id checkout_data.identifier COLLATE "C" NOT NULL,
    payment_id checkout_data.identifier COLLATE "C" NOT NULL,
    status checkout_data.refund_status NOT NULL,
    amount numeric NOT NULL,
    currency_code checkout_data.payment_currency_code NOT NULL,
    reason text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT refunds_amount_check CHECK (amount > 0 AND amount < 'Infinity')
);
COMMENT ON TABLE checkout_data.refunds IS
    'Every refund that was reported for a payment. Those that are pending or have succeeded are never more than was paid.';
CREATE INDEX refunds_payment_idx ON checkout_data.refunds (organization_id, environment, payment_id, refund_id);
ALTER TABLE checkout_data.refunds ADD CONSTRAINT refunds_pkey
    PRIMARY KEY (organization_id, environment, refund_id);

CREATE TYPE checkout.refund AS (
    refund_id text,
    payment_id text,
    organization_id uuid,
    environment text,
    status text,
    amount numeric,
    currency_code text,
    reason text,
    created_at timestamptz,
    updated_at timestamptz,
    idempotent_replay boolean
);
COMMENT ON TYPE checkout.refund IS 'One refund of a payment.';
COMMENT ON COLUMN checkout.refund.status IS 'pending, succeeded or failed.';
COMMENT ON COLUMN checkout.refund.amount IS 'In major units of the payment''s currency.';
COMMENT ON COLUMN checkout.refund.idempotent_replay IS
    'True if the call changed nothing because this was recorded before.';

CREATE FUNCTION checkout_data.refund_of(r checkout_data.refunds, idempotent_replay boolean) RETURNS checkout.refund
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        r.refund_id, r.payment_id, r.organization_id, r.environment, r.status, r.amount, r.currency_code, r.reason,
        r.created_at, r.updated_at, idempotent_replay
    )::checkout.refund
    $$;
COMMENT ON FUNCTION checkout_data.refund_of IS 'Returns a refund as callers see it.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.record_refund(
    payment_id text,
    refund_id text,
    amount numeric DEFAULT NULL,
    status text DEFAULT 'succeeded',
    reason text DEFAULT NULL
) RETURNS checkout.refund
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'record_refund_wrapper';
COMMENT ON FUNCTION checkout.record_refund IS
$$Records that money of a payment was returned, or is being returned, and returns the refund.

The payment may be accepted or rejected. Its session stays as it is. Partial refunds add up, never to more than was paid.
refunded_amount of the payment is the sum of those that have succeeded. A refund that succeeds writes the event
checkout.session.refunded, one that fails checkout.session.refund_failed.

Repeating the call with the same refund_id returns the same refund, with idempotent_replay true. Call it again when the
status changes: pending becomes succeeded or failed. A refund that had succeeded may still fail, if the buyer's bank
sends it back.

- refund_id: the provider's id or yours, unique within the organization and environment.
- amount: in major units of the payment's currency. Default: all that is left.
- status: pending, succeeded or failed.
- reason: a text of your own.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the payment does not exist.
- PT409: the amount is more than what is left, the payment has taken no money, or the refund was recorded with another
  amount or for another payment.$$;

CREATE FUNCTION checkout.list_refunds(
    payment_id text
) RETURNS SETOF checkout.refund
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_refunds_wrapper';
COMMENT ON FUNCTION checkout.list_refunds IS
$$Returns the refunds of a payment, oldest first, including failed ones.

Errors:
- 22004, 22023: payment_id is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the payment does not exist.$$;

-- Subscriptions: what a customer has agreed to pay for again and again, and the sessions that begin and renew them.

CREATE DOMAIN checkout_data.subscription_event AS text CHECK (VALUE IN ('none', 'renewal_due', 'past_due', 'ended'));

-- Periods are counted from the anchor in the time zone, never from the period before: Jan 31, Feb 28, Mar 31.
-- Lock order: a session's row and its holds come before the row here. The worker passes over what is locked.
CREATE TABLE checkout_data.subscriptions (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    subscription_id uuid NOT NULL,
    checkout_session_id uuid NOT NULL,
    latest_checkout_session_id uuid NOT NULL,
    customer_id text COLLATE "C",
    customer_email text COLLATE "C",
    product_id checkout_data.identifier COLLATE "C" NOT NULL,
    price_id checkout_data.identifier COLLATE "C" NOT NULL,
    quantity checkout_data.positive NOT NULL,
    unit_amount checkout_data.price_amount NOT NULL,
    currency_code checkout_data.currency_code NOT NULL,
    interval_unit checkout_data.interval_unit NOT NULL,
    interval_count checkout_data.positive NOT NULL,
    time_zone checkout_data.identifier NOT NULL,
    anchor timestamptz NOT NULL,
    periods checkout_data.count NOT NULL,
    periods_paid checkout_data.count NOT NULL,
    trial_end timestamptz,
    current_period_start timestamptz NOT NULL,
    current_period_end timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    canceled_at timestamptz,
    announced checkout_data.subscription_event NOT NULL DEFAULT 'none',
    next_event_at timestamptz,
    event_count checkout_data.count NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT subscriptions_customer_check CHECK (COALESCE(customer_id, customer_email) IS NOT NULL),
    CONSTRAINT subscriptions_period_check CHECK (
        current_period_start < current_period_end AND current_period_end <= ends_at AND periods <= periods_paid
        AND (periods_paid > 0 OR trial_end IS NOT NULL)),
    CONSTRAINT subscriptions_canceled_check CHECK (canceled_at IS NOT NULL OR NOT cancel_at_period_end),
    CONSTRAINT subscriptions_event_check CHECK ((next_event_at IS NULL) = (announced = 'ended'))
) WITH (fillfactor = 85);
COMMENT ON TABLE checkout_data.subscriptions IS
    'One row per subscription. A completed session begins it, and each renewal is a session of its own.';
COMMENT ON COLUMN checkout_data.subscriptions.periods IS
    'How many periods are paid since the anchor. The anchor moves when a renewal comes after the days of grace.';
COMMENT ON COLUMN checkout_data.subscriptions.ends_at IS
    'The end of the current period and the days of grace. From then on it has ended, unless it is renewed.';
COMMENT ON COLUMN checkout_data.subscriptions.announced IS 'The last event of the current period.';
COMMENT ON COLUMN checkout_data.subscriptions.next_event_at IS
    'When the next event is due that the clock brings. NULL: none is.';

-- Serves the worker.
CREATE INDEX subscriptions_next_event_idx ON checkout_data.subscriptions (next_event_at)
    WHERE next_event_at IS NOT NULL;
CREATE INDEX subscriptions_customer_id_idx
    ON checkout_data.subscriptions (organization_id, environment, customer_id, created_at)
    WHERE customer_id IS NOT NULL;
CREATE INDEX subscriptions_customer_email_idx
    ON checkout_data.subscriptions (organization_id, environment, customer_email, created_at)
    WHERE customer_email IS NOT NULL;
CREATE INDEX subscriptions_price_idx
    ON checkout_data.subscriptions (organization_id, environment, price_id, created_at);
CREATE INDEX subscriptions_created_at_idx
    ON checkout_data.subscriptions (organization_id, environment, created_at, subscription_id);
-- One trial for a customer and product, however the customer writes his address.
CREATE UNIQUE INDEX subscriptions_trial_customer_id_idx
    ON checkout_data.subscriptions (organization_id, environment, product_id, customer_id)
    WHERE trial_end IS NOT NULL AND customer_id IS NOT NULL;
CREATE UNIQUE INDEX subscriptions_trial_customer_email_idx
    ON checkout_data.subscriptions (organization_id, environment, product_id, checkout_data.folded(customer_email))
    WHERE trial_end IS NOT NULL AND customer_email IS NOT NULL;
ALTER TABLE checkout_data.subscriptions ADD CONSTRAINT subscriptions_pkey
    PRIMARY KEY (organization_id, environment, subscription_id);

CREATE TABLE checkout_data.session_periods (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    trial boolean NOT NULL DEFAULT false,
    period_start timestamptz,
    period_end timestamptz,
    CONSTRAINT session_periods_period_check CHECK (
        CASE WHEN period_start IS NULL THEN period_end IS NULL ELSE NOT trial AND period_start < period_end END)
);
-- Serves the relationship of a subscription to its sessions.
CREATE INDEX session_periods_subscription_idx
    ON checkout_data.session_periods (organization_id, environment, subscription_id);
ALTER TABLE checkout_data.session_periods ADD CONSTRAINT session_periods_pkey
    PRIMARY KEY (organization_id, environment, checkout_session_id);
COMMENT ON TABLE checkout_data.session_periods IS
    'What sessions do to a subscription when they are complete. A session of no subscription has no row.';
COMMENT ON COLUMN checkout_data.session_periods.subscription_id IS
    'Of a session that begins one, the id that the subscription will have.';
COMMENT ON COLUMN checkout_data.session_periods.trial IS 'True if the subscription begins with the trial of its price.';
COMMENT ON COLUMN checkout_data.session_periods.period_start IS
    'The period that a renewal pays, from the end of the one before; of a paid one that came too late for that, from the '
    'payment. NULL: the session begins the subscription.';

CREATE TYPE checkout.subscription AS (
    subscription_id uuid,
    organization_id uuid,
    environment text,
    status text,
    customer_id text,
    customer_email text,
    product_id text,
    price_id text,
    quantity integer,
    amount numeric,
    currency_code text,
    interval_unit text,
    interval_count integer,
    time_zone text,
    anchor timestamptz,
    periods_paid integer,
    current_period_start timestamptz,
    current_period_end timestamptz,
    trial_end timestamptz,
    ends_at timestamptz,
    cancel_at_period_end boolean,
    canceled_at timestamptz,
    checkout_session_id uuid,
    latest_checkout_session_id uuid,
    created_at timestamptz,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.subscription IS 'What a customer pays for again and again.';
COMMENT ON COLUMN checkout.subscription.status IS
    'trialing; active; past_due: the period is over and not yet renewed; ended: it was not renewed in time; or canceled. '
    'As of now, by the clock.';
COMMENT ON COLUMN checkout.subscription.amount IS 'What a period costs, in major units of the currency.';
COMMENT ON COLUMN checkout.subscription.interval_unit IS 'day, week, month or year. A period is interval_count of them.';
COMMENT ON COLUMN checkout.subscription.time_zone IS 'The IANA time zone in which the periods are counted.';
COMMENT ON COLUMN checkout.subscription.anchor IS
    'The periods are counted from here. It is the beginning, the end of the trial, or the payment of a renewal that came '
    'after the days of grace.';
COMMENT ON COLUMN checkout.subscription.periods_paid IS 'How many periods were paid in all.';
COMMENT ON COLUMN checkout.subscription.ends_at IS
    'The end of the current period and the organization''s renewal_grace_period. A renewal that is paid until then begins '
    'at the end of the period; a later one when it is paid.';
COMMENT ON COLUMN checkout.subscription.cancel_at_period_end IS 'True: it is canceled when the current period ends.';
COMMENT ON COLUMN checkout.subscription.canceled_at IS 'When cancel_subscription was called.';
COMMENT ON COLUMN checkout.subscription.checkout_session_id IS 'The session that began it.';
COMMENT ON COLUMN checkout.subscription.latest_checkout_session_id IS 'The session that paid the current period.';

-- One expression each, without a search path of their own: the planner inlines them.
CREATE FUNCTION checkout_data.subscription_status(s checkout_data.subscriptions, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN s.canceled_at IS NOT NULL
            AND (NOT s.cancel_at_period_end OR at OPERATOR(pg_catalog.>=) s.current_period_end) THEN 'canceled'
        WHEN at OPERATOR(pg_catalog.>=) s.ends_at THEN 'ended'
        WHEN at OPERATOR(pg_catalog.>=) s.current_period_end THEN 'past_due'
        WHEN s.periods_paid OPERATOR(pg_catalog.=) 0 THEN 'trialing'
        ELSE 'active' END
    $$;
COMMENT ON FUNCTION checkout_data.subscription_status IS 'Returns the status of a subscription at a time.';

CREATE FUNCTION checkout_data.subscription_at(s checkout_data.subscriptions, at timestamptz)
    RETURNS checkout.subscription
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.subscription_id, s.organization_id, s.environment, checkout_data.subscription_status(s, at), s.customer_id,
        s.customer_email, s.product_id, s.price_id, s.quantity, s.unit_amount OPERATOR(pg_catalog.*) s.quantity,
        s.currency_code, s.interval_unit, s.interval_count, s.time_zone, s.anchor, s.periods_paid,
        s.current_period_start, s.current_period_end, s.trial_end, s.ends_at, s.cancel_at_period_end, s.canceled_at,
        s.checkout_session_id, s.latest_checkout_session_id, s.created_at, s.updated_at
    )::checkout.subscription
    $$;
COMMENT ON FUNCTION checkout_data.subscription_at IS 'Returns a subscription as callers see it at a time.';

-- A time zone that the server does not know any more must not keep a payment from being recorded.
CREATE FUNCTION checkout_data.period_boundary(anchor timestamptz, time_zone text, span interval) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    BEGIN
        RETURN (anchor AT TIME ZONE time_zone + span) AT TIME ZONE time_zone;
    EXCEPTION WHEN invalid_parameter_value THEN
        RETURN (anchor AT TIME ZONE 'UTC' + span) AT TIME ZONE 'UTC';
    END
    $$;
COMMENT ON FUNCTION checkout_data.period_boundary IS
    'Returns the time that is a span after the anchor, by the calendar and the clocks of a time zone. A day that its month '
    'does not have is the last of the month; a time that the clocks leave out is as much later.';

CREATE FUNCTION checkout_data.period_span(interval_unit text, interval_count integer, periods integer)
    RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT (periods OPERATOR(pg_catalog.*) interval_count)::pg_catalog.float8
        OPERATOR(pg_catalog.*) CASE
            WHEN interval_unit OPERATOR(pg_catalog.=) 'day' THEN '1 day'::pg_catalog.interval
            WHEN interval_unit OPERATOR(pg_catalog.=) 'week' THEN '7 days'::pg_catalog.interval
            WHEN interval_unit OPERATOR(pg_catalog.=) 'month' THEN '1 month'::pg_catalog.interval
            ELSE '1 year'::pg_catalog.interval END
    $$;
COMMENT ON FUNCTION checkout_data.period_span IS 'Returns how long so many periods of a subscription are.';

CREATE FUNCTION checkout_data.first_event_at(period_end timestamptz, notice interval, at timestamptz)
    RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN notice IS NULL THEN period_end
        ELSE LEAST(period_end, GREATEST(period_end OPERATOR(pg_catalog.-) notice, at)) END
    $$;
COMMENT ON FUNCTION checkout_data.first_event_at IS
    'Returns when the first event of a period is due: the notice of its renewal, at once if its time has come, or its end.';

CREATE FUNCTION checkout_data.due_event(s checkout_data.subscriptions, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN at OPERATOR(pg_catalog.<) s.current_period_end THEN 'renewal_due'
        WHEN s.cancel_at_period_end OR s.announced OPERATOR(pg_catalog.=) 'past_due'
            OR s.ends_at OPERATOR(pg_catalog.=) s.current_period_end THEN 'ended'
        ELSE 'past_due' END
    $$;
COMMENT ON FUNCTION checkout_data.due_event IS
    'Returns the event of a subscription whose next_event_at has come.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.get_subscription(
    subscription_id uuid
) RETURNS checkout.subscription
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'get_subscription_wrapper';
COMMENT ON FUNCTION checkout.get_subscription IS
$$Returns a subscription as it is now.

A subscription is past_due, ended or canceled as soon as its time has come, even before the worker has announced it.

Errors:
- 22004: subscription_id is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the subscription does not exist in this organization and environment.$$;

CREATE FUNCTION checkout.list_subscriptions(
    status text DEFAULT NULL,
    customer_id text DEFAULT NULL,
    customer_email text DEFAULT NULL,
    product_id text DEFAULT NULL,
    price_id text DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after uuid DEFAULT NULL
) RETURNS SETOF checkout.subscription
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_subscriptions_wrapper';
COMMENT ON FUNCTION checkout.list_subscriptions IS
$$Returns subscriptions, newest first. A subscription is returned if it matches every argument given.

- status: trialing, active, past_due, ended or canceled, as of now.
- customer_id, customer_email: of the session that began it.
- product_id, price_id: what it sells.
- page_size: 1 to 100.
- starting_after: the id of a subscription; the page after it is returned.

Errors:
- 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: starting_after is not a subscription of this organization and environment.$$;

CREATE FUNCTION checkout.cancel_subscription(
    subscription_id uuid,
    at_period_end boolean DEFAULT true
) RETURNS checkout.subscription
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'cancel_subscription_wrapper';
COMMENT ON FUNCTION checkout.cancel_subscription IS
$$Cancels a subscription, and returns it. It is not renewed any more.

An open session that would renew it expires. Cancelling again may turn a cancellation at the end of the period into one
now; nothing else changes. Nothing is refunded.

- at_period_end: true lets it run to the end of the current period, which is paid; then it is canceled. false cancels it
  now.

Errors:
- 22004: an argument is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the subscription does not exist.
- PT409: the subscription has ended, or a payment that would renew it is in progress.$$;

CREATE FUNCTION checkout.resume_subscription(
    subscription_id uuid
) RETURNS checkout.subscription
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'resume_subscription_wrapper';
COMMENT ON FUNCTION checkout.resume_subscription IS
$$Takes back a cancellation at the end of the period, while that period lasts, and returns the subscription.

Errors:
- 22004: subscription_id is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the subscription does not exist.
- PT409: the subscription has ended, or is canceled.$$;

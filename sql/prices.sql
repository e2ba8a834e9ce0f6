-- Prices of products.

-- As amounts of sessions, but a price may be zero.
CREATE DOMAIN checkout_data.price_amount AS numeric
    CHECK (VALUE >= 0 AND VALUE < 1000000000000000 AND scale(VALUE) <= 4);

CREATE DOMAIN checkout_data.interval_unit AS text CHECK (VALUE IN ('day', 'week', 'month', 'year'));

CREATE TABLE checkout_data.prices (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    price_id checkout_data.identifier COLLATE "C" NOT NULL,
    product_id checkout_data.identifier COLLATE "C" NOT NULL,
    currency_code checkout_data.currency_code COLLATE "C" NOT NULL,
    amount checkout_data.price_amount,
    minimum_amount checkout_data.price_amount,
    maximum_amount checkout_data.price_amount,
    suggested_amount checkout_data.price_amount,
    minimum_quantity checkout_data.positive NOT NULL DEFAULT 1,
    maximum_quantity checkout_data.positive,
    interval_unit checkout_data.interval_unit,
    interval_count checkout_data.positive,
    -- No part of it is negative: the calendar's months have no 30 days.
    trial_period interval CHECK (EXTRACT(epoch FROM trial_period) BETWEEN 1 AND 731 * 86400
        AND EXTRACT(year FROM trial_period) >= 0 AND EXTRACT(month FROM trial_period) >= 0
        AND EXTRACT(day FROM trial_period) >= 0 AND EXTRACT(epoch FROM date_trunc('day', trial_period) - trial_period) <= 0),
    is_default boolean NOT NULL DEFAULT false,
    active boolean NOT NULL DEFAULT true,
    description text,
    metadata checkout_data.json_object NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT prices_amount_check CHECK (
        (amount IS NULL) <> (minimum_amount IS NULL)
        AND (minimum_amount IS NOT NULL OR COALESCE(maximum_amount, suggested_amount) IS NULL)
        AND COALESCE(maximum_amount >= minimum_amount, true)
        AND COALESCE(suggested_amount BETWEEN minimum_amount AND COALESCE(maximum_amount, suggested_amount), true)
    ),
    CONSTRAINT prices_quantity_check CHECK (COALESCE(maximum_quantity >= minimum_quantity, true)),
    -- A price that recurs is fixed: nobody is there to choose when it is paid again.
    CONSTRAINT prices_interval_check CHECK (
        (interval_unit IS NULL) = (interval_count IS NULL)
        AND (interval_unit IS NULL OR amount IS NOT NULL) AND (trial_period IS NULL OR interval_unit IS NOT NULL)),
    CONSTRAINT prices_default_check CHECK (active OR NOT is_default)
);
COMMENT ON TABLE checkout_data.prices IS
    'What one unit of a product costs. Nothing of a price changes but active and is_default.';
COMMENT ON COLUMN checkout_data.prices.amount IS 'NULL: the buyer pays what he wants, from minimum_amount on.';
COMMENT ON COLUMN checkout_data.prices.interval_unit IS
    'The price is to be paid once in interval_count of these. NULL: it is paid once.';
COMMENT ON COLUMN checkout_data.prices.is_default IS
    'True: the price of the product in this currency, if a session names the product alone.';
CREATE INDEX prices_product_idx ON checkout_data.prices (organization_id, environment, product_id, price_id);
CREATE INDEX prices_created_at_idx ON checkout_data.prices (organization_id, environment, created_at, price_id);
-- A product has one default price in a currency.
CREATE UNIQUE INDEX prices_default_idx
    ON checkout_data.prices (organization_id, environment, product_id, currency_code) WHERE is_default;
ALTER TABLE checkout_data.prices ADD CONSTRAINT prices_pkey
    PRIMARY KEY (organization_id, environment, price_id);

CREATE TYPE checkout.price AS (
    price_id text,
    product_id text,
    organization_id uuid,
    environment text,
    currency_code text,
    amount numeric,
    minimum_amount numeric,
    maximum_amount numeric,
    suggested_amount numeric,
    minimum_quantity integer,
    maximum_quantity integer,
    interval_unit text,
    interval_count integer,
    trial_period interval,
    is_default boolean,
    active boolean,
    description text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.price IS 'What one unit of a product costs.';
COMMENT ON COLUMN checkout.price.currency_code IS 'ISO 4217, in upper case.';
COMMENT ON COLUMN checkout.price.amount IS 'In major units. NULL: buyers pay what they want, within the bounds.';
COMMENT ON COLUMN checkout.price.minimum_amount IS 'The least that a buyer may pay for a unit. NULL: the amount is fixed.';
COMMENT ON COLUMN checkout.price.suggested_amount IS 'What the payment page proposes.';
COMMENT ON COLUMN checkout.price.interval_unit IS
    'day, week, month or year: the price is to be paid once in interval_count of them, by a subscription. NULL: it is paid '
    'once.';
COMMENT ON COLUMN checkout.price.trial_period IS 'How long a subscription is free at first. NULL: no time.';
COMMENT ON COLUMN checkout.price.is_default IS
    'True: the price of the product in this currency, if a session names the product alone.';
COMMENT ON COLUMN checkout.price.active IS 'False: no new session sells at this price. Open ones still do.';

CREATE FUNCTION checkout_data.price_of(p checkout_data.prices) RETURNS checkout.price
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.price_id, p.product_id, p.organization_id, p.environment, p.currency_code, p.amount, p.minimum_amount,
        p.maximum_amount, p.suggested_amount, p.minimum_quantity, p.maximum_quantity, p.interval_unit,
        p.interval_count, p.trial_period, p.is_default, p.active, p.description, p.metadata, p.created_at, p.updated_at
    )::checkout.price
    $$;
COMMENT ON FUNCTION checkout_data.price_of IS 'Returns a price as callers see it.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.create_price(
    product_id text,
    currency_code text,
    amount numeric DEFAULT NULL,
    minimum_amount numeric DEFAULT NULL,
    maximum_amount numeric DEFAULT NULL,
    suggested_amount numeric DEFAULT NULL,
    price_id text DEFAULT NULL,
    minimum_quantity integer DEFAULT 1,
    maximum_quantity integer DEFAULT NULL,
    is_default boolean DEFAULT NULL,
    description text DEFAULT NULL,
    metadata jsonb DEFAULT '{}',
    interval_unit text DEFAULT NULL,
    interval_count integer DEFAULT NULL,
    trial_period interval DEFAULT NULL
) RETURNS checkout.price
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_price_wrapper';
COMMENT ON FUNCTION checkout.create_price IS
$$Adds a price to a product, and returns it.

A price has an amount, or a minimum_amount, from which on buyers pay what they want. It does not change: for another
amount create another price, and archive this one with update_price.

- product_id: the product, which must be active.
- currency_code: ISO 4217.
- amount: what one unit costs, in major units; 0 for what is free.
- minimum_amount: the least that buyers may pay for one unit. 0 lets them pay nothing.
- maximum_amount: the most. Default: no bound.
- suggested_amount: what the payment page proposes. Default: minimum_amount.
- price_id: an id of yours, unique within the organization and environment. Default: a new UUID.
- minimum_quantity, maximum_quantity: how many units a session may sell, 1 to 999999. Default: any number.
- is_default: true makes it the price of the product in this currency, in the place of the one before. Default: true if
  the product has none in this currency yet.
- description: for you, up to 5000 characters.
- metadata: a JSON object of at most 32 kB.
- interval_unit: day, week, month or year. The price recurs: a session that sells it begins a subscription.
- interval_count: how many of them a period is; 3 and month is a quarter. Default: 1. A period is ten years at most.
- trial_period: how long a subscription is free at first, at most 731 days. Default: not at all. A customer gets one
  trial of a product. A session that a browser creates has none: whoever knows an address could use up its trial.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the product does not exist.
- PT409: the product is not active, or there is a price with this price_id.$$;

CREATE FUNCTION checkout.update_price(
    price_id text,
    active boolean DEFAULT NULL,
    is_default boolean DEFAULT NULL
) RETURNS checkout.price
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'update_price_wrapper';
COMMENT ON FUNCTION checkout.update_price IS
$$Archives a price, or makes it the default of its product, and returns it.

What is NULL stays as it is. Sessions that exist keep their price.

- price_id: the price.
- active: false archives the price: no new session sells at it, and it is no default any more.
- is_default: true makes it the price of the product in its currency, in the place of the one before.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the price does not exist.
- PT409: is_default is true, and the price is not active.$$;

CREATE FUNCTION checkout.list_prices(
    product_id text DEFAULT NULL,
    active boolean DEFAULT NULL,
    currency_code text DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after text DEFAULT NULL
) RETURNS SETOF checkout.price
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_prices_wrapper';
COMMENT ON FUNCTION checkout.list_prices IS
$$Returns prices, newest first: those of a product, or of all.

A price is returned if it matches every argument given.

- product_id: the product.
- active: true for those that are sold at, false for archived ones.
- currency_code: ISO 4217.
- page_size: 1 to 100.
- starting_after: a price_id; the page after it is returned.

Errors:
- 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the product, or the price of starting_after, does not exist.$$;

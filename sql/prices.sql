-- Prices of products.

-- As amounts of sessions, but a price may be zero.
CREATE DOMAIN checkout_data.price_amount AS numeric
    CHECK (VALUE >= 0 AND VALUE < 1000000000000000 AND scale(VALUE) <= 4);

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
    CONSTRAINT prices_default_check CHECK (active OR NOT is_default)
);
COMMENT ON TABLE checkout_data.prices IS
    'What one unit of a product costs. Nothing of a price changes but active and is_default.';
COMMENT ON COLUMN checkout_data.prices.amount IS 'NULL: the buyer pays what he wants, from minimum_amount on.';
COMMENT ON COLUMN checkout_data.prices.is_default IS
    'True: the price of the product in this currency, if a session names the product alone.';
CREATE INDEX prices_product_idx ON checkout_data.prices (organization_id, environment, product_id, price_id);
CREATE INDEX prices_created_at_idx ON checkout_data.prices (organization_id, environment, created_at, price_id);
-- A product has one default price in a currency.
CREATE UNIQUE INDEX prices_default_idx
    ON checkout_data.prices (organization_id, environment, product_id, currency_code) WHERE is_default;
ALTER TABLE checkout_data.prices ADD CONSTRAINT prices_pkey
    PRIMARY KEY (organization_id, environment, price_id);

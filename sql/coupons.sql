-- Coupons.

CREATE DOMAIN checkout_data.coupon_code AS text COLLATE "C" CHECK (VALUE ~ '^[A-Z0-9_-]{1,64}$');
CREATE DOMAIN checkout_data.percentage AS numeric CHECK (VALUE > 0 AND VALUE <= 100 AND scale(VALUE) <= 4);
CREATE DOMAIN checkout_data.coupon_customers AS text CHECK (VALUE IN ('all', 'new', 'returning'));

CREATE TABLE checkout_data.coupons (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    code checkout_data.coupon_code COLLATE "C" NOT NULL,
    percent_off checkout_data.percentage,
    amount_off checkout_data.session_amount,
    currency_code checkout_data.currency_code,
    valid_from timestamptz,
    valid_until timestamptz,
    max_redemptions checkout_data.positive,
    max_redemptions_per_customer checkout_data.positive,
    minimum_amount checkout_data.price_amount,
    product_ids text[],
    customers checkout_data.coupon_customers NOT NULL DEFAULT 'all',
    description text,
    metadata checkout_data.json_object NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true,
    held checkout_data.count NOT NULL DEFAULT 0,
    redeemed checkout_data.count NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT coupons_value_check CHECK (
        (percent_off IS NULL) <> (amount_off IS NULL)
        AND (COALESCE(amount_off, minimum_amount) IS NULL OR currency_code IS NOT NULL)
    ),
    CONSTRAINT coupons_validity_check CHECK (COALESCE(valid_until > valid_from, true))
) WITH (fillfactor = 50);
COMMENT ON TABLE checkout_data.coupons IS 'Discount codes. Nothing of a coupon changes but active, and its counts.';
COMMENT ON COLUMN checkout_data.coupons.code IS 'In upper case: codes are the same in either case.';
COMMENT ON COLUMN checkout_data.coupons.currency_code IS
    'The coupon is for sessions of this currency only. NULL: of any.';
COMMENT ON COLUMN checkout_data.coupons.product_ids IS 'The products that are discounted. NULL: all.';
COMMENT ON COLUMN checkout_data.coupons.held IS
    'At least the redemptions that are held and not counted yet. Without max_redemptions, 0.';
COMMENT ON COLUMN checkout_data.coupons.redeemed IS 'The redemptions that the worker has counted.';
CREATE INDEX coupons_created_at_idx ON checkout_data.coupons (organization_id, environment, created_at, code);
ALTER TABLE checkout_data.coupons ADD CONSTRAINT coupons_pkey
    PRIMARY KEY (organization_id, environment, code);

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

CREATE TYPE checkout.coupon AS (
    code text,
    organization_id uuid,
    environment text,
    percent_off numeric,
    amount_off numeric,
    currency_code text,
    valid_from timestamptz,
    valid_until timestamptz,
    max_redemptions integer,
    max_redemptions_per_customer integer,
    minimum_amount numeric,
    product_ids text[],
    customers text,
    description text,
    metadata jsonb,
    active boolean,
    held bigint,
    redeemed bigint,
    available bigint,
    created_at timestamptz,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.coupon IS 'A discount code, and how often it was redeemed.';
COMMENT ON COLUMN checkout.coupon.code IS 'In upper case. Buyers may write it in either case.';
COMMENT ON COLUMN checkout.coupon.amount_off IS 'In major units of currency_code. NULL: a percentage is taken off.';
COMMENT ON COLUMN checkout.coupon.currency_code IS
    'The coupon is for sessions of this currency only. NULL: of any.';
COMMENT ON COLUMN checkout.coupon.valid_until IS 'From this time on the coupon is not applied any more.';
COMMENT ON COLUMN checkout.coupon.minimum_amount IS 'What the items of a session must cost before the discount.';
COMMENT ON COLUMN checkout.coupon.product_ids IS 'The products that are discounted. NULL: all.';
COMMENT ON COLUMN checkout.coupon.customers IS
    'all, new (who have completed no session) or returning (who have).';
COMMENT ON COLUMN checkout.coupon.held IS 'How many open sessions have the coupon.';
COMMENT ON COLUMN checkout.coupon.redeemed IS 'How many complete sessions have it.';
COMMENT ON COLUMN checkout.coupon.available IS 'max_redemptions - redeemed - held. NULL: there is no limit.';

CREATE FUNCTION checkout_data.coupon_of(
    c checkout_data.coupons,
    held bigint,
    taken bigint
) RETURNS checkout.coupon
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        c.code, c.organization_id, c.environment, c.percent_off, c.amount_off, c.currency_code, c.valid_from,
        c.valid_until, c.max_redemptions, c.max_redemptions_per_customer, c.minimum_amount, c.product_ids, c.customers,
        c.description, c.metadata, c.active, held, c.redeemed OPERATOR(pg_catalog.+) taken,
        c.max_redemptions OPERATOR(pg_catalog.-) c.redeemed OPERATOR(pg_catalog.-) taken OPERATOR(pg_catalog.-) held,
        c.created_at, c.updated_at
    )::checkout.coupon
    $$;
COMMENT ON FUNCTION checkout_data.coupon_of IS
    'Returns a coupon as callers see it, with the redemptions that are held, and those that the worker has not counted.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.create_coupon(
    code text,
    percent_off numeric DEFAULT NULL,
    amount_off numeric DEFAULT NULL,
    currency_code text DEFAULT NULL,
    valid_from timestamptz DEFAULT NULL,
    valid_until timestamptz DEFAULT NULL,
    max_redemptions integer DEFAULT NULL,
    max_redemptions_per_customer integer DEFAULT NULL,
    minimum_amount numeric DEFAULT NULL,
    product_ids text[] DEFAULT NULL,
    customers text DEFAULT 'all',
    description text DEFAULT NULL,
    metadata jsonb DEFAULT '{}'
) RETURNS checkout.coupon
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_coupon_wrapper';
COMMENT ON FUNCTION checkout.create_coupon IS
$$Creates a coupon, and returns it. Its value does not change: for another value create another coupon.

A session has one coupon at most. A percentage is taken off the items that the coupon is for, all in all, and rounded
once; an amount is taken off once, and not for each unit.

- code: 1 to 64 letters (A to Z), digits, - and _. It is stored in upper case, and buyers may write it in either.
- percent_off: above 0 up to 100, with at most 4 decimals.
- amount_off: in major units of currency_code. A coupon has either percent_off or amount_off.
- currency_code: ISO 4217; the coupon is for sessions of this currency only. Needed with amount_off or minimum_amount.
- valid_from (inclusive), valid_until (exclusive): when the coupon can be applied. Default: from now on, without end.
- max_redemptions: how many sessions may have it. Sessions that are open count; those that end unpaid do not.
- max_redemptions_per_customer: how many of one customer, who is known by customer_id or customer_email.
- minimum_amount: what the items must cost before the discount, in major units.
- product_ids: the products that are discounted, at most 100. Default: all.
- customers: all, new (who have completed no session) or returning (who have).
- description: for you, up to 5000 characters.
- metadata: a JSON object of at most 32 kB.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong, or product_ids names a product that does not exist.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT409: there is a coupon with this code.$$;

CREATE FUNCTION checkout.update_coupon(
    code text,
    active boolean DEFAULT NULL
) RETURNS checkout.coupon
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'update_coupon_wrapper';
COMMENT ON FUNCTION checkout.update_coupon IS
$$Ends a coupon, or puts it to use again, and returns it. Sessions that have it keep it.

- code: in either case.
- active: false applies the coupon to no more sessions. NULL changes nothing.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the coupon does not exist.$$;

CREATE FUNCTION checkout.list_coupons(
    active boolean DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after text DEFAULT NULL
) RETURNS SETOF checkout.coupon
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_coupons_wrapper';
COMMENT ON FUNCTION checkout.list_coupons IS
$$Returns coupons, newest first.

- active: true for those in use, false for those that were ended with update_coupon. Default: all.
- page_size: 1 to 100.
- starting_after: a code; the page after it is returned.

Errors:
- 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the coupon of starting_after does not exist.$$;

CREATE FUNCTION checkout_data.check_coupon_performance(
    code text, created_after timestamptz, created_before timestamptz
) RETURNS uuid
    LANGUAGE c STABLE
    AS 'MODULE_PATHNAME', 'coupon_performance_wrapper';
COMMENT ON FUNCTION checkout_data.check_coupon_performance IS
    'Returns the organization of the caller. Refuses wrong arguments of coupon_performance.';

CREATE FUNCTION checkout.coupon_performance(
    code text DEFAULT NULL,
    created_after timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL
) RETURNS TABLE (
    coupon_code text, currency_code text, sessions bigint, redemptions bigint, subtotal numeric, discount numeric,
    amount numeric
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    DECLARE
        tenant CONSTANT uuid := checkout_data.check_coupon_performance(coupon_performance.code,
            coupon_performance.created_after, coupon_performance.created_before);
        tenant_environment CONSTANT text := checkout.current_environment();
        -- As the code of a coupon is stored.
        wanted CONSTANT text := upper(btrim(coupon_performance.code, E' \t\n\r') COLLATE "C");
    BEGIN
        RETURN QUERY
            SELECT t.coupon_code::text, s.currency_code::text, count(*),
                count(*) FILTER (WHERE s.status = 'complete'),
                COALESCE(sum(t.subtotal) FILTER (WHERE s.status = 'complete'), 0),
                COALESCE(sum(t.discount) FILTER (WHERE s.status = 'complete'), 0),
                COALESCE(sum(t.amount) FILTER (WHERE s.status = 'complete'), 0)
            FROM checkout_data.session_terms t
            JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
            WHERE t.organization_id = tenant AND t.environment = tenant_environment AND t.coupon_code IS NOT NULL
                AND (wanted IS NULL OR t.coupon_code = wanted)
                AND (coupon_performance.created_after IS NULL OR s.created_at >= coupon_performance.created_after)
                AND (coupon_performance.created_before IS NULL OR s.created_at < coupon_performance.created_before)
            GROUP BY t.coupon_code, s.currency_code ORDER BY t.coupon_code, s.currency_code;
    END
    $$;
COMMENT ON FUNCTION checkout.coupon_performance IS
$$Returns what coupons have brought: a row for each coupon and currency that some session has.

sessions counts those that have the coupon, redemptions those of them that are complete. subtotal, discount and amount
are sums over the complete ones: what the items cost, what was taken off, and what was due, with shipping, tax and fees.

- code: one coupon, in either case. Default: all.
- created_after (inclusive), created_before (exclusive): when the sessions were created.

Errors:
- 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.$$;

-- What a session sells: its lines, and the sums of them.

CREATE DOMAIN checkout_data.line_kind AS text CHECK (VALUE IN ('item', 'shipping', 'tax', 'fee'));
CREATE DOMAIN checkout_data.line_sum AS numeric CHECK (VALUE >= 0 AND VALUE < 1000000000000000);

-- A line is a snapshot: what becomes of its product and its price later does not change it.
CREATE TABLE checkout_data.session_lines (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    line checkout_data.positive NOT NULL,
    kind checkout_data.line_kind NOT NULL,
    product_id text COLLATE "C",
    price_id text COLLATE "C",
    title text,
    image_url text,
    unit_amount checkout_data.price_amount NOT NULL,
    quantity checkout_data.positive NOT NULL,
    subtotal checkout_data.line_sum NOT NULL,
    discount checkout_data.line_sum NOT NULL DEFAULT 0,
    minimum_quantity checkout_data.positive NOT NULL DEFAULT 1,
    maximum_quantity checkout_data.positive,
    minimum_amount checkout_data.price_amount,
    maximum_amount checkout_data.price_amount,
    suggested_amount checkout_data.price_amount,
    CONSTRAINT session_lines_pkey PRIMARY KEY (organization_id, environment, checkout_session_id, line),
    CONSTRAINT session_lines_subtotal_check CHECK (subtotal = unit_amount * quantity),
    CONSTRAINT session_lines_discount_check CHECK (discount <= subtotal AND (kind = 'item' OR discount = 0)),
    CONSTRAINT session_lines_quantity_check CHECK (
        quantity >= minimum_quantity AND COALESCE(quantity <= maximum_quantity, true)),
    CONSTRAINT session_lines_amount_check CHECK (
        COALESCE(unit_amount >= minimum_amount, true) AND COALESCE(unit_amount <= maximum_amount, true))
);
COMMENT ON TABLE checkout_data.session_lines IS 'The lines of sessions that have terms, as they were sold.';
COMMENT ON COLUMN checkout_data.session_lines.minimum_amount IS
    'The least that the buyer may pay for a unit. NULL: the unit_amount is fixed.';

CREATE TABLE checkout_data.session_terms (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    subtotal checkout_data.line_sum NOT NULL,
    discount checkout_data.line_sum NOT NULL DEFAULT 0,
    shipping checkout_data.line_sum NOT NULL DEFAULT 0,
    tax checkout_data.line_sum NOT NULL DEFAULT 0,
    fees checkout_data.line_sum NOT NULL DEFAULT 0,
    amount checkout_data.line_sum NOT NULL,
    coupon_code checkout_data.coupon_code COLLATE "C",
    coupon_tries checkout_data.count NOT NULL DEFAULT 0,
    billing_address checkout_data.json_object,
    hold_count checkout_data.count,
    order_hash checkout_data.sha256 NOT NULL,
    CONSTRAINT session_terms_amount_check CHECK (subtotal - discount + shipping + tax + fees = amount),
    CONSTRAINT session_terms_discount_check CHECK (discount <= subtotal AND (discount = 0 OR coupon_code IS NOT NULL))
) WITH (fillfactor = 85);
COMMENT ON TABLE checkout_data.session_terms IS
    'The sums of the lines of a session, its coupon and its billing address. amount is that of the session.';
COMMENT ON COLUMN checkout_data.session_terms.coupon_tries IS 'How often a code was tried.';
COMMENT ON COLUMN checkout_data.session_terms.hold_count IS
    'How many holds the session has while it is open. NULL: none yet, because a browser created it; its first payment '
    'makes them.';
COMMENT ON COLUMN checkout_data.session_terms.order_hash IS
    'Of the lines and the coupon as they were ordered, whatever the buyer has changed. Under the reference policy '
    'return_existing only the same order gets the session.';
-- Serves coupon_performance.
CREATE INDEX session_terms_coupon_idx ON checkout_data.session_terms (organization_id, environment, coupon_code)
    WHERE coupon_code IS NOT NULL;
ALTER TABLE checkout_data.session_terms ADD CONSTRAINT session_terms_pkey
    PRIMARY KEY (organization_id, environment, checkout_session_id);

CREATE TYPE checkout.session_line AS (
    checkout_session_id uuid,
    line integer,
    kind text,
    product_id text,
    price_id text,
    title text,
    image_url text,
    unit_amount numeric,
    quantity integer,
    subtotal numeric,
    discount numeric,
    total numeric,
    minimum_quantity integer,
    maximum_quantity integer,
    minimum_amount numeric,
    maximum_amount numeric,
    suggested_amount numeric
);
COMMENT ON TYPE checkout.session_line IS 'One line of what a checkout session sells.';
COMMENT ON COLUMN checkout.session_line.line IS 'The number of the line, from 1.';
COMMENT ON COLUMN checkout.session_line.kind IS 'item, shipping, tax or fee.';
COMMENT ON COLUMN checkout.session_line.unit_amount IS 'In major units of the session''s currency.';
COMMENT ON COLUMN checkout.session_line.discount IS 'The part of the coupon''s discount that is taken off this line.';
COMMENT ON COLUMN checkout.session_line.total IS 'subtotal - discount. The totals of all lines are the session''s amount.';
COMMENT ON COLUMN checkout.session_line.minimum_amount IS
    'The least that the buyer may pay for a unit. NULL: the unit_amount is fixed.';

CREATE FUNCTION checkout_data.session_line_of(l checkout_data.session_lines) RETURNS checkout.session_line
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        l.checkout_session_id, l.line, l.kind, l.product_id, l.price_id, l.title, l.image_url, l.unit_amount, l.quantity,
        l.subtotal, l.discount, l.subtotal OPERATOR(pg_catalog.-) l.discount, l.minimum_quantity, l.maximum_quantity,
        l.minimum_amount, l.maximum_amount, l.suggested_amount
    )::checkout.session_line
    $$;
COMMENT ON FUNCTION checkout_data.session_line_of IS 'Returns a line as callers see it.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.list_session_lines(
    checkout_session_id uuid
) RETURNS SETOF checkout.session_line
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_session_lines_wrapper';
COMMENT ON FUNCTION checkout.list_session_lines IS
$$Returns the lines of a checkout session, in their order. A session that says only an amount has none.

Errors:
- 22004: checkout_session_id is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session does not exist.$$;

-- Views of the catalog: products, their stock and prices, and coupons. Read-only; views.sql says why they look as they do.

-- What is held is counted by the clock: a hold that has lapsed is free, though its row may still be there.
CREATE VIEW checkout.inventory AS
    SELECT i.product_id::pg_catalog.text AS product_id, i.organization_id,
        i.environment::pg_catalog.text AS environment, i.on_hand, held.units AS held,
        i.on_hand OPERATOR(pg_catalog.-) held.units AS available, i.continue_selling, i.updated_at
    FROM checkout_data.inventory i
    CROSS JOIN LATERAL (
        SELECT COALESCE(pg_catalog.sum(h.quantity), 0) AS units FROM checkout_data.holds h
        WHERE h.organization_id OPERATOR(pg_catalog.=) i.organization_id
            AND h.environment OPERATOR(pg_catalog.=) i.environment
            AND h.kind OPERATOR(pg_catalog.=) 'product' AND h.item_id OPERATOR(pg_catalog.=) i.product_id
            AND h.state OPERATOR(pg_catalog.<>) 'counted'
            AND (h.state OPERATOR(pg_catalog.=) 'taken'
                OR h.deadline OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp())
    ) AS held
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.inventory IS
    'The stock of the caller''s products. A product whose stock is not tracked has no row.';

CREATE VIEW checkout.products AS
    SELECT p.product_id::pg_catalog.text AS product_id, p.organization_id,
        p.environment::pg_catalog.text AS environment, p.name, p.description, p.image_url, p.active,
        p.metadata::pg_catalog.jsonb AS metadata, i.on_hand, i.held, i.available, i.continue_selling, p.created_at,
        GREATEST(p.updated_at, i.updated_at) AS updated_at
    FROM checkout_data.products p
    LEFT JOIN checkout.inventory i
        ON i.organization_id OPERATOR(pg_catalog.=) p.organization_id
        AND i.environment OPERATOR(pg_catalog.=) p.environment
        AND i.product_id OPERATOR(pg_catalog.=) p.product_id
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.products IS 'Products of the caller''s organization and environment, and their stock.';

CREATE VIEW checkout.inventory_changes AS
    SELECT c.inventory_change_id, c.product_id::pg_catalog.text AS product_id, c.organization_id,
        c.environment::pg_catalog.text AS environment, c.change, c.on_hand, c.reason, c.created_by, c.created_at
    FROM checkout_data.inventory_changes c
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.inventory_changes IS
    'Every change of on_hand of the caller''s products. The reason is that of an adjustment, or created, sold or not '
    'tracked.';
COMMENT ON COLUMN checkout.inventory_changes.change IS 'The number of units. Below zero: they are gone.';
COMMENT ON COLUMN checkout.inventory_changes.on_hand IS 'After the change.';
COMMENT ON COLUMN checkout.inventory_changes.created_by IS 'The API key, token or role. NULL: the worker.';

CREATE VIEW checkout.prices AS
    SELECT p.price_id::pg_catalog.text AS price_id, p.product_id::pg_catalog.text AS product_id, p.organization_id,
        p.environment::pg_catalog.text AS environment, p.currency_code::pg_catalog.text AS currency_code,
        p.amount::pg_catalog.numeric AS amount, p.minimum_amount::pg_catalog.numeric AS minimum_amount,
        p.maximum_amount::pg_catalog.numeric AS maximum_amount,
        p.suggested_amount::pg_catalog.numeric AS suggested_amount,
        p.minimum_quantity::pg_catalog.int4 AS minimum_quantity,
        p.maximum_quantity::pg_catalog.int4 AS maximum_quantity, p.interval_unit::pg_catalog.text AS interval_unit,
        p.interval_count::pg_catalog.int4 AS interval_count, p.trial_period, p.is_default, p.active, p.description,
        p.metadata::pg_catalog.jsonb AS metadata, p.created_at, p.updated_at
    FROM checkout_data.prices p
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.prices IS 'Prices of the caller''s products. Archived ones are included.';

CREATE VIEW checkout.coupons AS
    SELECT c.code::pg_catalog.text AS code, c.organization_id, c.environment::pg_catalog.text AS environment,
        c.percent_off::pg_catalog.numeric AS percent_off, c.amount_off::pg_catalog.numeric AS amount_off,
        c.currency_code::pg_catalog.text AS currency_code, c.valid_from, c.valid_until,
        c.max_redemptions::pg_catalog.int4 AS max_redemptions,
        c.max_redemptions_per_customer::pg_catalog.int4 AS max_redemptions_per_customer,
        c.minimum_amount::pg_catalog.numeric AS minimum_amount, c.product_ids,
        c.customers::pg_catalog.text AS customers, c.description, c.metadata::pg_catalog.jsonb AS metadata, c.active,
        counted.held, c.redeemed OPERATOR(pg_catalog.+) counted.taken AS redeemed,
        c.max_redemptions OPERATOR(pg_catalog.-) c.redeemed OPERATOR(pg_catalog.-) counted.taken
            OPERATOR(pg_catalog.-) counted.held AS available,
        c.created_at, c.updated_at
    FROM checkout_data.coupons c
    CROSS JOIN LATERAL (
        SELECT pg_catalog.count(*) FILTER (WHERE h.state OPERATOR(pg_catalog.=) 'held') AS held,
            pg_catalog.count(*) FILTER (WHERE h.state OPERATOR(pg_catalog.=) 'taken') AS taken
        FROM checkout_data.holds h
        WHERE h.organization_id OPERATOR(pg_catalog.=) c.organization_id
            AND h.environment OPERATOR(pg_catalog.=) c.environment
            AND h.kind OPERATOR(pg_catalog.=) 'coupon' AND h.item_id OPERATOR(pg_catalog.=) c.code
            AND h.state OPERATOR(pg_catalog.<>) 'counted'
            AND (h.state OPERATOR(pg_catalog.=) 'taken'
                OR h.deadline OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp())
    ) AS counted
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.coupons IS
    'Coupons of the caller''s organization and environment, and how often they were redeemed.';

CREATE VIEW checkout.session_lines AS
    SELECT l.checkout_session_id, l.organization_id, l.environment::pg_catalog.text AS environment,
        l.line::pg_catalog.int4 AS line, l.kind::pg_catalog.text AS kind, l.product_id, l.price_id, l.title, l.image_url,
        l.unit_amount::pg_catalog.numeric AS unit_amount, l.quantity::pg_catalog.int4 AS quantity,
        l.subtotal::pg_catalog.numeric AS subtotal, l.discount::pg_catalog.numeric AS discount,
        l.subtotal OPERATOR(pg_catalog.-) l.discount AS total,
        l.minimum_quantity::pg_catalog.int4 AS minimum_quantity,
        l.maximum_quantity::pg_catalog.int4 AS maximum_quantity,
        l.minimum_amount::pg_catalog.numeric AS minimum_amount,
        l.maximum_amount::pg_catalog.numeric AS maximum_amount,
        l.suggested_amount::pg_catalog.numeric AS suggested_amount
    FROM checkout_data.session_lines l
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.session_lines IS
    'What the caller''s checkout sessions sell. A session that says only an amount has no lines.';

CREATE VIEW checkout.session_terms AS
    SELECT t.checkout_session_id, t.organization_id, t.environment::pg_catalog.text AS environment,
        t.subtotal::pg_catalog.numeric AS subtotal, t.discount::pg_catalog.numeric AS discount,
        t.shipping::pg_catalog.numeric AS shipping, t.tax::pg_catalog.numeric AS tax,
        t.fees::pg_catalog.numeric AS fees, t.amount::pg_catalog.numeric AS amount,
        t.coupon_code::pg_catalog.text AS coupon_code, t.coupon_tries::pg_catalog.int4 AS coupon_tries,
        t.billing_address::pg_catalog.jsonb AS billing_address
    FROM checkout_data.session_terms t
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.session_terms IS
    'The sums of the lines of the caller''s checkout sessions, their coupons and billing addresses.';
COMMENT ON COLUMN checkout.session_terms.subtotal IS 'The sum of the items.';
COMMENT ON COLUMN checkout.session_terms.amount IS 'subtotal - discount + shipping + tax + fees: what the session asks for.';
COMMENT ON COLUMN checkout.session_terms.coupon_tries IS 'How often a coupon was tried. Ten are allowed.';
COMMENT ON COLUMN checkout.session_terms.billing_address IS 'As the buyer gave it. Personal data.';

CREATE VIEW checkout.subscriptions AS
    SELECT s.subscription_id, s.organization_id, s.environment::pg_catalog.text AS environment,
        CASE
            WHEN s.canceled_at IS NOT NULL AND (NOT s.cancel_at_period_end
                OR pg_catalog.statement_timestamp() OPERATOR(pg_catalog.>=) s.current_period_end) THEN 'canceled'
            WHEN pg_catalog.statement_timestamp() OPERATOR(pg_catalog.>=) s.ends_at THEN 'ended'
            WHEN pg_catalog.statement_timestamp() OPERATOR(pg_catalog.>=) s.current_period_end THEN 'past_due'
            WHEN s.periods_paid OPERATOR(pg_catalog.=) 0 THEN 'trialing'
            ELSE 'active' END AS status, s.customer_id,
        s.customer_email, s.product_id::pg_catalog.text AS product_id, s.price_id::pg_catalog.text AS price_id,
        s.quantity::pg_catalog.int4 AS quantity, s.unit_amount OPERATOR(pg_catalog.*) s.quantity AS amount,
        s.currency_code::pg_catalog.text AS currency_code, s.interval_unit::pg_catalog.text AS interval_unit,
        s.interval_count::pg_catalog.int4 AS interval_count, s.time_zone::pg_catalog.text AS time_zone, s.anchor,
        s.periods_paid::pg_catalog.int4 AS periods_paid, s.current_period_start, s.current_period_end, s.trial_end,
        s.ends_at, s.cancel_at_period_end, s.canceled_at, s.checkout_session_id, s.latest_checkout_session_id,
        s.created_at, s.updated_at
    FROM checkout_data.subscriptions s
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.subscriptions IS
    'Subscriptions of the caller''s organization and environment. Their status is as of now.';

CREATE VIEW checkout.session_periods AS
    SELECT p.checkout_session_id, p.organization_id, p.environment::pg_catalog.text AS environment, p.subscription_id,
        p.trial, p.period_start, p.period_end
    FROM checkout_data.session_periods p
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.session_periods IS
    'The subscriptions that the caller''s checkout sessions begin or renew, and the period that a renewal pays.';
COMMENT ON COLUMN checkout.session_periods.subscription_id IS
    'Of a session that begins a subscription, the id that it has once the session is complete.';
COMMENT ON COLUMN checkout.session_periods.trial IS 'True if the subscription begins with a trial.';
COMMENT ON COLUMN checkout.session_periods.period_start IS
    'The period that a renewal pays. If it was paid too late for that, the one that it has paid. NULL: the session begins '
    'the subscription.';

-- Relationships: see views.sql.

CREATE FUNCTION checkout.subscription(checkout.session_periods) RETURNS SETOF checkout.subscriptions
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.subscriptions s WHERE s.subscription_id OPERATOR(pg_catalog.=) $1.subscription_id
    $$;
COMMENT ON FUNCTION checkout.subscription IS 'Returns the subscription of a row of session_periods.';

CREATE FUNCTION checkout.session_periods(checkout.subscriptions) RETURNS SETOF checkout.session_periods
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.session_periods p WHERE p.subscription_id OPERATOR(pg_catalog.=) $1.subscription_id
    $$;
COMMENT ON FUNCTION checkout.session_periods(checkout.subscriptions) IS 'Returns the sessions that have begun or renewed a row of subscriptions.';


CREATE FUNCTION checkout.prices(checkout.products) RETURNS SETOF checkout.prices
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.prices p WHERE p.product_id OPERATOR(pg_catalog.=) $1.product_id
    $$;
COMMENT ON FUNCTION checkout.prices IS 'Returns the prices of a row of products.';

CREATE FUNCTION checkout.product(checkout.prices) RETURNS SETOF checkout.products
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.products p WHERE p.product_id OPERATOR(pg_catalog.=) $1.product_id
    $$;
COMMENT ON FUNCTION checkout.product IS 'Returns the product of a row of prices.';

CREATE FUNCTION checkout.inventory_changes(checkout.products) RETURNS SETOF checkout.inventory_changes
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.inventory_changes c WHERE c.product_id OPERATOR(pg_catalog.=) $1.product_id
    $$;
COMMENT ON FUNCTION checkout.inventory_changes IS 'Returns the changes of the stock of a row of products.';

CREATE VIEW checkout.session_visits AS
    SELECT v.checkout_session_id, v.organization_id, v.environment::pg_catalog.text AS environment, v.first_opened_at,
        v.last_opened_at, v.cancelled_at, v.reason_code::pg_catalog.text AS reason_code, v.reason
    FROM checkout_data.session_visits v
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.session_visits IS
    'When buyers opened the pages of the caller''s checkout sessions, and cancelled. A session that was never opened has '
    'no row.';
COMMENT ON COLUMN checkout.session_visits.last_opened_at IS 'Up to a minute earlier than the last time.';
COMMENT ON COLUMN checkout.session_visits.cancelled_at IS 'The last time. The reasons are of that time.';

-- Holds: the units of products, and the redemptions of coupons, that sessions keep for their buyers.

CREATE DOMAIN checkout_data.hold_kind AS text COLLATE "C" CHECK (VALUE IN ('coupon', 'product'));
CREATE DOMAIN checkout_data.hold_state AS text COLLATE "C" CHECK (VALUE IN ('held', 'taken', 'counted'));

-- Who reserves locks the row of inventory or coupons, which has a bound of what is held; if that leaves too little, it
-- deletes the holds that have lapsed and counts the others. Who pays, or ends a session, changes only the holds of that
-- session and not the bound, so it waits for no other session's buyer.
-- Whoever may accept a payment locks the holds of its session first and reads the clock then; whoever reserves takes
-- lapsed holds only if they are not locked. So a hold is either paid or given to another, and not both.
-- Lock order: the session, its holds, then coupons and inventory, each in the order of their ids.
CREATE TABLE checkout_data.holds (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    kind checkout_data.hold_kind COLLATE "C" NOT NULL,
    item_id checkout_data.identifier COLLATE "C" NOT NULL,
    quantity checkout_data.positive NOT NULL,
    customer text COLLATE "C",
    state checkout_data.hold_state NOT NULL DEFAULT 'held',
    deadline timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE checkout_data.holds IS
    'What open sessions keep for their buyers, and what complete ones have taken. One that is held has lapsed when its '
    'deadline has passed.';
COMMENT ON COLUMN checkout_data.holds.item_id IS 'The product_id, or the code of the coupon.';
COMMENT ON COLUMN checkout_data.holds.customer IS 'Who redeems a coupon: the customer_id, or else the customer_email.';
COMMENT ON COLUMN checkout_data.holds.state IS
    'held: by an open session. taken: by one that is complete. counted: a redemption that the worker has counted; sold '
    'units are deleted instead.';
COMMENT ON COLUMN checkout_data.holds.deadline IS 'That of the session.';
-- Serves who counts. What is counted stays only for the limit per customer.
CREATE INDEX holds_item_idx ON checkout_data.holds (organization_id, environment, kind, item_id)
    WHERE state <> 'counted';
CREATE INDEX holds_customer_idx ON checkout_data.holds (organization_id, environment, item_id, customer)
    WHERE kind = 'coupon';
-- Serve the worker: what it counts, and what has lapsed and was not released, because a buyer had locked it.
CREATE INDEX holds_deadline_idx ON checkout_data.holds (deadline) WHERE state = 'held';
CREATE INDEX holds_taken_idx ON checkout_data.holds (organization_id, environment, kind, item_id) WHERE state = 'taken';
ALTER TABLE checkout_data.holds ADD CONSTRAINT holds_pkey
    PRIMARY KEY (organization_id, environment, checkout_session_id, kind, item_id);

//! Counting what was sold: the worker subtracts it from the stock, and adds it to the redemptions of coupons. Until
//! then the holds that were taken say it. Rows that a buyer has locked are passed over.

use chrono::{DateTime, TimeDelta, Utc};
use rules::Result;

use super::statement::statement;
use crate::datum;

statement!(
    SOLD,
    Write,
    "WITH item AS MATERIALIZED ( \
       SELECT i.organization_id, i.environment, i.product_id FROM checkout_data.inventory i \
       JOIN (SELECT DISTINCT h.organization_id, h.environment, h.item_id FROM checkout_data.holds h \
             WHERE h.state = 'taken' AND h.kind = 'product' LIMIT $1) AS h \
         ON i.organization_id = h.organization_id AND i.environment = h.environment AND i.product_id = h.item_id \
       FOR NO KEY UPDATE OF i SKIP LOCKED), \
     sold AS ( \
       DELETE FROM checkout_data.holds h USING item i \
       WHERE h.organization_id = i.organization_id AND h.environment = i.environment AND h.item_id = i.product_id \
         AND h.kind = 'product' AND h.state = 'taken' \
       RETURNING h.organization_id, h.environment, h.item_id, h.quantity), \
     counted AS ( \
       UPDATE checkout_data.inventory i \
       SET on_hand = i.on_hand - s.quantity, held = GREATEST(i.held - s.quantity, 0), updated_at = $2 \
       FROM (SELECT s.organization_id, s.environment, s.item_id, sum(s.quantity) AS quantity \
             FROM sold s GROUP BY s.organization_id, s.environment, s.item_id) AS s \
       WHERE i.organization_id = s.organization_id AND i.environment = s.environment AND i.product_id = s.item_id \
       RETURNING i.organization_id, i.environment, i.product_id, s.quantity, i.on_hand), \
     change AS ( \
       INSERT INTO checkout_data.inventory_changes (organization_id, environment, inventory_change_id, product_id, \
         change, on_hand, reason, created_at) \
       SELECT c.organization_id, c.environment, gen_random_uuid(), c.product_id, -c.quantity, c.on_hand, 'sold', $2 \
       FROM counted c) \
     SELECT FROM sold"
);
// Of products whose stock is no longer tracked.
statement!(
    UNTRACKED,
    Write,
    "DELETE FROM checkout_data.holds g WHERE g.ctid = ANY (ARRAY( \
       SELECT h.ctid FROM checkout_data.holds h \
       WHERE h.state = 'taken' AND h.kind = 'product' AND NOT EXISTS ( \
         SELECT FROM checkout_data.inventory i \
         WHERE i.organization_id = h.organization_id AND i.environment = h.environment AND i.product_id = h.item_id) \
       LIMIT $1 FOR UPDATE SKIP LOCKED))"
);
statement!(
    REDEEMED,
    Write,
    "WITH coupon AS MATERIALIZED ( \
       SELECT c.organization_id, c.environment, c.code FROM checkout_data.coupons c \
       JOIN (SELECT DISTINCT h.organization_id, h.environment, h.item_id FROM checkout_data.holds h \
             WHERE h.state = 'taken' AND h.kind = 'coupon' LIMIT $1) AS h \
         ON c.organization_id = h.organization_id AND c.environment = h.environment AND c.code = h.item_id \
       FOR NO KEY UPDATE OF c SKIP LOCKED), \
     redeemed AS ( \
       UPDATE checkout_data.holds h SET state = 'counted' FROM coupon c \
       WHERE h.organization_id = c.organization_id AND h.environment = c.environment AND h.item_id = c.code \
         AND h.kind = 'coupon' AND h.state = 'taken' \
       RETURNING h.organization_id, h.environment, h.item_id), \
     counted AS ( \
       UPDATE checkout_data.coupons c \
       SET redeemed = c.redeemed + r.redemptions, held = GREATEST(c.held - r.redemptions, 0), updated_at = $2 \
       FROM (SELECT r.organization_id, r.environment, r.item_id, count(*)::integer AS redemptions \
             FROM redeemed r GROUP BY r.organization_id, r.environment, r.item_id) AS r \
       WHERE c.organization_id = r.organization_id AND c.environment = r.environment AND c.code = r.item_id) \
     SELECT FROM redeemed"
);

// The sweep, or a payment, has passed it over, and who had locked it has not taken it.
statement!(
    LAPSED,
    Write,
    "DELETE FROM checkout_data.holds g WHERE g.ctid = ANY (ARRAY( \
       SELECT h.ctid FROM checkout_data.holds h \
       WHERE h.state = 'held' AND h.deadline <= $2 AND NOT EXISTS ( \
         SELECT FROM checkout_data.open_sessions o \
         WHERE o.organization_id = h.organization_id AND o.environment = h.environment \
           AND o.checkout_session_id = h.checkout_session_id) \
       LIMIT $1 FOR UPDATE SKIP LOCKED))"
);

/// By then, a session that ends by the clock has released its holds.
pub const LAPSED_FOR: TimeDelta = TimeDelta::seconds(10);

/// Counts what was sold of at most `batch` products and coupons, and removes what has lapsed. Returns the numbers of
/// holds.
pub fn count(batch: i32, now: DateTime<Utc>) -> Result<[usize; 4]> {
    let arguments = || [batch.into(), datum::timestamp(now).into()];
    Ok([
        SOLD.with(|statement| statement.count(&arguments()))?,
        UNTRACKED.with(|statement| statement.count(&[batch.into()]))?,
        REDEEMED.with(|statement| statement.count(&arguments()))?,
        LAPSED.with(|statement| statement.count(&[batch.into(), datum::timestamp(now - LAPSED_FOR).into()]))?,
    ])
}

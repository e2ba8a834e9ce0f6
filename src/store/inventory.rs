//! Statements on the stock of products that merchants change. Holds change it, too: see `holds` and `counts`.

use chrono::{DateTime, Utc};
use rules::Result;
use rules::checkout::ids;

use super::products::key;
use super::statement::statement;
use crate::datum;
use crate::tenant::Tenant;

// Sessions may hold units from a time when the stock was tracked before.
statement!(
    TRACK,
    Write,
    "INSERT INTO checkout_data.inventory (organization_id, environment, product_id, on_hand, continue_selling, updated_at, \
       held) \
     SELECT $1, $2, $3, $4, $5, $6, COALESCE(( \
       SELECT sum(h.quantity) FROM checkout_data.holds h \
       WHERE h.organization_id = $1 AND h.environment = $2 AND h.kind = 'product' AND h.item_id = $3 \
         AND h.state <> 'counted'), 0) \
     ON CONFLICT (organization_id, environment, product_id) DO NOTHING"
);

/// Begins to track the stock of a product. Returns false if it is tracked already.
pub fn track(
    tenant: Tenant,
    product_id: &str,
    on_hand: i64,
    continue_selling: bool,
    now: DateTime<Utc>,
) -> Result<bool> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments =
        [organization_id, environment, id, on_hand.into(), continue_selling.into(), datum::timestamp(now).into()];
    Ok(TRACK.with(|statement| statement.count(&arguments))? > 0)
}

statement!(
    UNTRACK,
    Write,
    "DELETE FROM checkout_data.inventory i \
     WHERE i.organization_id = $1 AND i.environment = $2 AND i.product_id = $3 RETURNING i.on_hand"
);

/// Stops tracking the stock of a product. Returns how much there was, if it was tracked.
pub fn untrack(tenant: Tenant, product_id: &str) -> Result<Option<i64>> {
    Ok(UNTRACK.with(|statement| statement.row(&key(tenant, product_id), |row| row.get::<i64>(1)))?.flatten())
}

statement!(
    LOCK,
    Write,
    "SELECT i.on_hand, i.continue_selling FROM checkout_data.inventory i \
     WHERE i.organization_id = $1 AND i.environment = $2 AND i.product_id = $3 FOR NO KEY UPDATE"
);

/// What is on hand of a product, and whether it is sold even so; `None` if its stock is not tracked. The stock is locked.
pub fn lock(tenant: Tenant, product_id: &str) -> Result<Option<(i64, bool)>> {
    LOCK.with(|statement| {
        statement.row(&key(tenant, product_id), |row| {
            Ok((row.get::<i64>(1)?.unwrap_or_default(), row.get::<bool>(2)? == Some(true)))
        })
    })
}

statement!(
    SET,
    Write,
    "UPDATE checkout_data.inventory i SET on_hand = $4, continue_selling = $5, updated_at = $6 \
     WHERE i.organization_id = $1 AND i.environment = $2 AND i.product_id = $3"
);

/// Changes the locked stock of a product.
pub fn set(tenant: Tenant, product_id: &str, on_hand: i64, continue_selling: bool, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments =
        [organization_id, environment, id, on_hand.into(), continue_selling.into(), datum::timestamp(now).into()];
    SET.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    RECORD,
    Write,
    "INSERT INTO checkout_data.inventory_changes (organization_id, environment, product_id, inventory_change_id, change, \
       on_hand, reason, created_by, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);

/// A change of what is on hand.
pub struct Change<'a> {
    pub change: i64,
    /// After it.
    pub on_hand: i64,
    pub reason: Option<&'a str>,
    pub created_by: &'a str,
}

pub fn record(tenant: Tenant, product_id: &str, change: &Change, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::uuid(ids::session_id(now)).into(),
        change.change.into(),
        change.on_hand.into(),
        change.reason.into(),
        change.created_by.into(),
        datum::timestamp(now).into(),
    ];
    RECORD.with(|statement| statement.count(&arguments)).map(|_| ())
}

//! Statements on holds: see sql/holds.sql for who locks what.

use chrono::{DateTime, Utc};
use rules::catalog::discount::{Coupon, Refusal};
use rules::{Error, Result};
use uuid::Uuid;

use super::sessions::key;
use super::statement::{Argument, statement};
use crate::datum;
use crate::tenant::Tenant;

fn item<'i>(tenant: Tenant, kind: &'static str, item_id: &'i str) -> [Argument<'i>; 4] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), kind.into(), item_id.into()]
}

statement!(
    LOCK,
    Write,
    "SELECT FROM checkout_data.holds h \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.checkout_session_id = $3 AND h.state = 'held' \
     FOR UPDATE SKIP LOCKED"
);

/// Locks the holds of a locked session, so that nobody takes them for lapsed, and returns their number. Those that are
/// being taken are passed over. The clock must be read after this.
pub fn lock(tenant: Tenant, session: Uuid) -> Result<usize> {
    LOCK.with(|statement| statement.count(&key(tenant, session)))
}

statement!(
    EXTEND,
    Write,
    "UPDATE checkout_data.holds h SET deadline = $4 \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.checkout_session_id = $3 AND h.state = 'held' \
       AND h.deadline <> $4"
);

/// Moves the deadline of the locked holds of an open session.
pub fn extend(tenant: Tenant, session: Uuid, deadline: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    let arguments = [organization_id, environment, id, datum::timestamp(deadline).into()];
    EXTEND.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    TAKE,
    Write,
    "UPDATE checkout_data.holds h SET state = 'taken' \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.checkout_session_id = $3 AND h.state = 'held'"
);

/// The session is complete: what its locked holds kept is sold.
pub fn take(tenant: Tenant, session: Uuid) -> Result<()> {
    TAKE.with(|statement| statement.count(&key(tenant, session))).map(|_| ())
}

statement!(
    RELEASE,
    Write,
    "DELETE FROM checkout_data.holds h \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.checkout_session_id = $3 AND ($4 IS NULL OR h.kind = $4 AND h.item_id = $5) \
       AND h.ctid = ANY (ARRAY( \
         SELECT x.ctid FROM checkout_data.holds x \
         WHERE x.organization_id = $1 AND x.environment = $2 AND x.checkout_session_id = $3 AND x.state = 'held' \
         FOR UPDATE SKIP LOCKED))"
);

/// The session has ended unpaid: others may have what it held. A hold that is locked is being taken by another session.
pub fn release(tenant: Tenant, session: Uuid) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    let all: [Argument; 2] = [None::<&str>.into(), None::<&str>.into()];
    let [kind, item_id] = all;
    RELEASE.with(|statement| statement.count(&[organization_id, environment, id, kind, item_id])).map(|_| ())
}

/// The session has lost its coupon.
pub fn release_coupon(tenant: Tenant, session: Uuid, code: &str) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    let arguments = [organization_id, environment, id, "coupon".into(), code.into()];
    RELEASE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    HOLD,
    Write,
    "INSERT INTO checkout_data.holds AS h (organization_id, environment, kind, item_id, checkout_session_id, quantity, \
       customer, deadline) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (organization_id, environment, checkout_session_id, kind, item_id) \
       DO UPDATE SET quantity = EXCLUDED.quantity, deadline = EXCLUDED.deadline"
);
statement!(
    HELD,
    Transaction,
    "SELECT h.quantity::integer FROM checkout_data.holds h \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.kind = $3 AND h.item_id = $4 \
       AND h.checkout_session_id = $5 AND h.state = 'held'"
);
// A lapsed hold that is locked belongs to a payer who locked it in time, or is being taken by another.
statement!(
    RECLAIM,
    Write,
    "DELETE FROM checkout_data.holds h WHERE h.ctid = ANY (ARRAY( \
       SELECT x.ctid FROM checkout_data.holds x \
       WHERE x.organization_id = $1 AND x.environment = $2 AND x.kind = $3 AND x.item_id = $4 \
         AND x.state = 'held' AND x.deadline <= $5 \
       FOR UPDATE SKIP LOCKED))"
);
const COUNT: &str = "(SELECT COALESCE(sum(h.quantity), 0) FROM checkout_data.holds h \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.kind = $3 AND h.item_id = $4 AND h.state <> 'counted')";

/// Who reserves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A buyer, who waits for other buyers of the same.
    ForOthers,
    /// A payment, which waits for nobody: what is locked counts as not available.
    Never,
}

macro_rules! lock_inventory {
    ($lock:literal) => {
        concat!(
            "SELECT i.on_hand FROM checkout_data.inventory i \
             WHERE $3 = 'product' AND i.organization_id = $1 AND i.environment = $2 AND i.product_id = $4 \
             FOR NO KEY UPDATE",
            $lock
        )
    };
}
statement!(LOCK_INVENTORY, Write, lock_inventory!(""));
statement!(LOCK_INVENTORY_NOW, Write, lock_inventory!(" SKIP LOCKED"));
statement!(
    IS_TRACKED,
    Transaction,
    "SELECT FROM checkout_data.inventory i \
     WHERE $3 = 'product' AND i.organization_id = $1 AND i.environment = $2 AND i.product_id = $4"
);
statement!(
    RAISE_INVENTORY,
    Write,
    "UPDATE checkout_data.inventory i SET held = i.held + $5 \
     WHERE $3 = 'product' AND i.organization_id = $1 AND i.environment = $2 AND i.product_id = $4 \
       AND (i.continue_selling OR i.on_hand - i.held >= $5)"
);
thread_local! {
    static COUNT_INVENTORY: super::statement::Statement = super::statement::Statement::made(
        super::statement::Access::Write,
        format!(
            "UPDATE checkout_data.inventory i SET held = {COUNT} + $5 \
             WHERE i.organization_id = $1 AND i.environment = $2 AND i.product_id = $4 \
               AND (i.continue_selling OR i.on_hand - {COUNT} >= $5)"
        ),
    );
}

/// Holds units of a product for a session until its deadline, with those that it holds already. Returns false if the
/// product's stock is not tracked.
pub fn reserve_units(
    tenant: Tenant,
    session: Uuid,
    product_id: &str,
    quantity: i32,
    deadline: DateTime<Utc>,
    wait: Wait,
) -> Result<bool> {
    let key = || item(tenant, "product", product_id);
    let with = |argument: Argument<'static>| {
        let [organization_id, environment, kind, item_id] = key();
        [organization_id, environment, kind, item_id, argument]
    };
    let own = HELD.with(|statement| {
        statement.row(&with(datum::uuid(session).into()), |row| row.get::<i32>(1)).map(Option::flatten)
    })?;
    let more = quantity - own.unwrap_or(0);
    if own.is_none() && IS_TRACKED.with(|statement| statement.count(&key()))? == 0 {
        return Ok(false);
    }
    let sold_out = || Error::SoldOut { product_id: product_id.to_owned() };
    if more > 0 {
        if wait == Wait::Never && LOCK_INVENTORY_NOW.with(|statement| statement.count(&key()))? == 0 {
            return Err(sold_out());
        }
        if RAISE_INVENTORY.with(|statement| statement.count(&with(more.into())))? == 0 {
            // What a session holds of a product that is no longer tracked counts if it is tracked again.
            if LOCK_INVENTORY.with(|statement| statement.count(&key()))? > 0 {
                RECLAIM.with(|statement| statement.count(&with(datum::timestamp(datum::now()).into())))?;
                if COUNT_INVENTORY.with(|statement| statement.count(&with(more.into())))? == 0 {
                    return Err(sold_out());
                }
            }
        }
    }
    hold(tenant, session, "product", product_id, quantity, None, deadline)?;
    Ok(true)
}

fn hold(
    tenant: Tenant,
    session: Uuid,
    kind: &'static str,
    item_id: &str,
    quantity: i32,
    customer: Option<&str>,
    deadline: DateTime<Utc>,
) -> Result<()> {
    let [organization_id, environment, kind, item_id] = item(tenant, kind, item_id);
    let arguments = [
        organization_id,
        environment,
        kind,
        item_id,
        datum::uuid(session).into(),
        quantity.into(),
        customer.into(),
        datum::timestamp(deadline).into(),
    ];
    HOLD.with(|statement| statement.count(&arguments)).map(|_| ())
}

macro_rules! lock_coupon {
    ($lock:literal) => {
        concat!(
            "SELECT FROM checkout_data.coupons c \
             WHERE $3 = 'coupon' AND c.organization_id = $1 AND c.environment = $2 AND c.code = $4 \
             FOR NO KEY UPDATE",
            $lock
        )
    };
}
statement!(LOCK_COUPON, Write, lock_coupon!(""));
statement!(LOCK_COUPON_NOW, Write, lock_coupon!(" SKIP LOCKED"));
statement!(
    RAISE_COUPON,
    Write,
    "UPDATE checkout_data.coupons c SET held = c.held + 1 \
     WHERE $3 = 'coupon' AND c.organization_id = $1 AND c.environment = $2 AND c.code = $4 \
       AND c.max_redemptions - c.redeemed - c.held >= 1"
);
thread_local! {
    static COUNT_COUPON: super::statement::Statement = super::statement::Statement::made(
        super::statement::Access::Write,
        format!(
            "UPDATE checkout_data.coupons c SET held = {COUNT} + 1 \
             WHERE c.organization_id = $1 AND c.environment = $2 AND c.code = $4 \
               AND c.max_redemptions - c.redeemed - {COUNT} >= 1"
        ),
    );
}
// Changes nothing. But a transaction with an older snapshot, which has not seen this hold, fails when it locks the row.
statement!(
    TOUCH_COUPON,
    Write,
    "UPDATE checkout_data.coupons c SET held = c.held \
     WHERE $3 = 'coupon' AND c.organization_id = $1 AND c.environment = $2 AND c.code = $4"
);
// As of now: what has lapsed is free.
statement!(
    OF_CUSTOMER,
    Transaction,
    "SELECT FROM checkout_data.holds h \
     WHERE h.organization_id = $1 AND h.environment = $2 AND h.kind = $3 AND h.item_id = $4 AND h.customer = $5 \
       AND h.checkout_session_id <> $6 AND (h.state <> 'held' OR h.deadline > $7)"
);

/// Holds a redemption of a coupon for a session until its deadline, unless its limits forbid that.
pub fn reserve_redemption(
    tenant: Tenant,
    session: Uuid,
    coupon: &Coupon,
    customer: Option<&str>,
    deadline: DateTime<Utc>,
    wait: Wait,
) -> Result<std::result::Result<(), Refusal>> {
    let key = || item(tenant, "coupon", &coupon.code);
    let with = |argument: Argument<'static>| {
        let [organization_id, environment, kind, item_id] = key();
        [organization_id, environment, kind, item_id, argument]
    };
    let is_limited = coupon.max_redemptions.is_some() || coupon.max_redemptions_per_customer.is_some();
    if is_limited {
        let held = HELD.with(|statement| statement.count(&with(datum::uuid(session).into())))?;
        let lock = if wait == Wait::Never { &LOCK_COUPON_NOW } else { &LOCK_COUPON };
        if held == 0 && lock.with(|statement| statement.count(&key()))? == 0 {
            return Ok(Err(Refusal::UsedUp));
        }
        if let Some(most) = coupon.max_redemptions_per_customer {
            let Some(customer) = customer else { return Ok(Err(Refusal::CustomerUnknown)) };
            let [organization_id, environment, kind, item_id] = key();
            let now = datum::timestamp(datum::now()).into();
            let arguments =
                [organization_id, environment, kind, item_id, customer.into(), datum::uuid(session).into(), now];
            let used = OF_CUSTOMER.with(|statement| statement.count(&arguments))?;
            if used >= usize::try_from(most).unwrap_or(usize::MAX) {
                return Ok(Err(Refusal::UsedByCustomer));
            }
        }
        if held == 0 && coupon.max_redemptions.is_none() {
            TOUCH_COUPON.with(|statement| statement.count(&key()))?;
        }
        if held == 0 && coupon.max_redemptions.is_some() && RAISE_COUPON.with(|statement| statement.count(&key()))? == 0
        {
            RECLAIM.with(|statement| statement.count(&with(datum::timestamp(datum::now()).into())))?;
            if COUNT_COUPON.with(|statement| statement.count(&key()))? == 0 {
                return Ok(Err(Refusal::UsedUp));
            }
        }
    }
    hold(tenant, session, "coupon", &coupon.code, 1, customer, deadline)?;
    Ok(Ok(()))
}

//! Statements on coupons.

use chrono::{DateTime, Utc};
use rules::catalog::discount::{Coupon, Value};
use rules::{Error, Result};
use rust_decimal::Decimal;

use super::catalog_lists::{Listed, Page};
use super::products::key;
use super::statement::{Argument, statement};
use crate::datum::{self, CouponRow, Json};
use crate::tenant::Tenant;

statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.coupons AS c (organization_id, environment, code, percent_off, amount_off, currency_code, \
       valid_from, valid_until, max_redemptions, max_redemptions_per_customer, minimum_amount, product_ids, customers, \
       description, metadata, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, COALESCE($15, '{}'), $16, $16) \
     ON CONFLICT (organization_id, environment, code) DO NOTHING \
     RETURNING checkout_data.coupon_of(c, 0, 0)"
);

/// Stores a coupon, unless its code is taken.
pub fn insert(
    tenant: Tenant,
    coupon: &Coupon,
    description: Option<&str>,
    metadata: Option<Json>,
    now: DateTime<Utc>,
) -> Result<CouponRow> {
    let [organization_id, environment, code] = key(tenant, &coupon.code);
    let (percent, amount) = match coupon.value {
        Value::Percent(percent) => (Some(percent), None),
        Value::Amount(amount) => (None, Some(amount)),
    };
    let numeric = |amount: Option<Decimal>| amount.map(datum::numeric).transpose();
    let arguments = [
        organization_id,
        environment,
        code,
        numeric(percent)?.into(),
        numeric(amount)?.into(),
        coupon.currency_code.as_deref().into(),
        coupon.valid_from.map(datum::timestamp).into(),
        coupon.valid_until.map(datum::timestamp).into(),
        coupon.max_redemptions.into(),
        coupon.max_redemptions_per_customer.into(),
        numeric(coupon.minimum_amount)?.into(),
        coupon.product_ids.clone().into(),
        coupon.customers.as_str().into(),
        description.into(),
        metadata.into(),
        datum::timestamp(now).into(),
    ];
    INSERT
        .with(|statement| statement.composite(&arguments))?
        .ok_or(Error::ExistsInCatalog { argument: "code", what: "coupon" })
}

/// A coupon with its redemptions as of `$4`: what is held until then is free afterwards.
macro_rules! coupon {
    () => {
        "checkout_data.coupon_of(c, \
           (SELECT count(*) FROM checkout_data.holds h \
            WHERE h.organization_id = c.organization_id AND h.environment = c.environment AND h.kind = 'coupon' \
              AND h.item_id = c.code AND h.state <> 'counted' AND h.state = 'held' AND h.deadline > $4), \
           (SELECT count(*) FROM checkout_data.holds h \
            WHERE h.organization_id = c.organization_id AND h.environment = c.environment AND h.kind = 'coupon' \
              AND h.item_id = c.code AND h.state = 'taken'))"
    };
}
statement!(
    UPDATE,
    Write,
    concat!(
        "UPDATE checkout_data.coupons c SET active = $5, updated_at = $4 \
         WHERE c.organization_id = $1 AND c.environment = $2 AND c.code = $3 RETURNING ",
        coupon!()
    )
);
statement!(
    GET,
    Transaction,
    concat!(
        "SELECT ",
        coupon!(),
        " FROM checkout_data.coupons c WHERE c.organization_id = $1 AND c.environment = $2 AND c.code = $3"
    )
);

/// Changes whether a coupon is in use, if that is said, and returns it.
pub fn update(tenant: Tenant, code: &str, active: Option<bool>, now: DateTime<Utc>) -> Result<CouponRow> {
    let [organization_id, environment, key] = key(tenant, code);
    let mut arguments = vec![organization_id, environment, key, datum::timestamp(now).into()];
    let coupon = match active {
        None => GET.with(|statement| statement.composite(&arguments))?,
        Some(active) => {
            arguments.push(active.into());
            UPDATE.with(|statement| statement.composite(&arguments))?
        }
    };
    coupon.ok_or_else(|| Error::NotInCatalog { what: "coupon", id: code.to_owned() })
}

const LISTED: Listed = Listed {
    row: coupon!(),
    from: "checkout_data.coupons c",
    table: "coupons",
    id: "code",
    id_type: "text",
    what: "coupon",
};

/// Coupons, newest first.
pub fn list(tenant: Tenant, active: Option<bool>, page: &Page, now: DateTime<Utc>) -> Result<Vec<CouponRow>> {
    LISTED.list(tenant, vec![("c.active", active.map(Argument::from))], page, now)
}

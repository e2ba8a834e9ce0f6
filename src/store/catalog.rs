//! Statements that look up what a session sells.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use rules::catalog::discount::{Coupon, Customers, Value};
use rules::catalog::line::{Bounds, Kind, Line};
use rules::checkout::money::{self, Currency};
use rules::{Error, Result, validate};
use rust_decimal::Decimal;

use super::row::Row;
use super::statement::{Argument, statement};
use crate::datum;
use crate::tenant::Tenant;

macro_rules! price {
    ($condition:literal) => {
        concat!(
            "SELECT p.product_id::text, p.price_id::text, p.currency_code::text, p.amount::numeric, \
               p.minimum_amount::numeric, p.maximum_amount::numeric, p.suggested_amount::numeric, \
               p.minimum_quantity::integer, p.maximum_quantity::integer, p.active, r.active, r.name, r.image_url, \
               p.interval_unit IS NOT NULL, p.trial_period IS NOT NULL \
             FROM checkout_data.prices p \
             JOIN checkout_data.products r ON r.organization_id = p.organization_id AND r.environment = p.environment \
               AND r.product_id = p.product_id \
             WHERE p.organization_id = $1 AND p.environment = $2 AND ",
            $condition
        )
    };
}
statement!(PRICE, Transaction, price!("p.price_id = $3"));
statement!(DEFAULTS, Transaction, price!("p.product_id = $3 AND p.is_default ORDER BY p.currency_code LIMIT 2"));
statement!(DEFAULT, Transaction, price!("p.product_id = $3 AND p.is_default AND p.currency_code = $4"));
statement!(
    PRODUCT,
    Transaction,
    "SELECT r.active FROM checkout_data.products r \
     WHERE r.organization_id = $1 AND r.environment = $2 AND r.product_id = $3"
);

/// A price that is sold, as one line of one unit.
pub struct Priced {
    pub line: Line,
    pub currency: Currency,
    /// True if it is to be paid again and again.
    pub recurs: bool,
    pub has_trial: bool,
}

fn key<'i>(tenant: Tenant, id: &'i str) -> [Argument<'i>; 3] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), id.into()]
}

pub fn price(tenant: Tenant, price_id: &str) -> Result<Option<Priced>> {
    PRICE.with(|statement| statement.row(&key(tenant, price_id), read))
}

/// The default prices of a product: that of a currency, or else at most two of all.
pub fn default_prices(tenant: Tenant, product_id: &str, currency: Option<Currency>) -> Result<Vec<Priced>> {
    match currency {
        None => DEFAULTS.with(|statement| statement.rows(&key(tenant, product_id), read)),
        Some(currency) => {
            let [organization_id, environment, product_id] = key(tenant, product_id);
            let arguments = [organization_id, environment, product_id, currency.code().into()];
            DEFAULT.with(|statement| statement.rows(&arguments, read))
        }
    }
}

/// Whether a product is sold; `None`: there is no such product.
pub fn product_is_active(tenant: Tenant, product_id: &str) -> Result<Option<bool>> {
    Ok(PRODUCT.with(|statement| statement.row(&key(tenant, product_id), |row| row.get::<bool>(1)))?.flatten())
}

fn amount(row: &Row, number: i32, currency: Currency) -> Result<Option<Decimal>> {
    let amount = row.get::<AnyNumeric>(number)?;
    let amount = amount.map(|amount| datum::from_numeric("amount", &amount)).transpose()?;
    Ok(amount.map(|amount| money::with_digits(amount, currency)))
}

fn broken() -> Error {
    Error::Internal("a row of the catalog has a NULL where none can be".into())
}

fn read(row: &Row) -> Result<Priced> {
    let (Some(product_id), Some(price_id), Some(currency), Some(minimum_quantity), Some(active), Some(product_active)) = (
        row.get::<String>(1)?,
        row.get::<String>(2)?,
        row.get::<String>(3)?,
        row.get::<i32>(8)?,
        row.get::<bool>(10)?,
        row.get::<bool>(11)?,
    ) else {
        return Err(broken());
    };
    if !active {
        return Err(Error::NotSold { what: "price", id: price_id });
    }
    if !product_active {
        return Err(Error::NotSold { what: "product", id: product_id });
    }
    let currency: Currency = currency.parse()?;
    let bounds = match amount(row, 5, currency)? {
        None => None,
        Some(minimum) => {
            Some(Bounds { minimum, maximum: amount(row, 6, currency)?, suggested: amount(row, 7, currency)? })
        }
    };
    let unit_amount = match (amount(row, 4, currency)?, &bounds) {
        (Some(amount), _) => amount,
        (None, Some(bounds)) => bounds.proposed(),
        (None, None) => return Err(broken()),
    };
    let line = Line {
        kind: Kind::Item,
        product_id: Some(product_id),
        price_id: Some(price_id),
        title: row.get(12)?,
        image_url: row.get(13)?,
        unit_amount,
        quantity: minimum_quantity,
        minimum_quantity,
        maximum_quantity: row.get(9)?,
        bounds,
        discount: Decimal::ZERO,
    };
    Ok(Priced { line, currency, recurs: row.get(14)? == Some(true), has_trial: row.get(15)? == Some(true) })
}

statement!(
    COUPON,
    Transaction,
    "SELECT c.code::text, c.percent_off::numeric, c.amount_off::numeric, c.currency_code::text, c.valid_from, \
       c.valid_until, c.max_redemptions::integer, c.max_redemptions_per_customer::integer, c.minimum_amount::numeric, \
       c.product_ids, c.customers::text, c.active \
     FROM checkout_data.coupons c WHERE c.organization_id = $1 AND c.environment = $2 AND c.code = $3"
);

/// A coupon, by its code in upper case.
pub fn coupon(tenant: Tenant, code: &str) -> Result<Option<Coupon>> {
    COUPON.with(|statement| statement.row(&key(tenant, code), read_coupon))
}

fn read_coupon(row: &Row) -> Result<Coupon> {
    let decimal = |number| {
        let amount = row.get::<AnyNumeric>(number)?;
        amount.map(|amount| datum::from_numeric("amount", &amount)).transpose()
    };
    let time = |number| -> Result<Option<DateTime<Utc>>> {
        let at: Option<TimestampWithTimeZone> = row.get(number)?;
        at.map(|at| datum::from_timestamp("valid_until", at)).transpose()
    };
    Ok(Coupon {
        code: row.get::<String>(1)?.ok_or_else(broken)?,
        value: match (decimal(2)?, decimal(3)?) {
            (Some(percent), _) => Value::Percent(percent),
            (None, Some(amount)) => Value::Amount(amount),
            (None, None) => return Err(broken()),
        },
        currency_code: row.get(4)?,
        valid_from: time(5)?,
        valid_until: time(6)?,
        max_redemptions: row.get(7)?,
        max_redemptions_per_customer: row.get(8)?,
        minimum_amount: decimal(9)?,
        product_ids: row.get(10)?,
        customers: match row.get::<String>(11)?.as_deref() {
            Some("new") => Customers::New,
            Some("returning") => Customers::Returning,
            _ => Customers::All,
        },
        active: row.get::<bool>(12)? == Some(true),
    })
}

statement!(
    HAS_BOUGHT,
    Transaction,
    "SELECT FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.status = 'complete' AND s.customer_id = $3 \
     UNION ALL \
     SELECT FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.status = 'complete' AND s.customer_email = $4 \
     UNION ALL \
     SELECT FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.status = 'complete' AND checkout_data.folded(s.customer_email) = $4 \
       AND s.customer_email <> checkout_data.folded(s.customer_email) \
     LIMIT 1"
);

/// True if the customer has completed a session.
pub fn has_bought(tenant: Tenant, customer_id: Option<&str>, customer_email: Option<&str>) -> Result<bool> {
    let arguments = [
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        customer_id.into(),
        customer_email.map(validate::folded).into(),
    ];
    Ok(HAS_BOUGHT.with(|statement| statement.count(&arguments))? > 0)
}

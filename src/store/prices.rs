//! Statements on prices. Whoever changes which of them are defaults has locked their product.

use chrono::{DateTime, Utc};
use pgrx::datum::Interval;
use rules::catalog::price::{State, Unit};
use rules::{Error, Result};
use rust_decimal::Decimal;

use super::catalog_lists::{Listed, Page};
use super::products::key;
use super::statement::{Argument, statement};
use crate::datum::{self, Json, Price};
use crate::tenant::Tenant;

statement!(
    HAS_DEFAULT,
    Transaction,
    "SELECT FROM checkout_data.prices p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.product_id = $3 AND p.currency_code = $4 AND p.is_default"
);

/// Returns true if the product has a default price in a currency.
pub fn has_default(tenant: Tenant, product_id: &str, currency_code: &str) -> Result<bool> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments = [organization_id, environment, id, currency_code.into()];
    Ok(HAS_DEFAULT.with(|statement| statement.count(&arguments))? > 0)
}

statement!(
    REPLACE,
    Write,
    "UPDATE checkout_data.prices p SET is_default = false, updated_at = $6 \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.product_id = $3 AND p.currency_code = $4 AND p.is_default \
       AND p.price_id <> $5"
);

/// Another price is the default from now on.
pub fn replace_default(
    tenant: Tenant,
    product_id: &str,
    currency_code: &str,
    price_id: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let now = datum::timestamp(now).into();
    let arguments = [organization_id, environment, id, currency_code.into(), price_id.into(), now];
    REPLACE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.prices AS p (organization_id, environment, price_id, product_id, currency_code, amount, \
       minimum_amount, maximum_amount, suggested_amount, minimum_quantity, maximum_quantity, is_default, description, \
       metadata, created_at, updated_at, interval_unit, interval_count, trial_period) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, COALESCE($14, '{}'), $15, $15, $16, $17, $18) \
     ON CONFLICT (organization_id, environment, price_id) DO NOTHING \
     RETURNING checkout_data.price_of(p)"
);

/// A price that is new.
pub struct New<'a> {
    pub price_id: &'a str,
    pub product_id: &'a str,
    pub price: rules::catalog::price::Price,
    pub is_default: bool,
    pub description: Option<&'a str>,
    pub metadata: Option<Json>,
    /// As it is written: months are months.
    pub trial_period: Option<Interval>,
}

/// Stores a price, unless its id is taken.
pub fn insert(tenant: Tenant, new: &New, now: DateTime<Utc>) -> Result<Price> {
    let [organization_id, environment, id] = key(tenant, new.price_id);
    let [amount, minimum, maximum, suggested] = match &new.price.unit {
        Unit::Fixed(amount) => [Some(*amount), None, None, None],
        Unit::Within(bounds) => [None, Some(bounds.minimum), bounds.maximum, bounds.suggested],
    };
    let numeric = |amount: Option<Decimal>| amount.map(datum::numeric).transpose();
    let arguments = [
        organization_id,
        environment,
        id,
        new.product_id.into(),
        new.price.currency.code().to_owned().into(),
        numeric(amount)?.into(),
        numeric(minimum)?.into(),
        numeric(maximum)?.into(),
        numeric(suggested)?.into(),
        new.price.minimum_quantity.into(),
        new.price.maximum_quantity.into(),
        new.is_default.into(),
        new.description.into(),
        new.metadata.into(),
        datum::timestamp(now).into(),
        new.price.recurrence.map(|recurrence| recurrence.unit.as_str()).into(),
        new.price.recurrence.map(|recurrence| recurrence.count).into(),
        new.trial_period.into(),
    ];
    INSERT
        .with(|statement| statement.composite(&arguments))?
        .ok_or(Error::ExistsInCatalog { argument: "price_id", what: "price" })
}

statement!(
    FIND,
    Transaction,
    "SELECT p.product_id::text, p.currency_code::text, p.active, p.is_default FROM checkout_data.prices p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.price_id = $3"
);

/// A stored price.
pub struct Stored {
    pub product_id: String,
    pub currency_code: String,
    pub state: State,
}

fn unknown(price_id: &str) -> Error {
    Error::NotInCatalog { what: "price", id: price_id.to_owned() }
}

pub fn find(tenant: Tenant, price_id: &str) -> Result<Stored> {
    FIND.with(|statement| {
        statement.row(&key(tenant, price_id), |row| {
            Ok(Stored {
                product_id: row.get(1)?.unwrap_or_default(),
                currency_code: row.get(2)?.unwrap_or_default(),
                state: State { active: row.get(3)? == Some(true), is_default: row.get(4)? == Some(true) },
            })
        })
    })?
    .ok_or_else(|| unknown(price_id))
}

statement!(
    UPDATE,
    Write,
    "UPDATE checkout_data.prices p SET active = $4, is_default = $5, updated_at = $6 \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.price_id = $3 \
     RETURNING checkout_data.price_of(p)"
);

pub fn update(tenant: Tenant, price_id: &str, state: State, now: DateTime<Utc>) -> Result<Price> {
    let [organization_id, environment, id] = key(tenant, price_id);
    let arguments =
        [organization_id, environment, id, state.active.into(), state.is_default.into(), datum::timestamp(now).into()];
    UPDATE.with(|statement| statement.composite(&arguments))?.ok_or_else(|| unknown(price_id))
}

const LISTED: Listed = Listed {
    row: "checkout_data.price_of(c)",
    from: "checkout_data.prices c",
    table: "prices",
    id: "price_id",
    id_type: "text",
    what: "price",
};

/// The filters of a list.
pub struct Filter<'a> {
    pub product_id: Option<&'a str>,
    pub active: Option<bool>,
    pub currency_code: Option<String>,
}

/// Prices, newest first.
pub fn list(tenant: Tenant, filter: Filter, page: &Page, now: DateTime<Utc>) -> Result<Vec<Price>> {
    let filters = vec![
        ("c.product_id", filter.product_id.map(Argument::from)),
        ("c.active", filter.active.map(Argument::from)),
        ("c.currency_code", filter.currency_code.map(Argument::from)),
    ];
    LISTED.list(tenant, filters, page, now)
}

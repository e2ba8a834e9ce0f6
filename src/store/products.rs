//! Statements on products.

use chrono::{DateTime, Utc};
use rules::{Error, Result};

use super::catalog_lists::{Listed, Page};
use super::statement::{Argument, statement};
use crate::datum::{self, Json, Product};
use crate::tenant::Tenant;

/// The key of a row of a tenant's catalog.
pub(super) fn key<'i>(tenant: Tenant, id: &'i str) -> [Argument<'i>; 3] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), id.into()]
}

pub fn unknown(product_id: &str) -> Error {
    Error::NotInCatalog { what: "product", id: product_id.to_owned() }
}

statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.products (organization_id, environment, product_id, name, description, image_url, active, \
       metadata, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, COALESCE($8, '{}'), $9, $9) \
     ON CONFLICT (organization_id, environment, product_id) DO NOTHING"
);

/// What is written of a product. What is `None` stays as it is; `Some(None)` removes it.
pub struct Changes<'a> {
    pub name: Option<&'a str>,
    pub description: Option<Option<&'a str>>,
    pub image_url: Option<Option<&'a str>>,
    pub active: Option<bool>,
    pub metadata: Option<Json>,
}

/// Stores a new product, unless its id is taken.
pub fn insert(tenant: Tenant, product_id: &str, product: &Changes, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments = [
        organization_id,
        environment,
        id,
        product.name.into(),
        product.description.flatten().into(),
        product.image_url.flatten().into(),
        product.active.unwrap_or(true).into(),
        product.metadata.into(),
        datum::timestamp(now).into(),
    ];
    match INSERT.with(|statement| statement.count(&arguments))? {
        0 => Err(Error::ExistsInCatalog { argument: "product_id", what: "product" }),
        _ => Ok(()),
    }
}

statement!(
    UPDATE,
    Write,
    "UPDATE checkout_data.products p \
     SET name = COALESCE($4, p.name), description = CASE WHEN $5 THEN $6 ELSE p.description END, \
       image_url = CASE WHEN $7 THEN $8 ELSE p.image_url END, active = COALESCE($9, p.active), \
       metadata = COALESCE($10, p.metadata::jsonb), updated_at = $11 \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.product_id = $3"
);

pub fn update(tenant: Tenant, product_id: &str, changes: &Changes, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments = [
        organization_id,
        environment,
        id,
        changes.name.into(),
        changes.description.is_some().into(),
        changes.description.flatten().into(),
        changes.image_url.is_some().into(),
        changes.image_url.flatten().into(),
        changes.active.into(),
        changes.metadata.into(),
        datum::timestamp(now).into(),
    ];
    match UPDATE.with(|statement| statement.count(&arguments))? {
        0 => Err(unknown(product_id)),
        _ => Ok(()),
    }
}

statement!(
    LOCK,
    Write,
    "SELECT p.active FROM checkout_data.products p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.product_id = $3 FOR NO KEY UPDATE"
);

/// Locks a product, and with it which of its prices are defaults. Returns whether it is active.
pub fn lock(tenant: Tenant, product_id: &str) -> Result<bool> {
    LOCK.with(|statement| statement.row(&key(tenant, product_id), |row| row.get::<bool>(1)))?
        .flatten()
        .ok_or_else(|| unknown(product_id))
}

/// A product with its stock as of a time: what is held until then is free afterwards.
macro_rules! product {
    ($now:literal) => {
        concat!(
            "checkout_data.product_of(c, i, CASE WHEN i.on_hand IS NOT NULL THEN COALESCE(( \
               SELECT sum(h.quantity) FROM checkout_data.holds h \
               WHERE h.organization_id = c.organization_id AND h.environment = c.environment AND h.kind = 'product' \
                 AND h.item_id = c.product_id AND h.state <> 'counted' AND (h.state = 'taken' OR h.deadline > ",
            $now,
            ")), 0) END)"
        )
    };
}
macro_rules! with_stock {
    () => {
        "checkout_data.products c LEFT JOIN checkout_data.inventory i ON i.organization_id = c.organization_id \
           AND i.environment = c.environment AND i.product_id = c.product_id"
    };
}
statement!(
    GET,
    Transaction,
    concat!(
        "SELECT ",
        product!("$4"),
        " FROM ",
        with_stock!(),
        " WHERE c.organization_id = $1 AND c.environment = $2 AND c.product_id = $3"
    )
);

/// A product, as this transaction has left it.
pub fn get(tenant: Tenant, product_id: &str, now: DateTime<Utc>) -> Result<Product> {
    let [organization_id, environment, id] = key(tenant, product_id);
    let arguments = [organization_id, environment, id, datum::timestamp(now).into()];
    GET.with(|statement| statement.composite(&arguments))?.ok_or_else(|| unknown(product_id))
}

statement!(
    EXISTS,
    Transaction,
    "SELECT FROM checkout_data.products p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.product_id = $3"
);

pub fn exists(tenant: Tenant, product_id: &str) -> Result<bool> {
    Ok(EXISTS.with(|statement| statement.count(&key(tenant, product_id)))? > 0)
}

statement!(
    MISSING,
    Transaction,
    "SELECT FROM unnest($3) AS named (product_id) WHERE NOT EXISTS ( \
       SELECT FROM checkout_data.products p \
       WHERE p.organization_id = $1 AND p.environment = $2 AND p.product_id = named.product_id)"
);

/// Returns true if each of these products exists.
pub fn all_exist(tenant: Tenant, product_ids: &[String]) -> Result<bool> {
    let arguments =
        [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), product_ids.to_vec().into()];
    Ok(MISSING.with(|statement| statement.count(&arguments))? == 0)
}

const LISTED: Listed = Listed {
    row: product!("$4"),
    from: with_stock!(),
    table: "products",
    id: "product_id",
    id_type: "text",
    what: "product",
};

/// Products, newest first.
pub fn list(tenant: Tenant, active: Option<bool>, page: &Page, now: DateTime<Utc>) -> Result<Vec<Product>> {
    LISTED.list(tenant, vec![("c.active", active.map(Argument::from))], page, now)
}

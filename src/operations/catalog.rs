//! What merchants sell: products and their stock, prices, and coupons.

use pgrx::datum::Interval;
use rules::catalog::discount::Coupon;
use rules::catalog::price::Price as CheckedPrice;
use rules::catalog::product;
use rules::{Error, Result};

use crate::datum::{self, CouponRow, Json, Price, Product};
use crate::role::as_worker_role;
use crate::store::inventory::{self, Change};
use crate::store::products::{self, Changes};
use crate::store::{coupons, organizations, prices};
use crate::tenant::{self, Tenant};

/// Keeps the organization of what is stored.
fn hold_organization(tenant: Tenant) -> Result<()> {
    if as_worker_role(|| organizations::hold(tenant.organization_id))? { Ok(()) } else { Err(tenant::NO_ORGANIZATION) }
}

/// Stores a product; with stock, this is the first change of it.
pub fn create_product(
    tenant: Tenant,
    product_id: &str,
    product: &Changes,
    on_hand: Option<i32>,
    continue_selling: bool,
) -> Result<Product> {
    hold_organization(tenant)?;
    let now = datum::now();
    products::insert(tenant, product_id, product, now)?;
    if let Some(on_hand) = on_hand.map(i64::from) {
        inventory::track(tenant, product_id, on_hand, continue_selling, now)?;
        let created_by = tenant::caller()?.name;
        let change = Change { change: on_hand, on_hand, reason: Some("created"), created_by: &created_by };
        inventory::record(tenant, product_id, &change, now)?;
    }
    products::get(tenant, product_id, now)
}

/// Changes a product, and whether its stock is tracked.
pub fn update_product(
    tenant: Tenant,
    product_id: &str,
    changes: &Changes,
    track: Option<bool>,
    continue_selling: Option<bool>,
) -> Result<Product> {
    let now = datum::now();
    products::update(tenant, product_id, changes, now)?;
    match track {
        None => {}
        Some(true) => {
            inventory::track(tenant, product_id, 0, false, now)?;
        }
        Some(false) => {
            if let Some(on_hand) = inventory::untrack(tenant, product_id)?.filter(|on_hand| *on_hand != 0) {
                let created_by = tenant::caller()?.name;
                let change =
                    Change { change: -on_hand, on_hand: 0, reason: Some("not tracked"), created_by: &created_by };
                inventory::record(tenant, product_id, &change, now)?;
            }
        }
    }
    if let Some(continue_selling) = continue_selling {
        let (on_hand, _) = stock(tenant, product_id)?;
        inventory::set(tenant, product_id, on_hand, continue_selling, now)?;
    }
    products::get(tenant, product_id, datum::now())
}

/// The locked stock of a product that exists.
fn stock(tenant: Tenant, product_id: &str) -> Result<(i64, bool)> {
    inventory::lock(tenant, product_id)?.ok_or_else(|| Error::NotTracked { product_id: product_id.to_owned() })
}

/// Adds units to the stock, or takes some away.
pub fn adjust_inventory(tenant: Tenant, product_id: &str, change: i32, reason: Option<&str>) -> Result<Product> {
    if !products::exists(tenant, product_id)? {
        return Err(products::unknown(product_id));
    }
    let (before, continue_selling) = stock(tenant, product_id)?;
    let on_hand = product::adjusted(before, change, continue_selling)?;
    let (now, created_by) = (datum::now(), tenant::caller()?.name);
    inventory::set(tenant, product_id, on_hand, continue_selling, now)?;
    inventory::record(
        tenant,
        product_id,
        &Change { change: change.into(), on_hand, reason, created_by: &created_by },
        now,
    )?;
    products::get(tenant, product_id, now)
}

/// A price as it is asked for.
pub struct NewPrice<'a> {
    pub price_id: &'a str,
    pub product_id: &'a str,
    pub price: CheckedPrice,
    /// `None`: if there is no other in the currency.
    pub is_default: Option<bool>,
    pub description: Option<&'a str>,
    pub metadata: Option<Json>,
    pub trial_period: Option<Interval>,
}

pub fn create_price(tenant: Tenant, new: NewPrice) -> Result<Price> {
    let NewPrice { price_id, product_id, price, is_default, description, metadata, trial_period } = new;
    if !products::lock(tenant, product_id)? {
        return Err(Error::NotSold { what: "product", id: product_id.to_owned() });
    }
    let now = datum::now();
    let currency_code = price.currency.code().to_owned();
    let is_default = match is_default {
        None => !prices::has_default(tenant, product_id, &currency_code)?,
        Some(is_default) => is_default,
    };
    if is_default {
        prices::replace_default(tenant, product_id, &currency_code, price_id, now)?;
    }
    let new = prices::New { price_id, product_id, price, is_default, description, metadata, trial_period };
    prices::insert(tenant, &new, now)
}

pub fn update_price(tenant: Tenant, price_id: &str, active: Option<bool>, is_default: Option<bool>) -> Result<Price> {
    let product_id = prices::find(tenant, price_id)?.product_id;
    products::lock(tenant, &product_id)?;
    let before = prices::find(tenant, price_id)?;
    let state = before.state.changed(price_id, active, is_default)?;
    let now = datum::now();
    if state.is_default {
        prices::replace_default(tenant, &product_id, &before.currency_code, price_id, now)?;
    }
    prices::update(tenant, price_id, state, now)
}

pub fn create_coupon(
    tenant: Tenant,
    coupon: &Coupon,
    description: Option<&str>,
    metadata: Option<Json>,
) -> Result<CouponRow> {
    hold_organization(tenant)?;
    if let Some(product_ids) = &coupon.product_ids
        && !products::all_exist(tenant, product_ids)?
    {
        return Err(Error::invalid("product_ids", "names a product that does not exist"));
    }
    coupons::insert(tenant, coupon, description, metadata, datum::now())
}

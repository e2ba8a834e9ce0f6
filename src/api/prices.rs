//! Prices of products.

use pgrx::AnyNumeric;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use rules::catalog::price::Asked;
use rules::catalog::product;
use rules::checkout::money::Currency;

use super::products::{given_or_new, page};
use crate::datum::{self, Jsonb, Price, Rows, Text, required_text, text};
use crate::operations::catalog::{self, NewPrice};
use crate::report::or_raise;
use crate::store::prices::{self, Filter};
use crate::store::products;
use crate::tenant;

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn create_price(
    product_id: Option<Text>,
    currency_code: Option<Text>,
    amount: Option<AnyNumeric>,
    minimum_amount: Option<AnyNumeric>,
    maximum_amount: Option<AnyNumeric>,
    suggested_amount: Option<AnyNumeric>,
    price_id: Option<Text>,
    minimum_quantity: Option<i32>,
    maximum_quantity: Option<i32>,
    is_default: Option<bool>,
    description: Option<Text>,
    metadata: Option<Jsonb>,
    interval_unit: Option<Text>,
    interval_count: Option<i32>,
    trial_period: Option<Interval>,
) -> Price {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let number = |argument, amount: Option<AnyNumeric>| {
            amount.map(|amount| datum::from_numeric(argument, &amount)).transpose()
        };
        let product_id = required_text("product_id", &product_id)?;
        let trial_period = trial_period.map(|span| datum::of_one_sign("trial_period", span)).transpose()?;
        let price = Asked {
            currency_code: required_text("currency_code", &currency_code)?,
            amount: number("amount", amount)?,
            minimum_amount: number("minimum_amount", minimum_amount)?,
            maximum_amount: number("maximum_amount", maximum_amount)?,
            suggested_amount: number("suggested_amount", suggested_amount)?,
            minimum_quantity: minimum_quantity.unwrap_or(1),
            maximum_quantity,
            interval_unit: text("interval_unit", &interval_unit)?,
            interval_count,
            trial_period: trial_period.map(|span| datum::from_interval("trial_period", span)).transpose()?,
        }
        .check()?;
        let new = NewPrice {
            price_id: &given_or_new("price_id", &price_id)?,
            product_id,
            price,
            is_default,
            description: text("description", &description)?.map(product::description).transpose()?.flatten(),
            metadata: datum::metadata(&metadata)?,
            trial_period,
        };
        catalog::create_price(tenant, new)
    })
}

#[pg_extern(sql = false)]
fn update_price(price_id: Option<Text>, active: Option<bool>, is_default: Option<bool>) -> Price {
    or_raise(|| {
        let tenant = tenant::secret()?;
        catalog::update_price(tenant, required_text("price_id", &price_id)?, active, is_default)
    })
}

#[pg_extern(sql = false)]
fn list_prices(
    product_id: Option<Text>,
    active: Option<bool>,
    currency_code: Option<Text>,
    page_size: Option<i32>,
    starting_after: Option<Text>,
) -> Rows<Price> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let product_id = text("product_id", &product_id)?;
        let currency = text("currency_code", &currency_code)?;
        let currency = currency.map(|code| Currency::parse("currency_code", code)).transpose()?;
        let page = page(page_size, &starting_after)?;
        if let Some(product_id) = product_id
            && !products::exists(tenant, product_id)?
        {
            return Err(products::unknown(product_id));
        }
        let filter = Filter { product_id, active, currency_code: currency.map(|currency| currency.code().to_owned()) };
        prices::list(tenant, filter, &page, datum::now())
    }))
}

//! Products and their stock.

use pgrx::prelude::*;
use rules::Result;
use rules::catalog::product;
use rules::checkout::ids;
use rules::validate::{self, required};

use crate::datum::{self, Jsonb, Product, Rows, Text, required_text, text};
use crate::operations::catalog;
use crate::report::or_raise;
use crate::store::catalog_lists::Page;
use crate::store::products::{self, Changes};
use crate::tenant;

/// The id that is given, or else a new one.
pub fn given_or_new(argument: &'static str, id: &Option<Text>) -> Result<String> {
    match text(argument, id)? {
        Some(id) => validate::identifier(argument, id).map(str::to_owned),
        None => Ok(ids::session_id(datum::now()).to_string()),
    }
}

/// The page of a list that begins with its newest row.
pub fn page<'a>(size: Option<i32>, starting_after: &'a Option<Text>) -> Result<Page<'a>> {
    Ok(Page { size: validate::page_size(size)?, starting_after: text("starting_after", starting_after)? })
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn create_product(
    name: Option<Text>,
    product_id: Option<Text>,
    description: Option<Text>,
    image_url: Option<Text>,
    active: Option<bool>,
    metadata: Option<Jsonb>,
    on_hand: Option<i32>,
    continue_selling: Option<bool>,
) -> Product {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let product_id = given_or_new("product_id", &product_id)?;
        let product = Changes {
            name: Some(validate::identifier("name", required_text("name", &name)?)?),
            description: text("description", &description)?.map(product::description).transpose()?,
            image_url: text("image_url", &image_url)?.map(product::image_url).transpose()?,
            active,
            metadata: datum::metadata(&metadata)?,
        };
        let continue_selling = continue_selling.unwrap_or(false);
        let on_hand = product::first_stock(on_hand, continue_selling)?;
        catalog::create_product(tenant, &product_id, &product, on_hand, continue_selling)
    })
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn update_product(
    product_id: Option<Text>,
    name: Option<Text>,
    description: Option<Text>,
    image_url: Option<Text>,
    active: Option<bool>,
    metadata: Option<Jsonb>,
    track_inventory: Option<bool>,
    continue_selling: Option<bool>,
) -> Product {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let product_id = required_text("product_id", &product_id)?;
        let changes = Changes {
            name: text("name", &name)?.map(|name| validate::identifier("name", name)).transpose()?,
            description: text("description", &description)?.map(product::description).transpose()?,
            image_url: text("image_url", &image_url)?.map(product::image_url).transpose()?,
            active,
            metadata: datum::metadata(&metadata)?,
        };
        catalog::update_product(tenant, product_id, &changes, track_inventory, continue_selling)
    })
}

#[pg_extern(sql = false)]
fn list_products(active: Option<bool>, page_size: Option<i32>, starting_after: Option<Text>) -> Rows<Product> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        products::list(tenant, active, &page(page_size, &starting_after)?, datum::now())
    }))
}

#[pg_extern(sql = false)]
fn adjust_inventory(product_id: Option<Text>, change: Option<i32>, reason: Option<Text>) -> Product {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let product_id = required_text("product_id", &product_id)?;
        let change = required("change", change)?;
        let reason = validate::label(text("reason", &reason)?);
        let reason = validate::optional_text("reason", reason, validate::SHORT_TEXT)?;
        catalog::adjust_inventory(tenant, product_id, change, reason)
    })
}

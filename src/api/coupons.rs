//! Coupons.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use rules::Result;
use rules::catalog::coupon::{self, Asked};
use rules::catalog::product;

use super::products::page;
use crate::datum::{self, CouponRow, Jsonb, Rows, Text, Texts, required_text, text};
use crate::operations::catalog;
use crate::report::or_raise;
use crate::store::coupons;
use crate::tenant;

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn create_coupon(
    code: Option<Text>,
    percent_off: Option<AnyNumeric>,
    amount_off: Option<AnyNumeric>,
    currency_code: Option<Text>,
    valid_from: Option<TimestampWithTimeZone>,
    valid_until: Option<TimestampWithTimeZone>,
    max_redemptions: Option<i32>,
    max_redemptions_per_customer: Option<i32>,
    minimum_amount: Option<AnyNumeric>,
    product_ids: Option<Texts>,
    customers: Option<Text>,
    description: Option<Text>,
    metadata: Option<Jsonb>,
) -> CouponRow {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let number = |argument, amount: Option<AnyNumeric>| {
            amount.map(|amount| datum::from_numeric(argument, &amount)).transpose()
        };
        let coupon = Asked {
            code: required_text("code", &code)?,
            percent_off: number("percent_off", percent_off)?,
            amount_off: number("amount_off", amount_off)?,
            currency_code: text("currency_code", &currency_code)?,
            valid_from: time("valid_from", valid_from)?,
            valid_until: time("valid_until", valid_until)?,
            max_redemptions,
            max_redemptions_per_customer,
            minimum_amount: number("minimum_amount", minimum_amount)?,
            product_ids: product_ids.map(|ids| ids.read("product_ids")).transpose()?,
            customers: text("customers", &customers)?,
        }
        .check()?;
        let description = text("description", &description)?.map(product::description).transpose()?.flatten();
        catalog::create_coupon(tenant, &coupon, description, datum::metadata(&metadata)?)
    })
}

fn time(argument: &'static str, at: Option<TimestampWithTimeZone>) -> Result<Option<DateTime<Utc>>> {
    at.map(|at| datum::from_timestamp(argument, at)).transpose()
}

#[pg_extern(sql = false)]
fn update_coupon(code: Option<Text>, active: Option<bool>) -> CouponRow {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let code = coupon::code(required_text("code", &code)?)?;
        coupons::update(tenant, &code, active, datum::now())
    })
}

#[pg_extern(sql = false)]
fn list_coupons(active: Option<bool>, page_size: Option<i32>, starting_after: Option<Text>) -> Rows<CouponRow> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let mut page = page(page_size, &starting_after)?;
        let cursor = page.starting_after.map(|code| code.trim().to_ascii_uppercase());
        page.starting_after = cursor.as_deref();
        coupons::list(tenant, active, &page, datum::now())
    }))
}

//! Subscriptions.

use pgrx::Uuid;
use pgrx::prelude::*;
use rules::catalog::subscription;
use rules::validate::{self, required};

use crate::datum::{self, Rows, Subscription, Text, text};
use crate::operations::subscriptions as operations;
use crate::report::or_raise;
use crate::store::catalog_lists::Page;
use crate::store::subscriptions::{self, Filter};
use crate::tenant;

#[pg_extern(sql = false)]
fn get_subscription(subscription_id: Option<Uuid>) -> Subscription {
    or_raise(|| {
        let tenant = tenant::reader()?;
        let id = datum::from_uuid(required("subscription_id", subscription_id)?);
        subscriptions::get(tenant, id, datum::now())
    })
}

#[pg_extern(sql = false)]
fn list_subscriptions(
    status: Option<Text>,
    customer_id: Option<Text>,
    customer_email: Option<Text>,
    product_id: Option<Text>,
    price_id: Option<Text>,
    page_size: Option<i32>,
    starting_after: Option<Uuid>,
) -> Rows<Subscription> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let cursor = starting_after.map(|id| datum::from_uuid(id).to_string());
        let page = Page { size: validate::page_size(page_size)?, starting_after: cursor.as_deref() };
        let filter = Filter {
            status: text("status", &status)?.map(subscription::status).transpose()?,
            customer_id: text("customer_id", &customer_id)?,
            customer_email: text("customer_email", &customer_email)?,
            product_id: text("product_id", &product_id)?,
            price_id: text("price_id", &price_id)?,
        };
        subscriptions::list(tenant, filter, &page, datum::now())
    }))
}

#[pg_extern(sql = false)]
fn cancel_subscription(subscription_id: Option<Uuid>, at_period_end: Option<bool>) -> Subscription {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("subscription_id", subscription_id)?);
        operations::cancel(tenant, id, required("at_period_end", at_period_end)?)
    })
}

#[pg_extern(sql = false)]
fn resume_subscription(subscription_id: Option<Uuid>) -> Subscription {
    or_raise(|| {
        let tenant = tenant::secret()?;
        operations::resume(tenant, datum::from_uuid(required("subscription_id", subscription_id)?))
    })
}

//! Persons and organizations that are forgotten.

use pgrx::Uuid;
use pgrx::prelude::*;
use rules::validate::{self, required};
use rules::{Error, Result};
use serde_json::Value;

use crate::datum::{self, CustomerRecord, Rows, Text, required_text, text};
use crate::operations::deletion::{self, Done};
use crate::report::or_raise;
use crate::store::erasure::{self, Customer};
use crate::store::{admin_log, settings};
use crate::tenant::{self, Tenant};

#[pg_extern(sql = false)]
fn export_customer(customer_id: Option<Text>, customer_email: Option<Text>) -> Rows<CustomerRecord> {
    Rows(or_raise(|| erasure::export(&customer(tenant::reader()?, &customer_id, &customer_email)?)))
}

#[pg_extern(sql = false)]
fn erase_customer(
    customer_id: Option<Text>,
    customer_email: Option<Text>,
) -> TableIterator<'static, (name!(kind, &'static str), name!(row_count, i32))> {
    let erased = or_raise(|| {
        let tenant = tenant::secret()?;
        let subjects = erasure::lock(&customer(tenant, &customer_id, &customer_email)?)?;
        if let Some(what) = erasure::in_use(&subjects)? {
            return Err(Error::CustomerInUse { what });
        }
        let erased =
            erasure::erase(&subjects, &settings::of(tenant)?.records.personal_metadata_keys, &erasure::nobody())?;
        // Not whom: an address would stay in the log.
        let rows = erased.iter().map(|(kind, rows)| ((*kind).to_owned(), (*rows).into())).collect();
        admin_log::write("customer.erased", tenant, "customer", &Value::Object(rows))?;
        Ok(erased)
    });
    TableIterator::new(erased.into_iter().map(|(kind, rows)| (kind, i32::try_from(rows).unwrap_or(i32::MAX))))
}

fn customer<'a>(tenant: Tenant, id: &'a Option<Text>, email: &'a Option<Text>) -> Result<Customer<'a>> {
    let (id, email) = (text("customer_id", id)?, text("customer_email", email)?.map(validate::folded));
    if id.is_none() && email.is_none() {
        return Err(Error::CustomerRequired);
    }
    Ok(Customer { tenant, id, email })
}

#[pg_extern(sql = false)]
fn delete_organization(organization_id: Option<Uuid>, confirm: Option<Text>, batch: Option<i32>) -> bool {
    or_raise(|| {
        let organization_id = datum::from_uuid(required("organization_id", organization_id)?);
        let confirm = required_text("confirm", &confirm)?;
        let batch = validate::in_range("batch", required("batch", batch)?, 1, 100_000)?;
        Ok(match deletion::delete(organization_id, confirm, batch, datum::now())? {
            Done::All => true,
            Done::Part => false,
            Done::Resumed(what) => {
                warning!("the organization is not deleted, and no longer ended: it has {what}");
                false
            }
        })
    })
}

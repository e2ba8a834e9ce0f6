//! What buyers change of an open session, and its lines.

use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};
use rules::access::client_secret::ClientSecret;
use rules::catalog::address;
use rules::validate::{self, required};
use rules::{Error, Result};

use crate::datum::{self, CouponAnswer, Json, Jsonb, PublicSession, Rows, SessionLine, Text, required_text, text};
use crate::operations::{carts, session_terms};
use crate::report::or_raise;
use crate::store::{lines, organizations, sessions};
use crate::tenant::{self, Tenant};

/// Does `work` for the tenant of a session, if the caller may change it: its buyer, who has the client secret, or a
/// server. The last argument of `work` is true for a buyer.
fn changing<T>(
    checkout_session_id: Option<Uuid>,
    client_secret: &Option<Text>,
    work: impl FnOnce(Tenant, uuid::Uuid, bool) -> Result<T>,
) -> Result<T> {
    let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
    let Some(secret) = text("client_secret", client_secret)? else {
        return work(tenant::secret()?, id, false);
    };
    let tenant = opened(secret, id)?;
    tenant::within(tenant, || work(tenant, id, true))
}

/// The tenant of the session that a client secret opens.
pub fn opened(secret: &str, id: uuid::Uuid) -> Result<Tenant> {
    let secret = ClientSecret::parse(secret).ok_or(Error::PublicSessionNotFound)?;
    let key = tenant::within(secret.tenant, || organizations::settings(secret.tenant.organization_id))?
        .ok_or(Error::PublicSessionNotFound)?;
    if !secret.opens(&key.client_secret_key, id) {
        return Err(Error::PublicSessionNotFound);
    }
    Ok(secret.tenant)
}

#[pg_extern(sql = false)]
fn set_quantity(
    checkout_session_id: Option<Uuid>,
    client_secret: Option<Text>,
    quantity: Option<i32>,
    line: Option<i32>,
) -> PublicSession {
    or_raise(|| {
        changing(checkout_session_id, &client_secret, |tenant, id, _| {
            session_terms::set_quantity(tenant, id, required("quantity", quantity)?, line)
        })
    })
}

#[pg_extern(sql = false)]
fn set_unit_amount(
    checkout_session_id: Option<Uuid>,
    client_secret: Option<Text>,
    unit_amount: Option<AnyNumeric>,
    line: Option<i32>,
) -> PublicSession {
    or_raise(|| {
        changing(checkout_session_id, &client_secret, |tenant, id, _| {
            let amount = datum::from_numeric("unit_amount", &required("unit_amount", unit_amount)?)?;
            session_terms::set_unit_amount(tenant, id, amount, line)
        })
    })
}

#[pg_extern(sql = false)]
fn apply_coupon(checkout_session_id: Option<Uuid>, client_secret: Option<Text>, code: Option<Text>) -> CouponAnswer {
    or_raise(|| {
        changing(checkout_session_id, &client_secret, |tenant, id, by_buyer| {
            let code = validate::identifier("code", required_text("code", &code)?)?;
            let (applied, session) = session_terms::apply_coupon(tenant, id, code)?;
            CouponAnswer::new(applied.err().map(|refusal| carts::reason(refusal, by_buyer)), &session)
        })
    })
}

#[pg_extern(sql = false)]
fn remove_coupon(checkout_session_id: Option<Uuid>, client_secret: Option<Text>) -> PublicSession {
    or_raise(|| changing(checkout_session_id, &client_secret, |tenant, id, _| session_terms::remove_coupon(tenant, id)))
}

#[pg_extern(sql = false)]
fn set_billing_address(
    checkout_session_id: Option<Uuid>,
    client_secret: Option<Text>,
    address: Option<Jsonb>,
) -> PublicSession {
    or_raise(|| {
        changing(checkout_session_id, &client_secret, |tenant, id, _| {
            let given = required("address", address)?.read("address", ADDRESS_BYTES)?.text();
            let address = Json::from_text("address", &address::check(&given)?)?;
            session_terms::set_billing_address(tenant, id, address)
        })
    })
}

const ADDRESS_BYTES: usize = 8 * 1024;

#[pg_extern(sql = false)]
fn complete_free_checkout_session(checkout_session_id: Option<Uuid>, client_secret: Option<Text>) -> PublicSession {
    or_raise(|| changing(checkout_session_id, &client_secret, |tenant, id, _| session_terms::complete_free(tenant, id)))
}

#[pg_extern(sql = false)]
fn list_session_lines(checkout_session_id: Option<Uuid>) -> Rows<SessionLine> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        if !sessions::exists(tenant, id)? {
            return Err(Error::SessionNotFound { checkout_session_id: id });
        }
        lines::list(tenant, id)
    }))
}

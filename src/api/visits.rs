//! The payment page: what a buyer does there without paying, and what its server must know.

use pgrx::Uuid;
use pgrx::prelude::*;
use rules::Result;
use rules::validate::{self, required};

use crate::api::session_terms::opened;
use crate::datum::{self, PagePolicy, PublicSession, Restarted, Text, required_text, text};
use crate::operations::visits;
use crate::report::or_raise;
use crate::store;
use crate::tenant::{self, Tenant};

/// Does `work` for the tenant of a session whose buyer calls.
pub fn as_buyer<T>(
    checkout_session_id: Option<Uuid>,
    client_secret: &Option<Text>,
    work: impl FnOnce(Tenant, uuid::Uuid) -> Result<T>,
) -> Result<T> {
    let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
    let tenant = opened(required_text("client_secret", client_secret)?, id)?;
    tenant::within(tenant, || work(tenant, id))
}

#[pg_extern(sql = false)]
fn open_checkout_session(checkout_session_id: Option<Uuid>, client_secret: Option<Text>) -> PublicSession {
    or_raise(|| as_buyer(checkout_session_id, &client_secret, visits::open))
}

const REASON: usize = 500;

#[pg_extern(sql = false)]
fn cancel_checkout_session(
    checkout_session_id: Option<Uuid>,
    client_secret: Option<Text>,
    reason_code: Option<Text>,
    reason: Option<Text>,
) -> PublicSession {
    or_raise(|| {
        as_buyer(checkout_session_id, &client_secret, |tenant, id| {
            let code =
                text("reason_code", &reason_code)?.map(|code| validate::word("reason_code", code)).transpose()?;
            let reason = text("reason", &reason)?.filter(|reason| !reason.trim().is_empty());
            let reason = reason.map(|reason| validate::long_text("reason", reason, REASON)).transpose()?;
            visits::cancel(tenant, id, code, reason)
        })
    })
}

#[pg_extern(sql = false)]
fn restart_checkout_session(checkout_session_id: Option<Uuid>, client_secret: Option<Text>) -> Restarted {
    or_raise(|| as_buyer(checkout_session_id, &client_secret, visits::restart))
}

#[pg_extern(sql = false)]
fn page_policy(checkout_session_id: Option<Uuid>) -> PagePolicy {
    or_raise(|| {
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        store::organizations::page_policy(id)
    })
}

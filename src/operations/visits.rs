//! What a buyer does on the payment page without paying: opens it, cancels, and starts an expired session again.

use rules::access::credential::Kind;
use rules::checkout::reference::WhenOpen;
use rules::checkout::status::Status;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum::{self, PublicSession, Restarted};
use crate::operations::{carts, sessions};
use crate::store;
use crate::tenant::{Caller, Tenant};

/// Who has created a session that its buyer started again.
const BUYER: &str = "buyer";

pub fn open(tenant: Tenant, id: Uuid) -> Result<PublicSession> {
    carts::waiting(|| store::visits::open(tenant, id, datum::now()))?;
    store::sessions::get_public_again(tenant, id, datum::now())
}

pub fn cancel(tenant: Tenant, id: Uuid, reason_code: Option<&str>, reason: Option<&str>) -> Result<PublicSession> {
    let expires = store::settings::of(tenant)?.pages.cancel_expires;
    let session = carts::waiting(|| store::sessions::lock(tenant, id))?.state;
    let now = datum::now();
    if session.effective_status(now) == Status::Open {
        store::visits::cancel(tenant, id, reason_code, reason, now)?;
        if expires {
            sessions::expire(tenant, id)?;
        }
    }
    store::sessions::get_public_again(tenant, id, datum::now())
}

/// Makes the new session as the organization would. Its buyer gets no other session with the same reference: that may
/// be somebody else's.
pub fn restart(tenant: Tenant, id: Uuid) -> Result<Restarted> {
    if !store::settings::of(tenant)?.pages.allow_restart {
        return Err(Error::TermsConflict { fault: "cannot be started again by its buyer" });
    }
    let caller = Caller { tenant, kind: Kind::Secret, name: BUYER.to_owned(), payment_methods: None, http: false };
    let session = carts::waiting(|| sessions::recover(&caller, id, None, None, Some(WhenOpen::Error)))?.view()?;
    Restarted::new(session.checkout_session_id, session.client_secret, session.url)
}

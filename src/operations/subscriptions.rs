//! The cancellation of subscriptions, and the session that renews one.

use rules::checkout::status::Status;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum::{self, Subscription};
use crate::operations::holding::end;
use crate::shared::wake;
use crate::store::subscriptions::{self, unknown};
use crate::store::subtransaction::undone_if_refused;
use crate::store::{self, session_periods, sessions};
use crate::tenant::Tenant;

/// The open session that renews a subscription already, locked. One whose time is over is ended.
pub fn open_renewal(tenant: Tenant, subscription: Uuid) -> Result<Option<Uuid>> {
    while let Some(id) = session_periods::open_renewal(tenant, subscription)? {
        let open = sessions::lock(tenant, id)?.state;
        let now = datum::now();
        match open.status {
            Status::Open if open.overdue(now) => {
                end(tenant, id, &open, now)?;
            }
            Status::Open => return Ok(Some(id)),
            // A sweep was ending it.
            _ => {}
        }
    }
    Ok(None)
}

/// How many open renewals a cancellation ends: a hook may create another each time.
const RENEWALS: usize = 10;
const RENEWED: Error = Error::SubscriptionConflict { fault: "is being renewed by another call, or by a hook" };

/// Cancels a subscription. The session that would renew it is locked first, and ends.
pub fn cancel(tenant: Tenant, id: Uuid, at_period_end: bool) -> Result<Subscription> {
    let mut tries = 0..RENEWALS;
    loop {
        if let Some(session) = open_renewal(tenant, id)? {
            let open = sessions::lock(tenant, session)?.state;
            let now = datum::now();
            open.expire(now)?;
            end(tenant, session, &open, now)?;
        }
        match undone_if_refused(|| lock_unless_renewed(tenant, id)) {
            Err(error) if error == RENEWED && tries.next().is_some() => {}
            locked => break locked?,
        }
    }
    let now = datum::now();
    let before = subscriptions::state(tenant, id, now)?;
    let is_over = matches!(before.status.as_str(), "canceled" | "ended");
    let change = match (before.cancels_at_period_end, at_period_end) {
        _ if before.status == "canceled" => false,
        _ if is_over => return Err(Error::SubscriptionConflict { fault: "has ended" }),
        (true, true) => false,
        _ => true,
    };
    if change {
        // A period that is over has no end to wait for.
        let at_period_end = at_period_end && before.status != "past_due";
        subscriptions::cancel(tenant, id, at_period_end, now)?;
        if at_period_end {
            wake::wake_at_commit(before.current_period_end);
        }
    }
    subscriptions::get_again(tenant, id, now)
}

/// Who has waited for a call that creates a renewal sees that only now, and has to lock its session first.
fn lock_unless_renewed(tenant: Tenant, id: Uuid) -> Result<()> {
    subscriptions::lock(tenant, id)?.ok_or_else(|| unknown(&id.to_string()))?;
    match session_periods::open_renewal(tenant, id)? {
        Some(_) => Err(RENEWED),
        None => Ok(()),
    }
}

/// Takes back a cancellation at the end of the period.
pub fn resume(tenant: Tenant, id: Uuid) -> Result<Subscription> {
    subscriptions::lock(tenant, id)?.ok_or_else(|| unknown(&id.to_string()))?;
    let now = datum::now();
    match subscriptions::state(tenant, id, now)?.status.as_str() {
        "canceled" => return Err(Error::SubscriptionConflict { fault: "is canceled" }),
        "ended" => return Err(Error::SubscriptionConflict { fault: "has ended" }),
        _ => {}
    }
    let notice = store::settings::of(tenant)?.subscriptions.renewal_notice;
    if let Some(next_event_at) = subscriptions::resume(tenant, id, notice, now)? {
        wake::wake_at_commit(next_event_at);
    }
    subscriptions::get_again(tenant, id, now)
}

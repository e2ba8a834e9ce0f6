//! Calls the hooks of an organization, after its events are written, in the same transaction.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rules::checkout::hook::{self, Cause, Failure, Hook, HookEvent};
use rules::webhooks::event::EventType;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum;
use crate::store::{self, hook_call, hooks, sessions};
use crate::tenant::{self, Tenant};

/// Calls the hooks of these events of a session. The failure of one is kept, unless it refuses the call that is its cause.
/// Returns true if one was called: what was read before may have changed.
pub fn call(tenant: Tenant, id: Uuid, events: &[EventType], cause: Cause) -> Result<bool> {
    if !events.iter().any(|event| HookEvent::of(*event).is_some()) {
        return Ok(false);
    }
    let Some(settings) = store::settings::find(tenant)?.filter(|settings| !settings.hooks.all.is_empty()) else {
        return Ok(false);
    };
    let mut called = false;
    for event in events.iter().filter_map(|event| HookEvent::of(*event)) {
        let Some(hook) = settings.hooks.all.iter().find(|hook| hook.event == event) else { continue };
        called = true;
        let Err(failure) = run(tenant, id, hook)? else { continue };
        if cause == Cause::Call && settings.hooks.required {
            // A browser learns that it has failed, and no more.
            let failure = tenant::secret().is_ok().then(|| format!("{}: {}", failure.sqlstate, failure.message));
            return Err(Error::HookFailed { event: event.as_str(), failure });
        }
        hooks::keep(tenant, id, hook, &failure, datum::now())?;
    }
    Ok(called)
}

fn run(tenant: Tenant, id: Uuid, hook: &Hook) -> Result<std::result::Result<(), Failure>> {
    if tenant::hook_depth() >= hook::DEEPEST {
        return Ok(Err(Failure::too_deep()));
    }
    let callable = match hooks::function(hook)? {
        Ok(callable) => callable,
        Err(failure) => return Ok(Err(failure)),
    };
    let session = sessions::get_again(tenant, id, datum::now(), false, None)?;
    hook_call::call(tenant, callable, &session)
}

/// The number of sessions that are looked up at once.
const PORTION: usize = 100;
/// An organization whose hook takes as long as this is put aside, so that those of others come first.
const SLOW: TimeDelta = TimeDelta::milliseconds(100);
/// For how many times as long.
const ASIDE: i32 = 10;
/// For how long an organization is put aside whose hook was interrupted by an error that ends the transaction.
const ASIDE_AFTER_ERROR: TimeDelta = TimeDelta::seconds(10);

thread_local! {
    /// Until when organizations are put aside by this worker.
    static PUT_ASIDE: RefCell<HashMap<Uuid, DateTime<Utc>>> = RefCell::default();
}

/// Ends at most `limit` sessions whose deadline has passed and whose organization has hooks for that, one by one, and
/// returns their number. With `span`, which the worker gives, begins with no other once it is over.
pub fn end_due(limit: usize, span: Option<TimeDelta>, now: DateTime<Utc>) -> Result<usize> {
    let mut organizations = hooks::organizations()?;
    if organizations.is_empty() || limit == 0 {
        return Ok(0);
    }
    if span.is_some() {
        PUT_ASIDE.with_borrow_mut(|aside| {
            aside.retain(|_, until| *until > now);
            organizations.retain(|organization| !aside.contains_key(organization));
        });
    }
    let (began_at, mut ended) = (datum::now(), 0);
    while ended < limit {
        let portion = hooks::due(&organizations, PORTION.min(limit - ended), now)?;
        let ended_before = ended;
        for (tenant, id) in portion {
            if !organizations.contains(&tenant.organization_id) {
                continue;
            }
            let Some(event) = hooks::end(tenant, id, now)? else { continue };
            let called_at = datum::now();
            if span.is_some() {
                // Undone below. An error does not come there.
                put_aside(tenant.organization_id, called_at + ASIDE_AFTER_ERROR);
            }
            call(tenant, id, &[event], Cause::Fact)?;
            ended += 1;
            let (now, called_for) = (datum::now(), datum::now() - called_at);
            let Some(span) = span else { continue };
            if called_for >= SLOW {
                organizations.retain(|organization| *organization != tenant.organization_id);
                put_aside(tenant.organization_id, now + called_for * ASIDE);
            } else {
                put_aside(tenant.organization_id, now);
            }
            if now - began_at >= span {
                return Ok(ended);
            }
        }
        // The others are locked.
        if ended == ended_before {
            break;
        }
    }
    Ok(ended)
}

fn put_aside(organization_id: Uuid, until: DateTime<Utc>) {
    PUT_ASIDE.with_borrow_mut(|aside| aside.insert(organization_id, until));
}

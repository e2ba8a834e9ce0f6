//! The work that is due without a request. The worker does it in portions, with `Due` and `Purge`. Without a worker, a
//! function in SQL does all of it in one call.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::operations::folding::Folding;
use crate::operations::hooks;
use crate::operations::retention::Retention;
use crate::shared::{api_key_uses, request_failures as refused, wake};
use crate::store::activation;
use crate::store::admin_log::{self, Place};
use crate::store::api_keys;
use crate::store::counts;
use crate::store::maintenance::{Work, remove_strays};
use crate::store::subtransaction::{Refusal, undone_if_it_fails};
use crate::store::{purge, request_failures};
use crate::{backend, datum, gucs, tenant};
use rules::Result;
use rules::maintenance::turns::{BEGINNING, Turns};
use serde_json::json;

/// The number of rows that each task has changed.
pub type Done = [(&'static str, usize); 6];

/// Activates this database, unless it is active. Returns since when it is.
pub fn activate() -> Result<TimestampWithTimeZone> {
    let since = match activation::active_since()? {
        Some(since) => since,
        None => {
            let since = activation::activate(&tenant::role(), datum::now())?;
            admin_log::write("database.activated", Place::Database, &backend::database_name(), &json!({}))?;
            since
        }
    };
    wake::wake_at_commit(BEGINNING);
    wake::tell_relays_at_commit();
    Ok(since)
}

/// Does about `batch` rows of each task, and returns the numbers.
pub fn run(batch: i32, now: DateTime<Utc>) -> Result<Done> {
    let expired = expire(batch, now)?;
    let reminded = in_turns(Work::Remind, batch, now)?;
    let announced = in_turns(Work::Announce, batch, now)?;
    let mut purge = Purge::new();
    let (old, _) = purge.old(batch, now)?;
    // Events that must stay are passed over, however many they are. But this is one transaction: it removes no more than
    // two batches.
    let (mut events, mut more) = (0, true);
    while more && events < usize::try_from(batch).unwrap_or(0) {
        let rows;
        (rows, more) = purge.events(batch, now)?;
        events += rows;
    }
    write_notes(now)?;
    let folded = fold(batch, now)?;
    let removed = remove(batch, now)?;
    Ok([
        ("expire", expired),
        ("remind", reminded),
        ("announce", announced),
        ("purge", old + events),
        ("fold", folded),
        ("remove", removed),
    ])
}

/// Expires at most `batch` sessions whose deadline has passed, and returns their number.
pub fn expire(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    let work = || in_turns(Work::Expire, batch, now);
    let is_there = |refusal: &Refusal| refusal.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION;
    let ended = match undone_if_it_fails(work, is_there)? {
        Ok(ended) => ended,
        Err(_) => {
            remove_strays(now)?;
            work()?
        }
    };
    let left = usize::try_from(batch).unwrap_or(0).saturating_sub(ended);
    Ok(ended + hooks::end_due(left, None, now)?)
}

/// Counts the sessions of at most `batch` past hours, and returns how many hours that were.
pub fn fold(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    let batch = usize::try_from(batch).unwrap_or(0);
    let (mut folding, mut counted) = (Folding::new(), 0);
    while folding.more() && counted < batch {
        counted += folding.step(batch - counted, Duration::MAX, now)?;
    }
    Ok(counted)
}

/// Removes about `batch` sessions, subscriptions and other rows that have ended long ago, and returns their number. Not in a
/// transaction that sees no more what others do.
fn remove(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    if backend::has_one_snapshot() {
        warning!("retention removes nothing in a REPEATABLE READ or SERIALIZABLE transaction: use READ COMMITTED");
        return Ok(0);
    }
    Retention::new().step(usize::try_from(batch).unwrap_or(0), Duration::MAX, now)
}

fn in_turns(work: Work, batch: i32, now: DateTime<Utc>) -> Result<usize> {
    let batch = usize::try_from(batch).unwrap_or(0);
    let mut left = batch;
    let mut turns = Turns::default();
    while left > 0 {
        let portion = turns.next(now, left);
        let done = work.run(&portion, now)?;
        turns.note(&portion, &done, left, now);
        left = left.saturating_sub(done.sessions);
        if !turns.more() {
            break;
        }
    }
    Ok(batch - left)
}

/// Removes old rows. It goes through the events, from the oldest on, and keeps its place.
pub struct Purge {
    place: DateTime<Utc>,
}

impl Purge {
    pub const fn new() -> Self {
        Self { place: BEGINNING }
    }

    /// Removes at most `batch` rows of each other kind. Returns the total number, and whether more are left.
    pub fn old(&self, batch: i32, now: DateTime<Utc>) -> Result<(usize, bool)> {
        let counted = counts::count(batch, now)?;
        let removed = purge::purge(batch, now)?;
        let full = removed.iter().any(|rows| *rows >= usize::try_from(batch).unwrap_or(usize::MAX));
        Ok((removed.iter().sum::<usize>() + counted.iter().sum::<usize>(), full))
    }

    /// Looks at the next `batch` events, and removes those that all their receivers have had for long enough. Returns
    /// the number removed, and whether there are more to look at.
    pub fn events(&mut self, batch: i32, now: DateTime<Utc>) -> Result<(usize, bool)> {
        let (removed, next) = purge::purge_events(self.place, batch, retention(), now)?;
        self.place = next.unwrap_or(BEGINNING);
        Ok((removed, next.is_some()))
    }
}

/// How long events are kept; `None`: for ever.
pub fn retention() -> Option<TimeDelta> {
    let minutes = gucs::OUTBOX_RETENTION.get();
    (minutes >= 0).then(|| TimeDelta::minutes(minutes.into()))
}

/// Stores what is noted in shared memory of this database: when API keys were used, and which calls were refused.
pub fn write_notes(now: DateTime<Utc>) -> Result<()> {
    api_keys::used(&api_key_uses::take())?;
    let failures = refused::take();
    for of_kind in &failures {
        request_failures::add(of_kind)?;
    }
    let tenants: HashSet<_> = failures.iter().map(|of_kind| of_kind.tenant).collect();
    tenants.into_iter().try_for_each(|tenant| request_failures::alert(tenant, now))
}

//! Removes what has ended long ago: tenant by tenant, in portions. Each is a transaction.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rules::Result;
use rules::maintenance::retention::Bounds;

use crate::gucs;
use crate::store::retention::{self as store, Kept, Kind};
use crate::store::settings;
use crate::tenant::Tenant;

fn bounds() -> Bounds {
    Bounds { minimum: gucs::minimum_retention(), maximum: gucs::maximum_retention() }
}

/// What of a tenant has ended before this may have been removed. `None`: nothing has.
pub fn cutoff(tenant: Tenant, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let wanted = settings::find(tenant)?.and_then(|settings| settings.records.session_retention);
    Ok(bounds().apply(wanted).and_then(|keeps| now.checked_sub_signed(keeps)))
}

/// One look at all tenants.
pub struct Retention {
    /// True if there may be more tenants, after this one.
    more: bool,
    after: Option<Tenant>,
    /// The other tenants of its page.
    due: Vec<Kept>,
    /// How far the first of them was looked at.
    kind: Kind,
    place: Option<DateTime<Utc>>,
}

impl Retention {
    pub const fn done() -> Self {
        Self { more: false, after: None, due: Vec::new(), kind: Kind::Subscriptions, place: None }
    }

    pub const fn new() -> Self {
        Self { more: true, after: None, due: Vec::new(), kind: Kind::Subscriptions, place: None }
    }

    pub fn more(&self) -> bool {
        self.more || !self.due.is_empty()
    }

    /// Removes about `batch` rows, and begins no further statement after this time. Returns how many it has removed.
    pub fn step(&mut self, batch: usize, time: Duration, now: DateTime<Utc>) -> Result<usize> {
        let began = Instant::now();
        let mut removed = 0;
        while self.more() {
            match self.due.last().copied() {
                Some(kept) => removed += self.tenant(kept, batch - removed, now)?,
                None => self.turn_page(now)?,
            }
            if removed >= batch || began.elapsed() >= time {
                break;
            }
        }
        Ok(removed)
    }

    fn turn_page(&mut self, now: DateTime<Utc>) -> Result<()> {
        self.due = store::page(self.after, bounds(), now)?;
        self.after = self.due.last().map(|(tenant, _)| *tenant);
        self.more = self.after.is_some();
        self.due.reverse();
        Ok(())
    }

    /// Looks at the next stretch of a tenant's rows.
    fn tenant(&mut self, (tenant, keeps): Kept, batch: usize, now: DateTime<Utc>) -> Result<usize> {
        let Some(cutoff) = keeps.and_then(|keeps| now.checked_sub_signed(keeps)) else {
            store::plan(tenant, None, now)?;
            self.due.pop();
            return Ok(0);
        };
        if !store::lock(tenant)? {
            (self.kind, self.place) = (Kind::Subscriptions, None);
            self.due.pop();
            return Ok(0);
        }
        let stretch = i32::try_from(batch.min(store::STRETCH)).unwrap_or(i32::MAX);
        let (mut removed, next) = store::remove(self.kind, tenant, self.place, stretch, cutoff)?;
        self.place = next;
        if next.is_none() {
            if self.kind == Kind::Subscriptions {
                self.kind = Kind::Sessions;
            } else {
                removed += store::remove_others(tenant, cutoff)?;
                store::plan(tenant, Some(cutoff), now)?;
                self.kind = Kind::Subscriptions;
                self.due.pop();
            }
        }
        Ok(removed)
    }
}

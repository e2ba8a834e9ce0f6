//! Counts the sessions of past hours, for the funnel: tenant by tenant, hour by hour.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rules::Result;
use rules::maintenance::turns::BEGINNING;
use uuid::Uuid;

use crate::store::folds;
use crate::tenant::Tenant;

/// Sessions of an hour that is longer ago are open for long. Later hours do not wait for them.
const WAIT: TimeDelta = TimeDelta::hours(3);

/// One look at all tenants, in portions. Each is a transaction.
pub struct Folding {
    /// The last organization that was looked at; `None`: all were.
    after: Option<Uuid>,
    /// Those of its page that may have hours to count.
    due: Vec<Tenant>,
    /// How far the hours of the first of them were looked at that were passed over before.
    hour: DateTime<Utc>,
}

impl Folding {
    pub const fn done() -> Self {
        Self { after: None, due: Vec::new(), hour: BEGINNING }
    }

    pub const fn new() -> Self {
        Self { after: Some(Uuid::nil()), due: Vec::new(), hour: BEGINNING }
    }

    pub fn more(&self) -> bool {
        self.after.is_some() || !self.due.is_empty()
    }

    /// Counts at most `batch` hours, and begins no further one after this time. Returns how many it has counted.
    pub fn step(&mut self, batch: usize, time: Duration, now: DateTime<Utc>) -> Result<usize> {
        let began = Instant::now();
        let (mut counted, mut done) = (0, false);
        let mut may_go_on = |counted| counted < batch && began.elapsed() < time;
        while !done && self.more() {
            let Some(tenant) = self.due.last().copied() else {
                let (due, last) = folds::page(self.after.unwrap_or_default(), now)?;
                (self.due, self.after) = (due, last);
                done = !may_go_on(counted);
                continue;
            };
            if self.tenant(tenant, &mut counted, &mut may_go_on, now)? {
                self.due.pop();
                self.hour = BEGINNING;
            }
            done = !may_go_on(counted);
        }
        Ok(counted)
    }

    /// Counts the hours of a tenant. Returns true if it is done with it.
    fn tenant(
        &mut self,
        tenant: Tenant,
        counted: &mut usize,
        may_go_on: &mut impl FnMut(usize) -> bool,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let Some(fold) = folds::lock(tenant, now)? else { return Ok(true) };
        if fold.put_back {
            folds::put_back(tenant, now)?;
            folds::note(tenant, now)?;
        }
        let Some(seen_until) = fold.seen_until else {
            if !fold.noted {
                folds::note(tenant, now)?;
            }
            folds::plan(tenant, now)?;
            return Ok(true);
        };
        let limit = folds::limit(seen_until);
        let mut until = fold.until;
        if let Some(until) = until {
            if self.hour == BEGINNING {
                folds::strays(tenant, until)?;
            }
            while let Some(hour) = folds::uncounted(tenant, self.hour, until, limit)? {
                if !may_go_on(*counted) {
                    return Ok(false);
                }
                self.hour = hour;
                if folds::has_ended(tenant, hour, limit)? {
                    folds::count(tenant, hour, now)?;
                    *counted += 1;
                }
            }
        }
        while let Some(hour) = folds::next(tenant, until, limit)? {
            if !may_go_on(*counted) {
                return Ok(false);
            }
            if folds::has_ended(tenant, hour, limit)? {
                folds::count(tenant, hour, now)?;
                *counted += 1;
            } else if hour < limit - WAIT {
                folds::pass(tenant, hour)?;
            } else {
                break;
            }
            folds::advance(tenant, hour)?;
            until = Some(hour + TimeDelta::hours(1));
        }
        folds::note(tenant, now)?;
        folds::plan(tenant, now)?;
        Ok(true)
    }
}

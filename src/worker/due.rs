//! How far the worker of a database has come with one kind of due work.

use chrono::{DateTime, TimeDelta, Utc};

use crate::datum;
use crate::store::maintenance::Work;
use rules::Result;
use rules::maintenance::turns::{BEGINNING, Turns};

/// When to try locked rows again.
pub const LOCKED_RETRY: TimeDelta = TimeDelta::seconds(1);
/// Trying locked rows takes at most one part in `LOCKED_SHARE` of the worker's time.
const LOCKED_SHARE: i32 = 20;
const NEVER: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

pub struct Due {
    work: Work,
    turns: Turns,
    /// Since when new work may have become due, after that time was done.
    news: DateTime<Utc>,
    /// When the next work is due.
    next: DateTime<Utc>,
    /// When to look again at locked rows, and at rows left behind.
    again: DateTime<Utc>,
}

impl Due {
    pub const fn new(work: Work, turns: Turns) -> Self {
        Self { work, turns, news: NEVER, next: NEVER, again: NEVER }
    }

    /// Does a portion of the work that is due at `now`.
    pub fn sweep(&mut self, news: Option<DateTime<Utc>>, batch: usize, now: DateTime<Utc>) -> Result<()> {
        self.news = self.news.min(news.unwrap_or(NEVER));
        let again = self.again <= now;
        let portion = self.turns.next(if again { BEGINNING } else { self.news }, batch);
        let done = self.work.run(&portion, now)?;
        self.turns.note(&portion, &done, batch, now);
        if portion.theirs_alone {
            return Ok(());
        }
        self.news = NEVER;
        if self.turns.done_to() == now {
            let (next, left) = self.work.next(portion.from, now)?;
            self.next = next.unwrap_or(NEVER);
            if again {
                self.again = NEVER;
            }
            if left {
                let pause = LOCKED_RETRY.max((datum::now() - now) * LOCKED_SHARE);
                self.again = self.again.min(now + pause);
            }
        }
        Ok(())
    }

    /// When to continue; `None`: at once.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        (!self.turns.more()).then(|| self.next.min(self.again))
    }
}

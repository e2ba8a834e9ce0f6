//! Pauses, by a clock that nobody sets.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::span;

/// How long not to do something. The server's clock may jump meanwhile.
#[derive(Clone, Copy)]
pub struct Pause(Option<Instant>);

impl Pause {
    pub const OVER: Self = Self(None);

    pub fn of(span: TimeDelta) -> Self {
        Self(Instant::now().checked_add(span.to_std().unwrap_or_default()))
    }

    /// When the pause ends, on a server's clock that shows `now`; 0 if it is over.
    pub fn ends_at(self, now: i64) -> i64 {
        let left = self.0.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() { 0 } else { now.saturating_add(TimeDelta::from_std(left).map_or(0, span)) }
    }
}

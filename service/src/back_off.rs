//! How long to wait after a failure of the database.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Doubles; with jitter, so that relays do not come back together.
pub struct BackOff {
    waits: ExponentialBackoff,
    used: bool,
}

impl BackOff {
    pub fn new() -> Self {
        let builder = ExponentialBuilder::new().with_min_delay(SHORTEST).with_max_delay(LONGEST);
        Self { waits: builder.without_max_times().with_jitter().build(), used: false }
    }

    pub fn next(&mut self) -> Duration {
        self.used = true;
        self.waits.next().unwrap_or(LONGEST).min(LONGEST)
    }

    /// Returns true if there was something to wait for.
    pub fn is_used(&self) -> bool {
        self.used
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_ten_seconds_and_stay() {
        let mut back_off = BackOff::new();
        let first = back_off.next();
        assert!(first >= SHORTEST && first <= SHORTEST * 2, "{first:?}");
        for _ in 0..10 {
            back_off.next();
        }
        assert_eq!(back_off.next(), LONGEST);
    }
}

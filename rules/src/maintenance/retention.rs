//! How long sessions are kept after their end.

use chrono::TimeDelta;

/// The server's bounds of what organizations may want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub minimum: TimeDelta,
    /// `None`: sessions may be kept for ever.
    pub maximum: Option<TimeDelta>,
}

impl Bounds {
    /// How long the sessions of an organization are kept that wants this. `None`: for ever. The minimum comes before the
    /// maximum: what was removed cannot be had again.
    pub fn apply(self, wanted: Option<TimeDelta>) -> Option<TimeDelta> {
        match (wanted, self.maximum) {
            (None, None) => None,
            (Some(span), None) | (None, Some(span)) => Some(span.max(self.minimum)),
            (Some(span), Some(maximum)) => Some(span.min(maximum).max(self.minimum)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_keeps_its_sessions_as_long_as_it_wants_within_the_bounds() {
        let days = |days| Some(TimeDelta::days(days));
        for (minimum, maximum, wanted, kept) in [
            (31, None, None, None),
            (31, None, days(100), days(100)),
            (31, None, days(7), days(31)),
            (31, days(365), None, days(365)),
            (31, days(365), days(1_000), days(365)),
            (31, days(365), days(100), days(100)),
            (400, days(365), days(100), days(400)),
        ] {
            assert_eq!(Bounds { minimum: TimeDelta::days(minimum), maximum }.apply(wanted), kept);
        }
    }
}

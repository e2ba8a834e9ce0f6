//! The lifetime of a session.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Error, Result};

/// The longest lifetime that any organization may allow.
pub const MAXIMUM_LIFETIME: TimeDelta = TimeDelta::days(30);
pub const MINIMUM_LIFETIME: TimeDelta = TimeDelta::seconds(1);

/// The lifetime bounds of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    pub default: TimeDelta,
    pub minimum: TimeDelta,
    pub maximum: TimeDelta,
}

impl Lifetime {
    /// Checks the bounds of an organization's settings: they must be in order and enclose the default.
    pub fn check(self) -> Result<Self> {
        if self.minimum < MINIMUM_LIFETIME {
            return Err(Error::invalid("minimum_lifetime", "must be at least 1 second"));
        }
        if self.maximum > MAXIMUM_LIFETIME {
            return Err(Error::invalid("maximum_lifetime", "must be at most 30 days"));
        }
        if self.minimum > self.maximum {
            return Err(Error::invalid("minimum_lifetime", "must not exceed maximum_lifetime"));
        }
        if self.default < self.minimum || self.default > self.maximum {
            return Err(Error::invalid("default_lifetime", "must lie between minimum_lifetime and maximum_lifetime"));
        }
        Ok(self)
    }

    /// Returns when a session created at `now` expires.
    /// An absolute `expires_at` is measured from the same clock reading as the bounds. At either bound it may be early
    /// or late by up to the smallest lifetime. So a client that computes exactly the bound is not refused for the
    /// milliseconds that its request takes. It must lie in the future in any case.
    pub fn expires_at(
        self,
        now: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        expires_in: Option<TimeDelta>,
    ) -> Result<DateTime<Utc>> {
        let (argument, lifetime, leeway) = match (expires_at, expires_in) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("expires_in", "must not be given together with expires_at"));
            }
            (Some(at), None) => ("expires_at", at - now, MINIMUM_LIFETIME),
            (None, Some(lifetime)) => ("expires_in", lifetime, TimeDelta::zero()),
            (None, None) => ("expires_in", self.default, TimeDelta::zero()),
        };
        if lifetime <= TimeDelta::zero() {
            let fault = if argument == "expires_at" { "must be in the future" } else { "must be positive" };
            return Err(Error::invalid(argument, fault));
        }
        if lifetime < self.minimum - leeway || lifetime > self.maximum + leeway {
            return Err(Error::invalid(
                argument,
                format!("must be between {} and {} after creation", in_words(self.minimum), in_words(self.maximum)),
            ));
        }
        Ok(now + lifetime)
    }
}

fn in_words(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    let (count, unit) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "day"),
        s if s % 3_600 == 0 => (s / 3_600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime() -> Lifetime {
        Lifetime { default: TimeDelta::minutes(60), minimum: TimeDelta::minutes(5), maximum: TimeDelta::hours(48) }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
    }

    fn fault(result: Result<DateTime<Utc>>) -> String {
        result.expect_err("refused").to_string()
    }

    #[test]
    fn a_session_lives_as_long_as_asked_or_by_default() {
        let after = |d| Ok(now() + d);
        assert_eq!(lifetime().expires_at(now(), None, None), after(TimeDelta::minutes(60)));
        assert_eq!(lifetime().expires_at(now(), None, Some(TimeDelta::minutes(7))), after(TimeDelta::minutes(7)));
        let at = now() + TimeDelta::hours(3);
        assert_eq!(lifetime().expires_at(now(), Some(at), None), Ok(at));
    }

    #[test]
    fn bounds_hold_to_the_microsecond_for_a_relative_lifetime() {
        let tick = TimeDelta::microseconds(1);
        for ok in [TimeDelta::minutes(5), TimeDelta::hours(48)] {
            assert!(lifetime().expires_at(now(), None, Some(ok)).is_ok());
        }
        for bad in [TimeDelta::minutes(5) - tick, TimeDelta::hours(48) + tick] {
            assert_eq!(
                fault(lifetime().expires_at(now(), None, Some(bad))),
                "argument \"expires_in\" must be between 5 minutes and 2 days after creation"
            );
        }
    }

    #[test]
    fn an_absolute_deadline_at_a_bound_survives_the_time_its_request_took() {
        let late = TimeDelta::milliseconds(400);
        assert!(lifetime().expires_at(now() + late, Some(now() + TimeDelta::minutes(5)), None).is_ok());
        assert!(lifetime().expires_at(now(), Some(now() + TimeDelta::minutes(4)), None).is_err());
    }

    #[test]
    fn the_past_and_both_at_once_are_refused() {
        let past = now() - TimeDelta::seconds(1);
        assert_eq!(
            fault(lifetime().expires_at(now(), Some(past), None)),
            "argument \"expires_at\" must be in the future"
        );
        assert_eq!(
            fault(lifetime().expires_at(now(), None, Some(TimeDelta::zero()))),
            "argument \"expires_in\" must be positive"
        );
        assert_eq!(
            fault(lifetime().expires_at(now(), Some(past), Some(TimeDelta::hours(1)))),
            "argument \"expires_in\" must not be given together with expires_at"
        );
    }

    #[test]
    fn an_organization_s_bounds_must_enclose_its_default() {
        assert!(lifetime().check().is_ok());
        let wrong = [
            Lifetime { minimum: TimeDelta::milliseconds(999), ..lifetime() },
            Lifetime { maximum: TimeDelta::days(30) + TimeDelta::seconds(1), ..lifetime() },
            Lifetime { maximum: TimeDelta::minutes(4), ..lifetime() },
            Lifetime { default: TimeDelta::minutes(4), ..lifetime() },
            Lifetime { default: TimeDelta::hours(49), ..lifetime() },
        ];
        for bounds in wrong {
            assert_eq!(bounds.check().map_err(|e| e.sqlstate()), Err("22023"), "{bounds:?}");
        }
    }
}

//! Subscriptions: prices that recur, and whether and how one is renewed.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use uuid::Uuid;

use crate::checkout::rejection::Rejection;
use crate::validate::in_range;
use crate::{Error, Result};

/// The longest trial.
const LONGEST_TRIAL: TimeDelta = TimeDelta::days(731);
/// How long before the end of its period the renewal of a subscription may be announced, and how long after it the
/// subscription may wait for it.
pub const LONGEST_NOTICE: TimeDelta = TimeDelta::days(366);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The longest interval is ten years: a far period is still a time that Postgres has.
    fn most(self) -> i32 {
        match self {
            Self::Day => 3650,
            Self::Week => 520,
            Self::Month => 120,
            Self::Year => 10,
        }
    }
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            "year" => Ok(Self::Year),
            _ => Err(Error::invalid("interval_unit", "must be day, week, month or year")),
        }
    }
}

/// How often a price is to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recurrence {
    pub unit: Unit,
    pub count: i32,
    pub has_trial: bool,
}

impl Recurrence {
    /// `trial` is the length of the trial.
    pub fn check(unit: Option<&str>, count: Option<i32>, trial: Option<TimeDelta>) -> Result<Option<Self>> {
        let Some(unit) = unit.map(str::parse::<Unit>).transpose()? else {
            return match (count, trial) {
                (None, None) => Ok(None),
                (Some(_), _) => Err(Error::invalid("interval_count", "needs interval_unit")),
                (None, Some(_)) => Err(Error::invalid("trial_period", "needs interval_unit")),
            };
        };
        if trial.is_some_and(|trial| trial < TimeDelta::seconds(1) || trial > LONGEST_TRIAL) {
            return Err(Error::invalid("trial_period", "must be between 1 second and 731 days"));
        }
        let count = in_range("interval_count", count.unwrap_or(1), 1, unit.most())?;
        Ok(Some(Self { unit, count, has_trial: trial.is_some() }))
    }
}

/// What a session does to a subscription when it is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribing {
    pub subscription_id: Uuid,
    /// The same as a text.
    pub text: String,
    pub action: Action,
    /// Of the subscription that is renewed.
    pub customer_id: Option<String>,
    pub customer_email: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Begin {
        /// True if it begins with the trial of its price.
        trial: bool,
    },
    Renew(Period),
}

/// The period that a session pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The end of the period before it, when the session was created. Another end means that it has been paid.
    pub follows: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// A subscription as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub current_period_end: DateTime<Utc>,
    /// When it ends unless it is renewed: after the days of grace.
    pub ends_at: DateTime<Utc>,
    /// True if it is canceled, be that now or at the end of its period: nothing renews it.
    pub canceled: bool,
}

/// Why a session cannot renew a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    AlreadyRenewed,
    Canceled,
}

impl Action {
    /// The period that is paid, of a renewal.
    pub fn renewed(&self) -> Option<&Period> {
        match self {
            Self::Begin { .. } => None,
            Self::Renew(period) => Some(period),
        }
    }
}

impl Obstacle {
    pub fn rejection(self) -> Rejection {
        match self {
            Self::AlreadyRenewed => Rejection::AlreadyRenewed,
            Self::Canceled => Rejection::SubscriptionCanceled,
        }
    }

    pub fn error(self) -> Error {
        let fault = match self {
            Self::AlreadyRenewed => "is renewed already",
            Self::Canceled => "is canceled",
        };
        Error::SubscriptionConflict { fault }
    }
}

impl Subscription {
    /// True if it was not renewed in time. It may still be: then its periods are counted from the payment.
    pub fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        now >= self.ends_at
    }

    /// What keeps a session from renewing it.
    pub fn obstacle(&self, period: &Period) -> Option<Obstacle> {
        if self.current_period_end != period.follows {
            Some(Obstacle::AlreadyRenewed)
        } else if self.canceled {
            Some(Obstacle::Canceled)
        } else {
            None
        }
    }
}

/// The settings of an organization for its subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The IANA time zone in which periods of new subscriptions are counted.
    pub time_zone: String,
    /// How long after the end of a period it may still be renewed as if in time.
    pub grace_period: TimeDelta,
    pub renewal_notice: Option<TimeDelta>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { time_zone: "UTC".into(), grace_period: TimeDelta::days(3), renewal_notice: None }
    }
}

/// Checks a status to list by.
pub fn status(text: &str) -> Result<&str> {
    match text {
        "trialing" | "active" | "past_due" | "ended" | "canceled" => Ok(text),
        _ => Err(Error::invalid("status", "must be trialing, active, past_due, ended or canceled")),
    }
}

/// The time for which a subscription waits for its renewal.
pub fn grace_period(span: TimeDelta) -> Result<TimeDelta> {
    match span < TimeDelta::zero() || span > LONGEST_NOTICE {
        true => Err(Error::invalid("renewal_grace_period", "must be between 0 and 366 days")),
        false => Ok(span),
    }
}

/// The time before the end of a period at which its renewal is announced.
pub fn renewal_notice(span: TimeDelta) -> Result<TimeDelta> {
    match span < TimeDelta::seconds(1) || span > LONGEST_NOTICE {
        true => Err(Error::invalid("renewal_notice", "must be between 1 second and 366 days")),
        false => Ok(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("in range")
    }

    fn running() -> Subscription {
        Subscription { current_period_end: at(100), ends_at: at(200), canceled: false }
    }

    #[test]
    fn a_price_recurs_if_it_has_a_unit() {
        let day = TimeDelta::days(1);
        assert_eq!(Recurrence::check(None, None, None), Ok(None));
        assert_eq!(
            Recurrence::check(Some("month"), None, Some(day * 14)),
            Ok(Some(Recurrence { unit: Unit::Month, count: 1, has_trial: true }))
        );
        for (unit, count, trial, message) in [
            (None, Some(1), None, "argument \"interval_count\" needs interval_unit"),
            (None, None, Some(day), "argument \"trial_period\" needs interval_unit"),
            (Some("Month"), None, None, "argument \"interval_unit\" must be day, week, month or year"),
            (Some("year"), Some(11), None, "argument \"interval_count\" must be between 1 and 10"),
            (Some("day"), Some(0), None, "argument \"interval_count\" must be between 1 and 3650"),
            (Some("day"), None, Some(day * 732), "argument \"trial_period\" must be between 1 second and 731 days"),
            (Some("day"), None, Some(-day), "argument \"trial_period\" must be between 1 second and 731 days"),
        ] {
            let refused = Recurrence::check(unit, count, trial).map_err(|error| error.to_string());
            assert_eq!(refused, Err(message.to_owned()));
        }
    }

    #[test]
    fn a_period_is_paid_once_and_not_after_the_cancellation() {
        let next = Period { follows: at(100), end: at(300) };
        let before = Period { follows: at(0), end: at(100) };
        assert_eq!(running().obstacle(&next), None);
        assert_eq!(running().obstacle(&before), Some(Obstacle::AlreadyRenewed));
        let canceled = Subscription { canceled: true, ..running() };
        assert_eq!(canceled.obstacle(&next), Some(Obstacle::Canceled));
        assert!(!running().has_lapsed(at(199)) && running().has_lapsed(at(200)));
    }

    #[test]
    fn spans_have_bounds() {
        assert!(grace_period(TimeDelta::zero()).is_ok() && grace_period(LONGEST_NOTICE).is_ok());
        assert!(grace_period(TimeDelta::seconds(-1)).is_err() && grace_period(TimeDelta::days(367)).is_err());
        assert!(renewal_notice(TimeDelta::zero()).is_err() && renewal_notice(TimeDelta::days(367)).is_err());
    }
}

//! The effect of a delivery attempt on the delivery, and on its endpoint.
//!
//! Source: Standard Webhooks 1.0.0, "Deliverability and reliability". Only 2xx is success, so a redirect is not. 410
//! means that the endpoint is gone. 429 and 503 may say when to come back. An endpoint that fails for long is disabled,
//! and its owner is told.

use chrono::{DateTime, TimeDelta, Utc};

use super::retry;

/// How long an endpoint may fail before it is disabled.
const PATIENCE: TimeDelta = TimeDelta::days(5);
/// The longest time by which a receiver can put off an attempt.
const LONGEST_RETRY_AFTER: TimeDelta = TimeDelta::days(1);

/// The next state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    Retry(TimeDelta),
    Dead,
}

/// The change of an endpoint's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointChange {
    None,
    /// It works again.
    Recovered,
    /// It has begun to fail.
    Failing,
    /// With the reason.
    Disabled(&'static str),
}

/// `attempt` is the number of the ended attempt, from 1. `status_code` is `None` if there was no response.
pub fn outcome(attempt: i32, status_code: Option<i32>, retry_after: Option<TimeDelta>, chance: f64) -> Outcome {
    if succeeded(status_code) {
        return Outcome::Delivered;
    }
    let Some(delay) = retry::delay_after(attempt, chance) else { return Outcome::Dead };
    // Neither before the time that the receiver asks for, nor before the schedule: ten attempts in ten seconds would
    // make the event dead.
    let asked = retry_after.filter(|_| matches!(status_code, Some(429 | 503))).unwrap_or_default();
    Outcome::Retry(delay.max(asked.min(LONGEST_RETRY_AFTER)))
}

pub fn endpoint_change(
    status_code: Option<i32>,
    failing_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> EndpointChange {
    match failing_since {
        None if succeeded(status_code) => EndpointChange::None,
        Some(_) if succeeded(status_code) => EndpointChange::Recovered,
        _ if status_code == Some(410) => EndpointChange::Disabled("gone"),
        Some(since) if now - since >= PATIENCE => EndpointChange::Disabled("failing"),
        Some(_) => EndpointChange::None,
        None => EndpointChange::Failing,
    }
}

fn succeeded(status_code: Option<i32>) -> bool {
    status_code.is_some_and(|code| (200..300).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn only_2xx_is_success() {
        for code in [200, 201, 204, 299] {
            assert_eq!(outcome(1, Some(code), None, MIDDLE), Outcome::Delivered, "{code}");
        }
        for code in [None, Some(100), Some(301), Some(302), Some(400), Some(404), Some(410), Some(429), Some(500)] {
            assert_eq!(outcome(1, code, None, MIDDLE), Outcome::Retry(TimeDelta::seconds(5)), "{code:?}");
        }
    }

    #[test]
    fn the_tenth_failure_is_the_last() {
        assert_eq!(outcome(9, Some(500), None, MIDDLE), Outcome::Retry(TimeDelta::hours(24)));
        assert_eq!(outcome(10, Some(500), None, MIDDLE), Outcome::Dead);
        assert_eq!(outcome(10, Some(200), None, MIDDLE), Outcome::Delivered);
    }

    #[test]
    fn a_receiver_can_ask_for_more_time_and_not_for_less() {
        let asks = |attempt, code, seconds| outcome(attempt, Some(code), Some(TimeDelta::seconds(seconds)), MIDDLE);
        assert_eq!(asks(1, 429, 60), Outcome::Retry(TimeDelta::seconds(60)));
        assert_eq!(asks(1, 503, 60), Outcome::Retry(TimeDelta::seconds(60)));
        assert_eq!(asks(2, 503, 60), Outcome::Retry(TimeDelta::minutes(5)), "the schedule is later");
        assert_eq!(asks(1, 500, 60), Outcome::Retry(TimeDelta::seconds(5)), "not with this status");
        assert_eq!(asks(1, 503, 1_000_000), Outcome::Retry(TimeDelta::days(1)));
        assert_eq!(asks(1, 503, 0), Outcome::Retry(TimeDelta::seconds(5)));
    }

    #[test]
    fn an_endpoint_that_fails_for_five_days_is_disabled() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
        let since = |span| Some(now - span);
        assert_eq!(endpoint_change(Some(200), None, now), EndpointChange::None);
        assert_eq!(endpoint_change(None, None, now), EndpointChange::Failing);
        assert_eq!(endpoint_change(Some(500), since(TimeDelta::days(4)), now), EndpointChange::None);
        assert_eq!(endpoint_change(Some(500), since(TimeDelta::days(5)), now), EndpointChange::Disabled("failing"));
        assert_eq!(endpoint_change(Some(200), since(TimeDelta::days(6)), now), EndpointChange::Recovered);
        assert_eq!(endpoint_change(Some(410), None, now), EndpointChange::Disabled("gone"));
    }
}

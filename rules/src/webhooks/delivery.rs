//! The effect of a delivery attempt on the delivery, and on its endpoint.
//!
//! Source: Standard Webhooks 1.0.0, "Deliverability and reliability". Only 2xx is success, so a redirect is not. 410
//! means that the endpoint is gone. 429 and 503 may say when to come back. An endpoint that fails for long is disabled,
//! and its owner is told.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::retry;
use crate::{Error, Result, validate};

/// How long an endpoint may fail before it is disabled.
const PATIENCE: TimeDelta = TimeDelta::days(5);
/// The longest time by which a receiver can put off an attempt.
const LONGEST_RETRY_AFTER: TimeDelta = TimeDelta::days(1);

/// A relay's report of an attempt.
#[derive(Debug, Default)]
pub struct Attempt {
    pub status_code: Option<i32>,
    pub error: Option<String>,
    pub duration: Option<TimeDelta>,
    pub response_body: Option<String>,
    pub retry_after: Option<TimeDelta>,
}

impl Attempt {
    pub fn check(&self) -> Result<()> {
        if let Some(code) = self.status_code {
            validate::in_range("status_code", code, 100, 599)?;
        }
        for (argument, span) in [("duration", self.duration), ("retry_after", self.retry_after)] {
            if span.is_some_and(|span| span < TimeDelta::zero()) {
                return Err(Error::invalid(argument, "must not be negative"));
            }
        }
        Ok(())
    }
}

/// One of many reports, in JSON. Durations are in seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an attempt")]
pub struct Report {
    pub event_id: String,
    pub webhook_endpoint_id: Uuid,
    pub lease_token: Uuid,
    status_code: Option<i32>,
    error: Option<String>,
    duration: Option<f64>,
    response_body: Option<String>,
    retry_after: Option<f64>,
}

/// How many attempts can be reported at once.
const MAXIMUM_REPORTS: usize = 1_000;

/// Reads a JSON array of reports.
pub fn read_reports(argument: &'static str, text: &str) -> Result<Vec<Report>> {
    let reports: Vec<Report> = serde_json::from_str(text)
        .map_err(|error| Error::invalid(argument, format!("must be an array of attempts: {error}")))?;
    if reports.len() > MAXIMUM_REPORTS {
        return Err(Error::invalid(argument, format!("must have at most {MAXIMUM_REPORTS} elements")));
    }
    Ok(reports)
}

impl Report {
    pub fn attempt(self) -> Attempt {
        let beginning = |text: String| text.chars().take(validate::FAILURE_MESSAGE).collect();
        // The conversion ends at the greatest and least number of microseconds.
        let span = |seconds: f64| TimeDelta::microseconds((seconds * 1e6) as i64);
        Attempt {
            status_code: self.status_code,
            error: self.error.map(beginning),
            duration: self.duration.map(span),
            response_body: self.response_body.map(beginning),
            retry_after: self.retry_after.map(span),
        }
    }
}

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

/// The change that follows from attempts that were recorded together, given by their status codes. One success means
/// that the endpoint works.
pub fn endpoint_change(
    status_codes: &[Option<i32>],
    failing_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> EndpointChange {
    let any_succeeded = status_codes.iter().copied().any(succeeded);
    match failing_since {
        _ if status_codes.contains(&Some(410)) => EndpointChange::Disabled("gone"),
        None if any_succeeded => EndpointChange::None,
        Some(_) if any_succeeded => EndpointChange::Recovered,
        Some(since) if now - since >= PATIENCE => EndpointChange::Disabled("failing"),
        Some(_) => EndpointChange::None,
        None => EndpointChange::Failing,
    }
}

/// Returns true if the receiver has accepted the event.
pub fn succeeded(status_code: Option<i32>) -> bool {
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
        let change = |codes: &[Option<i32>], since| endpoint_change(codes, since, now);
        assert_eq!(change(&[Some(200)], None), EndpointChange::None);
        assert_eq!(change(&[None], None), EndpointChange::Failing);
        assert_eq!(change(&[Some(500)], since(TimeDelta::days(4))), EndpointChange::None);
        assert_eq!(change(&[Some(500)], since(TimeDelta::days(5))), EndpointChange::Disabled("failing"));
        assert_eq!(change(&[Some(200)], since(TimeDelta::days(6))), EndpointChange::Recovered);
        assert_eq!(change(&[Some(410)], None), EndpointChange::Disabled("gone"));
    }

    #[test]
    fn one_success_among_attempts_shows_that_an_endpoint_works() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
        let change = |codes: &[Option<i32>], since| endpoint_change(codes, since, now);
        assert_eq!(change(&[Some(500), Some(204), None], None), EndpointChange::None);
        assert_eq!(change(&[Some(204), Some(500)], Some(now - TimeDelta::days(9))), EndpointChange::Recovered);
        assert_eq!(change(&[Some(204), Some(410)], None), EndpointChange::Disabled("gone"));
    }
}

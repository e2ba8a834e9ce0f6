//! Reads times: ISO 8601 in all its forms, and Unix seconds.
//!
//! Source: ISO 8601-1:2019. A date (calendar, ordinal or week, with hyphens or without), `T` or a blank, a time of day (to
//! the hour, the minute or the second, with colons or without, with a fraction), and the offset from UTC. Without an offset
//! it would be the time of an unknown place.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use super::read::{Object, decimal, member};
use crate::{Error, Result};

const NO_TIME: &str = "must be an ISO 8601 timestamp";
const NO_OFFSET: &str = "must be an ISO 8601 timestamp with its offset from UTC, such as Z or +01:00";
/// Fewer digits than this are a date, or nothing.
const LEAST_UNIX_DIGITS: usize = 9;

/// A time in ISO 8601, or in seconds since 1970: a number, or its digits as a text.
pub fn time(body: &Object, name: &'static str) -> Result<Option<DateTime<Utc>>> {
    match member(body, name) {
        None => Ok(None),
        Some(Value::Number(_)) => Ok(decimal(body, name)?.map(unix)),
        Some(Value::String(text)) if is_unix(text) => Ok(text.parse().ok().map(unix)),
        Some(Value::String(text)) => iso_8601(text).map(Some).map_err(|fault| Error::invalid(name, fault)),
        Some(_) => Err(Error::invalid(name, "must be an ISO 8601 timestamp or Unix seconds")),
    }
}

fn is_unix(text: &str) -> bool {
    text.len() >= LEAST_UNIX_DIGITS && text.len() <= 15 && text.bytes().all(|c| c.is_ascii_digit())
}

/// The bounds of a session's lifetime refuse what is too far for a time.
fn unix(seconds: Decimal) -> DateTime<Utc> {
    let farthest = if seconds.is_sign_negative() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    let microseconds = seconds.checked_mul(Decimal::from(1_000_000)).and_then(|microseconds| microseconds.to_i64());
    microseconds.and_then(DateTime::from_timestamp_micros).unwrap_or(farthest)
}

fn iso_8601(text: &str) -> std::result::Result<DateTime<Utc>, &'static str> {
    if text.len() > 64 {
        return Err(NO_TIME);
    }
    let text = text.replace('\u{2212}', "-").replace(',', ".");
    let (day, time) = text.split_once(['T', 't', ' ']).ok_or(NO_TIME)?;
    let day = date(day).ok_or(NO_TIME)?;
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (time[..at].trim_end(), &time[at..]),
        None => (time, ""),
    };
    let clock = time_of_day(clock).ok_or(NO_TIME)?;
    if offset.is_empty() {
        return Err(NO_OFFSET);
    }
    let offset = offset_from_utc(offset).ok_or(NO_TIME)?;
    day.and_time(Default::default()).and_utc().checked_add_signed(clock - offset).ok_or(NO_TIME)
}

fn date(text: &str) -> Option<NaiveDate> {
    let number = |range: std::ops::Range<usize>| digits(text.get(range)?);
    let year = i32::try_from(number(0..4)?).ok()?;
    let rest = text.get(4..)?;
    let hyphens: Vec<_> = rest.match_indices('-').map(|(at, _)| at).collect();
    if let Some(at) = rest.find(['W', 'w']) {
        let week = number(at + 5..at + 7)?;
        return match (text.len(), at, hyphens.as_slice()) {
            (10, 1, [0, 4]) => week_date(year, week, number(9..10)?),
            (8, 0, []) => week_date(year, week, number(7..8)?),
            _ => None,
        };
    }
    match (text.len(), hyphens.as_slice()) {
        (10, [0, 3]) => NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?),
        (8, []) => NaiveDate::from_ymd_opt(year, number(4..6)?, number(6..8)?),
        (8, [0]) => NaiveDate::from_yo_opt(year, number(5..8)?),
        (7, []) => NaiveDate::from_yo_opt(year, number(4..7)?),
        _ => None,
    }
}

fn week_date(year: i32, week: u32, day: u32) -> Option<NaiveDate> {
    let day = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
    NaiveDate::from_isoywd_opt(year, week, day)
}

/// The time since midnight. 24:00 is the end of the day, and 23:59:60 a leap second.
fn time_of_day(text: &str) -> Option<TimeDelta> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts = parts(whole)?;
    let fraction_digits = digits(fraction.get(..fraction.len().min(9))?)?;
    if !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let (hour, minute, second) = (*parts.first()?, parts.get(1).unwrap_or(&0), parts.get(2).unwrap_or(&0));
    let seconds = i64::from(hour * 3_600 + minute * 60 + second);
    // The fraction is of the last part.
    let unit = [3_600_000_000, 60_000_000, 1_000_000][parts.len() - 1];
    let microseconds = unit * i128::from(fraction_digits) / 10_i128.pow(u32::try_from(fraction.len().min(9)).ok()?);
    let since = TimeDelta::seconds(seconds) + TimeDelta::microseconds(i64::try_from(microseconds).ok()?);
    (hour <= 24
        && *minute < 60
        && *second <= 60
        && since <= TimeDelta::days(1) + TimeDelta::seconds(1)
        && (hour < 24 || since == TimeDelta::days(1)))
    .then_some(since)
}

/// `Z`, or hours and perhaps minutes east of UTC.
fn offset_from_utc(text: &str) -> Option<TimeDelta> {
    if matches!(text, "Z" | "z") {
        return Some(TimeDelta::zero());
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    match parts(rest)?.as_slice() {
        [hours @ 0..=23] => Some(TimeDelta::hours(sign * i64::from(*hours))),
        [hours @ 0..=23, minutes @ 0..=59] => Some(TimeDelta::minutes(sign * i64::from(hours * 60 + minutes))),
        _ => None,
    }
}

/// One to three numbers of two digits, all with colons between them or all without.
fn parts(text: &str) -> Option<Vec<u32>> {
    let parts: Vec<&str> = match text.contains(':') {
        true => text.split(':').collect(),
        false => (0..text.len().div_ceil(2)).map(|at| text.get(at * 2..at * 2 + 2)).collect::<Option<_>>()?,
    };
    if !(1..=3).contains(&parts.len()) {
        return None;
    }
    parts.into_iter().map(|part| digits(part).filter(|_| part.len() == 2)).collect()
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Option<String>> {
        let body = json!({"at": value});
        let body = body.as_object().expect("an object");
        time(body, "at").map(|at| at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))
    }

    #[test]
    fn every_form_of_iso_8601() {
        for text in [
            "2024-01-16T10:00:00Z",
            "2024-01-16t10:00:00z",
            "2024-01-16 10:00:00Z",
            "2024-01-16T10:00:00+00:00",
            "2024-01-16T10:00:00-00:00",
            "2024-01-16T10:00:00+0000",
            "2024-01-16T10:00:00+00",
            "2024-01-16 10:00:00 +0000",
            "2024-01-16T10:00Z",
            "2024-01-16T10Z",
            "2024-01-16T10:00+00",
            "2024-01-16T12:00:00+02:00",
            "2024-01-16T05:30:00-0430",
            "2024-01-16T05:30:00\u{2212}04:30",
            "2024-01-16T15:45:00+05:45",
            "2024-01-16T10:00:00.000Z",
            "2024-01-16T10:00:00,000000000Z",
            "20240116T100000Z",
            "20240116T1000Z",
            "20240116T10Z",
            "20240116T100000+0000",
            "2024-016T10:00:00Z",
            "2024016T100000Z",
            "2024-W03-2T10:00:00Z",
            "2024W032T100000Z",
            "2024-01-15T24:00:00-10:00",
            "2024-01-16T09:59:60Z",
        ] {
            assert_eq!(read(json!(text)), Ok(Some("2024-01-16T10:00:00Z".into())), "{text}");
        }
        for (text, at) in [
            ("2024-01-16T10:00:00.5Z", "2024-01-16T10:00:00.500Z"),
            ("2024-01-16T10:00:00,123456Z", "2024-01-16T10:00:00.123456Z"),
            ("2024-01-16T10:00:00.123456789012Z", "2024-01-16T10:00:00.123456Z"),
            ("2024-01-16T10:30,5Z", "2024-01-16T10:30:30Z"),
            ("2024-01-16T10.25Z", "2024-01-16T10:15:00Z"),
            ("2024-02-29T23:59:59-23:59", "2024-03-01T23:58:59Z"),
        ] {
            assert_eq!(read(json!(text)), Ok(Some(at.into())), "{text}");
        }
        assert_eq!(read(Value::Null), Ok(None));
    }

    #[test]
    fn seconds_since_1970() {
        for value in [json!(1_705_399_200), json!(1_705_399_200.0), json!("1705399200")] {
            assert_eq!(read(value), Ok(Some("2024-01-16T10:00:00Z".into())));
        }
        assert_eq!(read(json!(1_705_399_200.25)), Ok(Some("2024-01-16T10:00:00.250Z".into())));
        assert_eq!(read(json!(0)), Ok(Some("1970-01-01T00:00:00Z".into())));
        // Milliseconds, say, are far away; the lifetime's bounds say so.
        for far in [json!(1_705_399_200_000_i64), json!(999_999_999_999_999_i64), json!(1e28)] {
            assert!(read(far).is_ok_and(|at| at.is_some_and(|at| at.starts_with('+'))));
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "tomorrow",
            "2024",
            "2024-01-16",
            "20240116",
            "10:00:00Z",
            "2024-01-16T",
            "2024-01-16TZ",
            "2024-13-01T10:00:00Z",
            "2024-02-30T10:00:00Z",
            "2024-1-16T10:00:00Z",
            "2024-366T10:00:00",
            "2023-366T10:00:00Z",
            "2024-W54-1T10:00:00Z",
            "2024-W03-8T10:00:00Z",
            "2024-W03-0T10:00:00Z",
            "2024-01-16T25:00:00Z",
            "2024-01-16T24:00:01Z",
            "2024-01-16T10:60:00Z",
            "2024-01-16T10:00:61Z",
            "2024-01-16T1:00:00Z",
            "2024-01-16T10:00:00.Z",
            "2024-01-16T10:00:00.1.2Z",
            "2024-01-16T10:00:00:00Z",
            "2024-01-16T10:00:00+24:00",
            "2024-01-16T10:00:00+1",
            "2024-01-16T10:00:00ZZ",
            "2024-01-16T10:00:00 CET",
            "２０２４-01-16T10:00:00Z",
            "Tue, 16 Jan 2024 10:00:00 GMT",
        ] {
            let refused = read(json!(text)).expect_err(text);
            assert!(refused.to_string().starts_with("argument \"at\" must be an ISO 8601 timestamp"), "{text}");
        }
        for text in ["2024-01-16T10:00:00", "2024-01-16 10:00", "20240116T10"] {
            assert_eq!(read(json!(text)), Err(Error::invalid("at", NO_OFFSET)), "{text}");
        }
        for value in [json!(true), json!([]), json!({})] {
            let fault = "must be an ISO 8601 timestamp or Unix seconds";
            assert_eq!(read(value), Err(Error::invalid("at", fault)));
        }
    }
}

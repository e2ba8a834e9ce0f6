//! One small check for each kind of text. Limits are the widest of the five dialects, or Stripe's if no dialect has
//! one.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use email_address::EmailAddress;

use crate::error::{Error, Result};

mod app_link;
mod urls;

pub use app_link::app_link_schemes;
pub use urls::{http_url, return_url};

/// Ids, references, names, titles.
pub const SHORT_TEXT: usize = 255;
pub const DESCRIPTION: usize = 5_000;
pub const PHONE: usize = 50;
pub const URL: usize = 2_048;
/// Stripe's bound of `success_url` and `cancel_url`.
pub const RETURN_URL: usize = 5_000;
pub const APP_LINK_SCHEMES: usize = 20;
pub const PAYMENT_METHOD: usize = 64;
pub const PAYMENT_METHODS: usize = 50;
pub const FAILURE_MESSAGE: usize = 1_000;
/// The most bytes of metadata, in the database's binary form.
pub const METADATA_BYTES: usize = 32 * 1024;
/// The most bytes of metadata that a browser may store.
pub const PUBLISHABLE_METADATA_BYTES: usize = 4 * 1024;
pub const MAXIMUM_RETRY_ATTEMPTS: i32 = 10;
pub const PAGE_SIZE: i32 = 100;
pub const DEFAULT_PAGE_SIZE: i32 = 20;
pub const CLAIM_SIZE: i32 = 1_000;

/// Refuses NULL for a required value.
pub fn required<T>(argument: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or(Error::NullArgument { argument })
}

/// Text on one line, not empty, of at most `limit` characters, without control characters.
pub fn text<'a>(argument: &'static str, value: &'a str, limit: usize) -> Result<&'a str> {
    if value.contains(['\n', '\r', '\t']) {
        return Err(Error::invalid(argument, "must not contain control characters"));
    }
    long_text(argument, value, limit)
}

/// Text that may have more than one line.
pub fn long_text<'a>(argument: &'static str, value: &'a str, limit: usize) -> Result<&'a str> {
    if value.is_empty() {
        return Err(Error::invalid(argument, "must not be empty"));
    }
    if value.len() > limit && value.chars().count() > limit {
        return Err(Error::invalid(argument, format!("must have at most {limit} characters")));
    }
    if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::invalid(argument, "must not contain control characters"));
    }
    Ok(value)
}

pub fn optional_text<'a>(argument: &'static str, value: Option<&'a str>, limit: usize) -> Result<Option<&'a str>> {
    value.map(|value| text(argument, value, limit)).transpose()
}

pub fn email<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    text(argument, value, SHORT_TEXT)?;
    match EmailAddress::from_str(value) {
        // The crate accepts "Jane <jane@example.com>", but this must not be stored.
        Ok(address) if address.display_part().is_empty() => Ok(value),
        _ => Err(Error::invalid(argument, "is not a valid email address")),
    }
}

/// A telephone number in any usual notation: 3 to 15 digits (ITU-T E.164), with spaces and + ( ) - . / between them.
pub fn phone<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    text(argument, value, PHONE)?;
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let plain = value.bytes().enumerate().all(|(at, byte)| match byte {
        b'+' => at == 0,
        b'0'..=b'9' | b' ' | b'(' | b')' | b'-' | b'.' | b'/' => true,
        _ => false,
    });
    if plain && (3..=15).contains(&digits) {
        Ok(value)
    } else {
        Err(Error::invalid(argument, "is not a valid telephone number"))
    }
}

/// An ISO 3166-1 alpha-2 code in upper case.
pub fn country<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    match rust_iso3166::from_alpha2(value) {
        Some(country) if country.alpha2 == value => Ok(value),
        _ => Err(Error::invalid(argument, "is not an ISO 3166-1 alpha-2 country code")),
    }
}

pub fn in_range(argument: &'static str, value: i32, least: i32, most: i32) -> Result<i32> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else if most == i32::MAX {
        Err(Error::invalid(argument, format!("must be at least {least}")))
    } else {
        Err(Error::invalid(argument, format!("must be between {least} and {most}")))
    }
}

pub fn page_size(value: Option<i32>) -> Result<i32> {
    in_range("page_size", value.unwrap_or(DEFAULT_PAGE_SIZE), 1, PAGE_SIZE)
}

/// Names of payment methods: at least one, each once.
pub fn payment_methods(methods: &[Option<String>]) -> Result<Vec<String>> {
    const ARGUMENT: &str = "payment_methods";
    if methods.is_empty() || methods.len() > PAYMENT_METHODS {
        return Err(Error::invalid(ARGUMENT, format!("must have between 1 and {PAYMENT_METHODS} elements")));
    }
    let mut checked: Vec<String> = Vec::with_capacity(methods.len());
    for method in methods {
        let method = method.as_deref().ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
        text(ARGUMENT, method, PAYMENT_METHOD)?;
        if checked.iter().any(|earlier| earlier == method) {
            return Err(Error::invalid(ARGUMENT, "must not name a payment method twice"));
        }
        checked.push(method.to_owned());
    }
    Ok(checked)
}

/// How long before a deadline its reminder is due.
pub fn notice(argument: &'static str, value: TimeDelta) -> Result<TimeDelta> {
    if value < TimeDelta::seconds(1) || value > TimeDelta::days(30) {
        return Err(Error::invalid(argument, "must be between 1 second and 30 days"));
    }
    Ok(value)
}

/// Checks that a period does not end before it begins.
pub fn period(after: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>) -> Result<()> {
    match (after, before) {
        (Some(after), Some(before)) if after > before => {
            Err(Error::invalid("created_after", "must not be later than created_before"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod testing {
    use crate::Result;

    pub fn all_ok<'a>(check: impl Fn(&'a str) -> Result<&'a str>, values: &[&'a str]) {
        for value in values {
            assert_eq!(check(value), Ok(*value), "{value}");
        }
    }

    pub fn all_refused<'a>(check: impl Fn(&'a str) -> Result<&'a str>, values: &[&'a str]) {
        for value in values {
            let error = check(value).expect_err(value);
            assert_eq!(error.sqlstate(), "22023", "{value}");
            assert!(value.len() < 4 || !error.to_string().contains(value), "repeats {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{all_ok, all_refused};
    use super::*;

    #[test]
    fn email_addresses() {
        let check = |value| email("customer_email", value);
        all_ok(check, &["john@example.com", "o'neill+tag@sub.example.co", "ünï@example.com", "a@b"]);
        all_refused(
            check,
            &["", "john", "john@", "@example.com", "john@exa mple.com", "a@b@c", "John <john@example.com>"],
        );
    }

    #[test]
    fn telephone_numbers() {
        let check = |value| phone("customer_phone", value);
        all_ok(check, &["+221771234567", "(030) 123-456", "112", "+49 30 123.456/7"]);
        all_refused(check, &["", "12", "+", "call me", "1234567890123456", "12+34567", "+12 34 ext 5"]);
    }

    #[test]
    fn countries() {
        let check = |value| country("country", value);
        all_ok(check, &["SN", "GH", "NG", "CO"]);
        all_refused(check, &["", "sn", "XX", "SEN", "S"]);
    }

    #[test]
    fn texts_have_limits_in_characters() {
        assert!(text("title", &"é".repeat(255), 255).is_ok());
        assert!(text("title", &"é".repeat(256), 255).is_err());
        assert!(text("title", "", 255).is_err());
        assert!(text("title", "a\u{7}b", 255).is_err());
        assert!(text("title", "two\r\nlines", 255).is_err());
        assert!(long_text("description", "two\nlines", 255).is_ok());
        assert!(long_text("description", "a\u{7}b", 255).is_err());
    }

    #[test]
    fn payment_method_lists() {
        let some = |method: &str| Some(method.to_owned());
        assert_eq!(
            payment_methods(&[some("bank_transfer"), some("payid")]),
            Ok(vec!["bank_transfer".to_owned(), "payid".to_owned()])
        );
        assert!(payment_methods(&[]).is_err());
        assert!(payment_methods(&[None]).is_err());
        assert!(payment_methods(&[some("")]).is_err());
        assert!(payment_methods(&[some("card"), some("card")]).is_err());
        let many: Vec<_> = (0..51).map(|at| some(&format!("method_{at}"))).collect();
        assert!(payment_methods(&many).is_err());
        assert!(payment_methods(&many[..50]).is_ok());
    }
}

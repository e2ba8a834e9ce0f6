//! One small check for each kind of text. Limits are the widest of the five dialects, or Stripe's if no dialect has
//! one.

use chrono::TimeDelta;

use crate::error::{Error, Result};

mod app_link;
mod email;
mod phone;
mod urls;

pub use app_link::app_link_schemes;
pub use email::{email, folded};
pub use phone::phone;
pub use urls::{base_url, http_url, origins, page_url, return_url, with_session_id};

pub const WORD: usize = 64;
/// Ids, references, names, titles.
pub const SHORT_TEXT: usize = 255;
pub const DESCRIPTION: usize = 5_000;
pub const PHONE: usize = 64;
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

/// True of a text without anything to see. For optional texts that are only shown, it counts as no text.
pub(crate) fn is_blank(value: &str) -> bool {
    value.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

/// An optional text that is only shown.
pub fn label(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !is_blank(text))
}

/// Characters that change nothing, or only the direction; but not the joiners, which make other letters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text that names something: not blank.
pub fn identifier<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    match text(argument, value, SHORT_TEXT)? {
        blank if is_blank(blank) => Err(Error::invalid(argument, "must not be blank")),
        value => Ok(value),
    }
}

/// A word of lower-case letters, digits and underscores that begins with a letter.
pub fn word<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    let shaped = value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.len() <= WORD
        && value.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if shaped { Ok(value) } else { Err(Error::invalid(argument, "must be a word such as changed_mind")) }
}

/// An ISO 3166-1 alpha-2 code in either case. Returns it in upper case, as the standard writes it.
pub fn country(argument: &'static str, value: &str) -> Result<&'static str> {
    let code = value.to_ascii_uppercase();
    match rust_iso3166::from_alpha2(&code) {
        Some(country) if country.alpha2 == code => Ok(country.alpha2),
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
        if is_blank(method) {
            return Err(Error::invalid(ARGUMENT, "must not be blank"));
        }
        if checked.iter().any(|earlier| earlier == method) {
            return Err(Error::invalid(ARGUMENT, "must not name a payment method twice"));
        }
        checked.push(method.to_owned());
    }
    Ok(checked)
}

/// One of these words.
pub fn one_of<'a>(argument: &'static str, value: &'a str, words: &[&str]) -> Result<&'a str> {
    if words.contains(&value) {
        return Ok(value);
    }
    let (last, others) = words.split_last().map_or(("", words), |(last, others)| (*last, others));
    Err(Error::invalid(argument, format!("must be {} or {last}", others.join(", "))))
}

/// How long before a deadline its reminder is due.
pub fn notice(argument: &'static str, value: TimeDelta) -> Result<TimeDelta> {
    if value < TimeDelta::seconds(1) || value > TimeDelta::days(30) {
        return Err(Error::invalid(argument, "must be between 1 second and 30 days"));
    }
    Ok(value)
}

/// Checks that a period does not end before it begins.
pub fn period<T: PartialOrd>(after: Option<T>, before: Option<T>) -> Result<()> {
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
    use super::*;

    #[test]
    fn countries() {
        for (value, code) in [("SN", "SN"), ("gh", "GH"), ("Ng", "NG"), ("CO", "CO")] {
            assert_eq!(country("country", value), Ok(code));
        }
        for value in ["", "XX", "SEN", "S", "UK", "12", "ÅÅ", " GB"] {
            assert_eq!(country("country", value).map_err(|e| e.sqlstate()), Err("22023"), "{value}");
        }
    }

    #[test]
    fn what_is_not_seen_names_nothing() {
        for blank in [" ", "  ", "\u{a0}", "\u{3000}", "\u{200b}", "\u{feff}", "\u{202a}\u{202c}"] {
            assert!(is_blank(blank));
            assert_eq!(identifier("reference", blank), Err(Error::invalid("reference", "must not be blank")));
        }
        assert!(is_blank("") && is_blank("\t\r\n"));
        assert!(!is_blank(" x ") && !is_blank("\u{301}"));
        assert_eq!(identifier("reference", " x "), Ok(" x "));
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

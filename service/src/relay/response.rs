//! Keeps the parts of a response that the database records.

use std::time::{Duration, SystemTime};

/// How much of a text the database keeps.
const SNIPPET_CHARACTERS: usize = 1000;
/// How much of a body is read: enough for the snippet, and for most bodies to end, so that the connection can be used
/// again.
pub const MAXIMUM_BODY: usize = 16 * 1024;
/// Longer than any wait that the database grants.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The beginning of a body, as text that Postgres accepts.
pub fn snippet(body: &[u8]) -> Option<String> {
    let snippet = beginning(&String::from_utf8_lossy(body));
    (!snippet.is_empty()).then_some(snippet)
}

/// As much of a text as the database keeps, without the NUL characters that it refuses.
pub fn beginning(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(SNIPPET_CHARACTERS).collect()
}

/// The time that a `Retry-After` header asks to wait: seconds, or until a date (RFC 9110).
pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let wait = if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit still mean a long time.
        let seconds = if text.starts_with('-') { 0 } else { digits.parse().unwrap_or(u64::MAX) };
        Duration::from_secs(seconds)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_has_a_thousand_characters_that_postgres_takes() {
        assert_eq!(snippet(b"ok"), Some("ok".into()));
        assert_eq!(snippet(b""), None);
        assert_eq!(snippet(b"\0\0"), None);
        assert_eq!(snippet(b"a\0b"), Some("ab".into()));
        assert_eq!(snippet(b"\xff\xfe{"), Some("\u{fffd}\u{fffd}{".into()));
        let long = snippet("é\0".repeat(5000).as_bytes()).expect("text");
        assert_eq!((long.chars().count(), long.len()), (1000, 2000));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let wait = |text: &str| retry_after(text.as_bytes(), now).map(|wait| wait.as_secs());
        for (text, seconds) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("-5", 0),
            ("Sun, 06 Nov 1994 08:51:37 GMT", 120),
            ("Sunday, 06-Nov-94 08:51:37 GMT", 120),
            ("Sun Nov  6 08:51:37 1994", 120),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("99999999999999999999999999", LONGEST_WAIT.as_secs()),
            ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT.as_secs()),
        ] {
            assert_eq!(wait(text), Some(seconds), "{text}");
        }
        for text in ["", "-", "soon", "1.5", "1e3", "+5", "--5", "2026-01-01T00:00:00Z", "120, 60"] {
            assert_eq!(wait(text), None, "{text}");
        }
        assert_eq!(retry_after(b"\xff", now), None);
    }
}

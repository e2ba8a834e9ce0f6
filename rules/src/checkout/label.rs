//! Labels of reports: texts that a payment provider sends along. A report of money is not refused for them, so they are
//! cut and cleaned until they can be stored.

pub const PAYMENT_METHOD: usize = 64;
pub const CURRENCY_CODE: usize = 16;
pub const SHORT_TEXT: usize = 255;
pub const MESSAGE: usize = 1_000;

/// A label on one line of at most `limit` characters; `None` if nothing of it is left.
pub fn line(text: &str, limit: usize) -> Option<String> {
    clean(text, limit, |c| if c.is_whitespace() { Some(' ') } else { Some(c).filter(|c| !c.is_control()) })
}

/// A text that may have more than one line.
pub fn lines(text: &str, limit: usize) -> Option<String> {
    clean(text, limit, |c| Some(c).filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')))
}

fn clean(text: &str, limit: usize, keep: impl Fn(char) -> Option<char>) -> Option<String> {
    let kept: String = text.trim().chars().filter_map(keep).take(limit).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_and_cleaned() {
        for (text, kept) in [
            ("card", Some("card")),
            ("", None),
            ("  \t ", None),
            ("\u{1}\u{7f}", None),
            (" pay\u{7}ment\tfailed\n", Some("payment failed")),
            ("ünïcode", Some("ünïcode")),
        ] {
            assert_eq!(line(text, 64).as_deref(), kept, "{text:?}");
        }
        assert_eq!(line(&"é".repeat(65), 64), Some("é".repeat(64)));
        assert_eq!(lines("two\nlines\u{1}", 64).as_deref(), Some("two\nlines"));
    }
}

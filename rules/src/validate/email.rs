//! Email addresses, internationalized ones included.
//!
//! Source: RFC 5321, section 4.1.2 (Mailbox), with the letters of RFC 6531, section 3.3: any beyond ASCII. What such a
//! letter is changes with every version of Unicode, so only blanks and invisible characters are refused among them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{is_invisible, text};
use crate::{Error, Result};

/// RFC 5321, section 4.5.3.1, counts bytes. Beyond ASCII these are characters: some servers take more.
const ADDRESS: usize = 254;
const LOCAL_PART: usize = 64;
const LABEL: usize = 63;

pub fn email<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    text(argument, value, ADDRESS)?;
    match value.rsplit_once('@') {
        Some((local, domain)) if is_local_part(local) && is_domain(domain) => Ok(value),
        _ => Err(Error::invalid(argument, "is not a valid email address")),
    }
}

/// The same for all ways to write an address that differ in case alone.
pub fn folded(email: &str) -> String {
    // A sigma at the end of a word is another letter in lower case alone.
    email.to_lowercase().replace('ς', "σ")
}

/// A dot-string or a quoted string.
fn is_local_part(local: &str) -> bool {
    local.chars().count() <= LOCAL_PART
        && match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(quoted) => is_quoted_content(quoted),
            None => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character)),
        }
}

fn is_atom_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_international(c)
}

/// Of ASCII, blanks but no quotes, and any character behind a backslash.
fn is_quoted_content(content: &str) -> bool {
    let mut characters = content.chars();
    let printable = |c: char| matches!(c, ' '..='~') || is_international(c);
    while let Some(c) = characters.next() {
        let fits = match c {
            '\\' => characters.next().is_some_and(printable),
            '"' => false,
            c => printable(c),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Names between dots, or an address in brackets.
fn is_domain(domain: &str) -> bool {
    match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => match literal.split_once(':') {
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse::<Ipv6Addr>().is_ok(),
            Some(_) => false,
            None => literal.parse::<Ipv4Addr>().is_ok(),
        },
        None => domain.split('.').all(is_label),
    }
}

fn is_label(label: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || is_international(c);
    (1..=LABEL).contains(&label.chars().count())
        && label.chars().all(fits)
        && !label.starts_with(['-', '_'])
        && !label.ends_with(['-', '_'])
}

fn is_international(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_invisible(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::testing::{all_ok, all_refused};

    fn check(value: &str) -> Result<&str> {
        email("customer_email", value)
    }

    #[test]
    fn the_case_of_letters_does_not_matter() {
        for same in
            [["Ada@Shop.example", "ada@shop.example"], ["ÄNNA@x.de", "änna@x.de"], ["ΝΙΚΟΣ.Α@x.gr", "νικος.α@x.gr"]]
        {
            assert_eq!(folded(same[0]), folded(same[1]));
        }
        assert_ne!(folded("anna@x.de"), folded("änna@x.de"));
    }

    #[test]
    fn addresses_of_every_script() {
        all_ok(
            check,
            &[
                "john@example.com",
                "o'neill+tag@sub.example.co",
                "a@b",
                "1@2.example",
                "JOHN@EXAMPLE.COM",
                "#!$%&'*+-/=?^_`{|}~@example.org",
                "\"john doe\"@example.com",
                "\"a@b\\\"c\"@example.com",
                "john@[192.0.2.1]",
                "john@[IPv6:2001:db8::1]",
                "john@xn--h1alffa9f.example",
                "ünï@example.com",
                "संपर्क@डाटामेल.भारत",
                "คนไทย@ตัวอย่าง.ไทย",
                "用户@例子.公司",
                "квіточка@пошта.укр",
                "θσερ@εχαμπλε.ψομ",
                "josé@example.com",
                "jose\u{301}@example.com",
                "jose@cafe\u{301}.example",
                "تجربة@مثال.إختبار",
                "אבא@דוגמה.טסט",
                "ଆ@ଓଡ଼ିଆ.ଭାରତ",
                // Persian words contain a joiner that is not seen.
                "نامه\u{200c}ای@نامه\u{200c}ای.example",
            ],
        );
    }

    #[test]
    fn what_no_mail_system_takes() {
        all_refused(
            check,
            &[
                "",
                "@",
                "john",
                "john@",
                "@example.com",
                "john@exa mple.com",
                "jo hn@example.com",
                " john@example.com",
                "john@example.com ",
                "john@example.com\u{a0}",
                "john@example.com\u{3000}",
                "john\u{200b}@example.com",
                "\u{feff}john@example.com",
                "\u{202e}john@example.com",
                "john\n@example.com",
                "\"jo\thn\"@example.com",
                "a@b@c",
                "a@b,c@d",
                "a@b.example;c@d.example",
                "a@b.example, c@d.example",
                "John <john@example.com>",
                "<john@example.com>",
                "mailto:john@example.com",
                "john(doe)@example.com",
                "john@example..com",
                "john@.example.com",
                "john@example.com.",
                "john..doe@example.com",
                ".john@example.com",
                "john@-example.com",
                "john@example-.com",
                "john@exam!ple.com",
                "john@example.com:25",
                "\"john@example.com",
                "\"jo\"hn\"@example.com",
                "john@[192.0.2.256]",
                "john@[x]",
                "संपर्क",
                "संपर्क@डाटा मेल.भारत",
            ],
        );
    }

    #[test]
    fn addresses_have_an_end() {
        let of = |local: usize, domain: &str| format!("{}@{domain}", "ü".repeat(local));
        assert!(check(&of(64, "example.com")).is_ok());
        assert!(check(&of(65, "example.com")).is_err());
        let label = "x".repeat(63);
        assert!(check(&of(1, &format!("{label}.example"))).is_ok());
        assert!(check(&of(1, &format!("{label}x.example"))).is_err());
        let domain = format!("{label}.{label}.{label}");
        assert!(check(&of(62, &domain)).is_ok(), "254 characters");
        assert_eq!(check(&of(63, &domain)), Err(Error::invalid("customer_email", "must have at most 254 characters")));
    }
}

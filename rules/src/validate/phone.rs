//! Telephone numbers, in any notation.
//!
//! A number is shown to people who call it, and nothing compares it. Source of the notations: ITU-T E.123 and RFC 3966
//! (`;ext=`); E.164 numbers have at least three digits in every national plan.

use super::{PHONE, text};
use crate::{Error, Result};

const LEAST_DIGITS: usize = 3;

/// Anything on one line with a few digits, of any script: `(+44) 20 7946 0958`, `555-010-9999 ext. 12`.
pub fn phone<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    text(argument, value, PHONE)?;
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    if digits < LEAST_DIGITS {
        return Err(Error::invalid(argument, "is not a valid telephone number"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::testing::{all_ok, all_refused};

    #[test]
    fn numbers_in_the_notations_that_people_use() {
        all_ok(
            |value| phone("customer_phone", value),
            &[
                "112",
                "+221771234567",
                "(030) 123-456",
                "+49 30 123.456/7",
                "(+44) 20 7946 0958",
                "+44 (0)20 7946 0958",
                "555-010-9999 ext. 12",
                "555-010-9999 x12",
                "+1-201-555-0123;ext=12",
                "tel:+1-201-555-0123",
                "1-800-FLOWERS-123",
                "+33\u{a0}1\u{202f}42\u{a0}68\u{a0}53\u{a0}00",
                "555\u{2010}010\u{2011}9999",
                "555\u{2013}010\u{2014}9999",
                "\u{ff0b}81\u{ff08}03\u{ff09}1234\u{30fc}5678",
                "٠١٢٣٤٥٦",
                "۰۲۱-۱۲۳۴۵۶۷",
                "०११-२३४५६७८",
                // As copied from an address book, with marks of direction.
                "\u{202a}+44 20 7946 0958\u{202c}",
                "+49 30 1234567890123, 4711#",
            ],
        );
    }

    #[test]
    fn what_no_one_would_take_for_a_number() {
        let long = "1".repeat(65);
        all_refused(
            |value| phone("customer_phone", value),
            &["", " ", "12", "+", "call me", "()-", "+44 20\n7946 0958", "\u{0}123456", "123\u{7f}456", &long],
        );
        assert!(phone("customer_phone", &"1".repeat(64)).is_ok());
    }
}

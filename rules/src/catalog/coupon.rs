//! Coupons as merchants make them. What they take off is in `discount`.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::discount::{Coupon, Customers, Value};
use crate::checkout::money::{self, Currency};
use crate::validate::{self, in_range};
use crate::{Error, Result};

/// A coupon names no more products.
pub const MOST_PRODUCTS: usize = 100;
const MOST_LETTERS: usize = 64;
const PERCENT_DIGITS: u32 = 4;

/// A coupon as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    pub code: &'a str,
    pub percent_off: Option<Decimal>,
    pub amount_off: Option<Decimal>,
    pub currency_code: Option<&'a str>,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_until: Option<DateTime<Utc>>,
    pub max_redemptions: Option<i32>,
    pub max_redemptions_per_customer: Option<i32>,
    pub minimum_amount: Option<Decimal>,
    pub product_ids: Option<Vec<Option<String>>>,
    pub customers: Option<&'a str>,
}

/// A code as it is stored: without spaces around it, in upper case.
pub fn code(text: &str) -> Result<String> {
    let code = text.trim();
    if code.is_empty() || code.len() > MOST_LETTERS {
        return Err(Error::invalid("code", format!("must have 1 to {MOST_LETTERS} characters")));
    }
    if !code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(Error::invalid("code", "must have only letters A to Z, digits, - and _"));
    }
    Ok(code.to_ascii_uppercase())
}

impl Customers {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::New => "new",
            Self::Returning => "returning",
        }
    }

    fn named(word: &str) -> Result<Self> {
        [Self::All, Self::New, Self::Returning]
            .into_iter()
            .find(|customers| customers.as_str() == word)
            .ok_or_else(|| Error::invalid("customers", "must be all, new or returning"))
    }
}

impl Asked<'_> {
    pub fn check(self) -> Result<Coupon> {
        let code = code(self.code)?;
        let currency = self.currency_code.map(|code| Currency::parse("currency_code", code)).transpose()?;
        // An amount is of a currency.
        let of_currency = || currency.ok_or(Error::NullArgument { argument: "currency_code" });
        let value = match (self.percent_off, self.amount_off) {
            (None, None) => return Err(Error::invalid("percent_off", "must be given, or else amount_off")),
            (Some(_), Some(_)) => return Err(Error::invalid("percent_off", "must not be given with amount_off")),
            (Some(percent), None) => Value::Percent(check_percent(percent)?),
            (None, Some(amount)) => Value::Amount(money::check_amount("amount_off", amount, of_currency()?, false)?),
        };
        let minimum_amount = match self.minimum_amount {
            Some(amount) => Some(money::check_sum("minimum_amount", amount, of_currency()?, false)?),
            None => None,
        };
        if self.valid_until.is_some_and(|until| self.valid_from.is_some_and(|from| until <= from)) {
            return Err(Error::invalid("valid_until", "must be later than valid_from"));
        }
        let count =
            |argument, count: Option<i32>| count.map(|count| in_range(argument, count, 1, i32::MAX)).transpose();
        Ok(Coupon {
            code,
            value,
            currency_code: currency.map(|currency| currency.code().to_owned()),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            max_redemptions: count("max_redemptions", self.max_redemptions)?,
            max_redemptions_per_customer: count("max_redemptions_per_customer", self.max_redemptions_per_customer)?,
            minimum_amount,
            product_ids: self.product_ids.as_deref().map(check_products).transpose()?,
            customers: self.customers.map_or(Ok(Customers::All), Customers::named)?,
            active: true,
        })
    }
}

fn check_percent(percent: Decimal) -> Result<Decimal> {
    let percent = money::denoised(percent, PERCENT_DIGITS).normalize();
    if percent <= Decimal::ZERO || percent > Decimal::ONE_HUNDRED {
        return Err(Error::invalid("percent_off", "must be above 0, and at most 100"));
    }
    if percent.scale() > PERCENT_DIGITS {
        return Err(Error::invalid("percent_off", format!("must have at most {PERCENT_DIGITS} decimal places")));
    }
    Ok(percent)
}

fn check_products(ids: &[Option<String>]) -> Result<Vec<String>> {
    const ARGUMENT: &str = "product_ids";
    if ids.is_empty() || ids.len() > MOST_PRODUCTS {
        return Err(Error::invalid(ARGUMENT, format!("must have between 1 and {MOST_PRODUCTS} elements")));
    }
    let mut checked: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        let id = id.as_deref().ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
        validate::identifier(ARGUMENT, id)?;
        if checked.iter().any(|earlier| earlier == id) {
            return Err(Error::invalid(ARGUMENT, "must not have an element twice"));
        }
        checked.push(id.to_owned());
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(percent: i64, digits: u32) -> Asked<'static> {
        Asked { code: "SUMMER", percent_off: Some(Decimal::new(percent, digits)), ..Asked::default() }
    }

    fn refusal(asked: Asked) -> String {
        asked.check().expect_err("is refused").to_string()
    }

    /// Case 21: codes are trimmed, and the same in either case.
    #[test]
    fn a_code_is_kept_in_upper_case_and_without_spaces() {
        assert_eq!(code(" Summer-24_x \n"), Ok("SUMMER-24_X".to_owned()));
        assert_eq!(code(&"a".repeat(64)), Ok("A".repeat(64)));
        for text in ["", "  ", "TEN OFF", "ÉTÉ", "10%", &"a".repeat(65), "ſ"] {
            assert_eq!(code(text).map_err(|error| error.sqlstate()), Err("22023"), "{text}");
        }
    }

    #[test]
    fn a_coupon_has_one_value() {
        assert_eq!(percent(100, 0).check().map(|coupon| coupon.value), Ok(Value::Percent(Decimal::ONE_HUNDRED)));
        assert_eq!(
            percent(333_333, 4).check().map(|coupon| coupon.value),
            Ok(Value::Percent(Decimal::new(333_333, 4)))
        );
        for (asked, message) in [
            (Asked { code: "x", ..Asked::default() }, "argument \"percent_off\" must be given, or else amount_off"),
            (
                Asked { amount_off: Some(Decimal::ONE), ..percent(1, 0) },
                "argument \"percent_off\" must not be given with amount_off",
            ),
            (percent(0, 0), "argument \"percent_off\" must be above 0, and at most 100"),
            (percent(1_000_001, 4), "argument \"percent_off\" must be above 0, and at most 100"),
            (percent(1, 5), "argument \"percent_off\" must have at most 4 decimal places"),
        ] {
            assert_eq!(refusal(asked), message);
        }
    }

    #[test]
    fn an_amount_has_a_currency() {
        let asked = |currency_code, amount_off| Asked { code: "x", amount_off, currency_code, ..Asked::default() };
        let five = asked(Some("usd"), Some(Decimal::from(5))).check().expect("a coupon");
        assert_eq!((five.value, five.currency_code.as_deref()), (Value::Amount(Decimal::new(500, 2)), Some("USD")));
        assert_eq!(refusal(asked(None, Some(Decimal::ONE))), "argument \"currency_code\" must not be null");
        assert_eq!(
            refusal(asked(Some("USD"), Some(Decimal::ZERO))),
            "argument \"amount_off\" must be greater than zero"
        );
        let minimum = Asked { minimum_amount: Some(Decimal::ONE), ..percent(1, 0) };
        assert_eq!(refusal(minimum), "argument \"currency_code\" must not be null");
    }

    #[test]
    fn limits_times_and_products_are_checked() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let products = |ids: &[&str]| Some(ids.iter().map(|id| Some((*id).to_owned())).collect::<Vec<_>>());
        let good = Asked {
            valid_from: at(1),
            valid_until: at(2),
            max_redemptions: Some(1),
            product_ids: products(&["b", "a"]),
            customers: Some("returning"),
            ..percent(1, 0)
        };
        let good = good.check().expect("a coupon");
        assert_eq!((good.customers, good.product_ids), (Customers::Returning, Some(vec!["b".into(), "a".into()])));
        for (asked, message) in [
            (
                Asked { valid_from: at(2), valid_until: at(2), ..percent(1, 0) },
                "argument \"valid_until\" must be later than valid_from",
            ),
            (Asked { max_redemptions: Some(0), ..percent(1, 0) }, "argument \"max_redemptions\" must be at least 1"),
            (
                Asked { max_redemptions_per_customer: Some(-1), ..percent(1, 0) },
                "argument \"max_redemptions_per_customer\" must be at least 1",
            ),
            (
                Asked { product_ids: products(&[]), ..percent(1, 0) },
                "argument \"product_ids\" must have between 1 and 100 elements",
            ),
            (
                Asked { product_ids: products(&["a", "a"]), ..percent(1, 0) },
                "argument \"product_ids\" must not have an element twice",
            ),
            (
                Asked { customers: Some("existing"), ..percent(1, 0) },
                "argument \"customers\" must be all, new or returning",
            ),
        ] {
            assert_eq!(refusal(asked), message);
        }
    }
}

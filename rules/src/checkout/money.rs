//! Amounts and currencies.
//!
//! An amount is an exact decimal in major units of its currency. It must not be finer than the currency's smallest unit
//! (ISO 4217), or than 0.0001 if the organization allows amounts below that unit.

use std::str::FromStr;

use iso_currency::Currency as IsoCurrency;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{Error, Result};

/// Amounts are below this: a thousand million million.
pub const AMOUNT_LIMIT: i64 = 1_000_000_000_000_000;
/// The finest amount if amounts below the currency's smallest unit are allowed.
const SUB_MINOR_DIGITS: u32 = 4;

/// Codes that the dialects accept but the ISO 4217 crate does not have: withdrawn, or never in ISO 4217 (Flutterwave's
/// `POST /checkout/sessions`); with their number of decimals.
const WITHDRAWN: [(&str, u32); 18] = [
    ("ANG", 2),
    ("AQD", 2),
    ("BYR", 0),
    ("CYP", 2),
    ("ECS", 2),
    ("EEK", 2),
    ("GGP", 2),
    ("HRK", 2),
    ("LTL", 2),
    ("LVL", 2),
    ("MRO", 2),
    ("MTL", 2),
    ("SKK", 2),
    ("SLL", 2),
    ("STD", 2),
    ("VEF", 2),
    ("ZMK", 2),
    ("ZWD", 2),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: [u8; 3],
    /// The number of decimals of the smallest unit.
    digits: u32,
}

impl Currency {
    /// Reads an ISO 4217 code. The standard has upper case; many clients write lower case.
    pub fn parse(argument: &'static str, text: &str) -> Result<Self> {
        Self::known(text).ok_or_else(|| Error::invalid(argument, "is not a supported ISO 4217 currency code"))
    }

    /// The currency of a code, if there is one.
    pub fn known(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        let code = code.map(|letter| letter.to_ascii_uppercase());
        let text = std::str::from_utf8(&code).ok()?;
        let digits = match WITHDRAWN.iter().find(|(withdrawn, _)| *withdrawn == text) {
            Some((_, digits)) => *digits,
            // Codes without a smallest unit (gold, test codes) are no money to pay with.
            None => IsoCurrency::from_code(text)?.exponent()?.into(),
        };
        Some(Self { code, digits })
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// The number of decimals of the smallest unit.
    pub fn digits(&self) -> u32 {
        self.digits
    }
}

/// Reads a decimal as Postgres writes a numeric. It keeps 28 digits, which is finer than any amount.
pub fn parse_amount(argument: &'static str, text: &str) -> Result<Decimal> {
    let amount = parse_reported(argument, text)?;
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(Error::invalid(argument, "must not be negative"));
    }
    Ok(amount)
}

/// No reported amount is larger: sums of amounts keep at least eight decimals.
const REPORTED_LIMIT: i128 = 100_000_000_000_000_000_000;
/// The number of decimals at which the noise of an amount is removed, if its currency is not known.
pub const FINEST: u32 = 8;

/// Reads any number that is reported as an amount. One that is too large becomes the largest that is kept.
pub fn parse_reported(argument: &'static str, text: &str) -> Result<Decimal> {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return Err(Error::invalid(argument, "must be a finite number"));
    }
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid(argument, "must be a number"));
    }
    let most = Decimal::from_i128_with_scale(REPORTED_LIMIT, 0);
    let too_large = || if text.starts_with('-') { -most } else { most };
    Ok(Decimal::from_str(text).map_or_else(|_| too_large(), |amount| amount.clamp(-most, most)))
}

/// Removes the noise of binary floating-point numbers: 19.990000000000002 is 19.99. Noise is less than a thousandth of
/// the smallest unit, and less than one part in 10^12 of the amount.
pub fn denoised(amount: Decimal, digits: u32) -> Decimal {
    // What is no finer than any amount may be was meant.
    if amount.normalize().scale() <= SUB_MINOR_DIGITS {
        return amount;
    }
    let near = amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    let noise = (amount - near).abs();
    let small = noise < Decimal::new(1, digits + 3) && noise * Decimal::from(10_u64.pow(12)) < near.abs();
    if small { near } else { amount }
}

/// An amount that is reported in a currency, without noise.
pub fn reported_amount(amount: Decimal, currency: Currency) -> Decimal {
    let plain = denoised(denoised(amount, currency.digits), currency.digits.max(SUB_MINOR_DIGITS));
    with_digits(plain.normalize(), currency)
}

/// Checks an amount and gives it the currency's number of decimals: 12.5 USD is 12.50, 10000.0 XOF is 10000.
pub fn check_amount(argument: &'static str, amount: Decimal, currency: Currency, sub_minor: bool) -> Result<Decimal> {
    if amount <= Decimal::ZERO {
        return Err(Error::invalid(argument, "must be greater than zero"));
    }
    check_sum(argument, amount, currency, sub_minor)
}

/// As check_amount, but it may be zero: nothing is due.
pub fn check_sum(argument: &'static str, amount: Decimal, currency: Currency, sub_minor: bool) -> Result<Decimal> {
    if amount < Decimal::ZERO {
        return Err(Error::invalid(argument, "must not be negative"));
    }
    if amount >= Decimal::from(AMOUNT_LIMIT) {
        return Err(too_large(argument));
    }
    let allowed = if sub_minor { currency.digits.max(SUB_MINOR_DIGITS) } else { currency.digits };
    let exact = denoised(denoised(amount, currency.digits), allowed).normalize();
    if exact.scale() > allowed {
        return Err(Error::invalid(
            argument,
            format!("has more decimal places than {} allows ({allowed})", currency.code()),
        ));
    }
    Ok(with_digits(exact, currency))
}

/// The same amount, written with at least the currency's number of decimals.
pub fn with_digits(mut amount: Decimal, currency: Currency) -> Decimal {
    if amount.scale() < currency.digits {
        amount.rescale(currency.digits);
    }
    amount
}

/// Converts an amount in the currency's smallest units.
pub fn from_minor_units(argument: &'static str, units: Decimal, currency: Currency) -> Result<Decimal> {
    let mut amount = denoised(units, 0).normalize();
    if amount.scale() != 0 {
        return Err(Error::invalid(argument, "must be an integer"));
    }
    amount.set_scale(currency.digits).map_err(|_| too_large(argument))?;
    Ok(amount)
}

/// Returns an amount in the currency's smallest units; not whole if it is finer than these.
pub fn to_minor_units(amount: Decimal, currency_code: &str) -> Decimal {
    let digits = Currency::parse("currency_code", currency_code).map_or(2, |currency| currency.digits);
    (amount * Decimal::from(10_u64.pow(digits))).normalize()
}

fn too_large(argument: &'static str) -> Error {
    Error::OutOfRange { argument, fault: format!("must be less than {AMOUNT_LIMIT}") }
}

impl FromStr for Currency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse("currency_code", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(amount: &str, currency: &str, sub_minor: bool) -> std::result::Result<String, &'static str> {
        let currency = currency.parse()?;
        parse_amount("amount", amount)
            .and_then(|amount| check_amount("amount", amount, currency, sub_minor))
            .map(|amount| amount.to_string())
            .map_err(|e| e.sqlstate())
    }

    impl From<Error> for &'static str {
        fn from(error: Error) -> Self {
            error.sqlstate()
        }
    }

    #[test]
    fn amounts_are_exact_at_the_currency_s_smallest_unit() {
        for (amount, currency, stored) in [
            ("12.34", "USD", "12.34"),
            ("12.5", "USD", "12.50"),
            ("12.340000000000000000000000000000000000", "USD", "12.34"),
            ("10000.0", "XOF", "10000"),
            ("0.01", "NGN", "0.01"),
            ("1", "JPY", "1"),
            ("1.234", "KWD", "1.234"),
            ("1.2345", "CLF", "1.2345"),
            ("999999999999999", "JPY", "999999999999999"),
            ("999999999999999.99", "EUR", "999999999999999.99"),
        ] {
            assert_eq!(check(amount, currency, false), Ok(stored.to_owned()), "{amount} {currency}");
        }
        for (amount, currency) in
            [("12.345", "USD"), ("0.5", "XOF"), ("0.001", "JPY"), ("1.2345", "KWD"), ("1.00000000001", "EUR")]
        {
            assert_eq!(check(amount, currency, false), Err("22023"), "{amount} {currency}");
        }
    }

    #[test]
    fn noise_of_binary_floating_point_is_no_part_of_an_amount() {
        for (amount, currency, stored) in [
            ("19.990000000000002", "USD", "19.99"),
            ("19.989999999999998", "USD", "19.99"),
            ("434.99999999999994", "XOF", "435"),
            ("12345678909.999998", "USD", "12345678910.00"),
            ("0.1000000000000000055511151231257827021181583404541015625", "USD", "0.10"),
            ("1.00000000000000000000000000000000000001", "USD", "1.00"),
        ] {
            assert_eq!(check(amount, currency, false), Ok(stored.to_owned()), "{amount} {currency}");
            let reported =
                |currency: Currency| parse_reported("amount", amount).map(|it| reported_amount(it, currency));
            assert_eq!(currency.parse().and_then(reported).map(|it| it.to_string()), Ok(stored.to_owned()));
        }
        assert_eq!(check("23.567600000000002", "USD", true), Ok("23.5676".to_owned()));
        // What is finer is not noise.
        for (amount, currency) in
            [("19.99001", "USD"), ("0.010000000001", "USD"), ("434.999", "XOF"), ("0.0000001", "USD")]
        {
            assert_eq!(check(amount, currency, false), Err("22023"), "{amount} {currency}");
        }
        let units = |text: &str| {
            let currency = "NGN".parse()?;
            from_minor_units("amount", parse_amount("amount", text)?, currency).map(|amount| amount.to_string())
        };
        assert_eq!(units("1998.9999999999998"), Ok("19.99".to_owned()));
        assert_eq!(units("1998.9").map_err(|error: Error| error.sqlstate()), Err("22023"));
    }

    #[test]
    fn any_number_can_be_reported() {
        let reported = |text: &str| parse_reported("amount", text);
        assert_eq!(reported("-1"), Ok(Decimal::NEGATIVE_ONE));
        assert_eq!(reported(&format!("1{}", "0".repeat(40))), Ok(Decimal::from_i128_with_scale(REPORTED_LIMIT, 0)));
        assert_eq!(
            reported(&format!("-1{}.5", "0".repeat(100_000))),
            Ok(Decimal::from_i128_with_scale(-REPORTED_LIMIT, 0))
        );
        assert_eq!(reported(&format!("0.{}1", "0".repeat(39))), Ok(Decimal::ZERO));
        for text in ["NaN", "Infinity", "-Infinity", "", "-"] {
            assert_eq!(reported(text).map_err(|error| error.sqlstate()), Err("22023"), "{text}");
        }
    }

    #[test]
    fn sub_minor_amounts_go_to_four_decimals_where_allowed() {
        assert_eq!(check("23.5676", "USD", true), Ok("23.5676".to_owned()));
        assert_eq!(check("23.5", "USD", true), Ok("23.50".to_owned()));
        assert_eq!(check("0.0001", "JPY", true), Ok("0.0001".to_owned()));
        assert_eq!(check("23.56761", "USD", true), Err("22023"));
    }

    #[test]
    fn what_is_fine_but_meant_is_no_noise() {
        assert_eq!(check("999999999999.9999", "JPY", true), Ok("999999999999.9999".to_owned()));
        assert_eq!(
            reported_amount(Decimal::new(9_999_999_999_999_999, 4), "JPY".parse().expect("a currency")).scale(),
            4
        );
        assert_eq!(check("999999999999.9999", "JPY", false), Err("22023"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for (amount, sqlstate) in [
            ("0", "22023"),
            ("0.00", "22023"),
            ("-1", "22023"),
            ("NaN", "22023"),
            ("Infinity", "22023"),
            ("-Infinity", "22023"),
            ("1000000000000000", "22003"),
            ("99999999999999999999999999999999999999", "22003"),
            ("1.000000000001", "22023"),
        ] {
            assert_eq!(check(amount, "USD", true), Err(sqlstate), "{amount}");
        }
    }

    #[test]
    fn every_currency_of_the_documents_is_known_with_its_exponent() {
        const FLUTTERWAVE: &str = "AED AFN ALL AMD ANG AOA AQD ARS AUD AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD \
            BWP BYR BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CYP CZK DJF DKK DOP DZD ECS EEK EGP ETB EUR FJD FKP GBP GEL \
            GGP GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW \
            KWD KYD KZT LAK LBP LKR LRD LSL LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MRO MTL MUR MVR MWK MXN MYR MZN NAD \
            NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SKK SLL SOS \
            SRD STD SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VEF VND VUV XAF XCD XOF XPF YER \
            ZAR ZMK ZWD ZMW";
        let none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF BYR";
        let three = "BHD IQD JOD KWD LYD OMR TND";
        let codes: Vec<_> = FLUTTERWAVE.split_whitespace().collect();
        assert_eq!(codes.len(), 160);
        for code in codes {
            let expected = match code {
                code if none.contains(code) => 0,
                code if three.contains(code) => 3,
                _ => 2,
            };
            assert_eq!(code.parse::<Currency>().map(|c| c.digits), Ok(expected), "{code}");
            assert_eq!(code.parse::<Currency>().map(|c| c.code().to_owned()), Ok(code.to_owned()));
        }
    }

    #[test]
    fn a_code_is_kept_in_upper_case() {
        for text in ["usd", "Usd", "USD"] {
            assert_eq!(text.parse::<Currency>().map(|c| c.code().to_owned()), Ok("USD".to_owned()));
        }
    }

    #[test]
    fn what_is_no_currency_is_refused() {
        for text in ["", "US", "USDT", " usd", "XXX", "xxx", "XTS", "XAU", "ZZZ", "U$D", "€€€", "UЅD"] {
            assert_eq!(text.parse::<Currency>().map_err(|e| e.sqlstate()), Err("22023"), "{text}");
        }
    }
}

//! Reads the members of a JSON body, each with an error that names it.

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::HttpRequest;
use crate::checkout::money::{self, Currency};
use crate::checkout::status::Status;
use crate::{Error, Result, validate};

pub type Object = Map<String, Value>;

/// A member that is neither missing nor null. Errors use its full path, such as `amount.value`; it is looked up by the
/// last name.
pub fn member<'a>(body: &'a Object, name: &str) -> Option<&'a Value> {
    #[cfg(test)]
    super::testing::note(name);
    let name = name.rsplit('.').next().unwrap_or(name);
    body.get(name).filter(|value| !value.is_null())
}

pub fn required<T>(name: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::invalid(name, "is required"))
}

pub fn text<'a>(body: &'a Object, name: &'static str) -> Result<Option<&'a str>> {
    member(body, name).map(|value| value.as_str().ok_or_else(|| Error::invalid(name, "must be a string"))).transpose()
}

/// A text with bounds for its length.
pub fn bounded_text<'a>(body: &'a Object, name: &'static str, least: usize, most: usize) -> Result<Option<&'a str>> {
    let text = text(body, name)?;
    if text.is_some_and(|text| !(least..=most).contains(&text.chars().count())) {
        let bounds = if least == most { least.to_string() } else { format!("between {least} and {most}") };
        return Err(Error::invalid(name, format!("must have {bounds} characters")));
    }
    Ok(text)
}

pub fn boolean(body: &Object, name: &'static str) -> Result<Option<bool>> {
    member(body, name).map(|value| value.as_bool().ok_or_else(|| Error::invalid(name, "must be a boolean"))).transpose()
}

/// The total amount. It may be left out with a product, a price or a subscription that the organization's catalog has.
pub fn amount_or_price(request: &HttpRequest, name: &'static str) -> Result<Option<Decimal>> {
    let body = request.body()?;
    let amount = decimal(body, name)?;
    let priced = ["product_id", "price_id", "subscription_id"].into_iter().find(|name| member(body, name).is_some());
    match priced.filter(|_| amount.is_none() && !request.uses_catalog) {
        None => Ok(amount),
        Some(what) => {
            Err(Error::invalid(name, format!("is required with {what}: no catalog is configured that has its price")))
        }
    }
}

/// A whole number; 5.0 is one. One that is too large for this type is the largest.
pub fn integer(body: &Object, name: &'static str) -> Result<Option<i64>> {
    match member(body, name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            whole(number.as_str()).map(Some).ok_or_else(|| Error::invalid(name, "must be an integer"))
        }
        Some(_) => Err(Error::invalid(name, "must be a number")),
    }
}

/// An amount without the noise of binary floating-point numbers, if its currency is known.
pub fn without_noise(amount: Decimal, currency_code: &str) -> Decimal {
    Currency::known(currency_code).map_or(amount, |currency| money::reported_amount(amount, currency))
}

/// An amount in the smallest units of a currency.
pub fn minor_units(body: &Object, name: &'static str, currency: Currency) -> Result<Option<Decimal>> {
    let Some(units) = decimal(body, name)? else { return Ok(None) };
    let limit = money::to_minor_units(money::AMOUNT_LIMIT.into(), currency.code());
    if units >= limit {
        return Err(Error::OutOfRange { argument: name, fault: format!("must be less than {limit}") });
    }
    money::from_minor_units(name, units, currency).map(Some)
}

/// A whole number within bounds.
pub fn bounded_integer(body: &Object, name: &'static str, least: i32, most: i32) -> Result<Option<i32>> {
    integer(body, name)?.map(|number| in_range(name, number, least, most)).transpose()
}

fn in_range(name: &'static str, number: i64, least: i32, most: i32) -> Result<i32> {
    match i32::try_from(number) {
        Ok(number) => validate::in_range(name, number, least, most),
        Err(_) if number > 0 && most == i32::MAX => Err(Error::invalid(name, format!("must be at most {most}"))),
        Err(_) => validate::in_range(name, if number < 0 { i32::MIN } else { i32::MAX }, least, most),
    }
}

/// The value of a JSON number that is whole, or the nearest one of this type.
fn whole(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let farthest = if negative { i64::MIN } else { i64::MAX };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{after}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // Zeros to add behind the significant digits; beyond these bounds it makes no difference.
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent: i64 =
        exponent.parse().unwrap_or(if exponent.starts_with('-') { -1_000_000_000 } else { 1_000_000_000 });
    let zeros =
        i64::try_from(zeros).ok()? - i64::try_from(after.len()).ok()? + exponent.clamp(-1_000_000_000, 1_000_000_000);
    let zeros = usize::try_from(zeros).ok()?;
    if significant.len() + zeros > 18 {
        return Some(farthest);
    }
    let number: i64 = format!("{significant}{}", "0".repeat(zeros)).parse().ok()?;
    Some(if negative { -number } else { number })
}

/// An exact decimal.
pub fn decimal(body: &Object, name: &'static str) -> Result<Option<Decimal>> {
    match member(body, name) {
        None => Ok(None),
        Some(Value::Number(number)) => number_of(name, number.as_str()).map(Some),
        Some(_) => Err(Error::invalid(name, "must be a number")),
    }
}

fn number_of(name: &'static str, text: &str) -> Result<Decimal> {
    if let Some(negative) = text.strip_prefix('-') {
        return number_of(name, negative).map(|number| -number);
    }
    if text.contains(['e', 'E']) {
        let too_large = || (whole(text) == Some(i64::MAX)).then_some(Decimal::MAX);
        let number = Decimal::from_scientific(text).ok().or_else(too_large);
        return number.ok_or_else(|| Error::invalid(name, "has too many decimal places"));
    }
    money::parse_amount(name, text)
}

/// An array of strings.
pub fn texts(body: &Object, name: &'static str) -> Result<Option<Vec<Option<String>>>> {
    let Some(value) = member(body, name) else { return Ok(None) };
    let texts = value
        .as_array()
        .and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    match texts {
        Some(texts) => Ok(Some(texts.into_iter().map(Some).collect())),
        None => Err(Error::invalid(name, "must be an array of strings")),
    }
}

pub fn object<'a>(body: &'a Object, name: &'static str) -> Result<Option<&'a Object>> {
    member(body, name)
        .map(|value| value.as_object().ok_or_else(|| Error::invalid(name, "must be an object")))
        .transpose()
}

/// A session's id, as the API writes it. A text that is no id counts as the id of no session.
pub fn session_id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::NoSuchSession { id: text.to_owned() })
}

/// The requested statuses of a list, in a dialect with three: a failed session counts as expired there.
pub fn three_statuses(text: &str) -> Result<&'static [Status]> {
    match text {
        "open" => Ok(&[Status::Open]),
        "complete" => Ok(&[Status::Complete]),
        "expired" => Ok(&[Status::Expired, Status::Failed]),
        _ => Err(Error::invalid("status", "must be open, complete or expired")),
    }
}

/// A whole number in a query string.
pub fn query_integer(query: &Object, name: &'static str, least: i32, most: i32) -> Result<Option<i32>> {
    let Some(value) = member(query, name) else { return Ok(None) };
    let number = match value {
        Value::String(text) if is_integer(text) => whole(text),
        Value::Number(number) => whole(number.as_str()),
        _ => None,
    };
    in_range(name, number.ok_or_else(|| Error::invalid(name, "must be an integer"))?, least, most).map(Some)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())
}

/// A text that is not blank, where the document requires one.
pub fn required_label<'a>(name: &'static str, text: Option<&'a str>) -> Result<&'a str> {
    required(name, validate::label(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        for (text, number) in [
            ("0", Some(0)),
            ("-0.0", Some(0)),
            ("0e9", Some(0)),
            ("12", Some(12)),
            ("-12.00", Some(-12)),
            ("1e2", Some(100)),
            ("1.5E1", Some(15)),
            ("1500e-2", Some(15)),
            ("1.5", None),
            ("1e-1", None),
            ("1e-99999999999999999999", None),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("99999999999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999999999", Some(i64::MIN)),
            ("1e400", Some(i64::MAX)),
            ("1e99999999999999999999", Some(i64::MAX)),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }

    #[test]
    fn an_amount_that_is_too_large_is_never_taken_for_another() {
        let read = |units: &str, code: &str| {
            let body: Value = serde_json::from_str(&format!(r#"{{"amount": {units}}}"#)).expect("JSON");
            let amount =
                minor_units(body.as_object().expect("an object"), "amount", code.parse().expect("a currency"))?;
            Ok(amount.map(|amount| amount.to_string()))
        };
        for (units, code, amount) in [
            ("5000", "GHS", "50.00"),
            ("5e3", "GHS", "50.00"),
            ("99999999999999999", "NGN", "999999999999999.99"),
            ("9999999999999999999", "CLF", "999999999999999.9999"),
        ] {
            assert_eq!(read(units, code), Ok(Some(amount.into())), "{units} {code}");
        }
        for (units, code, limit) in [
            ("100000000000000000", "NGN", "100000000000000000"),
            ("1e15", "XOF", "1000000000000000"),
            ("1e400", "XOF", "1000000000000000"),
            ("10000000000000000000", "CLF", "10000000000000000000"),
        ] {
            let fault = format!("must be less than {limit}");
            assert_eq!(read(units, code), Err(Error::OutOfRange { argument: "amount", fault }), "{units} {code}");
        }
        assert_eq!(read("50.5", "GHS"), Err(Error::invalid("amount", "must be an integer")));
    }

    #[test]
    fn an_amount_may_be_that_of_the_catalog() {
        let read = |uses_catalog, body: Value| {
            let (headers, query) = (Object::new(), Object::new());
            let request =
                HttpRequest { parameters: Vec::new(), headers: &headers, query: &query, body: &body, uses_catalog };
            amount_or_price(&request, "amount")
        };
        let ten = Some(Decimal::TEN);
        for uses_catalog in [false, true] {
            assert_eq!(read(uses_catalog, json!({"amount": 10})), Ok(ten));
            assert_eq!(read(uses_catalog, json!({"amount": 10, "product_id": "p", "subscription_id": "s"})), Ok(ten));
            assert_eq!(read(uses_catalog, json!({})), Ok(None), "no other is told of catalogs");
        }
        for name in ["product_id", "price_id", "subscription_id"] {
            assert_eq!(read(true, json!({name: "p"})), Ok(None));
            let fault = format!("is required with {name}: no catalog is configured that has its price");
            assert_eq!(read(false, json!({name: "p"})), Err(Error::invalid("amount", fault)));
        }
    }

    #[test]
    fn a_number_out_of_bounds_is_told_the_bounds() {
        let query = |value: Value, most| {
            let query = json!({"limit": value});
            query_integer(query.as_object().expect("an object"), "limit", 1, most)
        };
        for value in [json!("0"), json!("101"), json!("99999999999"), json!("-99999999999"), json!(1e30)] {
            assert_eq!(query(value, 100), Err(Error::invalid("limit", "must be between 1 and 100")));
        }
        assert_eq!(query(json!("99999999999"), i32::MAX), Err(Error::invalid("limit", "must be at most 2147483647")));
        assert_eq!(query(json!("-1"), i32::MAX), Err(Error::invalid("limit", "must be at least 1")));
        for value in [json!(""), json!("ten"), json!("1.0"), json!("1e2"), json!(" 1"), json!(true)] {
            assert_eq!(query(value, 100), Err(Error::invalid("limit", "must be an integer")));
        }
        assert_eq!(query(json!("+20"), 100), Ok(Some(20)));
        let body = json!({"quantity": 99_999_999_999_i64});
        let refused = bounded_integer(body.as_object().expect("an object"), "quantity", 1, i32::MAX);
        assert_eq!(refused, Err(Error::invalid("quantity", "must be at most 2147483647")));
    }
}

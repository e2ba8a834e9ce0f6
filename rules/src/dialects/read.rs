//! Reads the members of a JSON body, each with an error that names it.

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::checkout::money;
use crate::checkout::status::Status;
use crate::{Error, Result, validate};

pub type Object = Map<String, Value>;

/// A member that is neither missing nor null. Errors use its full path, such as `amount.value`; it is looked up by the
/// last name.
fn member<'a>(body: &'a Object, name: &str) -> Option<&'a Value> {
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

/// The total amount. There is no catalog yet in which to look up a product's price.
pub fn amount_without_catalog(body: &Object, name: &'static str, catalog: &[&'static str]) -> Result<Option<Decimal>> {
    let amount = decimal(body, name)?;
    match catalog.iter().find(|product| member(body, product).is_some()) {
        Some(product) if amount.is_none() => Err(Error::invalid(
            name,
            format!("is required with {product}: no catalog is configured that has its price"),
        )),
        _ => Ok(amount),
    }
}

/// A whole number; 5.0 is one.
pub fn integer(body: &Object, name: &'static str) -> Result<Option<i64>> {
    let Some(amount) = decimal(body, name)? else { return Ok(None) };
    let exact = amount.normalize();
    match i64::try_from(exact) {
        _ if exact.scale() != 0 => Err(Error::invalid(name, "must be an integer")),
        Ok(whole) => Ok(Some(whole)),
        Err(_) => Err(Error::invalid(name, "is out of range")),
    }
}

/// A whole number within bounds.
pub fn bounded_integer(body: &Object, name: &'static str, least: i32, most: i32) -> Result<Option<i32>> {
    let Some(number) = integer(body, name)? else { return Ok(None) };
    match i32::try_from(number) {
        Ok(number) => validate::in_range(name, number, least, most).map(Some),
        Err(_) if number > 0 && most == i32::MAX => Err(Error::invalid(name, "is out of range")),
        Err(_) => validate::in_range(name, if number < 0 { i32::MIN } else { i32::MAX }, least, most).map(Some),
    }
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
        return Decimal::from_scientific(text).map_err(|_| Error::invalid(name, "is out of range"));
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
        Value::String(text) => text.parse::<i32>().ok(),
        Value::Number(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
        _ => None,
    };
    let number = number.ok_or_else(|| Error::invalid(name, "must be an integer"))?;
    validate::in_range(name, number, least, most).map(Some)
}

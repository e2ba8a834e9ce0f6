//! Forms as bodies of PayGate's requests: the `stripe` client sends nothing else.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_qs::Config;

pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
/// More than any documented member has.
const DEEPEST: usize = 8;
/// The members that the dialect reads as numbers, or also as numbers. In a form everything is a text.
const NUMBERS: [&str; 2] = ["amount", "expires_at"];

/// The form as a JSON text. `None` if it is malformed. A number stays as it is written.
pub fn to_json(form: &str) -> Option<String> {
    let config = Config::new().max_depth(DEEPEST).use_form_encoding(true);
    let Form(mut members) = config.deserialize_str(form).ok()?;
    for name in NUMBERS {
        let Some(Value::String(text)) = members.get(name) else { continue };
        // What is no number stays a text, so that the dialect can say what is wrong with it.
        if text.parse::<Number>().is_ok() {
            // What is parsed is written in another way: 1e3 as 1e+3.
            let number = Number::from_string_unchecked(text.clone());
            members.insert(name.to_owned(), Value::Number(number));
        }
    }
    Some(Value::from(members).to_string())
}

struct Form(Map<String, Value>);

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Form;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a form")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut form: A) -> Result<Form, A::Error> {
        let mut members = Map::new();
        while let Some(name) = form.next_key::<String>()? {
            // Names in metadata are the caller's own: `metadata[0]` is no list.
            let value = match name.as_str() {
                "metadata" => Value::from(form.next_value::<Map<String, Value>>()?),
                _ => form.next_value()?,
            };
            members.insert(name, value);
        }
        Ok(Form(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_become_objects_and_lists() {
        for (form, json) in [
            ("", "{}"),
            (
                "amount=5000&currency=ghs&metadata[order]=1&payment_method_types[0]=card",
                r#"{"amount":5000,"currency":"ghs","metadata":{"order":"1"},"payment_method_types":["card"]}"#,
            ),
            ("line_items[0][price]=p&line_items[0][quantity]=2", r#"{"line_items":[{"price":"p","quantity":"2"}]}"#),
            ("metadata%5B7%5D=a+b&metadata[0]=%C3%A9", r#"{"metadata":{"0":"é","7":"a b"}}"#),
            ("expires_at=2026-01-01T00:00:00Z", r#"{"expires_at":"2026-01-01T00:00:00Z"}"#),
            ("expires_at=1705399200", r#"{"expires_at":1705399200}"#),
        ] {
            assert_eq!(to_json(form).as_deref(), Some(json), "{form}");
        }
    }

    #[test]
    fn an_amount_arrives_as_it_was_written() {
        for amount in ["5000", "50.00", "9007199254740993", "1e3", "-1", "123456789012345678901234567890.10"] {
            let expected = format!(r#"{{"amount":{amount}}}"#);
            assert_eq!(to_json(&format!("amount={amount}")), Some(expected));
        }
        for amount in ["", "ten", "0x10", "1,000", "007", "NaN"] {
            let expected = format!(r#"{{"amount":"{amount}"}}"#);
            assert_eq!(to_json(&format!("amount={amount}")), Some(expected), "the dialect refuses it");
        }
    }

    #[test]
    fn a_malformed_form_is_none() {
        for form in ["a[b=1", "a=1&a[b]=2", "a=%ff", "a[4000000000]=x"] {
            assert_eq!(to_json(form), None, "{form}");
        }
    }
}

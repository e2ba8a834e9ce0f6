//! Billing addresses.

use serde_json::{Map, Value};

use crate::validate::{self, SHORT_TEXT};
use crate::{Error, Result};

/// The members of an address, as Stripe and the page's autocomplete tokens have them.
const MEMBERS: [&str; 7] = ["name", "line1", "line2", "city", "state", "postal_code", "country"];

/// Checks the address of a buyer, and returns it without what says nothing. The country is required.
pub fn check(text: &str) -> Result<String> {
    let fault = |fault: String| Error::invalid("address", fault);
    let Ok(Value::Object(given)) = serde_json::from_str::<Value>(text) else {
        return Err(fault("must be a JSON object".into()));
    };
    let mut address = Map::new();
    for (name, value) in &given {
        if !MEMBERS.contains(&name.as_str()) {
            return Err(fault(format!("has a member that is not one of {}", MEMBERS.join(", "))));
        }
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.trim(),
            _ => return Err(fault(format!("{name} must be a text"))),
        };
        let Some(text) = validate::label(Some(text)) else { continue };
        validate::text("address", text, SHORT_TEXT)?;
        let text = match name.as_str() {
            "country" => {
                validate::country("address", text).map_err(|_| fault("country must be an ISO 3166-1 code".into()))?
            }
            _ => text,
        };
        address.insert(name.clone(), text.into());
    }
    if !address.contains_key("country") {
        return Err(fault("country is missing".into()));
    }
    Ok(Value::Object(address).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_country_and_known_members() {
        let address = check(r#"{"line1": " 1 Main St ", "line2": " ", "city": null, "country": "sn"}"#);
        assert_eq!(address.as_deref(), Ok(r#"{"country":"SN","line1":"1 Main St"}"#));
        for (text, message) in [
            ("[]", "must be a JSON object"),
            ("{}", "country is missing"),
            (r#"{"country": "XX"}"#, "country must be an ISO 3166-1 code"),
            (r#"{"country": "SN", "city": 1}"#, "city must be a text"),
            (
                r#"{"zip": "1"}"#,
                "has a member that is not one of name, line1, line2, city, state, postal_code, country",
            ),
        ] {
            assert_eq!(check(text), Err(Error::invalid("address", message)), "{text}");
        }
    }
}

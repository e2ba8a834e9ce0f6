//! The parameters of a query.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// In their order, decoded. NUL, which no text in the database can have, is replaced.
pub fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    form_urlencoded::parse(query.as_bytes()).map(move |(name, value)| (text(&name), text(&value)))
}

/// As an object. Of several values of a name the first one counts.
pub fn object(query: &str) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in parameters(query) {
        object.entry(name).or_insert_with(|| value.into());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_its_first_values_count() {
        let read = object("customer=a%2Bb+c%2F%C3%A9&limit=2&limit=3&n=%00&flag");
        let expected = r#"{"customer":"a+b c/é","flag":"","limit":"2","n":"�"}"#;
        assert_eq!(Value::from(read).to_string(), expected);
    }
}

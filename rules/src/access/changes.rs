//! What the log of administration says of a change: the settings that differ, with their values before and after.

use serde_json::{Map, Value, json};

/// Never in the log: secrets; what says nothing of a setting; and what the log has in columns of its own.
const LEFT_OUT: [&str; 14] = [
    "api_key",
    "secret",
    "previous_secret",
    "client_secret_key",
    "digest",
    "created_at",
    "created_by",
    "updated_at",
    "last_used_at",
    "organization_id",
    "environment",
    "api_key_id",
    "webhook_endpoint_id",
    "webhook_consumer_id",
];

/// The members of two objects that differ. What was made has no object before, and what was removed none after.
pub fn between(before: &Value, after: &Value) -> Value {
    let none = Map::new();
    let members = |value| Value::as_object(value).unwrap_or(&none).clone();
    let (before, after) = (members(before), members(after));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differing = names.into_iter().filter(|name| !LEFT_OUT.contains(&name.as_str())).filter_map(|name| {
        let (from, to) = (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null));
        (from != to).then(|| (name.clone(), json!({ "from": from, "to": to })))
    });
    Value::Object(differing.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_differs() {
        let before = json!({ "name": "Shop", "base_url": null, "retries": 3 });
        let after = json!({ "name": "Shop", "base_url": "https://shop.example", "retries": 5 });
        assert_eq!(
            between(&before, &after),
            json!({ "base_url": { "from": null, "to": "https://shop.example" }, "retries": { "from": 3, "to": 5 } })
        );
        assert_eq!(between(&after, &after), json!({}));
    }

    #[test]
    fn says_what_was_made_and_removed() {
        let row = json!({ "url": "https://shop.example", "description": null });
        assert_eq!(between(&Value::Null, &row), json!({ "url": { "from": null, "to": "https://shop.example" } }));
        assert_eq!(between(&row, &Value::Null), json!({ "url": { "from": "https://shop.example", "to": null } }));
    }

    #[test]
    fn keeps_secrets_and_times_out() {
        let before = json!({ "secret": "whsec_old", "api_key": null, "updated_at": "1" });
        let after = json!({ "secret": "whsec_new", "api_key": "sk_live_new", "updated_at": "2" });
        assert_eq!(between(&before, &after), json!({}));
    }
}

//! Yuno's API: `{currency, value}` in multiples of 0.0001, metadata as a list of keys and values, two hours, one payment.
//!
//! Source: "The Checkout Session Object" of Yuno, with the paths of its public reference. It documents the object only.
//! Errors are `{code, messages}`, as in Yuno's other operations.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::read::Object;
use super::write::{microseconds, number, to_text};
use super::{Create, Dialect, HttpRequest, HttpResponse, Lookup, Operation, Route, Scenario, read};
use crate::checkout::order::Order;
use crate::checkout::policy::Policy;
use crate::checkout::view::SessionView;
use crate::{Error, Result};

/// The most entries of metadata.
const MOST_ENTRIES: usize = 50;

pub const DIALECT: Dialect = Dialect {
    name: "yuno",
    policy: Policy {
        customer_required: false,
        lifetime: Policy::fixed(TimeDelta::hours(2)),
        sub_minor_amounts: Some(true),
        ..Policy::STANDARD
    },
    routes: &[
        Route {
            method: "POST",
            path: "/v1/checkout/sessions",
            operation: Operation::Create { read: create, answer: created },
            publishable: false,
            body: &[
                "amount",
                "amount.currency",
                "amount.value",
                "customer_id",
                "merchant_order_id",
                "payment_description",
                "callback_url",
                "country",
                "metadata",
                "metadata.key",
                "metadata.value",
            ],
            query: &[],
        },
        Route {
            method: "GET",
            path: "/v1/checkout/sessions/:checkout_session",
            operation: Operation::Get { read: retrieve, answer: found },
            publishable: false,
            body: &[],
            query: &[],
        },
        Route {
            method: "GET",
            path: "/v1/checkout/sessions/:checkout_session/payment-methods",
            operation: Operation::Get { read: retrieve, answer: payment_methods },
            publishable: false,
            body: &[],
            query: &[],
        },
    ],
    id: |id| id.to_string(),
    arguments: &[
        ("currency_code", "amount.currency"),
        ("amount", "amount.value"),
        ("reference", "merchant_order_id"),
        ("description", "payment_description"),
        ("success_url", "callback_url"),
    ],
    session,
    // Its document names no events.
    events: &[],
    error,
    sentence: |_| None,
};

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Create<'a>> {
    let body = request.body()?;
    let amount = read::required("amount", read::object(body, "amount")?)?;
    let currency = read::required("amount.currency", read::bounded_text(amount, "amount.currency", 3, 3)?)?;
    let value = read::required("amount.value", read::decimal(amount, "amount.value")?)?;
    let value = read::without_noise(value, currency);
    if value.normalize().scale() > 4 {
        return Err(Error::invalid("amount.value", "must be a multiple of 0.0001"));
    }
    Ok(Create {
        order: Order {
            amount: Some(value),
            currency_code: Some(currency),
            customer_id: read::bounded_text(body, "customer_id", 36, 64)?,
            reference: Some(read::required_label(
                "merchant_order_id",
                read::bounded_text(body, "merchant_order_id", 3, 255)?,
            )?),
            description: read::bounded_text(body, "payment_description", 3, 255)?,
            success_url: read::bounded_text(body, "callback_url", 3, 526)?,
            country: Some(read::required("country", read::bounded_text(body, "country", 2, 2)?)?),
            ..Order::default()
        },
        metadata: read_metadata(body)?,
        idempotency_key: None,
        scenario: Scenario::of_headers(request.headers)?,
    })
}

/// `[{"key": "age", "value": "28"}]` is kept as `{"age": "28"}`.
fn read_metadata(body: &Object) -> Result<Option<Object>> {
    let Some(value) = read::member(body, "metadata") else { return Ok(None) };
    let fault = |fault: &str| Error::invalid("metadata", fault);
    let entries = value.as_array().ok_or_else(|| fault("must be an array of objects"))?;
    if entries.len() > MOST_ENTRIES {
        return Err(fault("must have at most 50 objects"));
    }
    let mut metadata = Map::new();
    for entry in entries {
        let text = |name| entry.get(name).and_then(Value::as_str);
        let (Some(key), Some(value)) = (text("key"), text("value")) else {
            return Err(fault("must have objects with a key and a value, both strings"));
        };
        if metadata.insert(key.to_owned(), Value::from(value)).is_some() {
            return Err(fault("must not have a key twice"));
        }
    }
    Ok(Some(metadata))
}

fn retrieve<'a>(request: &'a HttpRequest<'a>) -> Result<Lookup<'a>> {
    Ok(Lookup::Id(read::session_id(request.parameter(0))?))
}

#[derive(Serialize)]
struct Session<'s> {
    checkout_session: Uuid,
    customer_id: Option<&'s str>,
    merchant_order_id: Option<&'s str>,
    payment_description: Option<&'s str>,
    callback_url: Option<&'s str>,
    country: Option<&'s str>,
    created_at: String,
    amount: Amount<'s>,
    metadata: Vec<Entry<'s>>,
}

#[derive(Serialize)]
struct Amount<'s> {
    currency: &'s str,
    value: Number,
}

#[derive(Serialize)]
struct Entry<'s> {
    key: &'s str,
    value: &'s Value,
}

#[derive(Serialize)]
struct PaymentMethods<'s> {
    checkout_session: Uuid,
    payment_methods: Vec<PaymentMethod<'s>>,
}

#[derive(Serialize)]
struct PaymentMethod<'s> {
    r#type: &'s str,
}

impl<'s> Session<'s> {
    fn new(session: &'s SessionView) -> Self {
        Self {
            checkout_session: session.checkout_session_id,
            customer_id: session.customer_id.as_deref(),
            merchant_order_id: session.reference.as_deref(),
            payment_description: session.description.as_deref(),
            callback_url: session.success_url.as_deref(),
            country: session.country.as_deref(),
            created_at: microseconds(session.created_at),
            amount: Amount { currency: &session.currency_code, value: number(session.amount) },
            metadata: session.metadata.iter().map(|(key, value)| Entry { key, value }).collect(),
        }
    }
}

fn session(session: &SessionView) -> String {
    to_text(&Session::new(session))
}

fn created(session: &SessionView) -> HttpResponse {
    HttpResponse::json(201, &Session::new(session))
}

fn found(session: &SessionView) -> HttpResponse {
    HttpResponse::json(200, &Session::new(session))
}

fn payment_methods(session: &SessionView) -> HttpResponse {
    let payment_methods = session.payment_methods.iter().map(|name| PaymentMethod { r#type: name }).collect();
    HttpResponse::json(200, &PaymentMethods { checkout_session: session.checkout_session_id, payment_methods })
}

fn error(status: u16, message: &str) -> String {
    #[derive(Serialize)]
    struct Body<'m> {
        code: &'static str,
        messages: [&'m str; 1],
    }
    let code = match status {
        401 => "INVALID_CREDENTIALS",
        403 => "FORBIDDEN",
        404 => "CHECKOUT_SESSION_NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        409 => "CONFLICT",
        500.. => "INTERNAL_ERROR",
        _ => "INVALID_REQUEST",
    };
    to_text(&Body { code, messages: [message] })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialects::testing;

    const PATH: &str = "/v1/checkout/sessions";

    fn body(members: Value) -> Value {
        let mut body = json!({
            "customer_id": "9104911d-5df9-429e-8488-ad41abea1a4b", "merchant_order_id": "1234",
            "payment_description": "Purchase in Pepito market", "callback_url": "https://www.company.com/customer_1231324",
            "country": "CO", "amount": {"currency": "COP", "value": 23.5676}, "metadata": [{"key": "age", "value": "28"}]
        });
        if let (Some(body), Value::Object(members)) = (body.as_object_mut(), members) {
            body.extend(members);
        }
        body
    }

    #[test]
    fn the_documented_attributes_are_read() {
        testing::created(&DIALECT, PATH, json!({}), body(json!({})), |create| {
            let order = create.order;
            assert_eq!(order.amount.map(|amount| amount.to_string()), Some("23.5676".into()));
            assert_eq!((order.currency_code, order.country), (Some("COP"), Some("CO")));
            assert_eq!(order.customer_id, Some("9104911d-5df9-429e-8488-ad41abea1a4b"));
            assert_eq!((order.reference, order.description), (Some("1234"), Some("Purchase in Pepito market")));
            assert_eq!(order.success_url, Some("https://www.company.com/customer_1231324"));
            assert_eq!(create.metadata, json!({"age": "28"}).as_object().cloned());
        });
    }

    #[test]
    fn the_documented_object_has_its_attributes_in_their_order() {
        let shown = SessionView::with(json!({
            "checkout_session_id": "9104911d-5df9-429e-8488-ad41abea1a4b", "customer_id": "9104911d-5df9-429e-8488-ad41abea1a4b",
            "reference": "1234", "description": "Purchase in Pepito market", "country": "CO",
            "success_url": "https://www.company.com/customer_1231324", "created_at": "2022-05-09T20:46:54.786342+00:00",
            "amount": 23.5676, "currency_code": "COP", "metadata": {"age": "28"}
        }));
        let object = r#"{"checkout_session":"9104911d-5df9-429e-8488-ad41abea1a4b","customer_id":"9104911d-5df9-429e-8488-ad41abea1a4b","merchant_order_id":"1234","payment_description":"Purchase in Pepito market","callback_url":"https://www.company.com/customer_1231324","country":"CO","created_at":"2022-05-09T20:46:54.786342Z","amount":{"currency":"COP","value":23.5676},"metadata":[{"key":"age","value":"28"}]}"#;
        assert_eq!(session(&shown), object);
        let created = created(&shown);
        assert_eq!((created.status, created.body.as_str()), (201, object));
        let methods = payment_methods(&shown);
        assert_eq!(
            methods.body,
            r#"{"checkout_session":"9104911d-5df9-429e-8488-ad41abea1a4b","payment_methods":[{"type":"bank_transfer"},{"type":"payid"}]}"#
        );
        let whole = SessionView::with(json!({"created_at": "2022-05-09T20:46:54+00:00"}));
        assert!(session(&whole).contains(r#""created_at":"2022-05-09T20:46:54.000000Z""#), "27 characters, always");
    }

    #[test]
    fn bounds_are_the_documented_ones() {
        let metadata =
            |count: usize| (0..count).map(|at| json!({"key": at.to_string(), "value": "v"})).collect::<Vec<_>>();
        for members in [
            json!({"customer_id": null, "metadata": null}),
            json!({"amount": {"currency": "USD", "value": 0.0001}}),
            json!({"amount": {"currency": "cop", "value": 23.567600000000002}}),
            json!({"merchant_order_id": "a".repeat(255)}),
            json!({"metadata": metadata(50)}),
        ] {
            testing::created(&DIALECT, PATH, json!({}), body(members), |_| ());
        }
        for (members, message) in [
            (json!({"amount": null}), "amount is required"),
            (json!({"amount": 5}), "amount must be an object"),
            (json!({"amount": {"currency": "USD"}}), "amount.value is required"),
            (json!({"amount": {"currency": "USD", "value": 0.00001}}), "amount.value must be a multiple of 0.0001"),
            (json!({"amount": {"value": 1}}), "amount.currency is required"),
            (json!({"amount": {"value": 1, "currency": "US"}}), "amount.currency must have 3 characters"),
            (json!({"amount": {"value": "1", "currency": "USD"}}), "amount.value must be a number"),
            (json!({"country": null}), "country is required"),
            (json!({"country": "COL"}), "country must have 2 characters"),
            (json!({"customer_id": "1"}), "customer_id must have between 36 and 64 characters"),
            (json!({"merchant_order_id": "12"}), "merchant_order_id must have between 3 and 255 characters"),
            (json!({"merchant_order_id": null}), "merchant_order_id is required"),
            (json!({"merchant_order_id": "   "}), "merchant_order_id is required"),
            (json!({"payment_description": "ab"}), "payment_description must have between 3 and 255 characters"),
            (json!({"callback_url": "a".repeat(527)}), "callback_url must have between 3 and 526 characters"),
            (json!({"metadata": {"age": "28"}}), "metadata must be an array of objects"),
            (json!({"metadata": metadata(51)}), "metadata must have at most 50 objects"),
            (
                json!({"metadata": [{"key": "age", "value": 28}]}),
                "metadata must have objects with a key and a value, both strings",
            ),
            (
                json!({"metadata": [{"key": "a", "value": ""}, {"key": "a", "value": ""}]}),
                "metadata must not have a key twice",
            ),
        ] {
            let refused = testing::refused(&DIALECT, "POST", PATH, json!({}), body(members));
            assert_eq!(refused, (400, format!(r#"{{"code":"INVALID_REQUEST","messages":["{message}"]}}"#)));
        }
    }
}

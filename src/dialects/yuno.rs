//! Yuno's API: `{currency, value}` in multiples of 0.0001, metadata as a list of keys and values, two hours, one payment.
//!
//! Source: "The Checkout Session Object" of Yuno, with the paths of its public reference. It documents the object only;
//! errors are `{code, messages}`, as in Yuno's other operations.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::read::Object;
use super::write::{microseconds, number, to_text};
use super::{Api, Create, HttpRequest, HttpResponse, Lookup, Operation, Outcome, Route, Scenario, read};
use crate::domain::policy::Policy;
use crate::domain::session::Request;
use crate::domain::view::SessionView;
use crate::domain::{Error, Result};

/// Of metadata.
const MOST_ENTRIES: usize = 50;

pub const API: Api = Api {
    name: "yuno",
    policy: Policy {
        customer_required: false,
        lifetime: Policy::fixed(TimeDelta::hours(2)),
        sub_minor_amounts: Some(true),
        ..Policy::STANDARD
    },
    routes: &[
        Route { method: "POST", path: "/v1/checkout/sessions", read: create, publishable: false },
        Route { method: "GET", path: "/v1/checkout/sessions/:checkout_session", read: retrieve, publishable: false },
        Route {
            method: "GET",
            path: "/v1/checkout/sessions/:checkout_session/payment-methods",
            read: payment_methods,
            publishable: false,
        },
    ],
    arguments: &[
        ("currency_code", "amount.currency"),
        ("amount", "amount.value"),
        ("reference", "merchant_order_id"),
        ("description", "payment_description"),
        ("success_url", "callback_url"),
    ],
    answer,
    session,
    error,
};

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    let body = request.body()?;
    let amount = read::required("amount", read::object(body, "amount")?)?;
    let currency = read::required("amount.currency", read::bounded_text(amount, "currency", 3, 3)?)?;
    let value = read::required("amount.value", read::decimal(amount, "value")?)?;
    if value.normalize().scale() > 4 {
        return Err(Error::invalid("amount.value", "must be a multiple of 0.0001"));
    }
    Ok(Operation::Create(Box::new(Create {
        request: Request {
            amount: Some(value),
            currency_code: Some(currency),
            customer_id: read::bounded_text(body, "customer_id", 36, 64)?,
            reference: Some(read::required("merchant_order_id", read::bounded_text(body, "merchant_order_id", 3, 255)?)?),
            description: read::bounded_text(body, "payment_description", 3, 255)?,
            success_url: read::bounded_text(body, "callback_url", 3, 526)?,
            country: Some(read::required("country", read::bounded_text(body, "country", 2, 2)?)?),
            ..Request::default()
        },
        metadata: read_metadata(body)?,
        idempotency_key: None,
        scenario: Scenario::of(request)?,
    })))
}

/// `[{"key": "age", "value": "28"}]` is kept as `{"age": "28"}`.
fn read_metadata(body: &Object) -> Result<Option<Object>> {
    let Some(value) = body.get("metadata").filter(|value| !value.is_null()) else { return Ok(None) };
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

fn retrieve<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    Ok(Operation::Get(Lookup::Id(read::session_id(request.parameter(0))?)))
}

fn payment_methods<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    Ok(Operation::PaymentMethods(read::session_id(request.parameter(0))?))
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

fn answer(outcome: &Outcome) -> HttpResponse {
    match outcome {
        Outcome::Created { session, .. } => HttpResponse::json(201, &Session::new(session)),
        Outcome::Found(session) => HttpResponse::json(200, &Session::new(session)),
        Outcome::PaymentMethods(session) => {
            let payment_methods = session.payment_methods.iter().map(|name| PaymentMethod { r#type: name }).collect();
            let checkout_session = session.checkout_session_id;
            HttpResponse::json(200, &PaymentMethods { checkout_session, payment_methods })
        }
        Outcome::Listed { .. } => unreachable!("the API has no such operation"),
    }
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

//! The kobo API: whole kobo, secret and public keys, one attempt, 30 minutes.
//!
//! Source: "Checkout Sessions" of kobo. It documents no answers and no errors. They have the envelope
//! `{status, message, data}` of APIs with an `initialize` and a `verify` operation. Verify is documented without a
//! path: here it is beside initialize, and takes a reference or an id.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::write::{minor_units, seconds, to_text};
use super::{Create, Dialect, HttpRequest, HttpResponse, Lookup, Operation, Route, Scenario, read};
use crate::checkout::order::Order;
use crate::checkout::policy::Policy;
use crate::checkout::status::Status;
use crate::checkout::view::SessionView;
use crate::{Error, Result};

const CURRENCY: &str = "NGN";
/// NGN 1.00
const LEAST_AMOUNT: i64 = 100;

pub const DIALECT: Dialect = Dialect {
    name: "kobo",
    policy: Policy {
        lifetime: Policy::fixed(TimeDelta::minutes(30)),
        // "A checkout session represents a single payment attempt."
        max_retry_attempts: Some(0),
        ..Policy::STANDARD
    },
    routes: &[
        Route {
            method: "POST",
            path: "/v1/checkout/session/initialize",
            operation: Operation::Create { read: initialize, answer: initialized },
            publishable: true,
            body: &["amount", "email", "customer_name", "reference", "callback_url", "payment_methods", "metadata"],
            query: &[],
        },
        Route {
            method: "GET",
            path: "/v1/checkout/session/verify/:reference",
            operation: Operation::Get { read: verify, answer: verified },
            publishable: false,
            body: &[],
            query: &[],
        },
    ],
    id: |id| id.to_string(),
    arguments: &[("customer_email", "email"), ("success_url", "callback_url")],
    session,
    // Its document names no events.
    events: &[],
    error,
    sentence: |_| None,
};

fn initialize<'a>(request: &'a HttpRequest<'a>) -> Result<Create<'a>> {
    let body = request.body()?;
    let amount = read::required("amount", read::minor_units(body, "amount", CURRENCY.parse()?)?)?;
    if amount < Decimal::new(LEAST_AMOUNT, 2) {
        return Err(Error::invalid("amount", format!("must be at least {LEAST_AMOUNT} kobo (NGN 1.00)")));
    }
    Ok(Create {
        order: Order {
            amount: Some(amount),
            currency_code: Some(CURRENCY),
            customer_email: Some(read::required("email", read::text(body, "email")?)?),
            customer_name: read::text(body, "customer_name")?,
            reference: read::text(body, "reference")?,
            success_url: read::text(body, "callback_url")?,
            payment_methods: read::texts(body, "payment_methods")?,
            ..Order::default()
        },
        metadata: read::object(body, "metadata")?.cloned(),
        idempotency_key: None,
        scenario: Scenario::of_headers(request.headers)?,
    })
}

fn verify<'a>(request: &'a HttpRequest<'a>) -> Result<Lookup<'a>> {
    Ok(Lookup::IdOrReference(request.parameter(0)))
}

#[derive(Serialize)]
struct Session<'s> {
    id: Uuid,
    reference: Option<&'s str>,
    status: &'static str,
    amount: Number,
    currency: &'s str,
    email: Option<&'s str>,
    customer_name: &'s str,
    payment_methods: &'s [String],
    callback_url: Option<&'s str>,
    checkout_url: Option<&'s str>,
    metadata: &'s Map<String, Value>,
    expires_at: String,
    paid_at: Option<String>,
    created_at: String,
}

impl<'s> Session<'s> {
    fn new(session: &'s SessionView) -> Self {
        Self {
            id: session.checkout_session_id,
            reference: session.reference.as_deref(),
            status: match session.status {
                Status::Open => "active",
                Status::Complete => "completed",
                Status::Failed => "failed",
                Status::Expired => "expired",
            },
            amount: minor_units(session),
            currency: &session.currency_code,
            email: session.customer_email.as_deref(),
            // "displayed in the dashboard instead of "Anonymous""
            customer_name: session.customer_name.as_deref().unwrap_or("Anonymous"),
            payment_methods: &session.payment_methods,
            callback_url: session.success_url.as_deref(),
            checkout_url: session.url.as_deref(),
            metadata: &session.metadata,
            expires_at: seconds(session.expires_at),
            paid_at: session.completed_at.map(seconds),
            created_at: seconds(session.created_at),
        }
    }
}

#[derive(Serialize)]
struct Envelope<'m, D> {
    status: bool,
    message: &'m str,
    data: Option<D>,
}

fn session(session: &SessionView) -> String {
    to_text(&Session::new(session))
}

fn initialized(session: &SessionView) -> HttpResponse {
    answer("Checkout session initialized", session)
}

fn verified(session: &SessionView) -> HttpResponse {
    answer("Checkout session retrieved", session)
}

fn answer(message: &str, session: &SessionView) -> HttpResponse {
    HttpResponse::json(200, &Envelope { status: true, message, data: Some(Session::new(session)) })
}

fn error(_status: u16, message: &str) -> String {
    to_text(&Envelope::<()> { status: false, message, data: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialects::testing;

    const INITIALIZE: &str = "/v1/checkout/session/initialize";

    #[test]
    fn amounts_are_kobo() {
        for (kobo, naira) in [(100, "1.00"), (10_000, "100.00"), (500_000, "5000.00"), (100_000_000, "1000000.00")] {
            let body = json!({"amount": kobo, "email": "ada@example.com"});
            testing::created(&DIALECT, INITIALIZE, json!({}), body, |create| {
                assert_eq!(create.order.amount.map(|amount| amount.to_string()), Some(naira.into()));
                assert_eq!(create.order.currency_code, Some("NGN"));
            });
            let session =
                SessionView::with(json!({"amount": naira.parse::<f64>().expect("a number"), "currency_code": "NGN"}));
            assert_eq!(minor_units(&session).to_string(), kobo.to_string());
        }
    }

    #[test]
    fn every_documented_parameter_is_read() {
        let body = json!({
            "amount": 500000, "email": "ada@example.com", "customer_name": "Ada", "reference": "ORD-4521",
            "callback_url": "https://example.com/paid", "payment_methods": ["payid"],
            "metadata": {"order_id": "ORD-4521", "plan": "premium", "customer_id": "cust_abc123"}
        });
        testing::created(&DIALECT, INITIALIZE, json!({}), body, |create| {
            let order = create.order;
            assert_eq!(order.customer_email, Some("ada@example.com"));
            assert_eq!(order.customer_name, Some("Ada"));
            assert_eq!(order.reference, Some("ORD-4521"));
            assert_eq!(order.success_url, Some("https://example.com/paid"));
            assert_eq!(order.payment_methods, Some(vec![Some("payid".to_owned())]));
            assert_eq!(create.metadata.map(|metadata| metadata.len()), Some(3));
        });
    }

    #[test]
    fn faults_are_named_in_the_words_of_the_api() {
        for (body, message) in [
            (json!({"email": "ada@example.com"}), "amount is required"),
            (json!({"amount": 99, "email": "ada@example.com"}), "amount must be at least 100 kobo (NGN 1.00)"),
            (json!({"amount": -100, "email": "ada@example.com"}), "amount must be at least 100 kobo (NGN 1.00)"),
            (json!({"amount": 100.5, "email": "ada@example.com"}), "amount must be an integer"),
            (json!({"amount": 1e17, "email": "ada@example.com"}), "amount must be less than 100000000000000000"),
            (json!({"amount": 100}), "email is required"),
            (
                json!({"amount": 100, "email": "ada@example.com", "payment_methods": "payid"}),
                "payment_methods must be an array of strings",
            ),
        ] {
            let refused = testing::refused(&DIALECT, "POST", INITIALIZE, json!({}), body);
            assert_eq!(refused, (400, format!(r#"{{"status":false,"message":"{message}","data":null}}"#)));
        }
    }

    #[test]
    fn statuses_are_the_documented_ones() {
        for (status, shown) in
            [("open", "active"), ("complete", "completed"), ("failed", "failed"), ("expired", "expired")]
        {
            let found = verified(&SessionView::with(json!({"status": status})));
            assert!(found.body.contains(&format!(r#""status":"{shown}""#)), "{}", found.body);
            assert!(found.body.starts_with(r#"{"status":true,"message":"Checkout session retrieved","data":{"id":"#));
        }
    }

    #[test]
    fn verify_takes_a_reference_or_an_id() {
        let lookup = |path| testing::looked_up(&DIALECT, path);
        assert_eq!(lookup("/v1/checkout/session/verify/ORD-4521"), Ok("ORD-4521".to_owned()));
        let id = "987e6543-e89b-12d3-a456-426614174000";
        assert_eq!(lookup(&format!("/v1/checkout/session/verify/{id}")), Ok(id.to_owned()));
    }
}

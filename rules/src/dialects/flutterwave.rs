//! Flutterwave's API: an envelope, decimals, references that are used once, minutes.
//!
//! Source: Flutterwave v4, `POST /checkout/sessions`. It has this operation only, and documents one form of errors: the
//! envelope with the status `failed`. A session without a lifetime of its own lives for an hour, which is not
//! documented.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Number;
use uuid::Uuid;

use super::write::{number, seconds, to_text};
use super::{Create, Dialect, HttpRequest, HttpResponse, Operation, Route, Scenario, read};
use crate::checkout::lifetime::Lifetime;
use crate::checkout::order::Order;
use crate::checkout::policy::Policy;
use crate::checkout::reference::ReferencePolicy;
use crate::checkout::view::SessionView;
use crate::{Error, Result};

pub const DIALECT: Dialect = Dialect {
    name: "flutterwave",
    policy: Policy {
        customer_required: false,
        lifetime: Some(Lifetime {
            default: TimeDelta::minutes(60),
            minimum: TimeDelta::minutes(LEAST_DURATION as i64),
            maximum: TimeDelta::minutes(MOST_DURATION as i64),
        }),
        max_retry_attempts: Some(3),
        // "This must be unique across all your transactions."
        reference_policy: Some(ReferencePolicy::Unique),
        ..Policy::STANDARD
    },
    routes: &[Route {
        method: "POST",
        path: "/checkout/sessions",
        operation: Operation::Create { read: create, answer: created },
        publishable: false,
        body: &[
            "amount",
            "currency",
            "customer_id",
            "redirect_url",
            "reference",
            "session_duration",
            "max_retry_attempts",
        ],
        query: &[],
    }],
    id: |id| id.to_string(),
    arguments: &[
        ("currency_code", "currency"),
        ("success_url", "redirect_url"),
        ("expires_in", "session_duration"),
        ("idempotency_key", "X-Idempotency-Key"),
        ("trace_id", "X-Trace-Id"),
    ],
    session,
    // Its document names no events.
    events: &[],
    error,
    sentence: |_| None,
};

/// The bounds of a duration, in minutes.
const LEAST_DURATION: i32 = 5;
const MOST_DURATION: i32 = 2_880;

/// The documented currencies, withdrawn ones among them.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA AQD ARS AUD AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYR BZD CAD CDF \
    CHF CLP CNY COP CRC CUP CVE CYP CZK DJF DKK DOP DZD ECS EEK EGP ETB EUR FJD FKP GBP GEL GGP GHS GIP GMD \
    GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT \
    LAK LBP LKR LRD LSL LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MRO MTL MUR MVR MWK MXN MYR MZN NAD NGN NIO \
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SKK SLL SOS SRD \
    STD SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VEF VND VUV XAF XCD XOF XPF YER \
    ZAR ZMK ZWD ZMW";

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Create<'a>> {
    let body = request.body()?;
    let amount = read::required("amount", read::decimal(body, "amount")?)?;
    let currency = read::text(body, "currency")?;
    let amount = read::without_noise(amount, currency.unwrap_or_default());
    if amount < Decimal::new(1, 2) {
        return Err(Error::invalid("amount", "must be at least 0.01"));
    }
    let currency = read::required("currency", currency)?;
    if !CURRENCIES.split(' ').any(|known| known.eq_ignore_ascii_case(currency)) {
        return Err(Error::invalid("currency", "is not a supported currency"));
    }
    let reference = read::bounded_text(body, "reference", 6, 42)?;
    if reference.is_some_and(|text| !text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')) {
        return Err(Error::invalid("reference", "must have letters, digits and hyphens only"));
    }
    let minutes = read::bounded_integer(body, "session_duration", LEAST_DURATION, MOST_DURATION)?;
    Ok(Create {
        order: Order {
            amount: Some(amount),
            currency_code: Some(currency),
            customer_id: read::text(body, "customer_id")?,
            success_url: read::text(body, "redirect_url")?,
            reference,
            max_retry_attempts: read::bounded_integer(body, "max_retry_attempts", 0, 10)?,
            expires_in: minutes.map(|minutes| TimeDelta::minutes(minutes.into())),
            trace_id: request.bounded_header("X-Trace-Id", 12, 255)?,
            ..Order::default()
        },
        metadata: None,
        idempotency_key: request.bounded_header("X-Idempotency-Key", 12, 255)?,
        scenario: Scenario::of_headers(request.headers)?,
    })
}

#[derive(Serialize)]
struct Session<'s> {
    id: Uuid,
    amount: Number,
    currency: &'s str,
    customer_id: Option<&'s str>,
    checkout_url: Option<&'s str>,
    redirect_url: Option<&'s str>,
    reference: Option<&'s str>,
    created_datetime: String,
    max_retry_attempts: i32,
    session_duration: i64,
}

impl<'s> Session<'s> {
    fn new(session: &'s SessionView) -> Self {
        Self {
            id: session.checkout_session_id,
            amount: number(session.amount),
            currency: &session.currency_code,
            customer_id: session.customer_id.as_deref(),
            checkout_url: session.url.as_deref(),
            redirect_url: session.success_url.as_deref(),
            reference: session.reference.as_deref(),
            created_datetime: seconds(session.created_at),
            max_retry_attempts: session.max_retry_attempts,
            session_duration: (session.expires_at - session.created_at).num_minutes(),
        }
    }
}

#[derive(Serialize)]
struct Envelope<'m, D> {
    status: &'static str,
    message: &'m str,
    data: Option<D>,
}

fn session(session: &SessionView) -> String {
    to_text(&Session::new(session))
}

fn created(session: &SessionView) -> HttpResponse {
    let message = "Checkout session created";
    HttpResponse::json(200, &Envelope { status: "success", message, data: Some(Session::new(session)) })
}

fn error(_status: u16, message: &str) -> String {
    to_text(&Envelope::<()> { status: "failed", message, data: None })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::checkout::money::Currency;
    use crate::dialects::testing;

    const PATH: &str = "/checkout/sessions";

    fn body(members: Value) -> Value {
        let mut body = json!({
            "amount": 12.34, "currency": "NGN", "customer_id": "cus_1", "redirect_url": "https://example.com/paid",
            "reference": "order-4521", "max_retry_attempts": 3, "session_duration": 1442
        });
        if let (Some(body), Value::Object(members)) = (body.as_object_mut(), members) {
            body.extend(members);
        }
        body
    }

    #[test]
    fn the_documented_request_is_read() {
        let headers =
            json!({"x-trace-id": "trace-123456", "x-idempotency-key": "key-12345678", "x-scenario-key": "complete"});
        testing::created(&DIALECT, PATH, headers, body(json!({})), |create| {
            let order = create.order;
            assert_eq!(order.amount.map(|amount| amount.to_string()), Some("12.34".into()));
            assert_eq!((order.currency_code, order.customer_id), (Some("NGN"), Some("cus_1")));
            assert_eq!((order.success_url, order.reference), (Some("https://example.com/paid"), Some("order-4521")));
            assert_eq!(order.max_retry_attempts, Some(3));
            assert_eq!(order.expires_in, Some(TimeDelta::minutes(1442)));
            assert_eq!((order.trace_id, create.idempotency_key), (Some("trace-123456"), Some("key-12345678")));
            assert_eq!(create.scenario, Some(Scenario::Complete));
        });
    }

    #[test]
    fn the_documented_answer_has_its_fields_in_their_order() {
        let session = SessionView::with(json!({
            "amount": 12.34, "currency_code": "NGN", "customer_id": "cus_1", "url": "https://pay.example/1",
            "success_url": "https://example.com/paid", "reference": "order-4521",
            "created_at": "2023-11-07T05:31:56+00:00", "expires_at": "2023-11-08T05:33:56+00:00"
        }));
        let answer = created(&session);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (
                200,
                r#"{"status":"success","message":"Checkout session created","data":{"id":"987e6543-e89b-12d3-a456-426614174000","amount":12.34,"currency":"NGN","customer_id":"cus_1","checkout_url":"https://pay.example/1","redirect_url":"https://example.com/paid","reference":"order-4521","created_datetime":"2023-11-07T05:31:56Z","max_retry_attempts":3,"session_duration":1442}}"#
            )
        );
    }

    #[test]
    fn all_160_currencies_are_known() {
        let codes: Vec<_> = CURRENCIES.split(' ').filter(|code| !code.is_empty()).collect();
        assert_eq!(codes.len(), 160);
        for code in codes {
            assert!(Currency::parse("currency", code).is_ok(), "{code}");
        }
    }

    #[test]
    fn bounds_are_the_documented_ones() {
        let ok = |members| testing::created(&DIALECT, PATH, json!({}), body(members), |_| ());
        for members in [
            json!({"amount": 0.01}),
            json!({"amount": 0.009_999_999_999_999_998}),
            json!({"currency": "ngn"}),
            json!({"reference": "abcdef"}),
            json!({"reference": "a".repeat(42)}),
            json!({"max_retry_attempts": 0}),
            json!({"max_retry_attempts": 10}),
            json!({"session_duration": 5}),
            json!({"session_duration": 2880}),
        ] {
            ok(members);
        }
        for (members, message) in [
            (json!({"amount": 0.009}), "amount must be at least 0.01"),
            (json!({"amount": "12"}), "amount must be a number"),
            (json!({"amount": null}), "amount is required"),
            (json!({"currency": "BYN"}), "currency is not a supported currency"),
            (json!({"currency": ""}), "currency is not a supported currency"),
            (json!({"reference": "abcde"}), "reference must have between 6 and 42 characters"),
            (json!({"reference": "a".repeat(43)}), "reference must have between 6 and 42 characters"),
            (json!({"reference": "order_4521"}), "reference must have letters, digits and hyphens only"),
            (json!({"max_retry_attempts": 11}), "max_retry_attempts must be between 0 and 10"),
            (json!({"max_retry_attempts": -1}), "max_retry_attempts must be between 0 and 10"),
            (json!({"session_duration": 4}), "session_duration must be between 5 and 2880"),
            (json!({"session_duration": 2881}), "session_duration must be between 5 and 2880"),
        ] {
            let refused = testing::refused(&DIALECT, "POST", PATH, json!({}), body(members));
            assert_eq!(refused, (400, format!(r#"{{"status":"failed","message":"{message}","data":null}}"#)));
        }
        for (name, least, most) in
            [("x-trace-id", 12, 255), ("x-idempotency-key", 12, 255), ("x-scenario-key", 1, 1000)]
        {
            for length in [least - 1, most + 1] {
                let (status, _) =
                    testing::refused(&DIALECT, "POST", PATH, json!({name: "k".repeat(length)}), body(json!({})));
                assert_eq!(status, 400, "{name} of {length}");
            }
        }
    }
}

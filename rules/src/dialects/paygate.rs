//! The PayGate API: Stripe's shape, whole pesewas, ids `cs_...`.
//!
//! Source: "Checkout Sessions API" of PayGate. It documents no errors and no list. They have Stripe's shapes, because
//! its objects do: `{error: {type, message}}` and `{object: "list", data, has_more, url}`.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::write::{THREE_STATUSES_EVENTS, minor_units, seconds, three_statuses, to_text};
use super::{Create, Dialect, HttpRequest, HttpResponse, List, Lookup, Operation, Route, Scenario, read, time};
use crate::checkout::lifetime::{self, Lifetime};
use crate::checkout::money::Currency;
use crate::checkout::order::Order;
use crate::checkout::policy::Policy;
use crate::checkout::status::Status;
use crate::checkout::view::SessionView;
use crate::{Error, Result, validate};

const PATH: &str = "/v1/checkout/sessions";
const ID_PREFIX: &str = "cs_";
const DEFAULT_CURRENCY: &str = "GHS";

pub const DIALECT: Dialect = Dialect {
    name: "paygate",
    policy: Policy {
        customer_required: false,
        id_prefix: Some(ID_PREFIX),
        // The documented object lives for a day; no bounds are documented.
        lifetime: Some(Lifetime {
            default: TimeDelta::hours(24),
            minimum: lifetime::MINIMUM_LIFETIME,
            maximum: lifetime::MAXIMUM_LIFETIME,
        }),
        ..Policy::STANDARD
    },
    routes: &[
        Route {
            method: "POST",
            path: PATH,
            operation: Operation::Create { read: create, answer: found },
            publishable: false,
            body: &[
                "amount",
                "currency",
                "success_url",
                "cancel_url",
                "customer",
                "customer_email",
                "customer_phone",
                "payment_method_types",
                "expires_at",
                "metadata",
            ],
            query: &[],
        },
        Route {
            method: "GET",
            path: PATH,
            operation: Operation::List { read: list, answer: listed },
            publishable: false,
            body: &[],
            query: &["status", "customer", "payment", "starting_after", "limit"],
        },
        Route {
            method: "GET",
            path: "/v1/checkout/sessions/:id",
            operation: Operation::Get { read: retrieve, answer: found },
            publishable: false,
            body: &[],
            query: &[],
        },
        Route {
            method: "POST",
            path: "/v1/checkout/sessions/:id/expire",
            operation: Operation::Expire { read: expire, answer: found },
            publishable: false,
            body: &[],
            query: &[],
        },
    ],
    id,
    arguments: &[
        ("currency_code", "currency"),
        ("customer_id", "customer"),
        ("payment_methods", "payment_method_types"),
        ("page_size", "limit"),
    ],
    session,
    events: &THREE_STATUSES_EVENTS,
    error,
    sentence: |_| None,
};

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Create<'a>> {
    let body = request.body()?;
    let currency_code = read::text(body, "currency")?.unwrap_or(DEFAULT_CURRENCY);
    let currency = Currency::parse("currency", currency_code)?;
    Ok(Create {
        order: Order {
            amount: Some(read::required("amount", read::minor_units(body, "amount", currency)?)?),
            currency_code: Some(currency_code),
            success_url: Some(read::required("success_url", read::text(body, "success_url")?)?),
            cancel_url: Some(read::required("cancel_url", read::text(body, "cancel_url")?)?),
            customer_id: read::text(body, "customer")?,
            customer_email: read::text(body, "customer_email")?,
            customer_phone: read::text(body, "customer_phone")?,
            payment_methods: read::texts(body, "payment_method_types")?,
            expires_at: time::time(body, "expires_at")?,
            ..Order::default()
        },
        metadata: read::object(body, "metadata")?.cloned(),
        idempotency_key: None,
        scenario: Scenario::of_headers(request.headers)?,
    })
}

fn list<'a>(request: &'a HttpRequest<'a>) -> Result<List<'a>> {
    let query = request.query;
    Ok(List {
        status: read::text(query, "status")?.map_or(Ok(&[][..]), read::three_statuses)?,
        customer_id: read::text(query, "customer")?,
        payment_id: read::text(query, "payment")?,
        starting_after: read::text(query, "starting_after")?.map(cursor).transpose()?,
        page_size: read::query_integer(query, "limit", 1, validate::PAGE_SIZE)?.unwrap_or(10),
        page_offset: 0,
    })
}

/// A text that is no id is answered as the id of no session.
fn cursor(text: &str) -> Result<Uuid> {
    session_id(text).map_err(|_| Error::CursorNotFound { argument: "starting_after", what: "checkout session" })
}

fn retrieve<'a>(request: &'a HttpRequest<'a>) -> Result<Lookup<'a>> {
    Ok(Lookup::Id(session_id(request.parameter(0))?))
}

fn expire<'a>(request: &'a HttpRequest<'a>) -> Result<Uuid> {
    session_id(request.parameter(0))
}

fn id(id: Uuid) -> String {
    format!("{ID_PREFIX}{}", id.simple())
}

/// `cs_...`; or a UUID, because sessions that were not made through this API have one in their URLs.
fn session_id(text: &str) -> Result<Uuid> {
    read::session_id(text.strip_prefix(ID_PREFIX).unwrap_or(text))
        .map_err(|_| Error::NoSuchSession { id: text.to_owned() })
}

/// A session. One that has failed is over: expired, in the words of this DIALECT.
#[derive(Serialize)]
struct Session<'s> {
    id: String,
    object: &'static str,
    status: &'static str,
    url: Option<&'s str>,
    amount: Number,
    currency: &'s str,
    payment: Option<&'s str>,
    payment_status: &'static str,
    customer: Option<&'s str>,
    customer_email: Option<&'s str>,
    success_url: Option<&'s str>,
    cancel_url: Option<&'s str>,
    metadata: &'s Map<String, Value>,
    expires_at: String,
    created_at: String,
}

impl<'s> Session<'s> {
    fn new(session: &'s SessionView) -> Self {
        Self {
            id: id(session.checkout_session_id),
            object: "checkout.session",
            status: three_statuses(session.status),
            url: session.url.as_deref(),
            amount: minor_units(session),
            currency: &session.currency_code,
            payment: session.payment_id.as_deref(),
            payment_status: if session.status == Status::Complete { "paid" } else { "unpaid" },
            customer: session.customer_id.as_deref(),
            customer_email: session.customer_email.as_deref(),
            success_url: session.success_url.as_deref(),
            cancel_url: session.cancel_url.as_deref(),
            metadata: &session.metadata,
            expires_at: seconds(session.expires_at),
            created_at: seconds(session.created_at),
        }
    }
}

fn session(session: &SessionView) -> String {
    to_text(&Session::new(session))
}

fn found(session: &SessionView) -> HttpResponse {
    HttpResponse::json(200, &Session::new(session))
}

fn listed(sessions: &[SessionView], more: bool) -> HttpResponse {
    #[derive(Serialize)]
    struct Page<'s> {
        object: &'static str,
        data: Vec<Session<'s>>,
        has_more: bool,
        url: &'static str,
    }
    let data = sessions.iter().map(Session::new).collect();
    HttpResponse::json(200, &Page { object: "list", data, has_more: more, url: PATH })
}

fn error(status: u16, message: &str) -> String {
    #[derive(Serialize)]
    struct Body<'m> {
        error: Fault<'m>,
    }
    #[derive(Serialize)]
    struct Fault<'m> {
        r#type: &'static str,
        message: &'m str,
    }
    let r#type = match status {
        401 => "authentication_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    to_text(&Body { error: Fault { r#type, message } })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialects::testing;

    fn body(members: Value) -> Value {
        let mut body = json!({
            "amount": 5000, "currency": "GHS",
            "success_url": "https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://yoursite.com/cancel", "customer_email": "customer@example.com",
            "metadata": {"order_id": "1234"}
        });
        if let (Some(body), Value::Object(members)) = (body.as_object_mut(), members) {
            body.extend(members);
        }
        body
    }

    #[test]
    fn the_documented_request_is_read() {
        testing::created(&DIALECT, PATH, json!({}), body(json!({})), |create| {
            let order = create.order;
            assert_eq!(order.amount.map(|amount| amount.to_string()), Some("50.00".into()));
            assert_eq!(order.success_url, Some("https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}"));
            assert_eq!(create.metadata, json!({"order_id": "1234"}).as_object().cloned());
        });
        testing::created(&DIALECT, PATH, json!({}), body(json!({"currency": null})), |create| {
            assert_eq!(create.order.currency_code, Some("GHS"), "the default");
        });
        let other = json!({
            "currency": "XOF", "customer": "cus_1", "customer_phone": "+233201234567", "payment_method_types": ["card"],
            "expires_at": "2024-01-16T10:00:00Z"
        });
        testing::created(&DIALECT, PATH, json!({}), body(other), |create| {
            let order = create.order;
            assert_eq!(order.amount.map(|amount| amount.to_string()), Some("5000".into()), "no smaller unit");
            assert_eq!((order.customer_id, order.customer_phone), (Some("cus_1"), Some("+233201234567")));
            assert_eq!(order.payment_methods, Some(vec![Some("card".to_owned())]));
            assert_eq!(order.expires_at.map(seconds), Some("2024-01-16T10:00:00Z".into()));
        });
        let stripe_s = json!({"currency": "ghs", "expires_at": 1_705_399_200});
        testing::created(&DIALECT, PATH, json!({}), body(stripe_s), |create| {
            assert_eq!(create.order.amount.map(|amount| amount.to_string()), Some("50.00".into()));
            assert_eq!(create.order.expires_at.map(seconds), Some("2024-01-16T10:00:00Z".into()));
        });
    }

    /// The documented object, except for its id, which is longer here.
    #[test]
    fn the_documented_object_has_its_fields_in_their_order() {
        let session = SessionView::with(json!({
            "amount": 50.00, "currency_code": "GHS", "customer_email": "customer@example.com",
            "url": "https://paygate.example/checkout/987e6543-e89b-12d3-a456-426614174000",
            "success_url": "https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://yoursite.com/cancel", "metadata": {"order_id": "1234"},
            "expires_at": "2024-01-16T10:00:00+00:00", "created_at": "2024-01-15T10:00:00+00:00"
        }));
        let object = r#"{"id":"cs_987e6543e89b12d3a456426614174000","object":"checkout.session","status":"open","url":"https://paygate.example/checkout/987e6543-e89b-12d3-a456-426614174000","amount":5000,"currency":"GHS","payment":null,"payment_status":"unpaid","customer":null,"customer_email":"customer@example.com","success_url":"https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}","cancel_url":"https://yoursite.com/cancel","metadata":{"order_id":"1234"},"expires_at":"2024-01-16T10:00:00Z","created_at":"2024-01-15T10:00:00Z"}"#;
        assert_eq!(super::session(&session), object);
        let created = found(&session);
        assert_eq!((created.status, created.body.as_str()), (200, object));
        let page = listed(&[session], true);
        assert_eq!(
            page.body,
            format!(r#"{{"object":"list","data":[{object}],"has_more":true,"url":"/v1/checkout/sessions"}}"#)
        );
        let paid = SessionView::with(json!({"status": "complete", "payment_id": "pay_1"}));
        let paid = found(&paid).body;
        assert!(
            paid.contains(r#""status":"complete""#) && paid.contains(r#""payment":"pay_1","payment_status":"paid""#)
        );
    }

    #[test]
    fn faults_are_named_in_the_words_of_the_api() {
        for (members, message) in [
            (json!({"amount": null}), "amount is required"),
            (json!({"amount": 50.5}), "amount must be an integer"),
            (json!({"currency": "cedi"}), "currency is not a supported ISO 4217 currency code"),
            (json!({"success_url": null}), "success_url is required"),
            (json!({"cancel_url": null}), "cancel_url is required"),
            (json!({"expires_at": "tomorrow"}), "expires_at must be an ISO 8601 timestamp"),
            (json!({"payment_method_types": [1]}), "payment_method_types must be an array of strings"),
        ] {
            let refused = testing::refused(&DIALECT, "POST", PATH, json!({}), body(members));
            let body = format!(r#"{{"error":{{"type":"invalid_request_error","message":"{message}"}}}}"#);
            assert_eq!(refused, (400, body));
        }
    }

    #[test]
    fn ids_begin_with_cs() {
        let id = "987e6543-e89b-12d3-a456-426614174000";
        assert_eq!(
            testing::looked_up(&DIALECT, "/v1/checkout/sessions/cs_987e6543e89b12d3a456426614174000"),
            Ok(id.into())
        );
        assert_eq!(
            testing::looked_up(&DIALECT, &format!("/v1/checkout/sessions/{id}")),
            Ok(id.into()),
            "of another API"
        );
        for text in ["cs_abc123def456", "cs_", "abc"] {
            let (status, body) =
                testing::looked_up(&DIALECT, &format!("/v1/checkout/sessions/{text}")).expect_err(text);
            let message = format!("checkout session {text} not found or access denied");
            assert_eq!(status, 404);
            assert_eq!(body, format!(r#"{{"error":{{"type":"invalid_request_error","message":"{message}"}}}}"#));
        }
    }

    #[test]
    fn lists_have_a_limit_of_1_to_100() {
        let listed = |query| testing::listed(&DIALECT, PATH, query);
        assert_eq!(listed(json!({"status": "complete", "limit": "10"})), Ok((vec![Status::Complete], 10, 0)));
        for query in [
            json!({"limit": "0"}),
            json!({"limit": "101"}),
            json!({"limit": "99999999999"}),
            json!({"starting_after": "cs_1"}),
            json!({"starting_after": ""}),
            json!({"status": "failed"}),
        ] {
            assert_eq!(listed(query.clone()).map_err(|(status, _)| status), Err(400), "{query}");
        }
    }
}

//! The PayGate API: Stripe's shape, whole pesewas, ids `cs_...`.
//!
//! Source: "Checkout Sessions API" of PayGate. It documents no errors and no list; they have Stripe's shapes, which its
//! objects have: `{error: {type, message, param}}` and `{object: "list", data, has_more, url}`.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::write::{minor_units, seconds, to_text};
use super::{Api, Create, HttpRequest, HttpResponse, List, Lookup, Operation, Outcome, Route, Scenario, read};
use crate::domain::money::{self, Currency};
use crate::domain::policy::Policy;
use crate::domain::session::Request;
use crate::domain::status::Status;
use crate::domain::time::{self, Lifetime};
use crate::domain::view::SessionView;
use crate::domain::{Error, Result, validate};

const PATH: &str = "/v1/checkout/sessions";
const ID_PREFIX: &str = "cs_";
const DEFAULT_CURRENCY: &str = "GHS";

pub const API: Api = Api {
    name: "paygate",
    policy: Policy {
        customer_required: false,
        // The documented object lives for a day; no bounds are documented.
        lifetime: Some(Lifetime {
            default: TimeDelta::hours(24),
            minimum: time::MINIMUM_LIFETIME,
            maximum: time::MAXIMUM_LIFETIME,
        }),
        ..Policy::STANDARD
    },
    routes: &[
        Route { method: "POST", path: PATH, read: create, publishable: false },
        Route { method: "GET", path: PATH, read: list, publishable: false },
        Route { method: "GET", path: "/v1/checkout/sessions/:id", read: retrieve, publishable: false },
        Route { method: "POST", path: "/v1/checkout/sessions/:id/expire", read: expire, publishable: false },
    ],
    arguments: &[
        ("currency_code", "currency"),
        ("customer_id", "customer"),
        ("payment_methods", "payment_method_types"),
        ("page_size", "limit"),
    ],
    answer,
    session,
    error,
};

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    let body = request.body()?;
    let currency_code = read::text(body, "currency")?.unwrap_or(DEFAULT_CURRENCY);
    let minor_units = read::required("amount", read::integer(body, "amount")?)?;
    let currency = Currency::parse("currency", currency_code)?;
    Ok(Operation::Create(Box::new(Create {
        request: Request {
            amount: Some(money::from_minor_units("amount", Decimal::from(minor_units), currency)?),
            currency_code: Some(currency_code),
            success_url: Some(read::required("success_url", read::text(body, "success_url")?)?),
            cancel_url: Some(read::required("cancel_url", read::text(body, "cancel_url")?)?),
            customer_id: read::text(body, "customer")?,
            customer_email: read::text(body, "customer_email")?,
            customer_phone: read::text(body, "customer_phone")?,
            payment_methods: read::texts(body, "payment_method_types")?,
            expires_at: read::text(body, "expires_at")?.map(timestamp).transpose()?,
            ..Request::default()
        },
        metadata: read::object(body, "metadata")?.cloned(),
        idempotency_key: None,
        scenario: Scenario::of(request)?,
    })))
}

fn timestamp(text: &str) -> Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.with_timezone(&Utc))
        .map_err(|_| Error::invalid("expires_at", "must be an ISO 8601 timestamp"))
}

fn list<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    let query = request.query;
    Ok(Operation::List(List {
        status: read::text(query, "status")?.map_or(Ok(&[][..]), read_status)?,
        customer_id: read::text(query, "customer")?,
        payment_id: read::text(query, "payment")?,
        starting_after: read::text(query, "starting_after")?.map(session_id).transpose()?,
        page_size: read::query_integer(query, "limit", 1, validate::PAGE_SIZE)?.unwrap_or(10),
        page_offset: 0,
    }))
}

fn read_status(text: &str) -> Result<&'static [Status]> {
    match text {
        "open" => Ok(&[Status::Open]),
        "complete" => Ok(&[Status::Complete]),
        "expired" => Ok(&[Status::Expired, Status::Failed]),
        _ => Err(Error::invalid("status", "must be open, complete or expired")),
    }
}

fn retrieve<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    Ok(Operation::Get(Lookup::Id(session_id(request.parameter(0))?)))
}

fn expire<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    Ok(Operation::Expire(session_id(request.parameter(0))?))
}

fn session_id(text: &str) -> Result<Uuid> {
    let unknown = || Error::NoSuchSession { id: text.to_owned() };
    read::session_id(text.strip_prefix(ID_PREFIX).ok_or_else(unknown)?).map_err(|_| unknown())
}

/// A session. One that has failed is over: expired, in the words of this API.
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
            id: format!("{ID_PREFIX}{}", session.checkout_session_id.simple()),
            object: "checkout.session",
            status: match session.status {
                Status::Open => "open",
                Status::Complete => "complete",
                Status::Failed | Status::Expired => "expired",
            },
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

fn answer(outcome: &Outcome) -> HttpResponse {
    #[derive(Serialize)]
    struct Page<'s> {
        object: &'static str,
        data: Vec<Session<'s>>,
        has_more: bool,
        url: &'static str,
    }
    match outcome {
        Outcome::Created { session, .. } | Outcome::Found(session) => HttpResponse::json(200, &Session::new(session)),
        Outcome::Listed { sessions, more } => {
            let data = sessions.iter().map(Session::new).collect();
            HttpResponse::json(200, &Page { object: "list", data, has_more: *more, url: PATH })
        }
        Outcome::PaymentMethods(_) => unreachable!("the API has no such operation"),
    }
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

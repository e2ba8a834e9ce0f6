//! The lomi API: `x-api-key`, decimals in major units, errors as `{statusCode, message}`.
//!
//! Source: "Checkout Sessions API" of lomi.africa. Sessions live 60 minutes, which cannot be changed; there is no update
//! and no delete.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::write::{number, seconds, to_text};
use super::{Api, Create, HttpRequest, HttpResponse, List, Lookup, Operation, Outcome, Route, Scenario, read};
use crate::domain::policy::Policy;
use crate::domain::session::Request;
use crate::domain::status::Status;
use crate::domain::view::SessionView;
use crate::domain::{Error, Result, validate};

pub const API: Api = Api {
    name: "lomi",
    policy: Policy { lifetime: Policy::fixed(TimeDelta::minutes(60)), ..Policy::STANDARD },
    routes: &[
        Route { method: "POST", path: "/checkout-sessions", read: create, publishable: false },
        Route { method: "GET", path: "/checkout-sessions", read: list, publishable: false },
        Route { method: "GET", path: "/checkout-sessions/:id", read: get, publishable: false },
    ],
    arguments: &[("page_size", "limit"), ("page_offset", "offset")],
    answer,
    session,
    error,
};

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    let body = request.body()?;
    Ok(Operation::Create(Box::new(Create {
        request: Request {
            amount: read::amount_without_catalog(body, "amount", &["product_id", "price_id", "subscription_id"])?,
            currency_code: read::text(body, "currency_code")?,
            title: read::text(body, "title")?,
            description: read::text(body, "description")?,
            customer_id: read::text(body, "customer_id")?,
            customer_email: read::text(body, "customer_email")?,
            customer_name: read::text(body, "customer_name")?,
            customer_phone: read::text(body, "customer_phone")?,
            product_id: read::text(body, "product_id")?,
            price_id: read::text(body, "price_id")?,
            subscription_id: read::text(body, "subscription_id")?,
            quantity: read::bounded_integer(body, "quantity", 1, i32::MAX)?,
            allow_quantity: read::boolean(body, "allow_quantity")?,
            allow_coupon_code: read::boolean(body, "allow_coupon_code")?,
            require_billing_address: read::boolean(body, "require_billing_address")?,
            success_url: read::text(body, "success_url")?,
            cancel_url: read::text(body, "cancel_url")?,
            ..Request::default()
        },
        metadata: read::object(body, "metadata")?.cloned(),
        idempotency_key: None,
        scenario: Scenario::of(request)?,
    })))
}

fn list<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    let status = read::text(request.query, "status")?;
    Ok(Operation::List(List {
        status: status.map(read_status).transpose()?,
        page_size: read::query_integer(request.query, "limit", 1, validate::PAGE_SIZE)?.unwrap_or(20),
        page_offset: read::query_integer(request.query, "offset", 0, i32::MAX)?.unwrap_or(0),
        ..List::default()
    }))
}

fn read_status(text: &str) -> Result<Status> {
    match text {
        "open" => Ok(Status::Open),
        "complete" => Ok(Status::Complete),
        "expired" => Ok(Status::Expired),
        _ => Err(Error::invalid("status", "must be open, complete or expired")),
    }
}

fn get<'a>(request: &'a HttpRequest<'a>) -> Result<Operation<'a>> {
    Ok(Operation::Get(Lookup::Id(read::session_id(request.parameter(0))?)))
}

/// A session as create answers with it. One that has failed is over: expired, in the words of this API.
#[derive(Serialize)]
struct Session<'s> {
    checkout_session_id: Uuid,
    organization_id: Uuid,
    amount: Number,
    currency_code: &'s str,
    status: &'static str,
    title: Option<&'s str>,
    description: Option<&'s str>,
    customer_id: Option<&'s str>,
    customer_email: Option<&'s str>,
    customer_name: Option<&'s str>,
    customer_phone: Option<&'s str>,
    product_id: Option<&'s str>,
    price_id: Option<&'s str>,
    subscription_id: Option<&'s str>,
    allow_quantity: bool,
    quantity: i32,
    success_url: Option<&'s str>,
    cancel_url: Option<&'s str>,
    allow_coupon_code: bool,
    require_billing_address: bool,
    payment_link_id: Option<&'s str>,
    /// In the answer to get only.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_spi: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_pos: Option<bool>,
    expires_at: String,
    metadata: &'s Map<String, Value>,
    environment: &'static str,
    created_at: String,
    created_by: Option<&'s str>,
    updated_at: String,
}

/// A session in a list.
#[derive(Serialize)]
struct Listed<'s> {
    checkout_session_id: Uuid,
    organization_id: Uuid,
    amount: Number,
    currency_code: &'s str,
    status: &'static str,
    title: Option<&'s str>,
    description: Option<&'s str>,
    customer_id: Option<&'s str>,
    customer_email: Option<&'s str>,
    expires_at: String,
    created_at: String,
    updated_at: String,
}

impl<'s> Session<'s> {
    fn new(session: &'s SessionView, with_channels: bool) -> Self {
        Self {
            checkout_session_id: session.checkout_session_id,
            organization_id: session.organization_id,
            amount: number(session.amount),
            currency_code: &session.currency_code,
            status: status(session.status),
            title: session.title.as_deref(),
            description: session.description.as_deref(),
            customer_id: session.customer_id.as_deref(),
            customer_email: session.customer_email.as_deref(),
            customer_name: session.customer_name.as_deref(),
            customer_phone: session.customer_phone.as_deref(),
            product_id: session.product_id.as_deref(),
            price_id: session.price_id.as_deref(),
            subscription_id: session.subscription_id.as_deref(),
            allow_quantity: session.allow_quantity,
            quantity: session.quantity,
            success_url: session.success_url.as_deref(),
            cancel_url: session.cancel_url.as_deref(),
            allow_coupon_code: session.allow_coupon_code,
            require_billing_address: session.require_billing_address,
            payment_link_id: session.payment_link_id.as_deref(),
            is_spi: with_channels.then_some(session.is_spi),
            is_pos: with_channels.then_some(session.is_pos),
            expires_at: seconds(session.expires_at),
            metadata: &session.metadata,
            environment: session.environment.as_str(),
            created_at: seconds(session.created_at),
            created_by: session.created_by.as_deref(),
            updated_at: seconds(session.updated_at),
        }
    }
}

impl<'s> Listed<'s> {
    fn new(session: &'s SessionView) -> Self {
        Self {
            checkout_session_id: session.checkout_session_id,
            organization_id: session.organization_id,
            amount: number(session.amount),
            currency_code: &session.currency_code,
            status: status(session.status),
            title: session.title.as_deref(),
            description: session.description.as_deref(),
            customer_id: session.customer_id.as_deref(),
            customer_email: session.customer_email.as_deref(),
            expires_at: seconds(session.expires_at),
            created_at: seconds(session.created_at),
            updated_at: seconds(session.updated_at),
        }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Complete => "complete",
        Status::Failed | Status::Expired => "expired",
    }
}

fn session(session: &SessionView) -> String {
    to_text(&Session::new(session, true))
}

fn answer(outcome: &Outcome) -> HttpResponse {
    match outcome {
        Outcome::Created { session, .. } => HttpResponse::json(201, &Session::new(session, false)),
        Outcome::Found(session) => HttpResponse::json(200, &Session::new(session, true)),
        Outcome::Listed { sessions, .. } => {
            HttpResponse::json(200, &sessions.iter().map(Listed::new).collect::<Vec<_>>())
        }
        Outcome::PaymentMethods(_) => unreachable!("the API has no such operation"),
    }
}

fn error(status: u16, message: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'m> {
        status_code: u16,
        message: &'m str,
    }
    to_text(&Body { status_code: status, message })
}

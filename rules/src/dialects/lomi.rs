//! The lomi API: `x-api-key`, decimals in major units, errors as `{statusCode, message}`.
//!
//! Source: "Checkout Sessions API" of lomi.africa. Sessions live 60 minutes, which cannot be changed. There is no
//! update and no delete.

use std::fmt::Display;

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::write::{THREE_STATUSES_EVENTS, number, seconds, three_statuses, to_text};
use super::{Create, Dialect, HttpRequest, HttpResponse, List, Lookup, Operation, Route, Scenario, read};
use crate::checkout::order::Order;
use crate::checkout::policy::Policy;
use crate::checkout::view::SessionView;
use crate::{Error, Result, validate};

pub const DIALECT: Dialect = Dialect {
    name: "lomi",
    policy: Policy { lifetime: Policy::fixed(TimeDelta::minutes(60)), ..Policy::STANDARD },
    routes: &[
        Route {
            method: "POST",
            path: "/checkout-sessions",
            operation: Operation::Create { read: create, answer: created },
            publishable: false,
            body: &[
                "amount",
                "currency_code",
                "title",
                "description",
                "customer_id",
                "customer_email",
                "customer_name",
                "customer_phone",
                "product_id",
                "price_id",
                "subscription_id",
                "quantity",
                "allow_quantity",
                "allow_coupon_code",
                "require_billing_address",
                "success_url",
                "cancel_url",
                "metadata",
            ],
            query: &[],
        },
        Route {
            method: "GET",
            path: "/checkout-sessions",
            operation: Operation::List { read: list, answer: listed },
            publishable: false,
            body: &[],
            query: &["status", "limit", "offset"],
        },
        Route {
            method: "GET",
            path: "/checkout-sessions/:id",
            operation: Operation::Get { read: get, answer: found },
            publishable: false,
            body: &[],
            query: &[],
        },
    ],
    id: |id| id.to_string(),
    arguments: &[("page_size", "limit"), ("page_offset", "offset")],
    session,
    events: &THREE_STATUSES_EVENTS,
    error,
    sentence,
};

fn create<'a>(request: &'a HttpRequest<'a>) -> Result<Create<'a>> {
    let body = request.body()?;
    Ok(Create {
        order: Order {
            amount: read::amount_or_price(request, "amount")?,
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
            ..Order::default()
        },
        metadata: read::object(body, "metadata")?.cloned(),
        idempotency_key: None,
        scenario: Scenario::of_headers(request.headers)?,
    })
}

fn list<'a>(request: &'a HttpRequest<'a>) -> Result<List<'a>> {
    let status = read::text(request.query, "status")?;
    Ok(List {
        status: status.map_or(Ok(&[][..]), read::three_statuses)?,
        page_size: read::query_integer(request.query, "limit", 1, validate::PAGE_SIZE)?.unwrap_or(20),
        page_offset: read::query_integer(request.query, "offset", 0, i32::MAX)?.unwrap_or(0),
        ..List::default()
    })
}

fn get<'a>(request: &'a HttpRequest<'a>) -> Result<Lookup<'a>> {
    Ok(Lookup::Id(read::session_id(request.parameter(0))?))
}

/// A session as create answers with it. One that has failed is over: expired, in the words of this DIALECT.
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
    /// Only in the answer to get.
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
    /// In no documented answer, but three of the document's examples send the buyer there. So it comes last.
    url: Option<&'s str>,
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
            status: three_statuses(session.status),
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
            url: session.url.as_deref(),
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
            status: three_statuses(session.status),
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

fn session(session: &SessionView) -> String {
    to_text(&Session::new(session, true))
}

fn created(session: &SessionView) -> HttpResponse {
    HttpResponse::json(201, &Session::new(session, false))
}

fn found(session: &SessionView) -> HttpResponse {
    HttpResponse::json(200, &Session::new(session, true))
}

fn listed(sessions: &[SessionView], _more: bool) -> HttpResponse {
    HttpResponse::json(200, &sessions.iter().map(Listed::new).collect::<Vec<_>>())
}

/// The documented sentences.
fn sentence(error: &Error) -> Option<String> {
    match error {
        Error::CustomerRequired => Some("Either customer_id or customer_email is required".to_owned()),
        Error::SessionNotFound { checkout_session_id } => Some(not_found(checkout_session_id)),
        Error::NoSuchSession { id } => Some(not_found(id)),
        _ => None,
    }
}

fn not_found(id: impl Display) -> String {
    format!("Checkout session with ID {id} not found or access denied")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checkout::status::Status;
    use crate::dialects::testing;

    /// The documented request, and the order that it becomes.
    #[test]
    fn the_documented_request_is_read() {
        let body = json!({
            "amount": 10000.0, "currency_code": "XOF", "title": "Premium Subscription",
            "description": "Monthly subscription to premium features", "customer_email": "john@example.com",
            "customer_name": "John Doe", "customer_phone": "+221771234567",
            "product_id": "123e4567-e89b-12d3-a456-426614174000", "price_id": "321e4567-e89b-12d3-a456-426614174000",
            "allow_quantity": false, "quantity": 1, "success_url": "https://example.com/success",
            "cancel_url": "https://example.com/cancel", "allow_coupon_code": true, "require_billing_address": true,
            "metadata": {"order_id": "ORDER-12345"}
        });
        testing::created(&DIALECT, "/checkout-sessions", json!({}), body, |create| {
            assert_eq!(create.order.amount.map(|amount| amount.normalize().to_string()), Some("10000".into()));
            assert_eq!(create.order.price_id, Some("321e4567-e89b-12d3-a456-426614174000"));
            assert_eq!(create.order.require_billing_address, Some(true));
            assert_eq!(create.metadata, json!({"order_id": "ORDER-12345"}).as_object().cloned());
        });
    }

    #[test]
    fn the_documented_answers_have_their_fields_in_their_order() {
        let session = SessionView::with(json!({
            "title": "Premium Subscription", "description": "Monthly subscription to premium features",
            "customer_email": "john@example.com", "customer_name": "John Doe", "customer_phone": "+221771234567",
            "product_id": "123e4567-e89b-12d3-a456-426614174000", "price_id": "321e4567-e89b-12d3-a456-426614174000",
            "success_url": "https://example.com/success", "cancel_url": "https://example.com/cancel",
            "allow_coupon_code": true, "require_billing_address": true, "metadata": {"order_id": "ORDER-12345"},
            "url": "https://pay.example/c/987e6543"
        }));
        let head = r#"{"checkout_session_id":"987e6543-e89b-12d3-a456-426614174000","organization_id":"789e0123-e89b-12d3-a456-426614174000","amount":10000,"currency_code":"XOF","status":"open","title":"Premium Subscription","description":"Monthly subscription to premium features","customer_id":null,"customer_email":"john@example.com""#;
        let middle = r#","customer_name":"John Doe","customer_phone":"+221771234567","product_id":"123e4567-e89b-12d3-a456-426614174000","price_id":"321e4567-e89b-12d3-a456-426614174000","subscription_id":null,"allow_quantity":false,"quantity":1,"success_url":"https://example.com/success","cancel_url":"https://example.com/cancel","allow_coupon_code":true,"require_billing_address":true,"payment_link_id":null"#;
        let tail = r#","expires_at":"2024-01-15T11:30:00Z","metadata":{"order_id":"ORDER-12345"},"environment":"live","created_at":"2024-01-15T10:30:00Z","created_by":"456e7890-e89b-12d3-a456-426614174000","updated_at":"2024-01-15T10:30:00Z","url":"https://pay.example/c/987e6543"}"#;
        let created = created(&session);
        assert_eq!((created.status, created.body), (201, format!("{head}{middle}{tail}")));
        let found = found(&session.clone());
        let channels = r#","is_spi":false,"is_pos":false"#;
        assert_eq!((found.status, found.body), (200, format!("{head}{middle}{channels}{tail}")));
        let listed = listed(&[session], true);
        let times = r#","expires_at":"2024-01-15T11:30:00Z","created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T10:30:00Z"}]"#;
        assert_eq!((listed.status, listed.body), (200, format!("[{head}{times}")));
    }

    #[test]
    fn errors_have_the_documented_shape_and_texts() {
        assert_eq!(
            error(400, "Either customer_id or customer_email is required"),
            r#"{"statusCode":400,"message":"Either customer_id or customer_email is required"}"#
        );
        assert_eq!(
            DIALECT.refuse_error(&Error::InvalidApiKey).body,
            r#"{"statusCode":401,"message":"Invalid API key"}"#
        );
        let id = "987e6543-e89b-12d3-a456-426614174000".parse().expect("a UUID");
        assert_eq!(
            DIALECT.refuse_error(&Error::SessionNotFound { checkout_session_id: id }).body,
            r#"{"statusCode":404,"message":"Checkout session with ID 987e6543-e89b-12d3-a456-426614174000 not found or access denied"}"#
        );
        for (body, message) in [
            (
                json!({"product_id": "premium-plan-id"}),
                "amount is required with product_id: no catalog is configured that has its price",
            ),
            (json!({"amount": "10"}), "amount must be a number"),
            (json!({"amount": 10, "quantity": 0}), "quantity must be at least 1"),
            (json!({"amount": 10, "quantity": 1.5}), "quantity must be an integer"),
            (json!({"amount": 10, "metadata": []}), "metadata must be an object"),
            (json!([]), "body must be a JSON object"),
        ] {
            let refused = testing::refused(&DIALECT, "POST", "/checkout-sessions", json!({}), body);
            assert_eq!(refused, (400, format!(r#"{{"statusCode":400,"message":"{message}"}}"#)));
        }
    }

    #[test]
    fn the_list_has_a_limit_an_offset_and_a_status() {
        let listed = |query| testing::listed(&DIALECT, "/checkout-sessions", query);
        assert_eq!(listed(json!({})), Ok((vec![], 20, 0)));
        assert_eq!(listed(json!({"status": "open", "limit": "50", "offset": "10"})), Ok((vec![Status::Open], 50, 10)));
        assert_eq!(listed(json!({"status": "expired"})), Ok((vec![Status::Expired, Status::Failed], 20, 0)));
        for query in [
            json!({"limit": "0"}),
            json!({"limit": "101"}),
            json!({"limit": "x"}),
            json!({"offset": "-1"}),
            json!({"status": "paid"}),
        ] {
            assert_eq!(listed(query).map_err(|(status, _)| status), Err(400));
        }
    }
}

//! Every error that a caller can get, and its SQLSTATE.
//!
//! `PTxyz` is PostgREST's way to set the HTTP status xyz. Messages name the argument and its fault. They never repeat a
//! value that may be personal.

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::access::credential::Kind;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("argument \"{argument}\" must not be null")]
    NullArgument { argument: &'static str },

    #[error("argument \"{argument}\" {fault}")]
    InvalidArgument { argument: &'static str, fault: String },

    #[error("argument \"{argument}\" {fault}")]
    OutOfRange { argument: &'static str, fault: String },

    #[error("argument \"{argument}\" {fault}")]
    Malformed { argument: &'static str, fault: String },

    /// A request in a dialect has a parameter that the dialect does not know.
    #[error("{name} is not a parameter{}", nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default())]
    UnknownParameter { name: String, nearest: Option<&'static str> },

    /// The server does not check every text.
    #[error("{what} \"{name}\" is not valid UTF-8")]
    NotUtf8 { what: &'static str, name: &'static str },

    #[error("setting \"{setting}\" must have at most {most}")]
    SettingTooLong { setting: &'static str, most: &'static str },

    #[error("setting \"{setting}\" {fault}")]
    InvalidSetting { setting: &'static str, fault: String },

    #[error("a stored text is not valid UTF-8")]
    StoredTextNotUtf8,

    #[error("customer_id or customer_email must be given")]
    CustomerRequired,

    #[error("{reason}")]
    NotAuthenticated { reason: &'static str },

    /// Unknown, wrong, revoked and expired keys get the same error.
    #[error("invalid API key")]
    InvalidApiKey,

    /// An HTTP request came with something that is not a credential.
    #[error("{reason}")]
    Unauthorized { reason: String },

    #[error("a {kind} API key may not call this function")]
    NotAllowed { kind: Kind },

    #[error("payments are simulated in the test environment only")]
    TestEnvironmentOnly,

    /// A caller has asked for an answer with this HTTP status, 400 to 599.
    #[error("Simulated error")]
    Simulated { status: u16 },

    #[error("API key \"{api_key_id}\" not found")]
    ApiKeyNotFound { api_key_id: String },

    #[error("API key \"{api_key_id}\" is {status}")]
    ApiKeyNotActive { api_key_id: String, status: &'static str },

    /// Unknown sessions and those of another tenant get the same error.
    #[error("checkout session {checkout_session_id} not found or access denied")]
    SessionNotFound { checkout_session_id: Uuid },

    /// As SessionNotFound, for a text that is not even an id.
    #[error("checkout session {id} not found or access denied")]
    NoSuchSession { id: String },

    /// A wrong secret and an unknown session get the same error.
    #[error("checkout session not found, or client_secret is wrong")]
    PublicSessionNotFound,

    #[error("argument \"{argument}\" does not name a {what}, or access is denied")]
    CursorNotFound { argument: &'static str, what: &'static str },

    #[error("organization {organization_id} not found")]
    OrganizationNotFound { organization_id: Uuid },

    #[error("argument \"organization_id\" names an organization that exists: {organization_id}")]
    OrganizationExists { organization_id: Uuid },

    #[error("organization still has {what}")]
    OrganizationInUse { what: String },

    #[error("customer still has {what}")]
    CustomerInUse { what: String },

    #[error("the hook of the event {event} has failed")]
    HookFailed { event: &'static str, failure: Option<String> },

    #[error("function of argument \"function\" does not exist")]
    HookNotFound,

    #[error("the database is not active")]
    DatabaseInactive,

    #[error("webhook event \"{event_id}\" not found")]
    EventNotFound { event_id: String },

    #[error("webhook endpoint {webhook_endpoint_id} not found or access denied")]
    EndpointNotFound { webhook_endpoint_id: Uuid },

    #[error("webhook consumer \"{name}\" not found or access denied")]
    ConsumerNotFound { name: String },

    #[error("webhook consumer \"{name}\" still has undelivered events: {undelivered}")]
    ConsumerHasUndelivered { name: String, undelivered: i64 },

    #[error("there can be {limit} webhook consumers of an organization and environment, and of all of them")]
    TooManyConsumers { limit: i32 },

    #[error("webhook event \"{event_id}\" has no delivery to endpoint {webhook_endpoint_id}")]
    DeliveryNotFound { event_id: String, webhook_endpoint_id: Uuid },

    #[error("webhook endpoint {webhook_endpoint_id} still has undelivered events: {undelivered}")]
    EndpointHasUndelivered { webhook_endpoint_id: Uuid, undelivered: i64 },

    #[error("an organization can have {limit} webhook endpoints in an environment")]
    TooManyEndpoints { limit: i32 },

    #[error("checkout session is {status}")]
    SessionNotOpen { status: &'static str },

    #[error("only an expired checkout session can be recovered; this one is {status}")]
    SessionNotExpired { status: &'static str },

    #[error("the publishable API key has {limit} open checkout sessions, which is the limit")]
    TooManySessions { limit: i32 },

    #[error("another payment is in progress")]
    PaymentInProgress { until: DateTime<Utc> },

    #[error("payment \"{payment_id}\" {conflict}")]
    PaymentConflict { payment_id: String, conflict: &'static str },

    #[error("payment \"{payment_id}\" not found or access denied")]
    PaymentNotFound { payment_id: String },

    #[error("refund \"{refund_id}\" {fault}")]
    RefundConflict { refund_id: String, fault: String },

    /// A price or product that the catalog does not have.
    #[error("{what} \"{id}\" not found or access denied")]
    NotInCatalog { what: &'static str, id: String },

    #[error("argument \"{argument}\" names a {what} that exists")]
    ExistsInCatalog { argument: &'static str, what: &'static str },

    #[error("the stock of product \"{product_id}\" is not tracked")]
    NotTracked { product_id: String },

    #[error("{what} \"{id}\" is not active")]
    NotSold { what: &'static str, id: String },

    #[error("product \"{product_id}\" is sold out, or has fewer units left")]
    SoldOut { product_id: String },

    #[error("the subscription {fault}")]
    SubscriptionConflict { fault: &'static str },

    #[error("the coupon cannot be applied: {reason}")]
    CouponRefused { reason: &'static str },

    #[error("a publishable API key of this organization may not name an amount")]
    PriceRequired,

    #[error("another call is changing the same")]
    Busy,

    #[error("checkout session {fault}")]
    TermsConflict { fault: &'static str },

    #[error("checkout session was recovered, and the session that recovered it is complete")]
    SessionRecovered,

    #[error("idempotency key was used with a different request")]
    IdempotencyConflict,

    #[error("{fault}")]
    ReferenceTaken { fault: &'static str },

    #[error("the lease of webhook event \"{event_id}\" is no longer held")]
    LeaseLost { event_id: String },

    #[error("the setting {setting} is wrong: {fault}")]
    Misconfigured { setting: &'static str, fault: String },

    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub fn invalid(argument: &'static str, fault: impl Into<String>) -> Self {
        Self::InvalidArgument { argument, fault: fault.into() }
    }

    /// An argument that is not valid UTF-8.
    pub fn not_utf8(argument: &'static str) -> Self {
        Self::NotUtf8 { what: "argument", name: argument }
    }

    /// The error of a setting that is checked as an argument is.
    pub fn of_setting(self, setting: &'static str) -> Self {
        match self {
            Self::InvalidArgument { fault, .. } => Self::InvalidSetting { setting, fault },
            error => error,
        }
    }

    pub fn unauthorized(reason: impl Into<String>) -> Self {
        Self::Unauthorized { reason: reason.into() }
    }

    /// Five characters, as SQL clients see them.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::NullArgument { .. } => "22004",
            Self::InvalidArgument { .. }
            | Self::SettingTooLong { .. }
            | Self::InvalidSetting { .. }
            | Self::UnknownParameter { .. }
            | Self::CustomerRequired => "22023",
            Self::OutOfRange { .. } => "22003",
            Self::Malformed { .. } => "22P02",
            Self::NotUtf8 { .. } => "22021",
            Self::StoredTextNotUtf8 => "XX001",
            Self::NotAuthenticated { .. } | Self::InvalidApiKey | Self::Unauthorized { .. } => "28000",
            Self::NotAllowed { .. } | Self::PriceRequired => "42501",
            Self::TestEnvironmentOnly => "PT403",
            Self::Simulated { status } => of_status(*status),
            Self::SessionNotFound { .. }
            | Self::NoSuchSession { .. }
            | Self::PublicSessionNotFound
            | Self::ApiKeyNotFound { .. }
            | Self::CursorNotFound { .. }
            | Self::OrganizationNotFound { .. }
            | Self::EventNotFound { .. }
            | Self::EndpointNotFound { .. }
            | Self::ConsumerNotFound { .. }
            | Self::PaymentNotFound { .. }
            | Self::NotInCatalog { .. }
            | Self::DeliveryNotFound { .. } => "PT404",
            Self::SessionNotOpen { .. }
            | Self::SessionNotExpired { .. }
            | Self::PaymentInProgress { .. }
            | Self::PaymentConflict { .. }
            | Self::RefundConflict { .. }
            | Self::ExistsInCatalog { .. }
            | Self::NotTracked { .. }
            | Self::NotSold { .. }
            | Self::SoldOut { .. }
            | Self::SubscriptionConflict { .. }
            | Self::CouponRefused { .. }
            | Self::Busy
            | Self::HookFailed { .. }
            | Self::OrganizationInUse { .. }
            | Self::CustomerInUse { .. }
            | Self::TermsConflict { .. }
            | Self::SessionRecovered
            | Self::IdempotencyConflict
            | Self::ApiKeyNotActive { .. }
            | Self::OrganizationExists { .. }
            | Self::DatabaseInactive
            | Self::TooManyEndpoints { .. }
            | Self::EndpointHasUndelivered { .. }
            | Self::TooManyConsumers { .. }
            | Self::ConsumerHasUndelivered { .. }
            | Self::LeaseLost { .. } => "PT409",
            Self::TooManySessions { .. } => "PT429",
            Self::ReferenceTaken { .. } => "23505",
            Self::HookNotFound => "42883",
            Self::Misconfigured { .. } => "F0000",
            Self::Internal(_) => "XX000",
        }
    }

    pub fn detail(&self) -> Option<String> {
        match self {
            Self::PaymentInProgress { until } => {
                Some(format!("Its lease ends at {}.", until.to_rfc3339_opts(SecondsFormat::Micros, true)))
            }
            Self::HookFailed { failure, .. } => failure.clone(),
            _ => None,
        }
    }

    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAuthenticated { .. } => Some(
                "Call checkout.authenticate() in the same transaction, or use a role that has checkout_sessions.organization_id set.",
            ),
            Self::DatabaseInactive => Some(
                "It is new, or a copy of another. To put it to work, call checkout.verify_restore(), then checkout.activate_database().",
            ),
            Self::PriceRequired => Some("Name a price_id, or a product_id that has a default price."),
            Self::NotTracked { .. } => Some("Begin with update_product(track_inventory => true)."),
            Self::OrganizationInUse { .. } => Some("Expire, refund or cancel them first."),
            Self::CustomerInUse { .. } => Some("Expire the sessions, or cancel the subscription, first."),
            Self::Busy => Some("Try again."),
            Self::NotAllowed { kind: Kind::Restricted } => {
                Some("It may only read. Use a secret API key, from a server.")
            }
            Self::NotAllowed { .. } => Some("Use a secret API key, from a server."),
            Self::TestEnvironmentOnly => Some("Use an API key, or a role, of the test environment."),
            Self::SessionNotOpen { .. } => Some("Create a new checkout session."),
            Self::IdempotencyConflict => Some("Use another idempotency key for another request."),
            Self::ReferenceTaken { .. } => {
                Some("The organization's reference_policy decides how often a reference may be used.")
            }
            Self::EndpointHasUndelivered { .. } => Some(
                "Change its url with update_webhook_endpoint, and they go there; or set discard_undelivered to true, and they are lost.",
            ),
            Self::TooManyEndpoints { .. } => {
                Some("Delete one that is no longer used, or let one receive more event types.")
            }
            Self::TooManySessions { .. } => Some(
                "Expire some, or wait until they expire; the setting checkout_sessions.publishable_session_limit is the limit.",
            ),
            Self::LeaseLost { .. } => Some("The event has been claimed again, or is finished."),
            _ => None,
        }
    }
}

/// PT400 to PT599.
static OF_STATUS: [[u8; 5]; 200] = {
    let mut all = [*b"PT400"; 200];
    let mut at = 0;
    while at < all.len() {
        all[at][2] = b'4' + (at / 100) as u8;
        all[at][3] = b'0' + (at / 10 % 10) as u8;
        all[at][4] = b'0' + (at % 10) as u8;
        at += 1;
    }
    all
};

fn of_status(status: u16) -> &'static str {
    let code = usize::from(status).checked_sub(400).and_then(|at| OF_STATUS.get(at));
    code.and_then(|code| std::str::from_utf8(code).ok()).unwrap_or("PT500")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_error_has_the_status_that_was_asked_for() {
        for (status, code) in [(400, "PT400"), (429, "PT429"), (503, "PT503"), (599, "PT599"), (200, "PT500")] {
            assert_eq!(Error::Simulated { status }.sqlstate(), code);
        }
    }
}

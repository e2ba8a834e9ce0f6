//! The rows that functions return. SQL makes them (`sql/`); Rust only passes them on.

#![expect(unsafe_code, reason = "hands rows of the server on")]

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::{Datum, JsonString};
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use rules::dialects::HttpResponse;
use rules::{Error, Result};
use serde_json::{Map, Value};

use super::jsonb::Json;
use super::text::from_datum;

/// A value of a composite type.
pub trait Composite {
    /// The name that SQL has for a set of them.
    const SETOF: &'static str;

    /// # Safety
    /// `datum` must be of the type that `Self` stands for, and outlive the call.
    unsafe fn from_composite(datum: pg_sys::Datum) -> Self;

    fn datum(&self) -> pg_sys::Datum;
}

macro_rules! composite {
    ($name:ident = $sql:literal) => {
        #[doc = concat!("A `", $sql, "`.")]
        pub struct $name(pg_sys::Datum);

        impl Composite for $name {
            const SETOF: &'static str = concat!("SETOF ", $sql);

            unsafe fn from_composite(datum: pg_sys::Datum) -> Self {
                Self(datum)
            }

            fn datum(&self) -> pg_sys::Datum {
                self.0
            }
        }

        // SAFETY: the datum has the SQL type that is declared below, and lives in the caller's memory context.
        unsafe impl BoxRet for $name {
            unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
                // SAFETY: as above.
                unsafe { fcinfo.return_raw_datum(self.0) }
            }
        }

        // SAFETY: in SQL it is this type and no other.
        unsafe impl SqlTranslatable for $name {
            const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!($name);
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: std::result::Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal($sql));
            const RETURN_SQL: std::result::Result<ReturnsRef, ReturnsError> =
                Ok(ReturnsRef::One(SqlMappingRef::literal($sql)));
        }
    };
}

impl Event {
    /// The organization that owns it.
    pub fn organization_id(&self) -> Option<uuid::Uuid> {
        // SAFETY: a value of the type, which lives as long as the call of the function.
        let event = unsafe { PgHeapTuple::from_composite_datum(self.0) };
        event.get_by_name::<pgrx::Uuid>("organization_id").ok().flatten().map(super::from_uuid)
    }
}

fn not_made(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("an HTTP response was not made: {error}"))
}

impl HttpAnswer {
    pub fn new(response: &HttpResponse) -> Result<Self> {
        let headers: Map<String, Value> =
            response.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let headers = Json::from_text("headers", &Value::Object(headers).to_string())?;
        let mut row = PgHeapTuple::new_composite_type("checkout.http_response").map_err(not_made)?;
        row.set_by_name("status", i32::from(response.status)).map_err(not_made)?;
        row.set_by_name("headers", headers).map_err(not_made)?;
        let body = Some(&response.body).filter(|body| !body.is_empty());
        row.set_by_name("body", body.map(|body| JsonString(body.clone()))).map_err(not_made)?;
        row.into_composite_datum().map(Self).ok_or_else(|| Error::Internal("an HTTP response has no value".into()))
    }
}

impl CouponAnswer {
    pub fn new(refusal: Option<&str>, session: &PublicSession) -> Result<Self> {
        // SAFETY: a value of the type, which lives as long as the call of the function.
        let session = unsafe { PgHeapTuple::from_composite_datum(session.datum()) };
        let mut row = PgHeapTuple::new_composite_type("checkout.coupon_answer").map_err(not_made)?;
        row.set_by_name("applied", refusal.is_none()).map_err(not_made)?;
        row.set_by_name("reason", refusal.map(str::to_owned)).map_err(not_made)?;
        row.set_by_name("session", session).map_err(not_made)?;
        row.into_composite_datum().map(Self).ok_or_else(|| Error::Internal("an answer has no value".into()))
    }
}

impl Restarted {
    pub fn new(id: uuid::Uuid, client_secret: Option<String>, url: Option<String>) -> Result<Self> {
        let mut row = PgHeapTuple::new_composite_type("checkout.restarted_checkout_session").map_err(not_made)?;
        row.set_by_name("checkout_session_id", super::uuid(id)).map_err(not_made)?;
        row.set_by_name("client_secret", client_secret).map_err(not_made)?;
        row.set_by_name("url", url).map_err(not_made)?;
        row.into_composite_datum().map(Self).ok_or_else(|| Error::Internal("an answer has no value".into()))
    }
}

composite!(Session = "checkout.checkout_session");
from_datum!(Session);
composite!(PublicSession = "checkout.public_checkout_session");
composite!(Restarted = "checkout.restarted_checkout_session");
composite!(PagePolicy = "checkout.page_policy");
composite!(Credential = "checkout.credential");
composite!(SessionLine = "checkout.session_line");
composite!(CouponAnswer = "checkout.coupon_answer");
composite!(Payment = "checkout.payment");
composite!(Refund = "checkout.refund");
composite!(Event = "checkout.webhook_event");
composite!(Product = "checkout.product");
composite!(Price = "checkout.price");
composite!(Subscription = "checkout.subscription");
composite!(CouponRow = "checkout.coupon");
composite!(Hook = "checkout.hook");
composite!(CustomerRecord = "checkout.customer_record");
composite!(Organization = "checkout.organization");
composite!(ApiKey = "checkout.api_key");
composite!(WebhookConsumer = "checkout.webhook_consumer");
composite!(WebhookEndpoint = "checkout.webhook_endpoint");
composite!(WebhookDelivery = "checkout.webhook_delivery");
composite!(WebhookDeliveryRequest = "checkout.webhook_delivery_request");
composite!(WebhookAttempt = "checkout.webhook_attempt");
composite!(HttpAnswer = "checkout.http_response");

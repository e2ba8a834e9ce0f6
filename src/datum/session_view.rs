//! A session in the form that the dialects read, from the row that SQL makes of it.

#![expect(unsafe_code, reason = "takes a row apart")]

use std::cell::Cell;
use std::ffi::CStr;

use chrono::{DateTime, Utc};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::{AnyNumeric, pg_sys};
use rules::checkout::view::SessionView;
use rules::{Error, Result};

use super::column::Column;
use super::composite::{Composite, Session};
use super::{Json, from_numeric, from_timestamp, from_uuid};

/// The attributes of `checkout.checkout_session`, in their order.
const ATTRIBUTES: [&str; 43] = [
    "checkout_session_id",
    "organization_id",
    "environment",
    "amount",
    "currency_code",
    "status",
    "payment_status",
    "payment_id",
    "attempts",
    "max_retry_attempts",
    "title",
    "description",
    "reference",
    "customer_id",
    "customer_email",
    "customer_name",
    "customer_phone",
    "product_id",
    "price_id",
    "subscription_id",
    "payment_link_id",
    "quantity",
    "allow_quantity",
    "allow_coupon_code",
    "require_billing_address",
    "is_spi",
    "is_pos",
    "country",
    "success_url",
    "cancel_url",
    "url",
    "client_secret",
    "payment_methods",
    "metadata",
    "recovered_from",
    "expires_at",
    "completed_at",
    "created_at",
    "created_by",
    "created_with",
    "trace_id",
    "updated_at",
    "idempotent_replay",
];

struct Attributes {
    values: [pg_sys::Datum; ATTRIBUTES.len()],
    nulls: [bool; ATTRIBUTES.len()],
    types: [pg_sys::Oid; ATTRIBUTES.len()],
}

impl Session {
    pub fn view(&self) -> Result<SessionView> {
        let attributes = Attributes::of(self)?;
        let text = |name| attributes.get::<String>(name);
        let time = |name| -> Result<Option<DateTime<Utc>>> {
            attributes.get::<TimestampWithTimeZone>(name)?.map(|at| from_timestamp(name, at)).transpose()
        };
        let amount: AnyNumeric = required(attributes.get("amount"))?;
        let metadata: Json = required(attributes.get("metadata"))?;
        Ok(SessionView {
            checkout_session_id: from_uuid(required(attributes.get("checkout_session_id"))?),
            organization_id: from_uuid(required(attributes.get("organization_id"))?),
            environment: required(text("environment"))?.parse()?,
            amount: from_numeric("amount", &amount)?,
            currency_code: required(text("currency_code"))?,
            status: required(text("status"))?.parse()?,
            payment_status: required(text("payment_status"))?,
            payment_id: text("payment_id")?,
            max_retry_attempts: required(attributes.get("max_retry_attempts"))?,
            title: text("title")?,
            description: text("description")?,
            reference: text("reference")?,
            customer_id: text("customer_id")?,
            customer_email: text("customer_email")?,
            customer_name: text("customer_name")?,
            customer_phone: text("customer_phone")?,
            product_id: text("product_id")?,
            price_id: text("price_id")?,
            subscription_id: text("subscription_id")?,
            payment_link_id: text("payment_link_id")?,
            quantity: required(attributes.get("quantity"))?,
            allow_quantity: required(attributes.get("allow_quantity"))?,
            allow_coupon_code: required(attributes.get("allow_coupon_code"))?,
            require_billing_address: required(attributes.get("require_billing_address"))?,
            is_spi: required(attributes.get("is_spi"))?,
            is_pos: required(attributes.get("is_pos"))?,
            country: text("country")?,
            success_url: text("success_url")?,
            cancel_url: text("cancel_url")?,
            url: text("url")?,
            client_secret: text("client_secret")?,
            payment_methods: required(attributes.get("payment_methods"))?,
            metadata: metadata.object()?,
            expires_at: required(time("expires_at"))?,
            completed_at: time("completed_at")?,
            created_at: required(time("created_at"))?,
            created_by: text("created_by")?,
            updated_at: required(time("updated_at"))?,
        })
    }
}

fn required<T>(value: Result<Option<T>>) -> Result<T> {
    value?.ok_or_else(|| Error::Internal("a session has a NULL where none can be".into()))
}

impl Attributes {
    fn of(session: &Session) -> Result<Self> {
        let mut attributes = Self {
            values: [pg_sys::Datum::null(); ATTRIBUTES.len()],
            nulls: [true; ATTRIBUTES.len()],
            types: [pg_sys::InvalidOid; ATTRIBUTES.len()],
        };
        // SAFETY: a row of a composite type, and it says which. The arrays have as many elements as the type has
        // attributes, which is checked first.
        unsafe {
            let header = session.datum().cast_mut_ptr::<pg_sys::HeapTupleHeaderData>();
            let r#type = (*header).t_choice.t_datum;
            let descriptor = pg_sys::lookup_rowtype_tupdesc(r#type.datum_typeid, r#type.datum_typmod);
            let known = is_known(descriptor);
            if known {
                let mut tuple = pg_sys::HeapTupleData {
                    t_len: pgrx::varsize(header.cast()) as u32,
                    t_data: header,
                    ..Default::default()
                };
                let (values, nulls) = (attributes.values.as_mut_ptr(), attributes.nulls.as_mut_ptr());
                pg_sys::heap_deform_tuple(&mut tuple, descriptor, values, nulls);
                for (number, oid) in (1..).zip(&mut attributes.types) {
                    *oid = pg_sys::SPI_gettypeid(descriptor, number);
                }
            }
            if (*descriptor).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(descriptor);
            }
            if !known {
                return Err(Error::Internal("checkout.checkout_session has other attributes than expected".into()));
            }
        }
        Ok(attributes)
    }

    fn get<T: Column>(&self, name: &str) -> Result<Option<T>> {
        let at = ATTRIBUTES.iter().position(|attribute| *attribute == name);
        let at = at.ok_or_else(|| Error::Internal(format!("a session has no attribute {name}")))?;
        if self.types[at] != T::type_oid() {
            return Err(Error::Internal(format!("attribute {name} of a session is of another type")));
        }
        // SAFETY: it has this type, as was just compared.
        if self.nulls[at] { Ok(None) } else { unsafe { T::read(self.values[at]) }.map(Some) }
    }
}

/// Returns true if a type has the expected attributes.
///
/// # Safety
/// The pointer must be to the description of a type.
unsafe fn is_known(descriptor: pg_sys::TupleDesc) -> bool {
    thread_local! {
        /// The type that was checked last, and had them.
        static KNOWN: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
    }
    // SAFETY: the caller's. There are as many attributes as the description says.
    unsafe {
        let r#type = (*descriptor).tdtypeid;
        if KNOWN.get() == r#type && (*descriptor).natts == ATTRIBUTES.len() as i32 {
            return true;
        }
        let known = (*descriptor).natts == ATTRIBUTES.len() as i32
            && (1..).zip(ATTRIBUTES).all(|(number, name)| {
                let found = pg_sys::SPI_fname(descriptor, number);
                !found.is_null() && CStr::from_ptr(found).to_bytes() == name.as_bytes()
            });
        if known {
            KNOWN.set(r#type);
        }
        known
    }
}

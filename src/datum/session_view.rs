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
pub(super) const ATTRIBUTES: [&str; 43] = [
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

pub(super) struct Attributes {
    values: [pg_sys::Datum; ATTRIBUTES.len()],
    nulls: [bool; ATTRIBUTES.len()],
    pub types: [pg_sys::Oid; ATTRIBUTES.len()],
}

impl Session {
    pub fn view(&self) -> Result<SessionView> {
        let attributes = Attributes::of(self)?;
        let amount: AnyNumeric = required(attributes.get(const { at("amount") }))?;
        let metadata: Json = required(attributes.get(const { at("metadata") }))?;
        Ok(SessionView {
            checkout_session_id: from_uuid(required(attributes.get(const { at("checkout_session_id") }))?),
            organization_id: from_uuid(required(attributes.get(const { at("organization_id") }))?),
            environment: required(attributes.get::<String>(const { at("environment") }))?.parse()?,
            amount: from_numeric("amount", &amount)?,
            currency_code: required(attributes.get(const { at("currency_code") }))?,
            status: required(attributes.get::<String>(const { at("status") }))?.parse()?,
            payment_status: required(attributes.get(const { at("payment_status") }))?,
            payment_id: attributes.get(const { at("payment_id") })?,
            max_retry_attempts: required(attributes.get(const { at("max_retry_attempts") }))?,
            title: attributes.get(const { at("title") })?,
            description: attributes.get(const { at("description") })?,
            reference: attributes.get(const { at("reference") })?,
            customer_id: attributes.get(const { at("customer_id") })?,
            customer_email: attributes.get(const { at("customer_email") })?,
            customer_name: attributes.get(const { at("customer_name") })?,
            customer_phone: attributes.get(const { at("customer_phone") })?,
            product_id: attributes.get(const { at("product_id") })?,
            price_id: attributes.get(const { at("price_id") })?,
            subscription_id: attributes.get(const { at("subscription_id") })?,
            payment_link_id: attributes.get(const { at("payment_link_id") })?,
            quantity: required(attributes.get(const { at("quantity") }))?,
            allow_quantity: required(attributes.get(const { at("allow_quantity") }))?,
            allow_coupon_code: required(attributes.get(const { at("allow_coupon_code") }))?,
            require_billing_address: required(attributes.get(const { at("require_billing_address") }))?,
            is_spi: required(attributes.get(const { at("is_spi") }))?,
            is_pos: required(attributes.get(const { at("is_pos") }))?,
            country: attributes.get(const { at("country") })?,
            success_url: attributes.get(const { at("success_url") })?,
            cancel_url: attributes.get(const { at("cancel_url") })?,
            url: attributes.get(const { at("url") })?,
            client_secret: attributes.get(const { at("client_secret") })?,
            payment_methods: required(attributes.get(const { at("payment_methods") }))?,
            metadata: metadata.object()?,
            expires_at: required(attributes.time(const { at("expires_at") }))?,
            completed_at: attributes.time(const { at("completed_at") })?,
            created_at: required(attributes.time(const { at("created_at") }))?,
            created_by: attributes.get(const { at("created_by") })?,
            updated_at: required(attributes.time(const { at("updated_at") }))?,
        })
    }
}

fn required<T>(value: Result<Option<T>>) -> Result<T> {
    value?.ok_or_else(|| Error::Internal("a session has a NULL where none can be".into()))
}

impl Attributes {
    pub fn of(session: &Session) -> Result<Self> {
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

    pub fn get<T: Column>(&self, at: usize) -> Result<Option<T>> {
        if self.types[at] != T::type_oid() {
            return Err(Error::Internal(format!("attribute {} of a session is of another type", ATTRIBUTES[at])));
        }
        // SAFETY: it has this type, as was just compared.
        if self.nulls[at] { Ok(None) } else { unsafe { T::read(self.values[at]) }.map(Some) }
    }

    fn time(&self, at: usize) -> Result<Option<DateTime<Utc>>> {
        let time = self.get::<TimestampWithTimeZone>(at)?;
        time.map(|time| from_timestamp(ATTRIBUTES[at], time)).transpose()
    }
}

/// The place of an attribute, found at compile time.
const fn at(name: &str) -> usize {
    let (mut at, name) = (0, name.as_bytes());
    while at < ATTRIBUTES.len() {
        let attribute = ATTRIBUTES[at].as_bytes();
        let mut same = 0;
        while same < name.len() && same < attribute.len() && name[same] == attribute[same] {
            same += 1;
        }
        if same == name.len() && same == attribute.len() {
            return at;
        }
        at += 1;
    }
    unreachable!()
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

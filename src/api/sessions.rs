//! Create, get, list, expire and recover sessions.

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};
use rules::access::http_credential;
use rules::checkout::idempotency;
use rules::checkout::order::Order;
use rules::checkout::policy::Policy;
use rules::checkout::scenario::{self, Scenario};
use rules::checkout::status::Status;
use rules::validate::{self, required};
use rules::{Error, Result};

use crate::datum::{self, Jsonb, Rows, Session, Text, Texts, required_text, text};
use crate::operations::{scenarios, sessions};
use crate::report::or_raise;
use crate::store::list::Filter;
use crate::{postgrest, store, tenant};

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn create_checkout_session(
    amount: Option<AnyNumeric>,
    currency_code: Option<Text>,
    title: Option<Text>,
    description: Option<Text>,
    reference: Option<Text>,
    customer_id: Option<Text>,
    customer_email: Option<Text>,
    customer_name: Option<Text>,
    customer_phone: Option<Text>,
    product_id: Option<Text>,
    price_id: Option<Text>,
    subscription_id: Option<Text>,
    payment_link_id: Option<Text>,
    quantity: Option<i32>,
    allow_quantity: Option<bool>,
    allow_coupon_code: Option<bool>,
    require_billing_address: Option<bool>,
    is_spi: Option<bool>,
    is_pos: Option<bool>,
    country: Option<Text>,
    success_url: Option<Text>,
    cancel_url: Option<Text>,
    payment_methods: Option<Texts>,
    max_retry_attempts: Option<i32>,
    metadata: Option<Jsonb>,
    expires_at: Option<TimestampWithTimeZone>,
    expires_in: Option<Interval>,
    idempotency_key: Option<Text>,
    trace_id: Option<Text>,
    lines: Option<Jsonb>,
    coupon_code: Option<Text>,
) -> Session {
    or_raise(|| {
        let caller = tenant::creator()?;
        let headers = if caller.http { postgrest::headers()?.unwrap_or_default() } else { Default::default() };
        let scenario = Scenario::of_headers(&headers)?;
        let idempotency_key = text("idempotency_key", &idempotency_key)?;
        let idempotency_key = same("idempotency_key", idempotency_key, http_credential::idempotency_key(&headers)?)?;
        let order = Order {
            amount: amount.as_ref().map(|amount| datum::from_numeric("amount", amount)).transpose()?,
            currency_code: text("currency_code", &currency_code)?,
            title: text("title", &title)?,
            description: text("description", &description)?,
            reference: text("reference", &reference)?,
            customer_id: text("customer_id", &customer_id)?,
            customer_email: text("customer_email", &customer_email)?,
            customer_name: text("customer_name", &customer_name)?,
            customer_phone: text("customer_phone", &customer_phone)?,
            product_id: text("product_id", &product_id)?,
            price_id: text("price_id", &price_id)?,
            subscription_id: text("subscription_id", &subscription_id)?,
            payment_link_id: text("payment_link_id", &payment_link_id)?,
            quantity,
            allow_quantity,
            allow_coupon_code,
            require_billing_address,
            is_spi,
            is_pos,
            country: text("country", &country)?,
            success_url: text("success_url", &success_url)?,
            cancel_url: text("cancel_url", &cancel_url)?,
            payment_methods: payment_methods.map(|methods| methods.read("payment_methods")).transpose()?,
            max_retry_attempts,
            expires_at: expires_at.map(|at| datum::from_timestamp("expires_at", at)).transpose()?,
            expires_in: expires_in.map(|span| datum::from_interval("expires_in", span)).transpose()?,
            lines: lines.map(canonical_lines).transpose()?,
            coupon_code: text("coupon_code", &coupon_code)?,
            has_terms: false,
            dialect: None,
            scenario: http_credential::header(&headers, scenario::HEADER)?,
            trace_id: validate::label(text("trace_id", &trace_id)?).or(http_credential::trace_id(&headers)),
            metadata: None,
        };
        let metadata = datum::metadata(&metadata)?;
        Ok(scenarios::create(&caller, &Policy::STANDARD, order, metadata, idempotency_key, scenario)?.session)
    })
}

/// A hundred lines whose texts are as long as they may be.
const LINES_BYTES: usize = 512 * 1024;

/// The text of the lines, with sorted names.
fn canonical_lines(lines: Jsonb) -> Result<String> {
    let text = lines.read("lines", LINES_BYTES)?.text();
    idempotency::canonical_json(&text)
}

/// Returns an argument, or the header of the request that may stand in for it.
fn same<'a>(argument: &'static str, given: Option<&'a str>, header: Option<&'a str>) -> Result<Option<&'a str>> {
    match (given, header) {
        (Some(given), Some(header)) if given != header => {
            Err(Error::invalid(argument, "differs from the request's header"))
        }
        (given, header) => Ok(given.or(header)),
    }
}

#[pg_extern(sql = false)]
fn get_checkout_session(checkout_session_id: Option<Uuid>) -> Session {
    or_raise(|| {
        let tenant = tenant::reader()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        // With the client secret one can act, and not only read.
        let page = if tenant::secret().is_ok() { Some(store::settings::page(tenant, id)?) } else { None };
        store::sessions::get(tenant, id, datum::now(), page.as_ref())?
            .ok_or(Error::SessionNotFound { checkout_session_id: id })
    })
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn list_checkout_sessions(
    status: Option<Text>,
    customer_id: Option<Text>,
    customer_email: Option<Text>,
    reference: Option<Text>,
    payment_id: Option<Text>,
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    page_size: Option<i32>,
    starting_after: Option<Uuid>,
    ending_before: Option<Uuid>,
    page_offset: Option<i32>,
) -> Rows<Session> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let time =
            |argument, at: Option<TimestampWithTimeZone>| at.map(|at| datum::from_timestamp(argument, at)).transpose();
        let created_after = time("created_after", created_after)?;
        let created_before = time("created_before", created_before)?;
        validate::period(created_after, created_before)?;
        let status = text("status", &status)?.map(str::parse::<Status>).transpose()?;
        let filter = Filter {
            status: status.as_slice(),
            customer_id: text("customer_id", &customer_id)?,
            customer_email: text("customer_email", &customer_email)?,
            reference: text("reference", &reference)?,
            payment_id: text("payment_id", &payment_id)?,
            created_after,
            created_before,
            starting_after: starting_after.map(datum::from_uuid),
            ending_before: ending_before.map(datum::from_uuid),
            page_size: validate::page_size(page_size)?,
            page_offset: validate::in_range("page_offset", page_offset.unwrap_or(0), 0, i32::MAX)?,
        };
        if filter.starting_after.is_some() && filter.ending_before.is_some() {
            return Err(Error::invalid("ending_before", "must not be given together with starting_after"));
        }
        for (argument, cursor) in [("starting_after", filter.starting_after), ("ending_before", filter.ending_before)] {
            let Some(cursor) = cursor else { continue };
            if filter.page_offset > 0 {
                return Err(Error::invalid("page_offset", "must not be given together with a cursor"));
            }
            if !store::sessions::exists(tenant, cursor)? {
                return Err(Error::CursorNotFound { argument, what: "checkout session" });
            }
        }
        store::list::list(tenant, &filter, datum::now())
    }))
}

#[pg_extern(sql = false)]
fn expire_checkout_session(checkout_session_id: Option<Uuid>) -> Session {
    or_raise(|| {
        let tenant = tenant::secret()?;
        sessions::expire(tenant, datum::from_uuid(required("checkout_session_id", checkout_session_id)?))
    })
}

#[pg_extern(sql = false)]
fn recover_checkout_session(
    checkout_session_id: Option<Uuid>,
    expires_at: Option<TimestampWithTimeZone>,
    expires_in: Option<Interval>,
) -> Session {
    or_raise(|| {
        tenant::secret()?;
        let caller = tenant::caller()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let expires_at = expires_at.map(|at| datum::from_timestamp("expires_at", at)).transpose()?;
        let expires_in = expires_in.map(|span| datum::from_interval("expires_in", span)).transpose()?;
        sessions::recover(&caller, id, expires_at, expires_in, None)
    })
}

#[pg_extern(sql = false)]
fn redirect_url(url: Option<Text>, checkout_session_id: Option<Uuid>) -> String {
    or_raise(|| {
        let tenant = tenant::current()?;
        let url = required_text("url", &url)?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        store::sessions::redirect_url(tenant, id, url)?.ok_or(Error::SessionNotFound { checkout_session_id: id })
    })
}

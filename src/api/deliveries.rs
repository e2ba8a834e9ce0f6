//! Deliveries to webhook endpoints: for relays, claim, record and release; for organizations, lists.

use chrono::TimeDelta;
use pgrx::Uuid;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;

use crate::datum::{self, Rows, WebhookAttempt, WebhookDelivery, WebhookDeliveryRequest};
use crate::dialects;
use crate::domain::event::EventId;
use crate::domain::validate::{self, required};
use crate::domain::webhook_signature::{self, Message};
use crate::domain::{Error, Result, delivery, retry, time};
use crate::report::or_raise;
use crate::store::deliveries::{self, Attempt, Key};
use crate::store::delivery_lists::{self, Filter};
use crate::store::{endpoints, events, sessions};
use crate::tenant;

#[pg_extern(schema = "checkout", security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn claim_webhook_deliveries(
    batch_size: default!(Option<i32>, "100"),
    lease: default!(Option<Interval>, "'1 minute'"),
    per_endpoint: default!(Option<i32>, "10"),
    in_flight: default!(Option<Vec<Option<Uuid>>>, "'{}'"),
    except_organizations: default!(Option<Vec<Option<Uuid>>>, "'{}'"),
) -> Rows<WebhookDeliveryRequest> {
    Rows(or_raise((|| {
        let batch_size =
            validate::in_range("batch_size", required("batch_size", batch_size)?, 1, validate::CLAIM_SIZE)?;
        let lease = time::event_lease(datum::from_interval("lease", required("lease", lease)?)?)?;
        let per_endpoint =
            validate::in_range("per_endpoint", required("per_endpoint", per_endpoint)?, 1, validate::CLAIM_SIZE)?;
        let in_flight = ids("in_flight", in_flight)?;
        let except_organizations = ids("except_organizations", except_organizations)?;
        deliveries::claim(batch_size, lease, per_endpoint, &in_flight, &except_organizations, datum::now())
    })()))
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(schema = "checkout", security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn record_webhook_attempt(
    event_id: Option<&str>,
    webhook_endpoint_id: Option<Uuid>,
    lease_token: Option<Uuid>,
    status_code: default!(Option<i32>, "NULL"),
    error: default!(Option<&str>, "NULL"),
    duration: default!(Option<Interval>, "NULL"),
    response_body: default!(Option<&str>, "NULL"),
    retry_after: default!(Option<Interval>, "NULL"),
) -> WebhookDelivery {
    or_raise((|| {
        let (key, unknown) = key_of(event_id, webhook_endpoint_id)?;
        let lease_token = datum::from_uuid(required("lease_token", lease_token)?);
        let status_code = status_code.map(|code| validate::in_range("status_code", code, 100, 599)).transpose()?;
        let not_negative = |argument, span: Option<Interval>| match span {
            None => Ok(None),
            Some(span) => match datum::from_interval(argument, span)? {
                span if span < TimeDelta::zero() => Err(Error::invalid(argument, "must not be negative")),
                span => Ok(Some(span)),
            },
        };
        let first =
            |text: Option<&str>| text.map(|text| text.chars().take(validate::FAILURE_MESSAGE).collect::<String>());
        let (error, response_body) = (first(error), first(response_body));
        let attempt = Attempt {
            status_code,
            error: error.as_deref(),
            duration: not_negative("duration", duration)?,
            response_body: response_body.as_deref(),
        };
        let retry_after = not_negative("retry_after", retry_after)?;

        let locked = deliveries::lock(&key)?.ok_or_else(&unknown)?;
        if locked.lease_token != Some(lease_token) {
            return Err(Error::LeaseLost { event_id: event_id.unwrap_or_default().to_owned() });
        }
        let now = datum::now();
        let outcome = delivery::outcome(locked.attempts + 1, status_code, retry_after, retry::chance());
        let change = delivery::endpoint_change(status_code, locked.failing_since, now);
        deliveries::change_endpoint(&key, change, now)?;
        deliveries::record(&key, &attempt, outcome, now)?.ok_or_else(unknown)
    })())
}

#[pg_extern(schema = "checkout", security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn release_webhook_delivery(
    event_id: Option<&str>,
    webhook_endpoint_id: Option<Uuid>,
    lease_token: Option<Uuid>,
) -> bool {
    or_raise((|| {
        let (key, _) = key_of(event_id, webhook_endpoint_id)?;
        deliveries::release(&key, datum::from_uuid(required("lease_token", lease_token)?), datum::now())
    })())
}

#[pg_extern(schema = "checkout", security_definer, stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn list_webhook_deliveries(
    webhook_endpoint_id: Option<Uuid>,
    status: default!(Option<&str>, "NULL"),
    page_size: default!(Option<i32>, "20"),
    starting_after: default!(Option<&str>, "NULL"),
) -> Rows<WebhookDelivery> {
    Rows(or_raise((|| {
        let tenant = tenant::secret()?;
        let webhook_endpoint_id = datum::from_uuid(required("webhook_endpoint_id", webhook_endpoint_id)?);
        endpoints::check(tenant, webhook_endpoint_id)?;
        if status.is_some_and(|name| !["pending", "leased", "delivered", "dead", "paused"].contains(&name)) {
            return Err(Error::invalid("status", "must be pending, leased, delivered, dead or paused"));
        }
        let filter = Filter {
            webhook_endpoint_id,
            status,
            starting_after: events::cursor(tenant, "starting_after", starting_after)?,
            page_size: validate::page_size(page_size)?,
        };
        delivery_lists::list(tenant, &filter, datum::now())
    })()))
}

#[pg_extern(schema = "checkout", security_definer, stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn list_dead_webhook_deliveries(
    organization_id: default!(Option<Uuid>, "NULL"),
    webhook_endpoint_id: default!(Option<Uuid>, "NULL"),
    page_size: default!(Option<i32>, "20"),
    page_offset: default!(Option<i32>, "0"),
) -> Rows<WebhookDelivery> {
    Rows(or_raise((|| {
        delivery_lists::list_dead(
            organization_id.map(datum::from_uuid),
            webhook_endpoint_id.map(datum::from_uuid),
            validate::in_range("page_offset", page_offset.unwrap_or(0), 0, i32::MAX)?,
            validate::page_size(page_size)?,
        )
    })()))
}

#[pg_extern(schema = "checkout", security_definer, stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn list_webhook_attempts(
    event_id: Option<&str>,
    webhook_endpoint_id: default!(Option<Uuid>, "NULL"),
) -> Rows<WebhookAttempt> {
    Rows(or_raise((|| {
        let tenant = tenant::secret()?;
        let text = required("event_id", event_id)?;
        let event = EventId::parse("event_id", text)?;
        if event.organization_id != tenant.organization_id
            || event.environment != tenant.environment.as_str()
            || !events::exists(&event)?
        {
            return Err(Error::EventNotFound { event_id: text.to_owned() });
        }
        let webhook_endpoint_id = webhook_endpoint_id.map(datum::from_uuid);
        if let Some(id) = webhook_endpoint_id {
            endpoints::check(tenant, id)?;
        }
        delivery_lists::attempts(&event, webhook_endpoint_id)
    })()))
}

fn ids(argument: &'static str, ids: Option<Vec<Option<Uuid>>>) -> Result<Vec<uuid::Uuid>> {
    required(argument, ids)?
        .into_iter()
        .map(|id| id.map(datum::from_uuid).ok_or_else(|| Error::invalid(argument, "must not have null elements")))
        .collect()
}

/// The delivery that arguments name, and the error for one that is not there.
fn key_of(event_id: Option<&str>, webhook_endpoint_id: Option<Uuid>) -> Result<(Key, impl Fn() -> Error)> {
    let text = required("event_id", event_id)?;
    let event = EventId::parse("event_id", text)?;
    let webhook_endpoint_id = datum::from_uuid(required("webhook_endpoint_id", webhook_endpoint_id)?);
    let unknown = move || Error::DeliveryNotFound { event_id: text.to_owned(), webhook_endpoint_id };
    Ok((Key { event, webhook_endpoint_id }, unknown))
}

/// For claims: the body of an event in the words of a documented API. `object` is the session, as checkout_data.event_object()
/// has it, or what else the event is about.
#[pg_extern(schema = "checkout_data", stable, parallel_safe, strict)]
fn event_body_as(
    api: &str,
    event_id: &str,
    event_type: &str,
    created_at: TimestampWithTimeZone,
    object: &str,
    about_session: bool,
) -> String {
    or_raise((|| {
        let object = if about_session {
            (dialects::find(api)?.session)(&sessions::read_view(object)?)
        } else {
            object.to_owned()
        };
        Ok(dialects::event(event_id, event_type, datum::from_timestamp("created_at", created_at)?, object))
    })())
}

/// For claims: the headers of a webhook, signed, as a JSON object.
#[pg_extern(schema = "checkout_data", immutable, parallel_safe)]
fn webhook_headers(
    signature_scheme: &str,
    event_id: &str,
    body: &str,
    secret: &str,
    previous_secret: Option<&str>,
    at: TimestampWithTimeZone,
) -> String {
    or_raise((|| {
        let message = Message { id: event_id, timestamp: datum::from_timestamp("at", at)?, body };
        let secrets: Vec<_> = [Some(secret), previous_secret].into_iter().flatten().collect();
        let headers = webhook_signature::headers(signature_scheme.parse()?, &secrets, &message)?;
        Ok(dialects::to_text(&headers))
    })())
}

//! The webhook outbox: claim, acknowledge, put off, redeliver, list.

use chrono::TimeDelta;
use pgrx::Uuid;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;

use crate::datum::{self, Event, Rows, Text, Texts, required_text, text};
use crate::report::or_raise;
use crate::store::activation;
use crate::store::events::{self, Filter};
use crate::store::redeliveries::{self, Chosen};
use crate::store::sessions;
use crate::tenant;
use rules::dialects;
use rules::validate::{self, required};
use rules::webhooks::event::{self, EventId, EventType};
use rules::webhooks::retry;
use rules::{Error, Result};

#[pg_extern(sql = false)]
fn claim_webhook_events(
    batch_size: Option<i32>,
    lease: Option<Interval>,
    organization_id: Option<Uuid>,
) -> Rows<Event> {
    Rows(or_raise((|| {
        let batch_size =
            validate::in_range("batch_size", required("batch_size", batch_size)?, 1, validate::CLAIM_SIZE)?;
        let lease = event::lease(datum::from_interval("lease", required("lease", lease)?)?)?;
        if !activation::may_deliver()? {
            return Ok(Vec::new());
        }
        events::claim(batch_size, lease, organization_id.map(datum::from_uuid), datum::now())
    })()))
}

#[pg_extern(sql = false)]
fn ack_webhook_events(event_ids: Option<Texts>, lease_token: Option<Uuid>) -> i32 {
    or_raise((|| {
        let ids = event_ids_of(event_ids)?;
        let lease_token = datum::from_uuid(required("lease_token", lease_token)?);
        events::ack(&ids, lease_token, datum::now()).map(count)
    })())
}

#[pg_extern(sql = false)]
fn render_webhook_event(event_id: Option<Text>, api: Option<Text>) -> String {
    or_raise((|| {
        let event_id = required_text("event_id", &event_id)?;
        let id = EventId::parse("event_id", event_id)?;
        let dialect = dialects::find(required_text("api", &api)?)?;
        events::body_as(&id, event_id, dialect.name)?
            .ok_or_else(|| Error::EventNotFound { event_id: event_id.to_owned() })
    })())
}

#[pg_extern(sql = false)]
fn nack_webhook_event(
    event_id: Option<Text>,
    lease_token: Option<Uuid>,
    error: Option<Text>,
    retry_after: Option<Interval>,
) -> Event {
    or_raise((|| {
        let text = required_text("event_id", &event_id)?;
        let id = EventId::parse("event_id", text)?;
        let lease_token = datum::from_uuid(required("lease_token", lease_token)?);
        let error = error.map(|error| error.beginning("error", validate::FAILURE_MESSAGE)).transpose()?;
        let retry_after = retry_after
            .map(|span| datum::from_interval("retry_after", span))
            .transpose()?
            .map(|span| {
                if span < TimeDelta::zero() || span > TimeDelta::days(30) {
                    Err(Error::invalid("retry_after", "must be between 0 and 30 days"))
                } else {
                    Ok(span)
                }
            })
            .transpose()?;

        let unknown = || Error::EventNotFound { event_id: text.to_owned() };
        let (attempts, token) = events::lock(&id)?.ok_or_else(unknown)?;
        if token != Some(lease_token) {
            return Err(Error::LeaseLost { event_id: text.to_owned() });
        }
        let now = datum::now();
        let delay = retry::delay_after(attempts, retry::chance()).map(|delay| retry_after.unwrap_or(delay));
        events::nack(&id, delay.map(|delay| now + delay), error.as_deref(), now)?.ok_or_else(unknown)
    })())
}

#[pg_extern(sql = false)]
fn redeliver_webhook_events(
    event_ids: Option<Texts>,
    webhook_endpoint_id: Option<Uuid>,
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    status: Option<Text>,
) -> i32 {
    or_raise((|| {
        if event_ids.is_none() && webhook_endpoint_id.is_none() && created_after.is_none() {
            return Err(Error::invalid("event_ids", "must be given, or webhook_endpoint_id, or created_after"));
        }
        let status = text("status", &status)?;
        let time =
            |argument, at: Option<TimestampWithTimeZone>| at.map(|at| datum::from_timestamp(argument, at)).transpose();
        let chosen = Chosen {
            events: event_ids.map(|ids| event_ids_of(Some(ids))).transpose()?,
            created_after: time("created_after", created_after)?,
            created_before: time("created_before", created_before)?,
            status,
        };
        validate::period(chosen.created_after, chosen.created_before)?;
        if status.is_some_and(|name| !["pending", "delivered", "dead"].contains(&name)) {
            return Err(Error::invalid("status", "must be pending, delivered or dead"));
        }
        let now = datum::now();
        match webhook_endpoint_id.map(datum::from_uuid) {
            None => redeliveries::everywhere(&chosen, now),
            Some(id) => {
                redeliveries::to_endpoint(&chosen, id, now)?.ok_or(Error::EndpointNotFound { webhook_endpoint_id: id })
            }
        }
        .map(count)
    })())
}

#[pg_extern(sql = false)]
fn list_webhook_events(
    checkout_session_id: Option<Uuid>,
    event_type: Option<Text>,
    status: Option<Text>,
    page_size: Option<i32>,
    starting_after: Option<Text>,
) -> Rows<Event> {
    Rows(or_raise((|| {
        let tenant = tenant::secret()?;
        let session = checkout_session_id.map(datum::from_uuid);
        if let Some(id) = session
            && !sessions::exists(tenant, id)?
        {
            return Err(Error::SessionNotFound { checkout_session_id: id });
        }
        let (event_type, status) = (text("event_type", &event_type)?, text("status", &status)?);
        if event_type.is_some_and(|name| EventType::ALL.iter().all(|known| known.as_str() != name)) {
            return Err(Error::invalid("event_type", "is not the type of an event"));
        }
        if status.is_some_and(|name| !["pending", "leased", "delivered", "dead", "skipped"].contains(&name)) {
            return Err(Error::invalid("status", "must be pending, leased, delivered, dead or skipped"));
        }
        let filter = Filter {
            checkout_session_id: session,
            event_type,
            status,
            starting_after: events::cursor(tenant, "starting_after", text("starting_after", &starting_after)?)?,
            page_size: validate::page_size(page_size)?,
        };
        events::list(tenant, &filter, datum::now())
    })()))
}

fn event_ids_of(ids: Option<Texts>) -> Result<Vec<EventId>> {
    const ARGUMENT: &str = "event_ids";
    let ids = required(ARGUMENT, ids)?.read(ARGUMENT)?;
    ids.into_iter()
        .map(|id| {
            let id = id.ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
            EventId::parse(ARGUMENT, &id)
        })
        .collect()
}

fn count(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

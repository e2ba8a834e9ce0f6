//! The webhook outbox: list, render, redeliver.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::datum::{self, Event, Rows, Session, Text, Texts, required_text, text};
use crate::report::or_raise;
use crate::role::as_worker_role;
use crate::store::events::{self, Filter};
use crate::store::redeliveries::{self, Chosen};
use crate::store::{retention, sessions};
use crate::tenant::{self, Operator, Tenant};
use rules::dialects;
use rules::validate::{self, required};
use rules::webhooks::event::{EventId, EventType};
use rules::{Error, Result};

#[pg_extern(sql = false)]
fn render_webhook_event(event_id: Option<Text>, api: Option<Text>) -> String {
    or_raise(|| {
        let event_id = required_text("event_id", &event_id)?;
        let id = EventId::parse("event_id", event_id)?;
        let dialect = dialects::find(required_text("api", &api)?)?;
        events::body_as(&id, event_id, dialect.name)?
            .ok_or_else(|| Error::EventNotFound { event_id: event_id.to_owned() })
    })
}

#[pg_extern(sql = false)]
fn redeliver_webhook_events(
    event_ids: Option<Texts>,
    webhook_endpoint_id: Option<Uuid>,
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    status: Option<Text>,
    webhook_consumer_id: Option<Uuid>,
) -> i32 {
    or_raise(|| {
        let (tenant, _) = tenant::secret_or(Operator::AdminOrRelay)?;
        let receiver = match (webhook_endpoint_id, webhook_consumer_id) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("webhook_consumer_id", "must not be given with webhook_endpoint_id"));
            }
            (endpoint, consumer) => endpoint.or(consumer).map(datum::from_uuid),
        };
        if event_ids.is_none() && receiver.is_none() && created_after.is_none() {
            return Err(Error::invalid(
                "event_ids",
                "must be given, or webhook_endpoint_id, webhook_consumer_id or created_after",
            ));
        }
        let status = text("status", &status)?
            .map(|name| validate::one_of("status", name, &["pending", "delivered", "dead"]))
            .transpose()?;
        let time =
            |argument, at: Option<TimestampWithTimeZone>| at.map(|at| datum::from_timestamp(argument, at)).transpose();
        let chosen = Chosen {
            tenant,
            events: event_ids.map(|ids| event_ids_of(Some(ids))).transpose()?,
            created_after: time("created_after", created_after)?,
            created_before: time("created_before", created_before)?,
            status,
        };
        validate::period(chosen.created_after, chosen.created_before)?;
        if let (Some(tenant), Some(events)) = (tenant, &chosen.events)
            && let Some(unknown) = redeliveries::unknown_to(tenant, events)?
        {
            return Err(Error::EventNotFound { event_id: unknown.to_string() });
        }
        as_worker_role(|| retention::hold(tenant))?;
        let now = datum::now();
        let is_endpoint = webhook_endpoint_id.is_some();
        match receiver {
            None => redeliveries::everywhere(&chosen, now),
            Some(id) => redeliveries::to_receiver(&chosen, id, is_endpoint, now)?.ok_or(if is_endpoint {
                Error::EndpointNotFound { webhook_endpoint_id: id }
            } else {
                Error::ConsumerNotFound { name: id.to_string() }
            }),
        }
        .map(count)
    })
}

#[pg_extern(sql = false)]
fn list_webhook_events(
    checkout_session_id: Option<Uuid>,
    event_type: Option<Text>,
    status: Option<Text>,
    page_size: Option<i32>,
    starting_after: Option<Text>,
) -> Rows<Event> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
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
    }))
}

pub(super) fn event_ids_of(ids: Option<Texts>) -> Result<Vec<EventId>> {
    const ARGUMENT: &str = "event_ids";
    let ids = required(ARGUMENT, ids)?.read(ARGUMENT)?;
    ids.into_iter()
        .map(|id| {
            let id = id.ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
            EventId::parse(ARGUMENT, &id)
        })
        .collect()
}

pub(super) fn count(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

/// The id of an event.
#[pg_extern(sql = false)]
fn event_id(
    organization_id: Uuid,
    environment: Text,
    subject_id: Uuid,
    sequence: i32,
    created_at: TimestampWithTimeZone,
) -> String {
    or_raise(|| {
        let environment = environment.read("environment")?.parse()?;
        let tenant = Tenant { organization_id: datum::from_uuid(organization_id), environment };
        let created_at = created_at.into();
        Ok(EventId { tenant, subject_id: datum::from_uuid(subject_id), sequence, created_at }.to_string())
    })
}

/// For the bodies of events: a session as JSON; NULL if it has a text that is not valid UTF-8.
#[pg_extern(sql = false)]
fn session_json(session: Session) -> Option<String> {
    match session.json() {
        Err(Error::StoredTextNotUtf8) => None,
        json => Some(or_raise(|| json)),
    }
}

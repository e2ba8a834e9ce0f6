//! Webhook consumers: register, list, delete; claim, acknowledge and put off their events.

use chrono::TimeDelta;
use pgrx::Uuid;
use pgrx::datum::Interval;
use pgrx::prelude::*;

use super::events::{count, event_ids_of};
use crate::datum::{self, Event, Rows, Text, Texts, WebhookConsumer, WebhookDelivery, required_text};
use crate::report::or_raise;
use crate::store::deliveries::{self, Key};
use crate::store::{activation, claims, consumers};
use crate::tenant::{self, Operator};
use rules::validate::{self, required};
use rules::webhooks::event::{self, EventId};
use rules::webhooks::{consumer, endpoint, retry};
use rules::{Error, Result};

#[pg_extern(sql = false)]
fn create_webhook_consumer(name: Option<Text>, event_types: Option<Texts>) -> WebhookConsumer {
    or_raise(|| {
        let (tenant, created_by) = tenant::secret_or(Operator::Admin)?;
        let name = consumer::check_name("name", required_text("name", &name)?)?;
        let event_types = endpoint::event_types(&required("event_types", event_types)?.read("event_types")?)?;
        consumers::register(tenant, name, event_types, &created_by, datum::now())
    })
}

#[pg_extern(sql = false)]
fn list_webhook_consumers() -> Rows<WebhookConsumer> {
    Rows(or_raise(|| tenant::reader_or(Operator::AdminOrRelay).and_then(consumers::list)))
}

#[pg_extern(sql = false)]
fn delete_webhook_consumer(name: Option<Text>, discard_undelivered: Option<bool>) -> WebhookConsumer {
    or_raise(|| {
        let (tenant, _) = tenant::secret_or(Operator::Admin)?;
        let discard = required("discard_undelivered", discard_undelivered)?;
        consumers::delete(tenant, required_text("name", &name)?, discard, datum::now())
    })
}

/// The id of the consumer of this name that its caller may act for.
fn find(consumer: &Option<Text>) -> Result<uuid::Uuid> {
    let (tenant, _) = tenant::secret_or(Operator::Relay)?;
    consumers::find(tenant, required_text("consumer", consumer)?)
}

#[pg_extern(sql = false)]
fn claim_webhook_events(consumer: Option<Text>, batch_size: Option<i32>, lease: Option<Interval>) -> Rows<Event> {
    Rows(or_raise(|| {
        let consumer = find(&consumer)?;
        let batch_size =
            validate::in_range("batch_size", required("batch_size", batch_size)?, 1, validate::CLAIM_SIZE)?;
        let lease = event::lease(datum::from_interval("lease", required("lease", lease)?)?)?;
        if !activation::may_deliver()? {
            return Ok(Vec::new());
        }
        claims::for_consumer(consumer, batch_size, lease, datum::now())
    }))
}

#[pg_extern(sql = false)]
fn ack_webhook_events(consumer: Option<Text>, event_ids: Option<Texts>, lease_token: Option<Uuid>) -> i32 {
    or_raise(|| {
        let consumer = find(&consumer)?;
        let events = event_ids_of(event_ids)?;
        let lease_token = datum::from_uuid(required("lease_token", lease_token)?);
        deliveries::acknowledge(consumer, &events, lease_token, datum::now()).map(count)
    })
}

#[pg_extern(sql = false)]
fn nack_webhook_event(
    consumer: Option<Text>,
    event_id: Option<Text>,
    lease_token: Option<Uuid>,
    error: Option<Text>,
    retry_after: Option<Interval>,
) -> WebhookDelivery {
    or_raise(|| {
        let receiver_id = find(&consumer)?;
        let text = required_text("event_id", &event_id)?;
        let key = Key { event: EventId::parse("event_id", text)?, receiver_id };
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

        let (attempts, token) =
            deliveries::lock_for_consumer(&key)?.ok_or_else(|| Error::EventNotFound { event_id: text.to_owned() })?;
        if token != Some(lease_token) {
            return Err(Error::LeaseLost { event_id: text.to_owned() });
        }
        let now = datum::now();
        let delay = retry::delay_after(attempts, retry::chance()).map(|delay| retry_after.unwrap_or(delay));
        deliveries::refuse(&key, delay.map(|delay| now + delay), error.as_deref(), now)
    })
}

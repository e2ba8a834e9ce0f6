//! Deliveries to webhook endpoints: for relays, claim, record and release; for organizations, lists.

use pgrx::Uuid;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;

use crate::datum::{
    self, Jsonb, Rows, Text, Uuids, WebhookAttempt, WebhookDelivery, WebhookDeliveryRequest, required_text, text,
};
use crate::operations::webhook_deliveries;
use crate::report::or_raise;
use crate::store::activation;
use crate::store::deliveries::{self, Key};
use crate::store::delivery_lists::{self, Filter};
use crate::store::{claims, endpoints, events};
use crate::{gucs, tenant};
use rules::dialects::{self, SessionView};
use rules::validate::{self, required};
use rules::webhooks::delivery::{self, Attempt};
use rules::webhooks::event::{self, EventId};
use rules::webhooks::signature::{self, Message};
use rules::webhooks::url::Ranges;
use rules::{Error, Result};

/// The size limit of an event's body: far more than a session can have.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// The size limit of reports of attempts: a thousand, each with a long error and response.
const ATTEMPTS_BYTES: usize = 16 * 1024 * 1024;

#[pg_extern(sql = false)]
fn claim_webhook_deliveries(
    batch_size: Option<i32>,
    lease: Option<Interval>,
    per_endpoint: Option<i32>,
    in_flight: Option<Uuids>,
    except_organizations: Option<Uuids>,
) -> Rows<WebhookDeliveryRequest> {
    Rows(or_raise(|| {
        let batch_size =
            validate::in_range("batch_size", required("batch_size", batch_size)?, 1, validate::CLAIM_SIZE)?;
        let lease = event::lease(datum::from_interval("lease", required("lease", lease)?)?)?;
        let per_endpoint =
            validate::in_range("per_endpoint", required("per_endpoint", per_endpoint)?, 1, validate::CLAIM_SIZE)?;
        let in_flight = required("in_flight", in_flight)?.read("in_flight")?;
        let except_organizations =
            required("except_organizations", except_organizations)?.read("except_organizations")?;
        if !activation::may_deliver()? {
            return Ok(Vec::new());
        }
        let may_stay_home = Ranges::are_unset(&gucs::webhook_allowed_ranges()?.unwrap_or_default());
        let now = datum::now();
        claims::for_endpoints(batch_size, lease, per_endpoint, &in_flight, &except_organizations, may_stay_home, now)
    }))
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn record_webhook_attempt(
    event_id: Option<Text>,
    webhook_endpoint_id: Option<Uuid>,
    lease_token: Option<Uuid>,
    status_code: Option<i32>,
    error: Option<Text>,
    duration: Option<Interval>,
    response_body: Option<Text>,
    retry_after: Option<Interval>,
) -> WebhookDelivery {
    or_raise(|| {
        let (key, unknown) = key_of(&event_id, webhook_endpoint_id)?;
        let lease_token = datum::from_uuid(required("lease_token", lease_token)?);
        let span = |argument, span: Option<Interval>| span.map(|span| datum::from_interval(argument, span)).transpose();
        let beginning = |argument, text: Option<Text>| {
            text.map(|text| text.beginning(argument, validate::FAILURE_MESSAGE)).transpose()
        };
        let attempt = Attempt {
            status_code,
            error: beginning("error", error)?,
            duration: span("duration", duration)?,
            response_body: beginning("response_body", response_body)?,
            retry_after: span("retry_after", retry_after)?,
        };
        attempt.check()?;
        match webhook_deliveries::record(vec![(key, lease_token, attempt)])?.pop() {
            Some(recorded) => Ok(recorded),
            None if deliveries::exists(&key)? => {
                Err(Error::LeaseLost { event_id: required_text("event_id", &event_id)?.to_owned() })
            }
            None => Err(unknown()),
        }
    })
}

#[pg_extern(sql = false)]
fn record_webhook_attempts(attempts: Option<Jsonb>) -> Rows<WebhookDelivery> {
    const ARGUMENT: &str = "attempts";
    Rows(or_raise(|| {
        let text = required(ARGUMENT, attempts)?.read(ARGUMENT, ATTEMPTS_BYTES)?.text();
        let reports = delivery::read_reports(ARGUMENT, &text)?;
        let attempts = reports
            .into_iter()
            .map(|report| {
                let key = Key {
                    event: EventId::parse("event_id", &report.event_id)?,
                    receiver_id: report.webhook_endpoint_id,
                };
                let (lease_token, attempt) = (report.lease_token, report.attempt());
                attempt.check()?;
                Ok((key, lease_token, attempt))
            })
            .collect::<Result<_>>()?;
        webhook_deliveries::record(attempts)
    }))
}

#[pg_extern(sql = false)]
fn release_webhook_delivery(
    event_id: Option<Text>,
    webhook_endpoint_id: Option<Uuid>,
    lease_token: Option<Uuid>,
) -> bool {
    or_raise(|| {
        let (key, _) = key_of(&event_id, webhook_endpoint_id)?;
        deliveries::release(&key, datum::from_uuid(required("lease_token", lease_token)?), datum::now())
    })
}

#[pg_extern(sql = false)]
fn list_webhook_deliveries(
    webhook_endpoint_id: Option<Uuid>,
    status: Option<Text>,
    page_size: Option<i32>,
    starting_after: Option<Text>,
) -> Rows<WebhookDelivery> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let webhook_endpoint_id = datum::from_uuid(required("webhook_endpoint_id", webhook_endpoint_id)?);
        endpoints::check(tenant, webhook_endpoint_id)?;
        let status = text("status", &status)?;
        if status.is_some_and(|name| !["pending", "leased", "delivered", "dead", "paused"].contains(&name)) {
            return Err(Error::invalid("status", "must be pending, leased, delivered, dead or paused"));
        }
        let filter = Filter {
            webhook_endpoint_id,
            status,
            starting_after: events::cursor(tenant, "starting_after", text("starting_after", &starting_after)?)?,
            page_size: validate::page_size(page_size)?,
        };
        delivery_lists::list(tenant, &filter, datum::now())
    }))
}

#[pg_extern(sql = false)]
fn list_dead_webhook_deliveries(
    organization_id: Option<Uuid>,
    webhook_endpoint_id: Option<Uuid>,
    page_size: Option<i32>,
    page_offset: Option<i32>,
) -> Rows<WebhookDelivery> {
    Rows(or_raise(|| {
        delivery_lists::list_dead(
            organization_id.map(datum::from_uuid),
            webhook_endpoint_id.map(datum::from_uuid),
            validate::in_range("page_offset", page_offset.unwrap_or(0), 0, i32::MAX)?,
            validate::page_size(page_size)?,
        )
    }))
}

#[pg_extern(sql = false)]
fn list_webhook_attempts(event_id: Option<Text>, webhook_endpoint_id: Option<Uuid>) -> Rows<WebhookAttempt> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let text = required_text("event_id", &event_id)?;
        let event = EventId::parse("event_id", text)?;
        if event.tenant != tenant || !events::exists(&event)? {
            return Err(Error::EventNotFound { event_id: text.to_owned() });
        }
        let webhook_endpoint_id = webhook_endpoint_id.map(datum::from_uuid);
        if let Some(id) = webhook_endpoint_id {
            endpoints::check(tenant, id)?;
        }
        delivery_lists::attempts(&event, webhook_endpoint_id)
    }))
}

/// The delivery that the arguments name, or the error if there is none.
fn key_of(event_id: &Option<Text>, webhook_endpoint_id: Option<Uuid>) -> Result<(Key, impl Fn() -> Error)> {
    let text = required_text("event_id", event_id)?;
    let event = EventId::parse("event_id", text)?;
    let webhook_endpoint_id = datum::from_uuid(required("webhook_endpoint_id", webhook_endpoint_id)?);
    let unknown = move || Error::DeliveryNotFound { event_id: text.to_owned(), webhook_endpoint_id };
    Ok((Key { event, receiver_id: webhook_endpoint_id }, unknown))
}

/// For claims: the body of an event in the format and the words of a dialect; NULL if it cannot be written. `object` is the session,
/// in the form of checkout_data.event_object(), or the other object that the event is about.
#[pg_extern(sql = false)]
fn event_body_as(
    dialect: Text,
    event_id: Text,
    event_type: Text,
    created_at: TimestampWithTimeZone,
    object: Text,
    about_session: bool,
) -> Option<String> {
    let body = || {
        let object = object.read_up_to("object", BODY_BYTES)?;
        let (id, kind) = (event_id.read("event_id")?, event_type.read("event_type")?);
        let (kind, object) = if about_session {
            let dialect = dialects::find(dialect.read("dialect")?)?;
            (dialect.event_type(kind), (dialect.session)(&read_view(object)?))
        } else {
            (kind, object.to_owned())
        };
        Ok::<_, Error>(dialects::event(id, kind, datum::from_timestamp("created_at", created_at)?, object))
    };
    body().ok()
}

/// Reads the session of an event.
fn read_view(text: &str) -> Result<SessionView> {
    serde_json::from_str(text).map_err(|error| Error::Internal(format!("a session's JSON is not what it was: {error}")))
}

/// For claims: the signed headers of a webhook, as a JSON object; NULL if part of it cannot be sent.
#[pg_extern(sql = false)]
fn webhook_headers(
    signature_scheme: Option<Text>,
    event_id: Option<Text>,
    url: Option<Text>,
    body: Option<Text>,
    secret: Option<Text>,
    previous_secret: Option<Text>,
    at: TimestampWithTimeZone,
) -> Option<String> {
    let headers = || {
        required_text("url", &url)?;
        let message = Message {
            id: required_text("event_id", &event_id)?,
            timestamp: datum::from_timestamp("at", at)?,
            body: required("body", body.as_ref())?.read_up_to("body", BODY_BYTES)?,
        };
        let (secret, previous) = (required_text("secret", &secret)?, text("previous_secret", &previous_secret)?);
        let secrets: Vec<_> = [Some(secret), previous].into_iter().flatten().collect();
        let scheme = required_text("signature_scheme", &signature_scheme)?.parse()?;
        Ok::<_, Error>(dialects::to_text(&signature::headers(scheme, &secrets, &message)?))
    };
    headers().ok()
}

/// For claims: returns true if a text can be sent at all.
#[pg_extern(sql = false)]
fn is_utf8(text: Text) -> bool {
    text.read_up_to("text", BODY_BYTES).is_ok()
}

//! Webhook endpoints: create, list, update, delete, and roll their secrets.

use chrono::TimeDelta;
use pgrx::Uuid;
use pgrx::datum::Interval;
use pgrx::prelude::*;

use crate::datum::{self, Rows, Text, Texts, WebhookEndpoint, required_text, text};
use crate::gucs;
use crate::report::or_raise;
use crate::role::as_worker_role;
use crate::store::endpoints::{self, Changes};
use crate::store::organizations;
use crate::tenant::{self, Tenant};
use rules::dialects;
use rules::validate::required;
use rules::webhooks::endpoint;
use rules::webhooks::signature::Scheme;
use rules::{Error, Result};

/// The longest time for which a rolled secret still signs.
const MAXIMUM_OVERLAP: TimeDelta = TimeDelta::days(30);

/// The settings of an endpoint, as the arguments give them.
struct Given<'a> {
    url: Option<&'a str>,
    event_types: Option<Vec<Option<String>>>,
    body_format: Option<&'a str>,
    signature_scheme: Option<&'a str>,
    description: Option<&'a str>,
    enabled: Option<bool>,
}

impl<'a> Given<'a> {
    fn check(self, tenant: Tenant) -> Result<Changes<'a>> {
        if let Some(url) = self.url {
            let allowed = gucs::webhook_allowed_ranges()?.unwrap_or_default();
            endpoint::check_url(url, tenant.environment, &allowed)?;
        }
        if let Some(format) = self.body_format
            && format != CANONICAL
            && dialects::find(format).is_err()
        {
            return Err(Error::invalid("body_format", "must be canonical, kobo, lomi, paygate, flutterwave or yuno"));
        }
        if let Some(scheme) = self.signature_scheme {
            scheme.parse::<Scheme>().map_err(|_| Error::invalid("signature_scheme", "must be standard or stripe"))?;
        }
        Ok(Changes {
            url: self.url,
            event_types: self.event_types.map(|patterns| endpoint::event_types(&patterns)).transpose()?,
            body_format: self.body_format,
            signature_scheme: self.signature_scheme,
            description: self.description.map(endpoint::description).transpose()?,
            enabled: self.enabled,
        })
    }
}

const CANONICAL: &str = "canonical";

#[pg_extern(sql = false)]
fn create_webhook_endpoint(
    url: Option<Text>,
    event_types: Option<Texts>,
    body_format: Option<Text>,
    signature_scheme: Option<Text>,
    description: Option<Text>,
) -> WebhookEndpoint {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let settings = Given {
            url: Some(required_text("url", &url)?),
            event_types: Some(required("event_types", event_types)?.read("event_types")?),
            body_format: Some(required_text("body_format", &body_format)?),
            signature_scheme: Some(required_text("signature_scheme", &signature_scheme)?),
            description: text("description", &description)?,
            enabled: None,
        }
        .check(tenant)?;
        if !as_worker_role(|| organizations::hold(tenant.organization_id))? {
            return Err(tenant::NO_ORGANIZATION);
        }
        // All bits are random, because claims start at a random place among the endpoints.
        let id = uuid::Uuid::new_v4();
        endpoints::insert(tenant, id, &settings, &endpoint::new_secret(), &tenant::caller()?.name, datum::now())
    })
}

#[pg_extern(sql = false)]
fn list_webhook_endpoints() -> Rows<WebhookEndpoint> {
    Rows(or_raise(|| endpoints::list(tenant::reader()?)))
}

#[pg_extern(sql = false)]
fn update_webhook_endpoint(
    webhook_endpoint_id: Option<Uuid>,
    url: Option<Text>,
    event_types: Option<Texts>,
    body_format: Option<Text>,
    signature_scheme: Option<Text>,
    description: Option<Text>,
    enabled: Option<bool>,
) -> WebhookEndpoint {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = id_of(webhook_endpoint_id)?;
        let changes = Given {
            url: text("url", &url)?,
            event_types: event_types.map(|patterns| patterns.read("event_types")).transpose()?,
            body_format: text("body_format", &body_format)?,
            signature_scheme: text("signature_scheme", &signature_scheme)?,
            description: text("description", &description)?,
            enabled,
        }
        .check(tenant)?;
        endpoints::update(tenant, id, &changes, datum::now())
    })
}

#[pg_extern(sql = false)]
fn delete_webhook_endpoint(webhook_endpoint_id: Option<Uuid>, discard_undelivered: Option<bool>) -> WebhookEndpoint {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = id_of(webhook_endpoint_id)?;
        endpoints::delete(tenant, id, required("discard_undelivered", discard_undelivered)?, datum::now())
    })
}

#[pg_extern(sql = false)]
fn roll_webhook_secret(webhook_endpoint_id: Option<Uuid>, overlap: Option<Interval>) -> WebhookEndpoint {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = id_of(webhook_endpoint_id)?;
        let overlap = datum::from_interval("overlap", required("overlap", overlap)?)?;
        if overlap < TimeDelta::zero() || overlap > MAXIMUM_OVERLAP {
            return Err(Error::invalid("overlap", "must be between 0 and 30 days"));
        }
        endpoints::roll(tenant, id, &endpoint::new_secret(), overlap, datum::now())
    })
}

fn id_of(webhook_endpoint_id: Option<Uuid>) -> Result<uuid::Uuid> {
    required("webhook_endpoint_id", webhook_endpoint_id).map(datum::from_uuid)
}

/// For fan-out: returns true if an event goes to a receiver with these event types and this body format. An invalid
/// pattern matches nothing: the event belongs to a payment, which must not fail because of it.
#[pg_extern(sql = false)]
fn event_type_matches(event_types: Texts, body_format: Text, event_type: Text) -> bool {
    let matches = || {
        let event_types = event_types.read("event_types")?;
        let event_types: Vec<_> = event_types.iter().flatten().map(String::as_str).collect();
        Ok::<_, Error>(dialects::asks_for(
            &event_types,
            body_format.read("body_format")?,
            event_type.read("event_type")?,
        ))
    };
    matches().unwrap_or(false)
}

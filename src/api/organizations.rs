//! Organizations and their settings.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use pgrx::Uuid;
use pgrx::datum::Interval;
use pgrx::prelude::*;

use crate::datum::{self, Jsonb, Organization, Rows, Text, Texts, required_text, text};
use crate::operations::maintenance;
use crate::report::or_raise;
use crate::store::{activation, admin_log, organizations, retention};
use rules::access::{api_key, changes};
use rules::catalog::subscription;
use rules::checkout::lifetime::Lifetime;
use rules::checkout::settings::{Hooks, Leases, Pages, Records, Settings};
use rules::validate::{self, required};
use rules::{Error, Result};
use serde_json::{Value, json};

/// The settings of an organization, as the arguments give them. A setting that is not given stays as it is.
struct Changes<'a> {
    name: Option<&'a str>,
    default_lifetime: Option<Interval>,
    minimum_lifetime: Option<Interval>,
    maximum_lifetime: Option<Interval>,
    max_retry_attempts: Option<i32>,
    reference_policy: Option<&'a str>,
    sub_minor_amounts: Option<bool>,
    payment_methods: Option<Vec<Option<String>>>,
    base_url: Option<&'a str>,
    expiring_notice: Option<Interval>,
    maximum_lease: Option<Interval>,
    payment_method_leases: Option<Jsonb>,
    require_payment_amount: Option<bool>,
    app_link_schemes: Option<Vec<Option<String>>>,
    strict_parameters: Option<bool>,
    allowed_origins: Option<Vec<Option<String>>>,
    uses_catalog: Option<bool>,
    publishable_amounts: Option<bool>,
    embedding_origins: Option<Vec<Option<String>>>,
    payment_method_urls: Option<Jsonb>,
    allow_restart: Option<bool>,
    cancel_expires: Option<bool>,
    time_zone: Option<&'a str>,
    renewal_grace_period: Option<Interval>,
    renewal_notice: Option<Interval>,
    hooks_required: Option<bool>,
    session_retention: Option<Interval>,
    personal_metadata_keys: Option<Vec<Option<String>>>,
    request_failure_threshold: Option<i32>,
}

impl Changes<'_> {
    /// Checks the changes and makes them. An empty value and a zero span or threshold remove the setting.
    fn apply(self, settings: Settings) -> Result<Settings> {
        if let Some(name) = self.name {
            validate::text("name", name, validate::SHORT_TEXT)?;
        }
        let span = |argument, given: Option<Interval>, before| match given {
            Some(span) => datum::from_interval(argument, span),
            None => Ok(before),
        };
        let before = settings.lifetime;
        Ok(Settings {
            lifetime: Lifetime {
                default: span("default_lifetime", self.default_lifetime, before.default)?,
                minimum: span("minimum_lifetime", self.minimum_lifetime, before.minimum)?,
                maximum: span("maximum_lifetime", self.maximum_lifetime, before.maximum)?,
            }
            .check()?,
            max_retry_attempts: validate::in_range(
                "max_retry_attempts",
                self.max_retry_attempts.unwrap_or(settings.max_retry_attempts),
                0,
                validate::MAXIMUM_RETRY_ATTEMPTS,
            )?,
            reference_policy: match self.reference_policy {
                Some(policy) => policy.parse()?,
                None => settings.reference_policy,
            },
            sub_minor_amounts: self.sub_minor_amounts.unwrap_or(settings.sub_minor_amounts),
            payment_methods: match self.payment_methods {
                Some(methods) => validate::payment_methods(&methods)?,
                None => settings.payment_methods,
            },
            base_url: match self.base_url {
                Some("") => None,
                Some(url) => Some(validate::base_url("base_url", url)?.to_owned()),
                None => settings.base_url,
            },
            expiring_notice: match self.expiring_notice {
                Some(span) => unless_zero(datum::from_interval("expiring_notice", span)?, |span| {
                    validate::notice("expiring_notice", span)
                })?,
                None => settings.expiring_notice,
            },
            leases: Leases {
                maximum: match self.maximum_lease {
                    Some(span) => Leases::check_maximum("maximum_lease", datum::from_interval("maximum_lease", span)?)?,
                    None => settings.leases.maximum,
                },
                by_method: match self.payment_method_leases {
                    Some(leases) => payment_method_leases(leases)?,
                    None => settings.leases.by_method,
                },
            },
            require_payment_amount: self.require_payment_amount.unwrap_or(settings.require_payment_amount),
            app_link_schemes: match self.app_link_schemes {
                Some(schemes) => validate::app_link_schemes(&schemes)?,
                None => settings.app_link_schemes,
            },
            strict_parameters: self.strict_parameters.unwrap_or(settings.strict_parameters),
            allowed_origins: match self.allowed_origins {
                Some(origins) => validate::origins("allowed_origins", &origins)?,
                None => settings.allowed_origins,
            },
            uses_catalog: self.uses_catalog.unwrap_or(settings.uses_catalog),
            publishable_amounts: self.publishable_amounts.unwrap_or(settings.publishable_amounts),
            pages: Pages {
                embedding_origins: match self.embedding_origins {
                    Some(origins) => validate::origins("embedding_origins", &origins)?,
                    None => settings.pages.embedding_origins,
                },
                payment_method_urls: match self.payment_method_urls {
                    Some(urls) => payment_method_urls(urls)?,
                    None => settings.pages.payment_method_urls,
                },
                allow_restart: self.allow_restart.unwrap_or(settings.pages.allow_restart),
                cancel_expires: self.cancel_expires.unwrap_or(settings.pages.cancel_expires),
            },
            subscriptions: subscription::Settings {
                time_zone: match self.time_zone {
                    Some(name) if !organizations::is_time_zone(name)? => {
                        return Err(Error::invalid(
                            "time_zone",
                            "must be the name of a time zone, such as Africa/Dakar",
                        ));
                    }
                    Some(name) => name.to_owned(),
                    None => settings.subscriptions.time_zone,
                },
                grace_period: subscription::grace_period(span(
                    "renewal_grace_period",
                    self.renewal_grace_period,
                    settings.subscriptions.grace_period,
                )?)?,
                renewal_notice: match self.renewal_notice {
                    Some(span) => {
                        unless_zero(datum::from_interval("renewal_notice", span)?, subscription::renewal_notice)?
                    }
                    None => settings.subscriptions.renewal_notice,
                },
            },
            hooks: Hooks { required: self.hooks_required.unwrap_or(settings.hooks.required), ..settings.hooks },
            records: Records {
                session_retention: match self.session_retention {
                    Some(span) => unless_zero(datum::from_years("session_retention", span)?, Records::check_retention)?,
                    None => settings.records.session_retention,
                },
                personal_metadata_keys: match self.personal_metadata_keys {
                    Some(keys) => Records::check_keys(&keys)?,
                    None => settings.records.personal_metadata_keys,
                },
                request_failure_threshold: match self.request_failure_threshold {
                    Some(0) => None,
                    Some(count) => Some(validate::in_range("request_failure_threshold", count, 1, i32::MAX)?),
                    None => settings.records.request_failure_threshold,
                },
            },
            ended: settings.ended,
            client_secret_key: settings.client_secret_key,
        })
    }
}

/// The span, checked. A span of zero removes the setting.
fn unless_zero(span: TimeDelta, check: impl FnOnce(TimeDelta) -> Result<TimeDelta>) -> Result<Option<TimeDelta>> {
    if span.is_zero() { Ok(None) } else { check(span).map(Some) }
}

fn payment_method_urls(urls: Jsonb) -> Result<BTreeMap<String, String>> {
    const ARGUMENT: &str = "payment_method_urls";
    let urls = organizations::read_urls(urls.read(ARGUMENT, 64 * 1024)?)?;
    count_methods(ARGUMENT, urls.len())?;
    for (method, url) in &urls {
        validate::text(ARGUMENT, method, validate::PAYMENT_METHOD)?;
        validate::http_url(ARGUMENT, url)?;
    }
    Ok(urls)
}

fn count_methods(argument: &'static str, count: usize) -> Result<()> {
    match count > validate::PAYMENT_METHODS {
        true => {
            Err(Error::invalid(argument, format!("must name at most {} payment methods", validate::PAYMENT_METHODS)))
        }
        false => Ok(()),
    }
}

fn payment_method_leases(leases: Jsonb) -> Result<BTreeMap<String, TimeDelta>> {
    const ARGUMENT: &str = "payment_method_leases";
    let leases = organizations::read_leases(ARGUMENT, leases.read(ARGUMENT, 64 * 1024)?)?;
    count_methods(ARGUMENT, leases.len())?;
    for (method, lease) in &leases {
        validate::text(ARGUMENT, method, validate::PAYMENT_METHOD)?;
        Leases::check_maximum(ARGUMENT, *lease)?;
    }
    Ok(leases)
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn create_organization(
    name: Option<Text>,
    default_lifetime: Option<Interval>,
    minimum_lifetime: Option<Interval>,
    maximum_lifetime: Option<Interval>,
    max_retry_attempts: Option<i32>,
    reference_policy: Option<Text>,
    sub_minor_amounts: Option<bool>,
    payment_methods: Option<Texts>,
    base_url: Option<Text>,
    expiring_notice: Option<Interval>,
    maximum_lease: Option<Interval>,
    payment_method_leases: Option<Jsonb>,
    require_payment_amount: Option<bool>,
    app_link_schemes: Option<Texts>,
    strict_parameters: Option<bool>,
    allowed_origins: Option<Texts>,
    uses_catalog: Option<bool>,
    publishable_amounts: Option<bool>,
    embedding_origins: Option<Texts>,
    payment_method_urls: Option<Jsonb>,
    allow_restart: Option<bool>,
    cancel_expires: Option<bool>,
    time_zone: Option<Text>,
    renewal_grace_period: Option<Interval>,
    renewal_notice: Option<Interval>,
    hooks_required: Option<bool>,
    session_retention: Option<Interval>,
    personal_metadata_keys: Option<Texts>,
    request_failure_threshold: Option<i32>,
    organization_id: Option<Uuid>,
) -> Uuid {
    or_raise(|| {
        let name = required_text("name", &name)?;
        let settings = Changes {
            name: Some(name),
            default_lifetime,
            minimum_lifetime,
            maximum_lifetime,
            max_retry_attempts,
            reference_policy: text("reference_policy", &reference_policy)?,
            sub_minor_amounts,
            payment_methods: payment_methods.map(|methods| methods.read("payment_methods")).transpose()?,
            base_url: text("base_url", &base_url)?,
            expiring_notice,
            maximum_lease,
            payment_method_leases,
            require_payment_amount,
            app_link_schemes: app_link_schemes.map(|schemes| schemes.read("app_link_schemes")).transpose()?,
            strict_parameters,
            allowed_origins: allowed_origins.map(|origins| origins.read("allowed_origins")).transpose()?,
            uses_catalog,
            publishable_amounts,
            embedding_origins: embedding_origins.map(|origins| origins.read("embedding_origins")).transpose()?,
            payment_method_urls,
            allow_restart,
            cancel_expires,
            time_zone: text("time_zone", &time_zone)?,
            renewal_grace_period,
            renewal_notice,
            hooks_required,
            session_retention,
            personal_metadata_keys: personal_metadata_keys
                .map(|keys| keys.read("personal_metadata_keys"))
                .transpose()?,
            request_failure_threshold,
        }
        .apply(Settings { client_secret_key: api_key::random(), ..Settings::default() })?;
        let organization_id = organization_id.map_or_else(uuid::Uuid::new_v4, datum::from_uuid);
        if organization_id.is_nil() {
            return Err(Error::invalid("organization_id", "must not be the nil UUID"));
        }
        let new = activation::is_new()?;
        organizations::insert(organization_id, name, &settings)?;
        let made = changes::between(&Value::Null, &admin_log::organization(organization_id)?);
        admin_log::write("organization.created", organization_id, &organization_id.to_string(), &made)?;
        if new {
            maintenance::activate()?;
        }
        Ok(datum::uuid(organization_id))
    })
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn update_organization(
    organization_id: Option<Uuid>,
    name: Option<Text>,
    default_lifetime: Option<Interval>,
    minimum_lifetime: Option<Interval>,
    maximum_lifetime: Option<Interval>,
    max_retry_attempts: Option<i32>,
    reference_policy: Option<Text>,
    sub_minor_amounts: Option<bool>,
    payment_methods: Option<Texts>,
    base_url: Option<Text>,
    expiring_notice: Option<Interval>,
    maximum_lease: Option<Interval>,
    payment_method_leases: Option<Jsonb>,
    require_payment_amount: Option<bool>,
    app_link_schemes: Option<Texts>,
    strict_parameters: Option<bool>,
    allowed_origins: Option<Texts>,
    uses_catalog: Option<bool>,
    publishable_amounts: Option<bool>,
    embedding_origins: Option<Texts>,
    payment_method_urls: Option<Jsonb>,
    allow_restart: Option<bool>,
    cancel_expires: Option<bool>,
    time_zone: Option<Text>,
    renewal_grace_period: Option<Interval>,
    renewal_notice: Option<Interval>,
    hooks_required: Option<bool>,
    session_retention: Option<Interval>,
    personal_metadata_keys: Option<Texts>,
    request_failure_threshold: Option<i32>,
) -> Organization {
    or_raise(|| {
        let organization_id = datum::from_uuid(required("organization_id", organization_id)?);
        let name = text("name", &name)?;
        let unknown = || Error::OrganizationNotFound { organization_id };
        let name_before = organizations::lock(organization_id)?.ok_or_else(unknown)?;
        let settings = organizations::settings(organization_id)?.ok_or_else(unknown)?;
        if session_retention.is_some() {
            retention::changed(organization_id)?;
        }
        let before = admin_log::organization(organization_id)?;
        let settings = Changes {
            name,
            default_lifetime,
            minimum_lifetime,
            maximum_lifetime,
            max_retry_attempts,
            reference_policy: text("reference_policy", &reference_policy)?,
            sub_minor_amounts,
            payment_methods: payment_methods.map(|methods| methods.read("payment_methods")).transpose()?,
            base_url: text("base_url", &base_url)?,
            expiring_notice,
            maximum_lease,
            payment_method_leases,
            require_payment_amount,
            app_link_schemes: app_link_schemes.map(|schemes| schemes.read("app_link_schemes")).transpose()?,
            strict_parameters,
            allowed_origins: allowed_origins.map(|origins| origins.read("allowed_origins")).transpose()?,
            uses_catalog,
            publishable_amounts,
            embedding_origins: embedding_origins.map(|origins| origins.read("embedding_origins")).transpose()?,
            payment_method_urls,
            allow_restart,
            cancel_expires,
            time_zone: text("time_zone", &time_zone)?,
            renewal_grace_period,
            renewal_notice,
            hooks_required,
            session_retention,
            personal_metadata_keys: personal_metadata_keys
                .map(|keys| keys.read("personal_metadata_keys"))
                .transpose()?,
            request_failure_threshold,
        }
        .apply(settings)?;
        let name = name.unwrap_or(&name_before);
        let updated = organizations::update(organization_id, name, &settings)?.ok_or_else(unknown)?;
        let changed = changes::between(&before, &admin_log::organization(organization_id)?);
        admin_log::write_if_changed("organization.updated", organization_id, &organization_id.to_string(), &changed)?;
        Ok(updated)
    })
}

#[pg_extern(sql = false)]
fn rotate_client_secrets(organization_id: Option<Uuid>) -> Organization {
    or_raise(|| {
        let organization_id = datum::from_uuid(required("organization_id", organization_id)?);
        let unknown = || Error::OrganizationNotFound { organization_id };
        let name = organizations::lock(organization_id)?.ok_or_else(unknown)?;
        let settings = organizations::settings(organization_id)?.ok_or_else(unknown)?;
        let settings = Settings { client_secret_key: api_key::random(), ..settings };
        let updated = organizations::update(organization_id, &name, &settings)?.ok_or_else(unknown)?;
        let subject = organization_id.to_string();
        admin_log::write("organization.client_secrets_rotated", organization_id, &subject, &json!({}))?;
        Ok(updated)
    })
}

#[pg_extern(sql = false)]
fn list_organizations() -> Rows<Organization> {
    Rows(or_raise(organizations::list))
}

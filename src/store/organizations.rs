//! Statements on organizations.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use pgrx::datum::Interval;
use uuid::Uuid;

use super::statement::{Argument, statement};
use crate::datum::{self, Credential, Json, Organization, PagePolicy};
use crate::tenant::Caller;
use rules::catalog::subscription;
use rules::checkout::hook::Hook;
use rules::checkout::lifetime::Lifetime;
use rules::checkout::reference::ReferencePolicy;
use rules::checkout::settings::{Hooks, Leases, Pages, Records, Settings, in_words};
use rules::{Error, Result};

statement!(
    SETTINGS,
    Latest,
    "SELECT o.default_lifetime, o.minimum_lifetime, o.maximum_lifetime, o.max_retry_attempts::integer, o.reference_policy, \
       o.sub_minor_amounts, o.payment_methods, o.base_url, o.expiring_notice, o.client_secret_key::bytea, o.maximum_lease, \
       o.payment_method_leases::jsonb, o.require_payment_amount, o.app_link_schemes, \
       o.strict_parameters, o.allowed_origins, o.uses_catalog, o.publishable_amounts, \
       o.embedding_origins, o.payment_method_urls::jsonb, o.allow_restart, o.cancel_expires, \
       o.time_zone::text, o.renewal_grace_period, o.renewal_notice, o.hooks_required, ARRAY( \
         SELECT unnest(ARRAY[h.event, h.schema_name, h.function_name, h.owner_name]::text[] \
           || format('%I.%I', h.schema_name, h.function_name)) \
         FROM checkout_data.hooks h WHERE h.organization_id = o.organization_id), \
       o.session_retention, o.personal_metadata_keys, o.request_failure_threshold, o.deletion_began IS NOT NULL \
     FROM checkout_data.organizations o WHERE o.organization_id = $1 AND NOT o.removal_began"
);

/// The settings of an organization, as of now: an old snapshot must not accept a rotated secret. None if there is none, or
/// if its rows are being removed.
pub fn settings(organization_id: Uuid) -> Result<Option<Settings>> {
    let row = SETTINGS.with(|statement| {
        statement.row(&[datum::uuid(organization_id).into()], |row| {
            Ok((
                [row.get::<Interval>(1)?, row.get(2)?, row.get(3)?, row.get(9)?, row.get(11)?],
                row.get::<i32>(4)?,
                row.get::<String>(5)?,
                row.get::<bool>(6)?,
                row.get::<Vec<String>>(7)?,
                row.get::<String>(8)?,
                row.get::<Vec<u8>>(10)?,
                row.get::<Json>(12)?.map(|leases| read_leases("payment_method_leases", leases)).transpose()?,
                row.get::<bool>(13)?,
                row.get::<Vec<String>>(14)?,
                (row.get::<bool>(15)?, row.get::<Vec<String>>(16)?, row.get::<bool>(17)?, row.get::<bool>(18)?),
                Pages {
                    embedding_origins: row.get(19)?.unwrap_or_default(),
                    payment_method_urls: row.get::<Json>(20)?.map(read_urls).transpose()?.unwrap_or_default(),
                    allow_restart: row.get(21)?.unwrap_or(false),
                    cancel_expires: row.get(22)?.unwrap_or(false),
                },
                (row.get::<String>(23)?, row.get::<Interval>(24)?, row.get::<Interval>(25)?),
                Hooks {
                    required: row.get(26)?.unwrap_or(false),
                    all: row.get::<Vec<String>>(27)?.unwrap_or_default().chunks(5).filter_map(Hook::stored).collect(),
                },
                Records {
                    session_retention: row
                        .get::<Interval>(28)?
                        .map(|span| datum::from_interval("session_retention", span))
                        .transpose()?,
                    personal_metadata_keys: row.get(29)?.unwrap_or_default(),
                    request_failure_threshold: row.get(30)?,
                },
                row.get::<bool>(31)?,
            ))
        })
    })?;
    let Some((
        [Some(default), Some(minimum), Some(maximum), notice, Some(maximum_lease)],
        Some(retries),
        Some(policy),
        sub_minor,
        methods,
        base_url,
        Some(client_secret_key),
        leases,
        require_payment_amount,
        app_link_schemes,
        (strict_parameters, allowed_origins, uses_catalog, publishable_amounts),
        pages,
        (Some(time_zone), Some(grace), renewal_notice),
        hooks,
        records,
        ended,
    )) = row
    else {
        return Ok(None);
    };
    Ok(Some(Settings {
        lifetime: Lifetime {
            default: datum::from_interval("default_lifetime", default)?,
            minimum: datum::from_interval("minimum_lifetime", minimum)?,
            maximum: datum::from_interval("maximum_lifetime", maximum)?,
        },
        max_retry_attempts: retries,
        reference_policy: policy.parse::<ReferencePolicy>()?,
        sub_minor_amounts: sub_minor.unwrap_or(false),
        payment_methods: methods.unwrap_or_default(),
        base_url,
        expiring_notice: notice.map(|notice| datum::from_interval("expiring_notice", notice)).transpose()?,
        leases: Leases {
            maximum: datum::from_interval("maximum_lease", maximum_lease)?,
            by_method: leases.unwrap_or_default(),
        },
        require_payment_amount: require_payment_amount.unwrap_or(false),
        app_link_schemes: app_link_schemes.unwrap_or_default(),
        strict_parameters: strict_parameters.unwrap_or(false),
        allowed_origins: allowed_origins.unwrap_or_default(),
        uses_catalog: uses_catalog.unwrap_or(false),
        publishable_amounts: publishable_amounts.unwrap_or(true),
        pages,
        subscriptions: subscription::Settings {
            time_zone,
            grace_period: datum::from_interval("renewal_grace_period", grace)?,
            renewal_notice: renewal_notice.map(|span| datum::from_interval("renewal_notice", span)).transpose()?,
        },
        hooks,
        records,
        ended: ended.unwrap_or(false),
        client_secret_key: client_secret_key
            .try_into()
            .map_err(|_| Error::Internal("an organization's client_secret_key has not 32 bytes".into()))?,
    }))
}

/// Reads the leases of payment methods: an object of intervals.
pub fn read_leases(argument: &'static str, leases: Json) -> Result<BTreeMap<String, TimeDelta>> {
    let serde_json::Value::Object(leases) = leases.value(argument)? else {
        return Err(Error::invalid(argument, "must be a JSON object"));
    };
    let read = |(method, lease): (String, serde_json::Value)| {
        let lease = lease.as_str().ok_or_else(|| Error::invalid(argument, "must have intervals, as strings"))?;
        Ok((method, datum::parse_interval(argument, lease)?))
    };
    leases.into_iter().map(read).collect()
}

/// Reads the URLs of payment methods: an object of texts.
pub fn read_urls(urls: Json) -> Result<BTreeMap<String, String>> {
    const ARGUMENT: &str = "payment_method_urls";
    let serde_json::Value::Object(urls) = urls.value(ARGUMENT)? else {
        return Err(Error::invalid(ARGUMENT, "must be a JSON object"));
    };
    let read = |(method, url): (String, serde_json::Value)| match url {
        serde_json::Value::String(url) => Ok((method, url)),
        _ => Err(Error::invalid(ARGUMENT, "must have URLs, as strings")),
    };
    urls.into_iter().map(read).collect()
}

/// The columns of an organization as they are written.
fn columns(organization_id: Uuid, name: &str, settings: &Settings) -> Result<[Argument<'static>; 31]> {
    let leases = settings.leases.by_method.iter().map(|(method, lease)| (method.clone(), in_words(*lease).into()));
    let leases = serde_json::Value::Object(leases.collect()).to_string();
    let urls = settings.pages.payment_method_urls.iter().map(|(method, url)| (method.clone(), url.as_str().into()));
    let urls = serde_json::Value::Object(urls.collect()).to_string();
    Ok([
        datum::uuid(organization_id).into(),
        name.to_owned().into(),
        datum::interval(settings.lifetime.default).into(),
        datum::interval(settings.lifetime.minimum).into(),
        datum::interval(settings.lifetime.maximum).into(),
        settings.max_retry_attempts.into(),
        settings.reference_policy.as_str().into(),
        settings.sub_minor_amounts.into(),
        settings.payment_methods.clone().into(),
        settings.base_url.clone().into(),
        settings.expiring_notice.map(datum::interval).into(),
        settings.client_secret_key.to_vec().into(),
        datum::interval(settings.leases.maximum).into(),
        Json::from_text("payment_method_leases", &leases)?.into(),
        settings.require_payment_amount.into(),
        settings.app_link_schemes.clone().into(),
        settings.strict_parameters.into(),
        settings.allowed_origins.clone().into(),
        settings.uses_catalog.into(),
        settings.publishable_amounts.into(),
        settings.pages.embedding_origins.clone().into(),
        Json::from_text("payment_method_urls", &urls)?.into(),
        settings.pages.allow_restart.into(),
        settings.pages.cancel_expires.into(),
        settings.subscriptions.time_zone.clone().into(),
        datum::interval(settings.subscriptions.grace_period).into(),
        settings.subscriptions.renewal_notice.map(datum::interval).into(),
        settings.hooks.required.into(),
        settings.records.session_retention.map(datum::days).into(),
        settings.records.personal_metadata_keys.clone().into(),
        settings.records.request_failure_threshold.into(),
    ])
}

statement!(
    TIME_ZONE,
    Caller,
    "SELECT FROM pg_catalog.pg_timezone_names z \
     WHERE z.name = $1 AND z.name !~ '^((posix|right)/|(localtime|posixrules|Factory)$)'"
);

/// Returns true if the server knows the IANA time zone. What a machine calls its own zone is none.
pub fn is_time_zone(name: &str) -> Result<bool> {
    Ok(TIME_ZONE.with(|statement| statement.count(&[name.into()]))? > 0)
}

statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.organizations (organization_id, name, default_lifetime, minimum_lifetime, maximum_lifetime, \
       max_retry_attempts, reference_policy, sub_minor_amounts, payment_methods, base_url, expiring_notice, \
       client_secret_key, maximum_lease, payment_method_leases, require_payment_amount, app_link_schemes, \
       strict_parameters, allowed_origins, uses_catalog, publishable_amounts, embedding_origins, \
       payment_method_urls, allow_restart, cancel_expires, time_zone, renewal_grace_period, renewal_notice, \
       hooks_required, session_retention, personal_metadata_keys, request_failure_threshold) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
       $23, $24, $25, $26, $27, $28, $29, $30, $31) \
     ON CONFLICT (organization_id) DO NOTHING"
);

/// Stores an organization, unless its id is taken.
pub fn insert(organization_id: Uuid, name: &str, settings: &Settings) -> Result<()> {
    let arguments = columns(organization_id, name, settings)?;
    match INSERT.with(|statement| statement.count(&arguments))? {
        0 => Err(Error::OrganizationExists { organization_id }),
        _ => super::folds::begin(organization_id),
    }
}

statement!(
    HOLD,
    Write,
    "SELECT FROM checkout_data.organizations o WHERE o.organization_id = $1 AND o.deletion_began IS NULL FOR KEY SHARE"
);

/// Keeps an organization from being deleted until the transaction ends. Returns false if there is none, or if it is being
/// deleted.
pub fn hold(organization_id: Uuid) -> Result<bool> {
    Ok(HOLD.with(|statement| statement.count(&[datum::uuid(organization_id).into()]))? > 0)
}

// In an old snapshot the row is one that could have been changed since: a weaker lock would not tell.
statement!(
    HOLD_ENDED,
    Write,
    "SELECT FROM checkout_data.organizations o WHERE o.organization_id = $1 AND NOT o.removal_began FOR SHARE"
);

/// Keeps the rows of an organization that is being deleted until the transaction ends. Returns false if they are being
/// removed.
pub fn hold_ended(organization_id: Uuid) -> Result<bool> {
    Ok(HOLD_ENDED.with(|statement| statement.count(&[datum::uuid(organization_id).into()]))? > 0)
}

statement!(
    LOCK,
    Write,
    "SELECT o.name::text FROM checkout_data.organizations o \
     WHERE o.organization_id = $1 AND o.deletion_began IS NULL FOR NO KEY UPDATE"
);

/// The name of an organization, which is locked until the transaction ends. None if it is being deleted.
pub fn lock(organization_id: Uuid) -> Result<Option<String>> {
    let name =
        LOCK.with(|statement| statement.row(&[datum::uuid(organization_id).into()], |row| row.get::<String>(1)))?;
    Ok(name.flatten())
}

statement!(
    UPDATE,
    Write,
    "UPDATE checkout_data.organizations o \
     SET name = $2, default_lifetime = $3, minimum_lifetime = $4, maximum_lifetime = $5, max_retry_attempts = $6, \
       reference_policy = $7, sub_minor_amounts = $8, payment_methods = $9, base_url = $10, expiring_notice = $11, \
       client_secret_key = $12, maximum_lease = $13, payment_method_leases = $14, require_payment_amount = $15, \
       app_link_schemes = $16, strict_parameters = $17, allowed_origins = $18, uses_catalog = $19, \
       publishable_amounts = $20, embedding_origins = $21, payment_method_urls = $22, allow_restart = $23, \
       cancel_expires = $24, time_zone = $25, renewal_grace_period = $26, renewal_notice = $27, \
       hooks_required = $28, session_retention = $29, personal_metadata_keys = $30, \
       request_failure_threshold = $31, updated_at = clock_timestamp() \
     WHERE o.organization_id = $1 RETURNING checkout_data.organization_of(o)"
);

pub fn update(organization_id: Uuid, name: &str, settings: &Settings) -> Result<Option<Organization>> {
    let arguments = columns(organization_id, name, settings)?;
    UPDATE.with(|statement| statement.composite(&arguments))
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.organization_of(o) FROM checkout_data.organizations o ORDER BY o.created_at, o.organization_id"
);

pub fn list() -> Result<Vec<Organization>> {
    LIST.with(|statement| statement.composites(&[]))
}

// A session is found by its organization and its id, and here only the id is known. Few organizations have their pages
// embedded: each of them is asked.
statement!(
    PAGE_POLICY,
    Latest,
    "SELECT ROW(COALESCE(( \
       SELECT o.embedding_origins \
       FROM checkout_data.organizations o CROSS JOIN (VALUES ('live'), ('test')) AS e (environment) \
       WHERE o.embedding_origins <> '{}' AND EXISTS ( \
         SELECT FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = o.organization_id AND s.environment = e.environment AND s.checkout_session_id = $1) \
       LIMIT 1), '{}'))::checkout.page_policy"
);

/// What the server of the page of a session must know.
pub fn page_policy(checkout_session_id: Uuid) -> Result<PagePolicy> {
    PAGE_POLICY
        .with(|statement| statement.composite(&[datum::uuid(checkout_session_id).into()]))?
        .ok_or_else(|| Error::Internal("a page has no policy".into()))
}

statement!(
    CREDENTIAL,
    Latest,
    "SELECT ROW(o.organization_id, o.name, $2, $3, $4)::checkout.credential \
     FROM checkout_data.organizations o WHERE o.organization_id = $1"
);

/// Whom a caller acts for.
pub fn credential(caller: &Caller) -> Result<Option<Credential>> {
    let arguments = [
        datum::uuid(caller.tenant.organization_id).into(),
        caller.tenant.environment.as_str().into(),
        caller.kind.as_str().into(),
        caller.name.as_str().into(),
    ];
    CREDENTIAL.with(|statement| statement.composite(&arguments))
}

//! Statements on API keys.

use chrono::{DateTime, Utc};
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::row::Row;
use super::statement::statement;
use crate::datum::{self, ApiKey};
use rules::access::api_key::{Digest, NewKey};
use rules::access::credential::{Kind, Tenant};
use rules::{Error, Result};

/// An API key as it is stored.
pub struct StoredApiKey {
    pub tenant: Tenant,
    pub kind: Kind,
    pub digest: Digest,
    pub name: Option<String>,
    pub payment_methods: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub replaced_by: Option<String>,
}

impl StoredApiKey {
    pub fn active_at(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// Why the key cannot be rolled; `None` if it can.
    pub fn ended_at(&self, now: DateTime<Utc>) -> Option<&'static str> {
        if self.revoked_at.is_some() {
            Some("revoked")
        } else if !self.active_at(now) {
            Some("expired")
        } else if self.replaced_by.is_some() {
            Some("replaced already")
        } else {
            None
        }
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT k.organization_id, k.environment::text, k.kind::text, k.digest::bytea, k.name::text, k.payment_methods, \
               k.created_at, k.expires_at, k.revoked_at, k.replaced_by \
             FROM checkout_data.api_keys k WHERE k.api_key_id = $1",
            $tail
        )
    };
}
statement!(FIND, Latest, select!(""));
statement!(LOCK, Write, select!(" FOR NO KEY UPDATE"));

/// The key with this name, as of now: an old snapshot must not accept a revoked key.
pub fn find(api_key_id: &str) -> Result<Option<StoredApiKey>> {
    FIND.with(|statement| statement.row(&[api_key_id.into()], read))
}

/// The key with this name, locked until the transaction ends.
pub fn lock(api_key_id: &str) -> Result<Option<StoredApiKey>> {
    LOCK.with(|statement| statement.row(&[api_key_id.into()], read))
}

fn read(row: &Row) -> Result<StoredApiKey> {
    let corrupt = || Error::Internal("an API key has a NULL where none can be".into());
    let time = |at: Option<TimestampWithTimeZone>| at.map(|at| datum::from_timestamp("expires_at", at)).transpose();
    Ok(StoredApiKey {
        tenant: Tenant {
            organization_id: datum::from_uuid(row.get(1)?.ok_or_else(corrupt)?),
            environment: row.get::<String>(2)?.ok_or_else(corrupt)?.parse()?,
        },
        kind: row.get::<String>(3)?.ok_or_else(corrupt)?.parse()?,
        digest: row.get::<Vec<u8>>(4)?.and_then(|digest| digest.try_into().ok()).ok_or_else(corrupt)?,
        name: row.get(5)?,
        payment_methods: row.get(6)?,
        created_at: time(row.get(7)?)?.ok_or_else(corrupt)?,
        expires_at: time(row.get(8)?)?,
        revoked_at: time(row.get(9)?)?,
        replaced_by: row.get(10)?,
    })
}

/// A key to store.
pub struct NewApiKey<'a> {
    pub key: &'a NewKey,
    pub tenant: Tenant,
    pub kind: Kind,
    pub name: Option<&'a str>,
    pub payment_methods: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub created_by: &'a str,
    pub expires_at: Option<DateTime<Utc>>,
}

statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.api_keys AS k (api_key_id, organization_id, environment, kind, digest, name, payment_methods, \
       created_at, created_by, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING checkout_data.api_key_of(k, $8, $11)"
);

/// Stores a key, and returns it with its text. The text is returned only here.
pub fn insert(new: &NewApiKey) -> Result<ApiKey> {
    let arguments = [
        new.key.api_key_id().into(),
        datum::uuid(new.tenant.organization_id).into(),
        new.tenant.environment.as_str().into(),
        new.kind.as_str().into(),
        new.key.digest.as_slice().into(),
        new.name.into(),
        new.payment_methods.clone().into(),
        datum::timestamp(new.created_at).into(),
        new.created_by.into(),
        new.expires_at.map(datum::timestamp).into(),
        new.key.text.as_str().into(),
    ];
    INSERT
        .with(|statement| statement.composite(&arguments))?
        .ok_or_else(|| Error::Internal("an API key was not stored".into()))
}

statement!(
    REVOKE,
    Write,
    "UPDATE checkout_data.api_keys k SET revoked_at = COALESCE(k.revoked_at, $2) \
     WHERE k.api_key_id = $1 RETURNING checkout_data.api_key_of(k, $2, NULL)"
);

/// Makes a key invalid, unless it already is.
pub fn revoke(api_key_id: &str, now: DateTime<Utc>) -> Result<Option<ApiKey>> {
    REVOKE.with(|statement| statement.composite(&[api_key_id.into(), datum::timestamp(now).into()]))
}

statement!(
    REPLACE,
    Write,
    "UPDATE checkout_data.api_keys k SET replaced_by = $2, expires_at = $3 WHERE k.api_key_id = $1"
);

/// Lets a key end at a time, because another has taken its place.
pub fn replace(api_key_id: &str, replaced_by: &str, expires_at: DateTime<Utc>) -> Result<()> {
    let arguments = [api_key_id.into(), replaced_by.into(), datum::timestamp(expires_at).into()];
    REPLACE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.api_key_of(k, $2, NULL) FROM checkout_data.api_keys k \
     WHERE $1 IS NULL OR k.organization_id = $1 ORDER BY k.organization_id, k.created_at, k.api_key_id"
);

/// The keys of one organization, or of all.
pub fn list(organization_id: Option<Uuid>, now: DateTime<Utc>) -> Result<Vec<ApiKey>> {
    LIST.with(|statement| {
        statement.composites(&[organization_id.map(datum::uuid).into(), datum::timestamp(now).into()])
    })
}

statement!(
    USED,
    Write,
    "UPDATE checkout_data.api_keys k SET last_used_at = u.at \
     FROM (SELECT u.api_key_id, u.at FROM unnest($1, $2) AS u (api_key_id, at) \
       JOIN checkout_data.api_keys l ON l.api_key_id = u.api_key_id FOR NO KEY UPDATE OF l SKIP LOCKED) AS u \
     WHERE k.api_key_id = u.api_key_id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)"
);

/// Notes when keys were last used. Passes over keys that another transaction is changing.
pub fn used(uses: &[(String, DateTime<Utc>)]) -> Result<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let arguments = [
        uses.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().into(),
        uses.iter().map(|(_, at)| datum::timestamp(*at)).collect::<Vec<_>>().into(),
    ];
    USED.with(|statement| statement.count(&arguments)).map(|_| ())
}

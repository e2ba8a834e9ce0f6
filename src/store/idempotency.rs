//! Statements on idempotency keys.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sessions;
use super::statement::statement;
use crate::datum;
use crate::tenant::Caller;
use rules::checkout::idempotency::RequestHash;
use rules::{Error, Result};

statement!(
    CLAIM,
    Write,
    "INSERT INTO checkout_data.idempotency_keys AS k (organization_id, environment, checkout_session_id, idempotency_key, \
       request_hash, created_at, expires_at, created_with) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (organization_id, environment, created_with, idempotency_key) DO UPDATE \
       SET checkout_session_id = EXCLUDED.checkout_session_id, request_hash = EXCLUDED.request_hash, \
         created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at \
       WHERE k.expires_at <= EXCLUDED.created_at \
     RETURNING true"
);
statement!(
    READ,
    Transaction,
    "SELECT k.checkout_session_id, k.request_hash = $4, EXISTS ( \
         SELECT FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = k.checkout_session_id) \
     FROM checkout_data.idempotency_keys k \
     WHERE k.organization_id = $1 AND k.environment = $2 AND k.idempotency_key = $3 AND k.created_with = $5"
);
// Frees the key of a session that an administrator has deleted.
statement!(
    FREE,
    Write,
    "UPDATE checkout_data.idempotency_keys k SET expires_at = $6 \
     WHERE k.organization_id = $1 AND k.environment = $2 AND k.checkout_session_id = $3 AND k.idempotency_key = $4 \
       AND k.created_with = $5"
);
statement!(
    POINT,
    Write,
    "UPDATE checkout_data.idempotency_keys k SET checkout_session_id = $3 \
     WHERE k.organization_id = $1 AND k.environment = $2 AND k.idempotency_key = $4 AND k.created_with = $5"
);

/// An idempotency key and the request it stands for.
pub struct Key<'a> {
    pub text: &'a str,
    pub request_hash: RequestHash,
    pub checkout_session_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Takes a key for a session that is about to be stored. A second caller waits here for the first to commit. `Some` is
/// the session that already has the key.
pub fn claim(caller: &Caller, key: &Key) -> Result<Option<Uuid>> {
    let tenant = caller.tenant;
    let [organization_id, environment, id] = sessions::key(tenant, key.checkout_session_id);
    let arguments = [
        organization_id,
        environment,
        id,
        key.text.into(),
        key.request_hash.as_slice().into(),
        datum::timestamp(key.created_at).into(),
        datum::timestamp(key.expires_at).into(),
        caller.kind.as_str().into(),
    ];
    let taken = [
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        key.text.into(),
        key.request_hash.as_slice().into(),
        caller.kind.as_str().into(),
    ];
    // Try again, in case the worker purges the key in between, or its session is gone.
    for _ in 0..3 {
        if CLAIM.with(|statement| statement.count(&arguments))? > 0 {
            return Ok(None);
        }
        let known = READ.with(|statement| {
            statement.row(&taken, |row| {
                Ok((row.get::<pgrx::Uuid>(1)?, row.get::<bool>(2)?, row.get::<bool>(3)? == Some(true)))
            })
        })?;
        match known {
            Some((Some(id), _, false)) => free(caller, datum::from_uuid(id), key)?,
            Some((Some(id), Some(true), true)) => return Ok(Some(datum::from_uuid(id))),
            Some(_) => return Err(Error::IdempotencyConflict),
            None => {}
        }
    }
    Err(Error::Internal("an idempotency key is neither free nor taken".into()))
}

/// Makes a key expire that stands for a session.
fn free(caller: &Caller, id: Uuid, key: &Key) -> Result<()> {
    let [organization_id, environment, id] = sessions::key(caller.tenant, id);
    let now = datum::timestamp(key.created_at).into();
    let arguments = [organization_id, environment, id, key.text.into(), caller.kind.as_str().into(), now];
    FREE.with(|statement| statement.count(&arguments)).map(|_| ())
}

/// Lets a key that was just claimed stand for another session.
pub fn point(caller: &Caller, id: Uuid, key: &Key) -> Result<()> {
    let [organization_id, environment, id] = sessions::key(caller.tenant, id);
    let arguments = [organization_id, environment, id, key.text.into(), caller.kind.as_str().into()];
    POINT.with(|statement| statement.count(&arguments)).map(|_| ())
}

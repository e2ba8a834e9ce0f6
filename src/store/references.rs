//! Statements that find sessions by their reference.

use rules::Result;
use uuid::Uuid;

use super::statement::{Statement, statement};
use crate::datum;
use crate::tenant::Tenant;

statement!(
    NEWEST,
    Transaction,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 AND s.created_with = 'secret' \
     ORDER BY s.checkout_session_id DESC LIMIT 1"
);
statement!(
    LOCK_OPEN,
    Write,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 AND s.status = 'open' \
       AND s.created_with = 'secret' \
       AND (SELECT true FROM checkout_data.open_sessions o \
            WHERE o.organization_id = s.organization_id AND o.environment = s.environment \
              AND o.checkout_session_id = s.checkout_session_id) \
     ORDER BY s.checkout_session_id DESC LIMIT 1 FOR NO KEY UPDATE"
);
statement!(
    FIND,
    Transaction,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 \
     ORDER BY s.created_with = 'secret' DESC, s.checkout_session_id DESC LIMIT 1"
);

/// The newest session that a server created with a reference.
pub fn newest(tenant: Tenant, reference: &str) -> Result<Option<Uuid>> {
    NEWEST.with(|statement| id(statement, tenant, reference))
}

/// Locks the newest session that a server created with a reference and that has not ended. A sweep may be ending it.
pub fn lock_open(tenant: Tenant, reference: &str) -> Result<Option<Uuid>> {
    LOCK_OPEN.with(|statement| id(statement, tenant, reference))
}

/// The newest session with a reference. A session that a browser created comes last: the browser may have guessed the
/// reference.
pub fn find(tenant: Tenant, reference: &str) -> Result<Option<Uuid>> {
    FIND.with(|statement| id(statement, tenant, reference))
}

fn id(statement: &Statement, tenant: Tenant, reference: &str) -> Result<Option<Uuid>> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), reference.into()];
    let id = statement.row(&arguments, |row| row.get::<pgrx::Uuid>(1))?;
    Ok(id.flatten().map(datum::from_uuid))
}

//! Statements on the sessions that were recovered from one another.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sessions::key;
use super::statement::statement;
use crate::datum;
use crate::tenant::Tenant;
use rules::Result;
use rules::checkout::status::Status;

statement!(
    FIRST,
    Transaction,
    "WITH RECURSIVE earlier AS ( \
       SELECT s.checkout_session_id, s.recovered_from, 0 AS generation FROM checkout_data.checkout_sessions s \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
       UNION ALL \
       SELECT s.checkout_session_id, s.recovered_from, e.generation + 1 \
       FROM earlier e JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = e.recovered_from \
       WHERE s.organization_id = $1 AND s.environment = $2) \
     SELECT e.checkout_session_id FROM earlier e ORDER BY e.generation DESC LIMIT 1"
);

/// The session that another was first recovered from, over any number of recoveries.
pub fn first(tenant: Tenant, id: Uuid) -> Result<Option<Uuid>> {
    let first = FIRST.with(|statement| statement.row(&key(tenant, id), |row| row.get::<pgrx::Uuid>(1)))?;
    Ok(first.flatten().map(datum::from_uuid))
}

// As of now: the caller has waited for another recovery.
statement!(
    LIVING,
    Latest,
    "WITH RECURSIVE later AS ( \
       SELECT $3 AS checkout_session_id \
       UNION ALL \
       SELECT s.checkout_session_id \
       FROM later l JOIN checkout_data.checkout_sessions s ON s.recovered_from = l.checkout_session_id \
       WHERE s.organization_id = $1 AND s.environment = $2) \
     SELECT s.checkout_session_id, checkout_data.effective_status(s, $4) \
     FROM later l JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = l.checkout_session_id \
     WHERE s.organization_id = $1 AND s.environment = $2 \
       AND checkout_data.effective_status(s, $4) IN ('complete', 'open') \
     ORDER BY s.status LIMIT 1"
);

/// A session that was recovered from the first one, or from one that was, and is complete, or else open.
pub fn living(tenant: Tenant, first: Uuid, now: DateTime<Utc>) -> Result<Option<(Uuid, Status)>> {
    let [organization_id, environment, first] = key(tenant, first);
    let arguments = [organization_id, environment, first, datum::timestamp(now).into()];
    let row = LIVING
        .with(|statement| statement.row(&arguments, |row| Ok(row.get::<pgrx::Uuid>(1)?.zip(row.get::<String>(2)?))))?;
    row.flatten().map(|(id, status)| Ok((datum::from_uuid(id), status.parse()?))).transpose()
}

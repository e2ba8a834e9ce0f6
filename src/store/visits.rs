//! Statements on the visits of buyers.

use chrono::{DateTime, Utc};
use rules::Result;
use uuid::Uuid;

use super::fan_out::{fan_out, notified};
use super::sessions::key;
use super::statement::statement;
use crate::datum;
use crate::tenant::Tenant;

// A page that is loaded again and again writes once a minute.
statement!(
    OPEN,
    Write,
    "INSERT INTO checkout_data.session_visits AS v \
       (organization_id, environment, checkout_session_id, first_opened_at, last_opened_at) \
     SELECT $1, $2, $3, $4, $4 FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
       AND checkout_data.effective_status(s, $4) = 'open' \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.session_visits v \
         WHERE v.organization_id = $1 AND v.environment = $2 AND v.checkout_session_id = $3 \
           AND v.last_opened_at > $4 - interval '1 minute') \
     ON CONFLICT (organization_id, environment, checkout_session_id) DO UPDATE \
       SET first_opened_at = COALESCE(v.first_opened_at, EXCLUDED.first_opened_at), \
         last_opened_at = GREATEST(v.last_opened_at, EXCLUDED.last_opened_at)"
);

/// Records that the page of an open session was opened.
pub fn open(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, id);
    OPEN.with(|statement| statement.count(&[organization_id, environment, id, datum::timestamp(now).into()]))
        .map(|_| ())
}

// Cancelling again for the same reasons changes the time, and is no event.
statement!(
    CANCEL,
    Write,
    concat!(
        "WITH before AS ( \
           SELECT v.reason_code, v.reason FROM checkout_data.session_visits v \
           WHERE v.organization_id = $1 AND v.environment = $2 AND v.checkout_session_id = $3 \
             AND v.cancelled_at IS NOT NULL), \
         visit AS ( \
           INSERT INTO checkout_data.session_visits AS v \
             (organization_id, environment, checkout_session_id, cancelled_at, reason_code, reason) \
           VALUES ($1, $2, $3, $4, $5, $6) \
           ON CONFLICT (organization_id, environment, checkout_session_id) DO UPDATE \
             SET cancelled_at = EXCLUDED.cancelled_at, reason_code = EXCLUDED.reason_code, reason = EXCLUDED.reason), \
         session AS ( \
           UPDATE checkout_data.checkout_sessions s SET event_count = s.event_count + 1 \
           WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
             AND NOT EXISTS ( \
               SELECT FROM before b \
               WHERE b.reason_code IS NOT DISTINCT FROM $5::text AND b.reason IS NOT DISTINCT FROM $6::text) \
           RETURNING s.event_count, s.attempts, checkout_data.changing_terms(s) AS terms), \
         open AS ( \
           UPDATE checkout_data.open_sessions o SET event_count = o.event_count + 1 \
           WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 \
             AND EXISTS (SELECT FROM session)), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
             event_type, created_at, snapshot) \
           SELECT $1, $2, 'checkout_session', $3, s.event_count, 'checkout.session.cancelled', $4, jsonb_build_object( \
             'session', jsonb_build_object('status', 'open', 'attempts', s.attempts) || s.terms, \
             'cancellation', jsonb_build_object('reason_code', $5::text, 'reason', $6::text)) \
           FROM session s",
        fan_out!(),
        "SELECT ",
        notified!()
    )
);

/// Records that the buyer has cancelled a locked open session, and writes the event of that.
pub fn cancel(
    tenant: Tenant,
    id: Uuid,
    reason_code: Option<&str>,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [organization_id, environment, id, datum::timestamp(now).into(), reason_code.into(), reason.into()];
    CANCEL.with(|statement| statement.count(&arguments)).map(|_| ())
}

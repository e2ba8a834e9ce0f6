//! The part of a statement that changes a locked session and writes the events of that. The part before it changes the
//! payment that the events tell of.

use chrono::{DateTime, Utc};
use rules::checkout::change::Change;
use rules::checkout::session::Session;
use uuid::Uuid;

use super::sessions::key;
use super::statement::Argument;
use crate::datum;
use crate::tenant::Tenant;

/// What comes after `WITH payment AS (... RETURNING p AS payment)`, with `arguments` as its parameters $1 to $14. `$more` are further members of the snapshots. When
/// the clock has ended the session, the first event says that, and not what the payment did.
macro_rules! transition {
    ($more:literal) => {
        concat!(
            ", session AS ( \
               UPDATE checkout_data.checkout_sessions s \
               SET status = $6, attempts = $7, lease_expires_at = $8, \
                 event_count = s.event_count + $10 + cardinality($4), \
                 payment_status = CASE WHEN s.payment_status = 'no_payment_required' THEN s.payment_status \
                   WHEN $6 = 'complete' THEN 'paid' WHEN $8 IS NULL THEN 'unpaid' ELSE 'processing' END, \
                 payment_id = CASE WHEN $6 = 'complete' AND s.payment_status <> 'no_payment_required' \
                   THEN COALESCE(s.payment_id, $14) END, \
                 completed_at = CASE WHEN $6 = 'complete' THEN COALESCE(s.completed_at, $5) END, \
                 updated_at = CASE WHEN s.status = 'open' THEN $9 ELSE s.updated_at END \
               WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
               RETURNING s.event_count - cardinality($4) AS sequence, checkout_data.changing_terms(s) AS terms), \
             open AS ( \
               UPDATE checkout_data.open_sessions o \
               SET deadline = $11, fails_at_deadline = $12, event_count = o.event_count + cardinality($4) \
               WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND $6 = 'open'), \
             ended AS ( \
               DELETE FROM checkout_data.open_sessions o \
               WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND $6 <> 'open'), \
             event AS ( \
               INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
                 event_type, created_at, snapshot) \
               SELECT $1, $2, 'checkout_session', $3, s.sequence + e.ordinality, e.event_type, $5, \
                 CASE WHEN NOT $13 OR e.ordinality > 1 THEN jsonb_build_object( \
                   'session', jsonb_build_object('status', $6, 'attempts', $7) || s.terms, \
                   'payment', to_jsonb(checkout_data.payment_of(p.payment, false)) - 'idempotent_replay'",
            $more,
            ") END \
               FROM session s \
               CROSS JOIN payment p \
               CROSS JOIN unnest($4) WITH ORDINALITY AS e (event_type, ordinality)",
            fan_out!()
        )
    };
}
pub(super) use transition;

/// The parameters of a transition by this payment.
pub fn arguments<'p>(
    tenant: Tenant,
    id: Uuid,
    before: &Session,
    change: &Change,
    payment_id: &'p str,
    now: DateTime<Utc>,
) -> Vec<Argument<'p>> {
    let after = &change.session;
    // What the clock had decided is written, too.
    let updated_at = if before.swept || change.ended_by_clock { before.deadline() } else { now };
    let events: Vec<&'static str> = change.events.iter().map(|event| event.as_str()).collect();
    let mut arguments = Vec::from(key(tenant, id));
    arguments.extend([
        Argument::from(events),
        datum::timestamp(now).into(),
        after.status.as_str().into(),
        after.attempts.into(),
        after.lease_expires_at.map(datum::timestamp).into(),
        datum::timestamp(updated_at).into(),
        // The sweep has written an event that the session's row does not count yet.
        i32::from(before.swept).into(),
        datum::timestamp(after.deadline()).into(),
        after.exhausted().into(),
        change.ended_by_clock.into(),
        payment_id.into(),
    ]);
    arguments
}

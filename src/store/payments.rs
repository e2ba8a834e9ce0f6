//! Statements on payments.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::fan_out::{fan_out, notified};
use super::sessions::key;
use super::statement::statement;
use crate::datum::{self, Payment};
use crate::tenant::Tenant;
use rules::checkout::payment::{Known, PaymentStatus, Rejection, Report, Settlement};
use rules::checkout::session::Session;
use rules::checkout::status::Status;
use rules::{Error, Result};

statement!(
    KNOWN,
    Write,
    "SELECT p.checkout_session_id, p.status::text, p.rejection_reason::text, p.amount::numeric, p.currency_code::text, \
       p.lease_expires_at \
     FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $3 FOR NO KEY UPDATE"
);

/// The stored state of a payment. Called under the lock of its session.
pub fn known(tenant: Tenant, session: Uuid, payment_id: &str) -> Result<Option<Known>> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), payment_id.into()];
    let row = KNOWN.with(|statement| {
        statement.row(&arguments, |row| {
            Ok((
                row.get::<pgrx::Uuid>(1)?,
                row.get::<String>(2)?,
                row.get::<String>(3)?,
                row.get::<AnyNumeric>(4)?,
                row.get::<String>(5)?,
                row.get::<TimestampWithTimeZone>(6)?,
            ))
        })
    })?;
    let Some((Some(id), Some(status), rejection, Some(amount), Some(currency_code), lease)) = row else {
        return Ok(None);
    };
    Ok(Some(Known {
        same_session: datum::from_uuid(id) == session,
        status: read_status(&status, rejection.as_deref())?,
        amount: datum::from_numeric("amount", &amount)?,
        currency_code,
        lease_expires_at: lease.map(|lease| datum::from_timestamp("lease_expires_at", lease)).transpose()?,
    }))
}

fn read_status(status: &str, rejection: Option<&str>) -> Result<PaymentStatus> {
    const REJECTIONS: [Rejection; 5] = [
        Rejection::SessionExpired,
        Rejection::SessionFailed,
        Rejection::AlreadyPaid,
        Rejection::AmountMismatch,
        Rejection::CurrencyMismatch,
    ];
    let rejected = REJECTIONS.map(PaymentStatus::Rejected);
    [PaymentStatus::Processing, PaymentStatus::Succeeded, PaymentStatus::Failed]
        .into_iter()
        .chain(rejected)
        .find(|known| known.as_str() == status && known.rejection_reason() == rejection)
        .ok_or_else(|| Error::Internal(format!("payment has the unknown status \"{status}\"")))
}

statement!(
    BEGIN,
    Write,
    "WITH payment AS ( \
       INSERT INTO checkout_data.payments AS p (organization_id, environment, checkout_session_id, payment_id, status, \
         amount, currency_code, payment_method, lease_expires_at, created_at, updated_at) \
       VALUES ($1, $2, $3, $4, 'processing', $5, $6, $7, $8, $9, $9) \
       ON CONFLICT (organization_id, environment, payment_id) DO UPDATE \
         SET lease_expires_at = EXCLUDED.lease_expires_at, updated_at = EXCLUDED.updated_at, \
           payment_method = COALESCE(EXCLUDED.payment_method, p.payment_method) \
         WHERE p.checkout_session_id = EXCLUDED.checkout_session_id AND p.status = 'processing' \
       RETURNING p AS payment), \
     session AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET payment_status = 'processing', lease_expires_at = $8, updated_at = $9 \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3), \
     open AS ( \
       UPDATE checkout_data.open_sessions o SET deadline = $10 \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND o.deadline <> $10) \
     SELECT checkout_data.payment_of(p.payment, false) FROM payment p"
);

/// Stores the beginning of a payment, and its lease on the locked session.
pub fn begin(
    tenant: Tenant,
    id: Uuid,
    session: &Session,
    payment_id: &str,
    payment_method: Option<&str>,
    lease_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Payment> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        id,
        payment_id.into(),
        datum::numeric(session.amount)?.into(),
        session.currency_code.as_str().into(),
        payment_method.into(),
        datum::timestamp(lease_expires_at).into(),
        datum::timestamp(now).into(),
        datum::timestamp(session.deadline_with(Some(lease_expires_at))).into(),
    ];
    BEGIN.with(|statement| statement.composite(&arguments))?.ok_or_else(|| taken(payment_id))
}

statement!(
    SETTLE,
    Write,
    concat!(
        "WITH payment AS ( \
       INSERT INTO checkout_data.payments AS p (organization_id, environment, checkout_session_id, payment_id, status, \
         rejection_reason, amount, currency_code, payment_method, failure_code, failure_message, created_at, updated_at) \
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) \
       ON CONFLICT (organization_id, environment, payment_id) DO UPDATE \
         SET status = EXCLUDED.status, rejection_reason = EXCLUDED.rejection_reason, amount = EXCLUDED.amount, \
           currency_code = EXCLUDED.currency_code, \
           payment_method = COALESCE(EXCLUDED.payment_method, p.payment_method), \
           failure_code = EXCLUDED.failure_code, failure_message = EXCLUDED.failure_message, \
           lease_expires_at = NULL, updated_at = EXCLUDED.updated_at \
         WHERE p.checkout_session_id = EXCLUDED.checkout_session_id \
       RETURNING p AS payment), \
     session AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET status = $13, attempts = $14, lease_expires_at = $15, event_count = s.event_count + $18 + cardinality($17), \
         payment_status = CASE WHEN $13 = 'complete' THEN 'paid' WHEN $15 IS NULL THEN 'unpaid' ELSE 'processing' END, \
         payment_id = CASE WHEN $13 = 'complete' THEN COALESCE(s.payment_id, $4) END, \
         completed_at = CASE WHEN $13 = 'complete' THEN COALESCE(s.completed_at, $12) END, \
         updated_at = CASE WHEN s.status = 'open' THEN $16 ELSE s.updated_at END \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
       RETURNING s.event_count - cardinality($17) AS sequence), \
     open AS ( \
       UPDATE checkout_data.open_sessions o SET deadline = $19, event_count = o.event_count + cardinality($17) \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND $13 = 'open'), \
     ended AS ( \
       DELETE FROM checkout_data.open_sessions o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND $13 <> 'open'), \
     event AS ( \
       INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, event_type, \
         created_at, snapshot) \
       SELECT $1, $2, 'checkout_session', $3, s.sequence + e.ordinality, e.event_type, $12, \
         CASE WHEN e.event_type <> 'checkout.session.expired' THEN jsonb_build_object( \
           'session', jsonb_build_object('status', $13, 'attempts', $14), \
           'payment', to_jsonb(checkout_data.payment_of(p.payment, false)) - 'idempotent_replay') END \
       FROM session s \
       CROSS JOIN payment p \
       CROSS JOIN unnest($17) WITH ORDINALITY AS e (event_type, ordinality)",
        fan_out!(),
        "SELECT checkout_data.payment_of(p.payment, false), ",
        notified!(),
        " FROM payment p"
    )
);

/// Writes a decision: the payment, its locked session and the events, in one statement. What the clock had decided about
/// the session is written, too.
pub fn settle(
    tenant: Tenant,
    id: Uuid,
    session: &Session,
    report: &Report,
    settlement: &Settlement,
    now: DateTime<Utc>,
) -> Result<Payment> {
    let [organization_id, environment, id] = key(tenant, id);
    let session_updated_at = if settlement.session == Status::Expired { session.deadline() } else { now };
    let events: Vec<&str> = settlement.events.iter().map(|event| event.as_str()).collect();
    let arguments = [
        organization_id,
        environment,
        id,
        report.payment_id.into(),
        settlement.payment.as_str().into(),
        settlement.payment.rejection_reason().into(),
        datum::numeric(settlement.amount)?.into(),
        settlement.currency_code.as_str().into(),
        report.payment_method.into(),
        report.failure_code.into(),
        report.failure_message.into(),
        datum::timestamp(now).into(),
        settlement.session.as_str().into(),
        settlement.attempts.into(),
        settlement.lease_expires_at.map(datum::timestamp).into(),
        datum::timestamp(session_updated_at).into(),
        events.into(),
        // The sweep has written an event that the session's row does not count yet.
        i32::from(session.swept).into(),
        datum::timestamp(session.deadline_with(settlement.lease_expires_at)).into(),
    ];
    SETTLE.with(|statement| statement.composite(&arguments))?.ok_or_else(|| taken(report.payment_id))
}

/// Two sessions were told of the same payment at once, and the other was first.
fn taken(payment_id: &str) -> Error {
    Error::PaymentConflict { payment_id: payment_id.to_owned(), conflict: "belongs to another checkout session" }
}

statement!(
    GET,
    Transaction,
    "SELECT checkout_data.payment_of(p, true) FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $3"
);

/// A payment that was recorded before.
pub fn replay(tenant: Tenant, payment_id: &str) -> Result<Payment> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), payment_id.into()];
    GET.with(|statement| statement.composite(&arguments))?
        .ok_or_else(|| Error::Internal("a known payment is gone".into()))
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.payment_of(p, false) FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = $3 \
     ORDER BY p.created_at, p.payment_id"
);

/// The payments of a session, oldest first.
pub fn list(tenant: Tenant, session: Uuid) -> Result<Vec<Payment>> {
    LIST.with(|statement| statement.composites(&key(tenant, session)))
}

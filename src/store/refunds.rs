//! Statements on refunds.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use uuid::Uuid;

use super::fan_out::{fan_out, notified};
use super::payments::payment_key;
use super::statement::statement;
use super::transitions::{arguments, transition};
use crate::datum::{self, Refund};
use crate::tenant::Tenant;
use rules::checkout::change::Change;
use rules::checkout::refund::{self, Known, Report};
use rules::checkout::session::Session;
use rules::{Error, Result};

statement!(
    KNOWN,
    Write,
    "SELECT r.payment_id::text, r.status::text, r.amount FROM checkout_data.refunds r \
     WHERE r.organization_id = $1 AND r.environment = $2 AND r.refund_id = $3 FOR NO KEY UPDATE"
);

/// A refund that was recorded before. Called under the lock of its payment.
pub fn known(tenant: Tenant, payment_id: &str, refund_id: &str) -> Result<Option<Known>> {
    KNOWN.with(|statement| {
        statement.row(&payment_key(tenant, refund_id), |row| {
            let (Some(of), Some(status), Some(amount)) =
                (row.get::<String>(1)?, row.get::<String>(2)?, row.get::<AnyNumeric>(3)?)
            else {
                return Err(Error::Internal("a refund has a NULL where none can be".into()));
            };
            Ok(Known {
                same_payment: of == payment_id,
                status: status.parse()?,
                amount: datum::from_reported("amount", &amount)?,
            })
        })
    })
}

// Unlike a SETTLE, it changes the session only as the clock has decided.
statement!(
    RECORD,
    Write,
    concat!(
        "WITH refund AS ( \
           INSERT INTO checkout_data.refunds AS r (organization_id, environment, refund_id, payment_id, status, amount, \
             currency_code, reason, created_at, updated_at) \
           SELECT $1, $2, $15, $14, $16, $17, p.currency_code, $20, $5, $5 FROM checkout_data.payments p \
           WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $14 \
           ON CONFLICT (organization_id, environment, refund_id) DO UPDATE \
             SET status = EXCLUDED.status, amount = EXCLUDED.amount, reason = COALESCE(EXCLUDED.reason, r.reason), updated_at = EXCLUDED.updated_at \
             WHERE r.payment_id = EXCLUDED.payment_id \
           RETURNING r AS refund), \
         payment AS ( \
           UPDATE checkout_data.payments p \
           SET refunded_amount = $18, pending_refund_amount = $19, updated_at = $5 \
           WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $14 \
           RETURNING p AS payment)",
        transition!(
            ", 'refund', (SELECT to_jsonb(checkout_data.refund_of(r.refund, false)) - 'idempotent_replay' FROM refund r)"
        ),
        "SELECT checkout_data.refund_of(r.refund, false), ",
        notified!(),
        " FROM refund r"
    )
);

/// Writes a refund, the sums of its payment, and the event. Payment and session are locked.
pub fn record(
    tenant: Tenant,
    id: Uuid,
    session: &Session,
    report: &Report,
    refund: &refund::Change,
    now: DateTime<Utc>,
) -> Result<Refund> {
    let change = match refund.status.event() {
        Some(event) => Change::told(session, event, now),
        None => Change::by_clock(session, now),
    };
    let mut arguments = arguments(tenant, id, session, &change, report.payment_id, now);
    arguments.extend([
        report.refund_id.into(),
        refund.status.as_str().into(),
        datum::numeric(refund.amount)?.into(),
        datum::numeric(refund.refunded)?.into(),
        datum::numeric(refund.pending)?.into(),
        report.reason.into(),
    ]);
    // Two payments were told of the same refund at once, and the other was first.
    RECORD.with(|statement| statement.composite(&arguments))?.ok_or_else(|| Error::RefundConflict {
        refund_id: report.refund_id.to_owned(),
        fault: "belongs to another payment".into(),
    })
}

statement!(
    GET,
    Transaction,
    "SELECT checkout_data.refund_of(r, $4) FROM checkout_data.refunds r \
     WHERE r.organization_id = $1 AND r.environment = $2 AND r.refund_id = $3"
);

/// A refund that was recorded before.
pub fn replay(tenant: Tenant, refund_id: &str) -> Result<Refund> {
    get(tenant, refund_id, true)
}

/// A refund that this call has recorded, as a hook has left it.
pub fn get_again(tenant: Tenant, refund_id: &str) -> Result<Refund> {
    get(tenant, refund_id, false)
}

fn get(tenant: Tenant, refund_id: &str, idempotent_replay: bool) -> Result<Refund> {
    let [organization_id, environment, refund_id] = payment_key(tenant, refund_id);
    GET.with(|statement| statement.composite(&[organization_id, environment, refund_id, idempotent_replay.into()]))?
        .ok_or_else(|| Error::Internal("a known refund is gone".into()))
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.refund_of(r, false) FROM checkout_data.refunds r \
     WHERE r.organization_id = $1 AND r.environment = $2 AND r.payment_id = $3 ORDER BY r.created_at, r.refund_id"
);

/// The refunds of a payment, oldest first.
pub fn list(tenant: Tenant, payment_id: &str) -> Result<Vec<Refund>> {
    LIST.with(|statement| statement.composites(&payment_key(tenant, payment_id)))
}

//! Statements on payments.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::fan_out::{fan_out, notified};
use super::row::Row;
use super::sessions::key;
use super::statement::{Argument, statement};
use super::transitions::{arguments, transition};
use crate::datum::{self, Payment};
use crate::tenant::Tenant;
use rules::checkout::change::Change;
use rules::checkout::payment::{Known, Paid, PaymentStatus, Report, Settlement};
use rules::checkout::session::Session;
use rules::webhooks::event::EventType;
use rules::{Error, Result};

/// The key of a tenant's payment.
pub fn payment_key(tenant: Tenant, payment_id: &str) -> [Argument<'_>; 3] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), payment_id.into()]
}

macro_rules! stored {
    ($lock:literal) => {
        concat!(
            "SELECT p.checkout_session_id, p.status::text, p.rejection_reason::text, p.amount::numeric, \
               p.currency_code::text, p.lease_expires_at, p.attempt_ids, p.refunded_amount::numeric, \
               p.pending_refund_amount::numeric, p.reported_amount::numeric, p.reported_currency_code::text, p.applied_from, \
               EXISTS ( \
                 SELECT FROM checkout_data.refunds r \
                 WHERE r.organization_id = $1 AND r.environment = $2 AND r.payment_id = $3) \
             FROM checkout_data.payments p \
             WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $3",
            $lock
        )
    };
}
statement!(FIND, Transaction, stored!(""));
statement!(LOCK, Write, stored!(" FOR NO KEY UPDATE"));

/// A stored payment.
pub struct Stored {
    pub checkout_session_id: Uuid,
    applied_from: Option<Uuid>,
    pub status: PaymentStatus,
    pub paid: Paid,
    lease_expires_at: Option<DateTime<Utc>>,
    attempt_ids: Vec<String>,
    pub refunded: Decimal,
    pub pending: Decimal,
    has_refunds: bool,
    contradiction: Option<Paid>,
}

impl Stored {
    /// The most of its currency that was reported.
    pub fn most_paid(&self) -> Paid {
        let more = self.contradiction.as_ref().filter(|other| other.currency_code == self.paid.currency_code);
        let amount = more.map_or(self.paid.amount, |other| other.amount.max(self.paid.amount));
        Paid { amount, ..self.paid.clone() }
    }

    /// The payment as the rules see it from a session. One that was applied is also of the session that had rejected it:
    /// its provider reports it there.
    pub fn known(self, session: Uuid) -> Known {
        Known {
            same_session: self.checkout_session_id == session || self.applied_from == Some(session),
            status: self.status,
            paid: self.paid,
            lease_expires_at: self.lease_expires_at,
            attempt_ids: self.attempt_ids,
            refunded: self.refunded + self.pending,
            has_refunds: self.has_refunds,
            contradiction: self.contradiction,
        }
    }
}

/// A payment, not locked.
pub fn find(tenant: Tenant, payment_id: &str) -> Result<Option<Stored>> {
    FIND.with(|statement| statement.row(&payment_key(tenant, payment_id), read))
}

/// A payment, locked until the transaction ends. Called under the lock of its session.
pub fn lock(tenant: Tenant, payment_id: &str) -> Result<Option<Stored>> {
    LOCK.with(|statement| statement.row(&payment_key(tenant, payment_id), read))
}

fn read(row: &Row) -> Result<Stored> {
    let amount = |number| {
        let amount = row.get::<AnyNumeric>(number)?;
        amount.map(|amount| datum::from_reported("amount", &amount)).transpose()
    };
    let (Some(session), Some(status), Some(paid), Some(currency_code)) =
        (row.get::<pgrx::Uuid>(1)?, row.get::<String>(2)?, amount(4)?, row.get::<String>(5)?)
    else {
        return Err(Error::Internal("a payment has a NULL where none can be".into()));
    };
    let lease: Option<TimestampWithTimeZone> = row.get(6)?;
    Ok(Stored {
        checkout_session_id: datum::from_uuid(session),
        applied_from: row.get::<pgrx::Uuid>(12)?.map(datum::from_uuid),
        status: PaymentStatus::stored(&status, row.get::<String>(3)?.as_deref())?,
        paid: Paid { amount: paid, currency_code },
        lease_expires_at: lease.map(|lease| datum::from_timestamp("lease_expires_at", lease)).transpose()?,
        attempt_ids: row.get::<Vec<String>>(7)?.unwrap_or_default(),
        refunded: amount(8)?.unwrap_or_default(),
        pending: amount(9)?.unwrap_or_default(),
        has_refunds: row.get::<bool>(13)? == Some(true),
        contradiction: amount(10)?
            .zip(row.get::<String>(11)?)
            .map(|(amount, currency_code)| Paid { amount, currency_code }),
    })
}

statement!(
    BEGIN,
    Write,
    "WITH payment AS ( \
       INSERT INTO checkout_data.payments AS p (organization_id, environment, checkout_session_id, payment_id, status, \
         amount, currency_code, payment_method, lease_expires_at, created_at, updated_at) \
       VALUES ($1, $2, $3, $4, 'processing', $5, $6, $7, $8, $9, $9) \
       ON CONFLICT (organization_id, environment, payment_id) DO UPDATE \
         SET status = 'processing', lease_expires_at = EXCLUDED.lease_expires_at, updated_at = EXCLUDED.updated_at, \
           payment_method = COALESCE(EXCLUDED.payment_method, p.payment_method), failure_code = NULL, \
           failure_message = NULL \
         WHERE p.checkout_session_id = EXCLUDED.checkout_session_id AND p.status IN ('processing', 'failed', 'canceled') \
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
    let leased = Session { lease_expires_at: Some(lease_expires_at), ..session.clone() };
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
        datum::timestamp(leased.deadline()).into(),
    ];
    BEGIN.with(|statement| statement.composite(&arguments))?.ok_or_else(|| taken(payment_id))
}

statement!(
    SETTLE,
    Write,
    concat!(
        "WITH payment AS ( \
       INSERT INTO checkout_data.payments AS p (organization_id, environment, checkout_session_id, payment_id, status, \
         rejection_reason, amount, currency_code, payment_method, failure_code, failure_message, attempt_ids, occurred_at, \
         created_at, updated_at) \
       VALUES ($1, $2, $3, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $5, $5) \
       ON CONFLICT (organization_id, environment, payment_id) DO UPDATE \
         SET status = EXCLUDED.status, rejection_reason = EXCLUDED.rejection_reason, amount = EXCLUDED.amount, \
           currency_code = EXCLUDED.currency_code, \
           payment_method = COALESCE(EXCLUDED.payment_method, p.payment_method), \
           failure_code = EXCLUDED.failure_code, failure_message = EXCLUDED.failure_message, \
           attempt_ids = p.attempt_ids || EXCLUDED.attempt_ids, \
           occurred_at = COALESCE(EXCLUDED.occurred_at, p.occurred_at), \
           lease_expires_at = NULL, updated_at = EXCLUDED.updated_at \
         WHERE p.checkout_session_id = EXCLUDED.checkout_session_id \
       RETURNING p AS payment)",
        transition!(""),
        "SELECT checkout_data.payment_of(p.payment, false), ",
        notified!(),
        " FROM payment p"
    )
);

/// Writes a decision: the payment, its locked session and the events, in one statement.
pub fn settle(
    tenant: Tenant,
    id: Uuid,
    session: &Session,
    report: &Report,
    settlement: &Settlement,
    now: DateTime<Utc>,
) -> Result<Payment> {
    let mut arguments = arguments(tenant, id, session, &settlement.change, report.payment_id, now);
    arguments.extend([
        settlement.payment.as_str().into(),
        settlement.payment.rejection_reason().into(),
        datum::numeric(settlement.paid.amount)?.into(),
        settlement.paid.currency_code.as_str().into(),
        report.payment_method.into(),
        report.failure_code.into(),
        report.failure_message.into(),
        settlement.attempt_id.as_slice().to_vec().into(),
        report.occurred_at.map(datum::timestamp).into(),
    ]);
    SETTLE.with(|statement| statement.composite(&arguments))?.ok_or_else(|| taken(report.payment_id))
}

/// Two sessions were told of the same payment at once, and the other was first.
fn taken(payment_id: &str) -> Error {
    Error::PaymentConflict { payment_id: payment_id.to_owned(), conflict: "belongs to another checkout session" }
}

statement!(
    APPLY,
    Write,
    concat!(
        "WITH payment AS ( \
       UPDATE checkout_data.payments p \
       SET checkout_session_id = $3, applied_from = NULLIF(p.checkout_session_id, $3), status = $15, rejection_reason = $16, \
         updated_at = $5 \
       WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $14 \
       RETURNING p AS payment)",
        transition!(""),
        "SELECT checkout_data.payment_of(p.payment, false), ",
        notified!(),
        " FROM payment p"
    )
);

/// Gives a locked payment to another locked session, which accepts it.
pub fn apply(
    tenant: Tenant,
    id: Uuid,
    session: &Session,
    payment_id: &str,
    settlement: &Settlement,
    now: DateTime<Utc>,
) -> Result<Payment> {
    let mut arguments = arguments(tenant, id, session, &settlement.change, payment_id, now);
    arguments.extend([settlement.payment.as_str().into(), settlement.payment.rejection_reason().into()]);
    APPLY.with(|statement| statement.composite(&arguments))?.ok_or_else(gone)
}

statement!(
    ANNOUNCE,
    Write,
    concat!(
        "WITH payment AS ( \
       SELECT p AS payment FROM checkout_data.payments p \
       WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $14)",
        transition!(""),
        "SELECT ",
        notified!(),
        " FROM payment p"
    )
);

/// Tells of a payment in an event of a session that stays as it is, except for what the clock has decided.
pub fn announce(
    tenant: Tenant,
    id: Uuid,
    session: &Session,
    payment_id: &str,
    event: EventType,
    now: DateTime<Utc>,
) -> Result<()> {
    let change = Change::told(session, event, now);
    let arguments = arguments(tenant, id, session, &change, payment_id, now);
    ANNOUNCE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    CONTRADICT,
    Write,
    "UPDATE checkout_data.payments p SET reported_amount = $4, reported_currency_code = $5, updated_at = $6 \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $3 \
     RETURNING checkout_data.payment_of(p, false)"
);

/// Writes what contradicts an accepted payment beside it.
pub fn contradict(tenant: Tenant, payment_id: &str, paid: &Paid, now: DateTime<Utc>) -> Result<Payment> {
    let [organization_id, environment, payment_id] = payment_key(tenant, payment_id);
    let arguments = [
        organization_id,
        environment,
        payment_id,
        datum::numeric(paid.amount)?.into(),
        paid.currency_code.as_str().into(),
        datum::timestamp(now).into(),
    ];
    CONTRADICT.with(|statement| statement.composite(&arguments))?.ok_or_else(gone)
}

statement!(
    GET,
    Transaction,
    "SELECT checkout_data.payment_of(p, $4) FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $3"
);

/// A payment that was recorded before.
pub fn replay(tenant: Tenant, payment_id: &str) -> Result<Payment> {
    get(tenant, payment_id, true)
}

/// A payment that this call has recorded, as a hook has left it.
pub fn get_again(tenant: Tenant, payment_id: &str) -> Result<Payment> {
    get(tenant, payment_id, false)
}

fn get(tenant: Tenant, payment_id: &str, idempotent_replay: bool) -> Result<Payment> {
    let [organization_id, environment, payment_id] = payment_key(tenant, payment_id);
    let arguments = [organization_id, environment, payment_id, idempotent_replay.into()];
    GET.with(|statement| statement.composite(&arguments))?.ok_or_else(gone)
}

statement!(
    OF_SESSION,
    Transaction,
    "SELECT p.payment_id::text FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = $3 AND p.status = $4 \
     ORDER BY p.lease_expires_at DESC LIMIT 1"
);

/// The payment of a session that has this status; of several in progress, the one whose lease ends last.
pub fn of_session(tenant: Tenant, id: Uuid, status: PaymentStatus) -> Result<Option<String>> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [organization_id, environment, id, status.as_str().into()];
    Ok(OF_SESSION.with(|statement| statement.row(&arguments, |row| row.get::<String>(1)))?.flatten())
}

fn gone() -> Error {
    Error::Internal("a known payment is gone".into())
}

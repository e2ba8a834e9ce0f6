//! Statements that store new sessions: as they were ordered, and recovered from expired ones.

use chrono::{DateTime, Utc};
use rules::Result;
use rules::checkout::order::{NewSession, Order};
use uuid::Uuid;

use super::sessions::key;
use super::statement::{Access, Statement};
use crate::datum::{self, Json, Session};
use crate::tenant::{Caller, Tenant};

/// The columns of a session that are its own: its key, its times, its page, and its origin.
const OWN: [&str; 14] = [
    "organization_id",
    "environment",
    "checkout_session_id",
    "created_at",
    "updated_at",
    "expires_at",
    "expiring_notice_at",
    "url",
    "reference_policy",
    "created_by",
    "created_with",
    "id_prefix",
    "trace_id",
    "recovered_from",
];

/// The columns of the order: a recovery copies them.
const ORDERED: [&str; 25] = [
    "amount",
    "currency_code",
    "max_retry_attempts",
    "quantity",
    "payment_methods",
    "allow_quantity",
    "allow_coupon_code",
    "require_billing_address",
    "is_spi",
    "is_pos",
    "reference",
    "title",
    "description",
    "product_id",
    "price_id",
    "subscription_id",
    "payment_link_id",
    "country",
    "customer_id",
    "customer_email",
    "customer_name",
    "customer_phone",
    "success_url",
    "cancel_url",
    "metadata",
];

/// `rows` has the values of these columns, in this order. A reference that is taken is an error, unless the caller
/// looks again.
fn insert_statement(rows: &str, unless_taken: bool) -> Statement {
    let (own, ordered) = (OWN.join(", "), ORDERED.join(", "));
    let on_conflict = if unless_taken { "ON CONFLICT DO NOTHING" } else { "" };
    let sql = format!(
        "INSERT INTO checkout_data.checkout_sessions AS s ({own}, {ordered}) {rows} {on_conflict} \
         RETURNING checkout_data.session_at(s, $4, false, $5)"
    );
    Statement::made(Access::Write, sql)
}

fn insert_order(unless_taken: bool) -> Statement {
    let own = "$1, $2, $3, $4, $4, $6, $7, $8, $9, $10, $11, $12, $13, NULL";
    let ordered: Vec<_> = (14..)
        .zip(ORDERED)
        .map(|(number, column)| match column {
            "metadata" => format!("COALESCE(${number}, '{{}}')"),
            _ => format!("${number}"),
        })
        .collect();
    insert_statement(&format!("VALUES ({own}, {})", ordered.join(", ")), unless_taken)
}

thread_local! {
    static INSERT: Statement = insert_order(false);
    static INSERT_UNLESS_TAKEN: Statement = insert_order(true);
}

/// Stores a new session. Returns `None` if `unless_taken` is set and its reference has been taken meanwhile.
pub fn insert(
    order: &Order,
    metadata: Option<Json>,
    session: &NewSession,
    caller: &Caller,
    client_secret: &str,
    unless_taken: bool,
) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(caller.tenant, session.checkout_session_id);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::timestamp(session.created_at).into(),
        client_secret.into(),
        datum::timestamp(session.expires_at).into(),
        session.expiring_notice_at.map(datum::timestamp).into(),
        session.url.as_deref().into(),
        session.reference_policy.into(),
        caller.name.as_str().into(),
        caller.kind.as_str().into(),
        session.id_prefix.into(),
        order.trace_id.into(),
        // In the order of ORDERED.
        datum::numeric(session.amount)?.into(),
        order.currency_code.into(),
        session.max_retry_attempts.into(),
        session.quantity.into(),
        session.payment_methods.clone().into(),
        order.allow_quantity.unwrap_or(false).into(),
        order.allow_coupon_code.unwrap_or(false).into(),
        order.require_billing_address.unwrap_or(false).into(),
        order.is_spi.unwrap_or(false).into(),
        order.is_pos.unwrap_or(false).into(),
        order.reference.into(),
        order.title.into(),
        order.description.into(),
        order.product_id.into(),
        order.price_id.into(),
        order.subscription_id.into(),
        order.payment_link_id.into(),
        order.country.into(),
        order.customer_id.into(),
        order.customer_email.into(),
        order.customer_name.into(),
        order.customer_phone.into(),
        order.success_url.into(),
        order.cancel_url.into(),
        metadata.into(),
    ];
    let statement = if unless_taken { &INSERT_UNLESS_TAKEN } else { &INSERT };
    statement.with(|statement| statement.composite(&arguments))
}

thread_local! {
    static RECOVER: Statement = {
        let ordered = ORDERED.map(|column| format!("o.{column}")).join(", ");
        insert_statement(
            &format!(
                "SELECT o.organization_id, o.environment, $3, $4, $4, $6, $7, $8, $9, $10, o.created_with, o.id_prefix, \
                   NULL, o.checkout_session_id, {ordered} \
                 FROM checkout_data.checkout_sessions o \
                 WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $11"
            ),
            true,
        )
    };
}

/// The values that a recovered session does not take from its original.
pub struct Recovery {
    pub checkout_session_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expiring_notice_at: Option<DateTime<Utc>>,
    pub url: Option<String>,
    pub reference_policy: &'static str,
    pub client_secret: String,
}

/// Stores a copy of an expired session. Returns `None` if its reference is taken.
pub fn recover(tenant: Tenant, expired: Uuid, recovery: &Recovery, created_by: &str) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, recovery.checkout_session_id);
    RECOVER.with(|statement| {
        statement.composite(&[
            organization_id,
            environment,
            id,
            datum::timestamp(recovery.created_at).into(),
            recovery.client_secret.as_str().into(),
            datum::timestamp(recovery.expires_at).into(),
            recovery.expiring_notice_at.map(datum::timestamp).into(),
            recovery.url.as_deref().into(),
            recovery.reference_policy.into(),
            created_by.into(),
            datum::uuid(expired).into(),
        ])
    })
}

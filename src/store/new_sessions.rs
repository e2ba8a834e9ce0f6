//! Statements that store new sessions: as they were ordered, and recovered from expired ones.

use chrono::{DateTime, Utc};
use pgrx::prelude::*;
use rules::Result;
use rules::checkout::order::{NewSession, Order};
use rules::checkout::settings::Page;
use uuid::Uuid;

use super::sessions::key;
use super::statement::{Access, Statement};
use super::subtransaction::{Refusal, undone_if_it_fails};
use crate::datum::{self, Json, Session};
use crate::tenant::{Caller, Tenant};

/// The columns of a session that are its own: its key, its times, and its origin.
const OWN: [&str; 13] = [
    "organization_id",
    "environment",
    "checkout_session_id",
    "created_at",
    "updated_at",
    "expires_at",
    "reference_policy",
    "created_by",
    "created_with",
    "id_prefix",
    "trace_id",
    "recovered_from",
    "has_terms",
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

/// Which of its two rows decides whether the reference of a new session is free.
#[derive(Clone, Copy)]
enum Decides {
    /// None: a reference that is taken would be an error.
    Neither,
    /// The row in checkout_sessions, for all sessions.
    Session,
    /// The row in open_sessions, for open sessions.
    OpenSession,
    /// The same row, of a session that renews a subscription. The reference may decide too.
    Renewal,
}

impl Decides {
    /// By what the session renews, and the constraint that its reference is under; without a reference that is none.
    fn new(reference_policy: &str, renews: Option<Uuid>) -> Self {
        match reference_policy {
            _ if renews.is_some() => Self::Renewal,
            "unique" => Self::Session,
            "open" => Self::OpenSession,
            _ => Self::Neither,
        }
    }

    /// Both rows of a session in one statement. The row that decides is written first, and the other one only with it.
    /// `session` has the expressions of the columns OWN and ORDERED, in this order, `from` their source if they have
    /// one; the last are columns of the open session.
    fn insert(self, session: &str, from: &str, [reference, created_by, has_terms, renews]: [&str; 4]) -> Statement {
        let (own, ordered) = (OWN.join(", "), ORDERED.join(", "));
        let reference = match self {
            Self::OpenSession => reference.to_owned(),
            Self::Renewal => format!("CASE WHEN $9 = 'open' THEN {reference} END"),
            Self::Neither | Self::Session => "NULL".to_owned(),
        };
        let session_row = |also_from: &str| {
            let from = match (from, also_from) {
                ("", "") => String::new(),
                ("", source) | (source, "") => format!("FROM {source}"),
                (source, other) => format!("FROM {other} CROSS JOIN {source}"),
            };
            format!("INSERT INTO checkout_data.checkout_sessions AS s ({own}, {ordered}) SELECT {session} {from}")
        };
        let open_row = |from: &str| {
            format!(
                "INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline, \
                   expiring_notice_at, reference, created_by, has_terms, renews) \
                 SELECT $1, $2, $3, $6, $7, {reference}, {created_by}, {has_terms}, {renews} {from}"
            )
        };
        let returning = "RETURNING checkout_data.session_at(s, $4, false, $5, $8)";
        let sql = match self {
            Self::Neither => format!("WITH open AS ({}) {} {returning}", open_row(""), session_row("")),
            Self::OpenSession | Self::Renewal => format!(
                "WITH open AS ({} ON CONFLICT DO NOTHING RETURNING true) {} {returning}",
                open_row(""),
                session_row("open")
            ),
            Self::Session => format!(
                "WITH session AS ({} ON CONFLICT DO NOTHING {returning} AS session), open AS ({}) \
                 SELECT s.session FROM session s",
                session_row(""),
                open_row("FROM session")
            ),
        };
        Statement::made(Access::Write, sql)
    }

    /// The statement of this kind.
    fn of(self, [neither, session, open_session, renewal]: &[Statement; 4]) -> &Statement {
        match self {
            Self::Neither => neither,
            Self::Session => session,
            Self::OpenSession => open_session,
            Self::Renewal => renewal,
        }
    }

    const ALL: [Self; 4] = [Self::Neither, Self::Session, Self::OpenSession, Self::Renewal];
}

/// The parameters of INSERT from this one on are those of ORDERED.
const FIRST_ORDERED: usize = 16;

fn insert_order(decides: Decides) -> Statement {
    let parameter = |column| {
        let at = ORDERED.iter().position(|ordered| *ordered == column);
        format!("${}", FIRST_ORDERED + at.unwrap_or_default())
    };
    let ordered = ORDERED.map(|column| match column {
        "metadata" => format!("COALESCE({}, '{{}}')", parameter(column)),
        _ => parameter(column),
    });
    let session = format!("$1, $2, $3, $4, $4, $6, $9, $10, $11, $12, $13, NULL, $14, {}", ordered.join(", "));
    let created_by = "CASE WHEN $11 = 'publishable' THEN $10 END";
    decides.insert(&session, "", [&parameter("reference"), created_by, "$14", "$15"])
}

thread_local! {
    static INSERT: [Statement; 4] = Decides::ALL.map(insert_order);
}

/// Stores a new session. Returns `None` if its reference has been taken meanwhile.
pub fn insert(
    order: &Order,
    metadata: Option<Json>,
    session: &NewSession,
    caller: &Caller,
    page: &Page,
    renews: Option<Uuid>,
) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(caller.tenant, session.checkout_session_id);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::timestamp(session.created_at).into(),
        page.client_secret.as_str().into(),
        datum::timestamp(session.expires_at).into(),
        session.expiring_notice_at.map(datum::timestamp).into(),
        page.url.as_deref().into(),
        session.reference_policy.into(),
        caller.name.as_str().into(),
        caller.kind.as_str().into(),
        session.id_prefix.into(),
        order.trace_id.into(),
        order.has_terms.into(),
        renews.map(datum::uuid).into(),
        // In the order of ORDERED.
        datum::numeric(session.amount)?.into(),
        session.currency.code().into(),
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
        session.country.into(),
        order.customer_id.into(),
        order.customer_email.into(),
        order.customer_name.into(),
        order.customer_phone.into(),
        order.success_url.into(),
        order.cancel_url.into(),
        metadata.into(),
    ];
    let decides = Decides::new(session.reference_policy, renews);
    unless_taken(decides, session.reference_policy, || {
        INSERT.with(|statements| decides.of(statements).composite(&arguments))
    })
}

/// Another session can still take the reference of one that renews a subscription, because there the open session decides.
/// Then neither row is written.
fn unless_taken(
    decides: Decides,
    reference_policy: &str,
    write: impl FnOnce() -> Result<Option<Session>>,
) -> Result<Option<Session>> {
    if !matches!(decides, Decides::Renewal) || reference_policy != "unique" {
        return write();
    }
    let is_taken = |refusal: &Refusal| refusal.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION;
    Ok(undone_if_it_fails(write, is_taken)?.unwrap_or_default())
}

fn recover_order(decides: Decides) -> Statement {
    let ordered = ORDERED.map(|column| format!("o.{column}")).join(", ");
    let session = format!(
        "o.organization_id, o.environment, $3, $4, $4, $6, $9, $10, o.created_with, o.id_prefix, NULL, \
           o.checkout_session_id, o.has_terms, {ordered}"
    );
    let original = "(SELECT * FROM checkout_data.checkout_sessions o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $11) AS o";
    decides.insert(&session, original, ["$12", "NULL", "$13", "$14"])
}

thread_local! {
    static RECOVER: [Statement; 4] = Decides::ALL.map(recover_order);
}

/// The values that a recovered session does not take from its original.
pub struct Recovery<'a> {
    pub checkout_session_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expiring_notice_at: Option<DateTime<Utc>>,
    pub reference_policy: &'static str,
    /// That of the original.
    pub reference: Option<&'a str>,
    pub has_terms: bool,
    /// The subscription that it renews.
    pub renews: Option<Uuid>,
    pub page: Page,
}

/// Stores a copy of an expired session. Returns `None` if its reference is taken.
pub fn recover(tenant: Tenant, expired: Uuid, recovery: &Recovery, created_by: &str) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, recovery.checkout_session_id);
    let decides = Decides::new(recovery.reference_policy, recovery.renews);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::timestamp(recovery.created_at).into(),
        recovery.page.client_secret.as_str().into(),
        datum::timestamp(recovery.expires_at).into(),
        recovery.expiring_notice_at.map(datum::timestamp).into(),
        recovery.page.url.as_deref().into(),
        recovery.reference_policy.into(),
        created_by.into(),
        datum::uuid(expired).into(),
        recovery.reference.into(),
        recovery.has_terms.into(),
        recovery.renews.map(datum::uuid).into(),
    ];
    unless_taken(decides, recovery.reference_policy, || {
        RECOVER.with(|statements| decides.of(statements).composite(&arguments))
    })
}

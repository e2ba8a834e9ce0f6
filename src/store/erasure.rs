//! Statements that find, show and erase what is stored about a customer.

use uuid::Uuid;

use super::fan_out::former_receivers_of_o;
use super::sessions::owner;
use super::statement::{Argument, Statement, statement};
use crate::datum::CustomerRecord;
use crate::tenant::Tenant;
use rules::Result;

/// A customer of a tenant, by either.
pub struct Customer<'a> {
    pub tenant: Tenant,
    pub id: Option<&'a str>,
    /// Folded.
    pub email: Option<String>,
}

impl Customer<'_> {
    fn arguments(&self) -> [Argument<'_>; 4] {
        let [organization_id, environment] = owner(self.tenant);
        [organization_id, environment, self.id.into(), self.email.as_deref().into()]
    }
}

/// Each part has an index. Nearly all addresses are folded already, so few are in the third's.
macro_rules! of_customer {
    ($table:literal, $columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " s \
             WHERE s.organization_id = $1 AND s.environment = $2 AND s.customer_id = $3 \
             UNION \
             SELECT ",
            $columns,
            " FROM ",
            $table,
            " s \
             WHERE s.organization_id = $1 AND s.environment = $2 AND s.customer_email = $4 \
             UNION \
             SELECT ",
            $columns,
            " FROM ",
            $table,
            " s \
             WHERE s.organization_id = $1 AND s.environment = $2 AND s.customer_email <> checkout_data.folded(s.customer_email) \
               AND checkout_data.folded(s.customer_email) = $4"
        )
    };
}

statement!(
    EXPORT,
    Caller,
    concat!(
        "WITH session AS MATERIALIZED (",
        of_customer!("checkout_data.checkout_sessions", "s.checkout_session_id"),
        "), \
         record (kind, place, at, record) AS ( \
           SELECT 'checkout_sessions', 1, v.created_at, to_jsonb(v) \
           FROM session s JOIN checkout.checkout_sessions v USING (checkout_session_id) \
           UNION ALL \
           SELECT 'session_lines', 2, NULL, to_jsonb(v) \
           FROM session s JOIN checkout.session_lines v USING (checkout_session_id) \
           UNION ALL \
           SELECT 'session_terms', 3, NULL, to_jsonb(v) \
           FROM session s JOIN checkout.session_terms v USING (checkout_session_id) \
           UNION ALL \
           SELECT 'session_visits', 4, v.first_opened_at, to_jsonb(v) \
           FROM session s JOIN checkout.session_visits v USING (checkout_session_id) \
           UNION ALL \
           SELECT 'payments', 5, v.created_at, to_jsonb(v) \
           FROM session s JOIN checkout.payments v USING (checkout_session_id) \
           UNION ALL \
           SELECT 'refunds', 6, v.created_at, to_jsonb(v) \
           FROM session s JOIN checkout.payments p USING (checkout_session_id) \
           JOIN checkout.refunds v ON v.payment_id = p.payment_id \
           UNION ALL \
           SELECT 'subscriptions', 7, v.created_at, to_jsonb(v) FROM checkout.subscriptions v \
           WHERE v.organization_id = $1 AND v.environment = $2 \
             AND (v.customer_id = $3 OR checkout_data.folded(v.customer_email) = $4) \
           UNION ALL \
           SELECT 'webhook_events', 8, o.created_at, jsonb_build_object('event_type', o.event_type, 'subject_type', o.subject_type, \
             'subject_id', o.subject_id, 'sequence', o.sequence, 'created_at', o.created_at, 'snapshot', o.snapshot) \
           FROM (SELECT s.checkout_session_id FROM session s \
             UNION ALL \
             SELECT v.subscription_id FROM checkout.subscriptions v WHERE v.organization_id = $1 AND v.environment = $2 \
               AND (v.customer_id = $3 OR checkout_data.folded(v.customer_email) = $4)) AS subject (subject_id) \
           JOIN checkout_data.webhook_outbox o \
             ON o.organization_id = $1 AND o.environment = $2 AND o.subject_id = subject.subject_id) \
         SELECT ROW(r.kind, r.record)::checkout.customer_record FROM record r ORDER BY r.place, r.at, r.record::text"
    )
);

/// All that is stored about a customer, as the views show it to the caller.
pub fn export(customer: &Customer) -> Result<Vec<CustomerRecord>> {
    EXPORT.with(|statement| statement.composites(&customer.arguments()))
}

// In the order in which everybody locks sessions: the newer one first.
statement!(
    SESSIONS,
    Write,
    concat!(
        "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id IN (",
        of_customer!("checkout_data.checkout_sessions", "s.checkout_session_id"),
        ") ORDER BY s.checkout_session_id DESC FOR NO KEY UPDATE"
    )
);
statement!(
    SUBSCRIPTIONS,
    Write,
    "SELECT s.subscription_id FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 \
       AND (s.customer_id = $3 OR checkout_data.folded(s.customer_email) = $4) ORDER BY s.subscription_id FOR NO KEY UPDATE"
);

/// The sessions and the subscriptions of a customer, locked.
pub struct Subjects {
    tenant: Tenant,
    sessions: Vec<pgrx::Uuid>,
    subscriptions: Vec<pgrx::Uuid>,
}

pub fn lock(customer: &Customer) -> Result<Subjects> {
    let ids = |statement: &Statement| -> Result<Vec<pgrx::Uuid>> {
        let ids = statement.rows(&customer.arguments(), |row| row.get::<pgrx::Uuid>(1))?;
        Ok(ids.into_iter().flatten().collect())
    };
    let sessions = SESSIONS.with(ids)?;
    Ok(Subjects { tenant: customer.tenant, sessions, subscriptions: SUBSCRIPTIONS.with(ids)? })
}

statement!(
    IN_USE,
    Transaction,
    "SELECT CASE \
       WHEN EXISTS (SELECT FROM checkout_data.open_sessions o WHERE o.organization_id = $1 AND o.environment = $2 \
         AND (o.checkout_session_id = ANY ($3) OR o.renews = ANY ($4)) AND o.deadline > clock_timestamp()) THEN 'open checkout sessions' \
       WHEN EXISTS (SELECT FROM checkout_data.subscriptions s WHERE s.organization_id = $1 AND s.environment = $2 \
         AND s.subscription_id = ANY ($4) \
         AND checkout_data.subscription_status(s, clock_timestamp()) NOT IN ('ended', 'canceled')) \
         THEN 'a subscription that has not ended' END"
);

/// What of a customer is not over yet.
pub fn in_use(subjects: &Subjects) -> Result<Option<String>> {
    let [organization_id, environment] = owner(subjects.tenant);
    let arguments =
        [organization_id, environment, subjects.sessions.clone().into(), subjects.subscriptions.clone().into()];
    Ok(IN_USE.with(|statement| statement.row(&arguments, |row| row.get::<String>(1)))?.flatten())
}

statement!(
    ERASE_SESSIONS,
    Write,
    "UPDATE checkout_data.checkout_sessions s \
     SET customer_email = NULL, customer_name = NULL, customer_phone = NULL, metadata = s.metadata::jsonb - $4::text[] \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = ANY ($3) \
       AND (num_nonnulls(s.customer_email, s.customer_name, s.customer_phone) > 0 OR s.metadata::jsonb ?| $4::text[])"
);
statement!(
    ERASE_TERMS,
    Write,
    "UPDATE checkout_data.session_terms t SET billing_address = NULL \
     WHERE t.organization_id = $1 AND t.environment = $2 AND t.checkout_session_id = ANY ($3) \
       AND t.billing_address IS NOT NULL"
);
statement!(
    ERASE_VISITS,
    Write,
    "UPDATE checkout_data.session_visits v SET reason = NULL \
     WHERE v.organization_id = $1 AND v.environment = $2 AND v.checkout_session_id = ANY ($3) AND v.reason IS NOT NULL"
);
statement!(
    ERASE_PAYMENTS,
    Write,
    "UPDATE checkout_data.payments p SET failure_message = NULL \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = ANY ($3) \
       AND p.failure_message IS NOT NULL"
);
statement!(
    ERASE_REFUNDS,
    Write,
    "UPDATE checkout_data.refunds r SET reason = NULL FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = ANY ($3) \
       AND r.organization_id = $1 AND r.environment = $2 AND r.payment_id = p.payment_id AND r.reason IS NOT NULL"
);
// Its customer is the address if the session has no customer_id.
statement!(
    ERASE_HOLDS,
    Write,
    "UPDATE checkout_data.holds h SET customer = $4 FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = ANY ($3) AND s.customer_id IS NULL \
       AND h.organization_id = $1 AND h.environment = $2 AND h.checkout_session_id = s.checkout_session_id \
       AND h.customer IS NOT NULL"
);
statement!(
    ERASE_SUBSCRIPTIONS,
    Write,
    "UPDATE checkout_data.subscriptions s SET customer_email = CASE WHEN s.customer_id IS NULL THEN $4 END \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = ANY ($3) \
       AND s.customer_email IS NOT NULL"
);
// An update: readers of a publication of inserts, as in docs/webhooks.md, must not get an event twice.
statement!(
    ERASE_EVENTS,
    Write,
    "WITH changed AS ( \
       SELECT o.ctid, jsonb_set(jsonb_set(jsonb_set(jsonb_set(o.snapshot, \
           '{payment,failure_message}', 'null', false), '{refund,reason}', 'null', false), \
           '{cancellation,reason}', 'null', false), '{subscription,customer_email}', 'null', false) AS snapshot \
       FROM checkout_data.webhook_outbox o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.subject_id = ANY ($3) AND o.snapshot IS NOT NULL) \
     UPDATE checkout_data.webhook_outbox o SET snapshot = c.snapshot FROM changed c \
     WHERE o.ctid = c.ctid AND o.snapshot <> c.snapshot"
);
statement!(
    ERASE_ATTEMPTS,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_attempts a SET response_body = NULL, error = NULL \
         FROM (SELECT $1 AS organization_id, $2 AS environment, u.subject_id FROM unnest($3) AS u (subject_id)) AS o, ",
        former_receivers_of_o!(),
        " WHERE a.organization_id = $1 AND a.environment = $2 AND a.receiver_id = r.receiver_id \
           AND a.subject_id = o.subject_id AND num_nonnulls(a.response_body, a.error) > 0"
    )
);
statement!(
    ERASE_DELIVERIES,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_deliveries d SET last_error = NULL \
         FROM (SELECT $1 AS organization_id, $2 AS environment, u.subject_id FROM unnest($3) AS u (subject_id)) AS o, ",
        former_receivers_of_o!(),
        " WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = r.receiver_id \
           AND d.subject_id = o.subject_id AND d.last_error IS NOT NULL"
    )
);
statement!(
    ERASE_KEYS,
    Write,
    "UPDATE checkout_data.idempotency_keys k SET request_hash = sha256(uuid_send(gen_random_uuid())) \
     WHERE k.organization_id = $1 AND k.environment = $2 AND k.checkout_session_id = ANY ($3)"
);
statement!(
    ERASE_FAILURES,
    Write,
    "UPDATE checkout_data.hook_failures f SET message = '' \
     WHERE f.organization_id = $1 AND f.environment = $2 AND f.checkout_session_id = ANY ($3) AND f.message <> ''"
);

/// Erases what is personal, and returns the number of rows of each kind. `instead` stands for an address where there must
/// be one.
pub fn erase(subjects: &Subjects, personal_keys: &[String], instead: &str) -> Result<[(&'static str, usize); 12]> {
    let with = |statement: &Statement, ids: &[pgrx::Uuid], last: Option<Argument>| -> Result<usize> {
        let [organization_id, environment] = owner(subjects.tenant);
        let mut arguments = vec![organization_id, environment, ids.to_vec().into()];
        arguments.extend(last);
        statement.count(&arguments)
    };
    let sessions = &subjects.sessions;
    let subscriptions = &subjects.subscriptions;
    let both = [sessions.as_slice(), subscriptions].concat();
    Ok([
        // They need to know which sessions have no customer_id.
        ("coupon redemptions", ERASE_HOLDS.with(|it| with(it, sessions, Some(instead.into())))?),
        ("sessions", ERASE_SESSIONS.with(|it| with(it, sessions, Some(personal_keys.to_vec().into())))?),
        ("billing addresses", ERASE_TERMS.with(|it| with(it, sessions, None))?),
        ("visits", ERASE_VISITS.with(|it| with(it, sessions, None))?),
        ("payments", ERASE_PAYMENTS.with(|it| with(it, sessions, None))?),
        ("refunds", ERASE_REFUNDS.with(|it| with(it, sessions, None))?),
        ("subscriptions", ERASE_SUBSCRIPTIONS.with(|it| with(it, subscriptions, Some(instead.into())))?),
        ("events", ERASE_EVENTS.with(|it| with(it, &both, None))?),
        ("deliveries", ERASE_DELIVERIES.with(|it| with(it, &both, None))?),
        ("delivery attempts", ERASE_ATTEMPTS.with(|it| with(it, &both, None))?),
        ("idempotency keys", ERASE_KEYS.with(|it| with(it, sessions, None))?),
        ("hook failures", ERASE_FAILURES.with(|it| with(it, sessions, None))?),
    ])
}

/// A random address that nobody has: RFC 6761.
pub fn nobody() -> String {
    format!("{}@erased.invalid", Uuid::new_v4().simple())
}

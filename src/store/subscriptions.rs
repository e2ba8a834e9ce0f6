//! Statements on subscriptions. The calendar is Postgres': see checkout_data.period_boundary().

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;
use rules::catalog::subscription::{Period, Settings, Subscription};
use rules::{Error, Result};
use uuid::Uuid;

use super::catalog_lists::{Listed, Page};
use super::fan_out::{fan_out, notified};
use super::row::Row;
use super::sessions::key;
use super::statement::{Argument, statement};
use crate::datum::{self, Subscription as Shown};
use crate::tenant::Tenant;

pub fn unknown(id: &str) -> Error {
    Error::NotInCatalog { what: "subscription", id: id.to_owned() }
}

pub(super) fn broken() -> Error {
    Error::Internal("a subscription has a NULL where none can be".into())
}

pub(super) fn time(row: &Row, number: i32) -> Result<Option<DateTime<Utc>>> {
    let at = row.get::<TimestampWithTimeZone>(number)?;
    at.map(|at| datum::from_timestamp("current_period_end", at)).transpose()
}

const GET: &str = "SELECT checkout_data.subscription_at(s, $4) FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3";
statement!(GET_FOR_CALLER, Caller, GET);
statement!(GET_AGAIN, Transaction, GET);

/// A subscription as it is at `now`, in the caller's snapshot.
pub fn get(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<Shown> {
    GET_FOR_CALLER
        .with(|statement| statement.composite(&key_at(tenant, id, now)))?
        .ok_or_else(|| unknown(&id.to_string()))
}

/// As get, for a caller that has written it or waited for it.
pub fn get_again(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<Shown> {
    GET_AGAIN.with(|statement| statement.composite(&key_at(tenant, id, now)))?.ok_or_else(|| unknown(&id.to_string()))
}

fn key_at(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> [Argument<'static>; 4] {
    let [organization_id, environment, id] = key(tenant, id);
    [organization_id, environment, id, datum::timestamp(now).into()]
}

statement!(
    STATE,
    Transaction,
    "SELECT checkout_data.subscription_status(s, $4), s.cancel_at_period_end, s.current_period_end \
     FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3"
);

/// What a cancellation looks at.
pub struct State {
    pub status: String,
    pub cancels_at_period_end: bool,
    pub current_period_end: DateTime<Utc>,
}

/// The state of a locked subscription at `now`.
pub fn state(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<State> {
    STATE
        .with(|statement| {
            statement.row(&key_at(tenant, id, now), |row| {
                Ok(State {
                    status: row.get(1)?.ok_or_else(broken)?,
                    cancels_at_period_end: row.get(2)? == Some(true),
                    current_period_end: time(row, 3)?.ok_or_else(broken)?,
                })
            })
        })?
        .ok_or_else(broken)
}

const LISTED: Listed = Listed {
    row: "checkout_data.subscription_at(c, $4)",
    from: "checkout_data.subscriptions c",
    table: "subscriptions",
    id: "subscription_id",
    id_type: "uuid",
    what: "subscription",
};

/// The filters of a list.
pub struct Filter<'a> {
    pub status: Option<&'a str>,
    pub customer_id: Option<&'a str>,
    pub customer_email: Option<&'a str>,
    pub product_id: Option<&'a str>,
    pub price_id: Option<&'a str>,
}

/// Subscriptions, newest first.
pub fn list(tenant: Tenant, filter: Filter, page: &Page, now: DateTime<Utc>) -> Result<Vec<Shown>> {
    let filters = vec![
        ("checkout_data.subscription_status(c, $4)", filter.status.map(Argument::from)),
        ("c.customer_id", filter.customer_id.map(Argument::from)),
        ("c.customer_email", filter.customer_email.map(Argument::from)),
        ("c.product_id", filter.product_id.map(Argument::from)),
        ("c.price_id", filter.price_id.map(Argument::from)),
    ];
    LISTED.list(tenant, filters, page, now)
}

pub(super) fn read_standing(
    current_period_end: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    canceled: Option<bool>,
) -> Result<Subscription> {
    Ok(Subscription {
        current_period_end: current_period_end.ok_or_else(broken)?,
        ends_at: ends_at.ok_or_else(broken)?,
        canceled: canceled == Some(true),
    })
}

statement!(
    LOCK,
    Write,
    "SELECT s.current_period_end, s.ends_at, s.canceled_at IS NOT NULL FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3 FOR NO KEY UPDATE"
);

/// A subscription, locked until the transaction ends. Called under the lock of the session that renews it.
pub fn lock(tenant: Tenant, id: Uuid) -> Result<Option<Subscription>> {
    LOCK.with(|statement| {
        statement.row(&key(tenant, id), |row| read_standing(time(row, 1)?, time(row, 2)?, row.get(3)?))
    })
}

statement!(
    TOUCH,
    Write,
    "UPDATE checkout_data.subscriptions s SET updated_at = $4 \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3"
);

/// Changes a locked subscription that gets a session which renews it: who cancels or removes it on an older snapshot, which
/// does not have that session, is told by the server.
pub fn touch(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, id);
    TOUCH
        .with(|statement| statement.count(&[organization_id, environment, id, datum::timestamp(now).into()]))
        .map(|_| ())
}

/// The event of the change of a subscription, and when the next one is due.
macro_rules! told {
    ($event:literal) => {
        concat!(
            ", event AS ( \
               INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
                 event_type, created_at, snapshot) \
               SELECT $1, $2, 'subscription', (b.subscription).subscription_id, (b.subscription).event_count, ",
            $event,
            ", $4, jsonb_build_object('subscription', to_jsonb(checkout_data.subscription_at(b.subscription, $4))) \
               FROM subscription b",
            fan_out!(),
            "SELECT (b.subscription).next_event_at, ",
            notified!(),
            " FROM subscription b"
        )
    };
}

statement!(
    BEGIN,
    Write,
    concat!(
        "WITH subscription AS ( \
           INSERT INTO checkout_data.subscriptions AS b (organization_id, environment, subscription_id, checkout_session_id, \
             latest_checkout_session_id, customer_id, customer_email, product_id, price_id, quantity, unit_amount, \
             currency_code, interval_unit, interval_count, time_zone, anchor, periods, periods_paid, trial_end, \
             current_period_start, current_period_end, ends_at, next_event_at, created_at, updated_at) \
           SELECT $1, $2, p.subscription_id, $3, $3, s.customer_id, s.customer_email, c.product_id, c.price_id, l.quantity, \
             c.amount, c.currency_code, c.interval_unit, c.interval_count, $5, begin.anchor, paid.periods, paid.periods, \
             CASE WHEN p.trial THEN begin.anchor END, $4, first.period_end, first.period_end + $6, \
             checkout_data.first_event_at(first.period_end, $7, $4), $4, $4 \
           FROM checkout_data.session_periods p \
           JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id) \
           JOIN checkout_data.session_lines l USING (organization_id, environment, checkout_session_id) \
           JOIN checkout_data.prices c ON c.organization_id = l.organization_id AND c.environment = l.environment \
             AND c.price_id = l.price_id \
           CROSS JOIN LATERAL (SELECT CASE WHEN p.trial THEN 0 ELSE 1 END AS periods) AS paid \
           CROSS JOIN LATERAL (SELECT CASE WHEN p.trial THEN checkout_data.period_boundary($4, $5, c.trial_period) \
             ELSE $4 END AS anchor) AS begin \
           CROSS JOIN LATERAL (SELECT CASE WHEN p.trial THEN begin.anchor ELSE checkout_data.period_boundary($4, $5, \
             checkout_data.period_span(c.interval_unit, c.interval_count, 1)) END AS period_end) AS first \
           WHERE p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = $3 \
           ON CONFLICT DO NOTHING RETURNING b AS subscription)",
        told!("'subscription.created'")
    )
);

/// Begins the subscription of a session that is being completed. Returns when its next event is due; `None` if the
/// customer has used up the trial meanwhile.
pub fn begin(tenant: Tenant, session: Uuid, settings: &Settings, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let [organization_id, environment, id] = key(tenant, session);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::timestamp(now).into(),
        settings.time_zone.as_str().into(),
        datum::interval(settings.grace_period).into(),
        settings.renewal_notice.map(datum::interval).into(),
    ];
    next_event(BEGIN.with(|statement| statement.row(&arguments, |row| time(row, 1)))?)
}

fn next_event(row: Option<Option<DateTime<Utc>>>) -> Result<Option<DateTime<Utc>>> {
    row.map(|at| at.ok_or_else(broken)).transpose()
}

statement!(
    RENEW,
    Write,
    concat!(
        "WITH subscription AS ( \
           UPDATE checkout_data.subscriptions b \
           SET latest_checkout_session_id = $5, anchor = CASE WHEN $6 THEN $4 ELSE b.anchor END, \
             periods = CASE WHEN $6 THEN 1 ELSE b.periods + 1 END, periods_paid = b.periods_paid + 1, \
             current_period_start = CASE WHEN $6 THEN $4 ELSE b.current_period_end END, \
             current_period_end = n.period_end, ends_at = n.period_end + $8, announced = 'none', \
             next_event_at = checkout_data.first_event_at(n.period_end, $9, $4), event_count = b.event_count + 1, \
             updated_at = $4 \
           FROM ( \
             SELECT CASE WHEN $6 THEN checkout_data.period_boundary($4, s.time_zone, \
               checkout_data.period_span(s.interval_unit, s.interval_count, 1)) ELSE $7 END AS period_end \
             FROM checkout_data.subscriptions s \
             WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3) AS n \
           WHERE b.organization_id = $1 AND b.environment = $2 AND b.subscription_id = $3 \
           RETURNING b AS subscription), \
         period AS ( \
           UPDATE checkout_data.session_periods p \
           SET period_start = (b.subscription).current_period_start, period_end = (b.subscription).current_period_end \
           FROM subscription b \
           WHERE $6 AND p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = $5)",
        told!("'subscription.renewed'")
    )
);

/// Renews a locked subscription for the period that its session pays. If it has lapsed, that is the one from now on.
/// Returns when its next event is due.
pub fn renew(
    tenant: Tenant,
    id: Uuid,
    session: Uuid,
    period: &Period,
    has_lapsed: bool,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::timestamp(now).into(),
        datum::uuid(session).into(),
        has_lapsed.into(),
        datum::timestamp(period.end).into(),
        datum::interval(settings.grace_period).into(),
        settings.renewal_notice.map(datum::interval).into(),
    ];
    next_event(RENEW.with(|statement| statement.row(&arguments, |row| time(row, 1)))?)
}

statement!(
    CANCEL,
    Write,
    "UPDATE checkout_data.subscriptions s \
     SET canceled_at = $4, cancel_at_period_end = true, next_event_at = s.current_period_end, updated_at = $4 \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3"
);
statement!(
    CANCEL_NOW,
    Write,
    concat!(
        "WITH subscription AS ( \
           UPDATE checkout_data.subscriptions b \
           SET canceled_at = $4, cancel_at_period_end = false, announced = 'ended', next_event_at = NULL, \
             event_count = b.event_count + 1, updated_at = $4 \
           WHERE b.organization_id = $1 AND b.environment = $2 AND b.subscription_id = $3 \
           RETURNING b AS subscription)",
        told!("'subscription.ended'")
    )
);

/// Cancels a locked subscription: at the end of its period, or now, which is an event.
pub fn cancel(tenant: Tenant, id: Uuid, at_period_end: bool, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, key] = key(tenant, id);
    let statement = if at_period_end { &CANCEL } else { &CANCEL_NOW };
    let arguments = [organization_id, environment, key, datum::timestamp(now).into()];
    statement.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    RESUME,
    Write,
    "UPDATE checkout_data.subscriptions s \
     SET canceled_at = NULL, cancel_at_period_end = false, updated_at = $4, next_event_at = CASE s.announced \
       WHEN 'none' THEN checkout_data.first_event_at(s.current_period_end, $5, $4) ELSE s.current_period_end END \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3 AND s.cancel_at_period_end \
     RETURNING s.next_event_at"
);

/// Takes back the cancellation of a locked subscription whose period lasts.
pub fn resume(
    tenant: Tenant,
    id: Uuid,
    notice: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let [organization_id, environment, key] = key(tenant, id);
    let arguments =
        [organization_id, environment, key, datum::timestamp(now).into(), notice.map(datum::interval).into()];
    next_event(RESUME.with(|statement| statement.row(&arguments, |row| time(row, 1)))?)
}

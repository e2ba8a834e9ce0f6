//! Statements on refused calls: their counts, and the event when there are many.

use chrono::{DateTime, TimeDelta, Utc};

use super::fan_out::{fan_out, notified};
use super::statement::statement;
use crate::datum;
use crate::shared::request_failures::Failures;
use crate::tenant::Tenant;
use rules::Result;

/// How long counts are kept.
pub const KEEP: TimeDelta = TimeDelta::days(7);
/// The period whose refused calls are compared with the organization's threshold.
const PERIOD: TimeDelta = TimeDelta::minutes(5);
/// How long after an event there is no other.
const PAUSE: TimeDelta = TimeDelta::hours(1);

statement!(
    ADD,
    Write,
    "INSERT INTO checkout_data.request_failures AS f (organization_id, environment, minute, function_name, sqlstate, \
       failure_count, last_message, last_failed_at) \
     SELECT o.organization_id, $2, date_bin('1 minute', $6, '2000-01-01 00:00:00+00'), $3, $4, $5, NULLIF($7, ''), $6 \
     FROM checkout_data.organizations o WHERE o.organization_id = $1 \
     ON CONFLICT (organization_id, environment, minute, function_name, sqlstate) DO UPDATE \
     SET failure_count = f.failure_count + EXCLUDED.failure_count, last_message = EXCLUDED.last_message, \
       last_failed_at = GREATEST(f.last_failed_at, EXCLUDED.last_failed_at)"
);

/// Adds refused calls to those of their minute.
pub fn add(failures: &Failures) -> Result<()> {
    let arguments = [
        datum::uuid(failures.tenant.organization_id).into(),
        failures.tenant.environment.as_str().into(),
        failures.function.as_str().into(),
        failures.sqlstate.as_str().into(),
        failures.count.into(),
        datum::timestamp(failures.last_at).into(),
        failures.last_message.as_str().into(),
    ];
    ADD.with(|statement| statement.count(&arguments)).map(|_| ())
}

// The row of the organization's alerts is the lock: only the worker, or run_maintenance in its place, writes it.
statement!(
    ALERT,
    Write,
    concat!(
        "WITH failing AS ( \
           SELECT o.organization_id, o.request_failure_threshold AS threshold, x.total, x.failures \
           FROM checkout_data.organizations o, LATERAL ( \
             SELECT sum(k.failure_count)::bigint AS total, jsonb_agg(jsonb_build_object('function_name', k.function_name, \
               'sqlstate', k.sqlstate, 'failure_count', k.failure_count, 'last_message', k.last_message) \
               ORDER BY k.failure_count DESC, k.function_name, k.sqlstate) FILTER (WHERE k.rank <= 10) AS failures \
             FROM ( \
               SELECT f.function_name, f.sqlstate, sum(f.failure_count)::bigint AS failure_count, \
                 (array_agg(f.last_message ORDER BY f.last_failed_at DESC))[1] AS last_message, \
                 row_number() OVER (ORDER BY sum(f.failure_count) DESC, f.function_name, f.sqlstate) AS rank \
               FROM checkout_data.request_failures f \
               WHERE f.organization_id = $1 AND f.environment = $2 AND f.minute > $3 - $4 - interval '1 minute' \
                 AND f.last_failed_at > $3 - $4 AND f.minute <= $3 \
               GROUP BY f.function_name, f.sqlstate) AS k) AS x \
           WHERE o.organization_id = $1 AND x.total >= o.request_failure_threshold), \
         alert AS ( \
           INSERT INTO checkout_data.request_alerts AS a (organization_id, environment, event_count, alerted_at) \
           SELECT f.organization_id, $2, 1, $3 FROM failing f \
           ON CONFLICT (organization_id, environment) DO UPDATE \
           SET event_count = a.event_count + 1, alerted_at = EXCLUDED.alerted_at \
           WHERE a.alerted_at <= EXCLUDED.alerted_at - $5 \
           RETURNING a.event_count), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
             event_type, created_at, snapshot) \
           SELECT $1, $2, 'organization', $1, a.event_count, 'requests.failing', $3, jsonb_build_object('organization', \
             jsonb_build_object('organization_id', $1, 'environment', $2::text, 'period_start', $3 - $4, \
               'period_end', $3, 'failure_count', f.total, 'threshold', f.threshold, 'failures', f.failures)) \
           FROM alert a, failing f",
        fan_out!(),
        "SELECT ",
        notified!(),
        " FROM event"
    )
);

/// Writes the event that so many calls of the organization were refused of late that it wants to know.
pub fn alert(tenant: Tenant, now: DateTime<Utc>) -> Result<()> {
    let arguments = [
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        datum::timestamp(now).into(),
        datum::interval(PERIOD).into(),
        datum::interval(PAUSE).into(),
    ];
    ALERT.with(|statement| statement.count(&arguments)).map(|_| ())
}

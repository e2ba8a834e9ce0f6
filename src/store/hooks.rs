//! Statements on hooks, and on the sessions of organizations that have some.

use chrono::{DateTime, Utc};
use pgrx::pg_sys;
use uuid::Uuid;

use super::fan_out::{fan_out, is_written, notified, told_of_end};
use super::hook_call::Callable;
use super::sessions::key;
use super::statement::{Argument, statement};
use crate::datum;
use crate::shared::unending_hooks;
use crate::tenant::Tenant;
use rules::access::credential::Environment;
use rules::checkout::hook::{Failure, Hook, HookEvent};
use rules::checkout::ids;
use rules::webhooks::event::EventType;
use rules::{Error, Result};

statement!(
    NAMES,
    Latest,
    "SELECT n.nspname::text, p.proname::text, pg_catalog.pg_get_userbyid(p.proowner)::text, checkout_data.hook_fault(p.oid) \
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
     WHERE p.oid::bigint = $1"
);
statement!(
    SET,
    Write,
    "INSERT INTO checkout_data.hooks AS h (organization_id, event, schema_name, function_name, owner_name, created_at) \
     VALUES ($1, $2, $3, $4, $5, clock_timestamp()) \
     ON CONFLICT (organization_id, event) DO UPDATE \
       SET schema_name = EXCLUDED.schema_name, function_name = EXCLUDED.function_name, owner_name = EXCLUDED.owner_name, \
         created_at = EXCLUDED.created_at"
);

/// Lets a function be called at an event, if it may be.
pub fn set(organization_id: Uuid, event: HookEvent, function: pg_sys::Oid) -> Result<()> {
    let names = NAMES.with(|statement| {
        statement.row(&[i64::from(function.to_u32()).into()], |row| {
            Ok((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?, row.get::<String>(4)?))
        })
    })?;
    let Some((Some(schema), Some(name), Some(owner), fault)) = names else { return Err(Error::HookNotFound) };
    if let Some(fault) = fault {
        return Err(Error::invalid("function", format!("names a function that {fault}")));
    }
    let arguments =
        [datum::uuid(organization_id).into(), event.as_str().into(), schema.into(), name.into(), owner.into()];
    SET.with(|statement| statement.count(&arguments))?;
    unending_hooks::forget(function);
    Ok(())
}

statement!(REMOVE, Write, "DELETE FROM checkout_data.hooks h WHERE h.organization_id = $1 AND h.event = $2");

pub fn remove(organization_id: Uuid, event: HookEvent) -> Result<()> {
    let arguments = [datum::uuid(organization_id).into(), event.as_str().into()];
    REMOVE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.hook_of(h) FROM checkout_data.hooks h \
     WHERE $1 IS NULL OR h.organization_id = $1 ORDER BY h.organization_id, h.event"
);

pub fn list(organization_id: Option<Uuid>) -> Result<Vec<datum::Hook>> {
    LIST.with(|statement| statement.composites(&[organization_id.map(datum::uuid).into()]))
}

statement!(
    FUNCTION,
    Latest,
    "SELECT f.function::bigint, f.owner::bigint, f.owner_name, f.fault \
     FROM checkout_data.hook_function($1, $2) AS f"
);

/// The function of a hook, or why it must not be called. What was right when it was set may have changed.
pub fn function(hook: &Hook) -> Result<std::result::Result<Callable, Failure>> {
    let found = FUNCTION.with(|statement| {
        statement.row(&[hook.schema.as_str().into(), hook.function.as_str().into()], |row| {
            Ok((row.get::<i64>(1)?, row.get::<i64>(2)?, row.get::<String>(3)?, row.get::<String>(4)?))
        })
    })?;
    let oid = |number: Option<i64>| pg_sys::Oid::from(number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0));
    Ok(match found {
        None => Err(Failure::new("42883", &format!("the hook's function {} does not exist", hook.name))),
        Some((_, _, owner, _)) if owner.as_deref() != Some(&hook.owner) => {
            Err(Failure::new("42501", &format!("the hook's function {} has another owner: call set_hook", hook.name)))
        }
        Some((_, _, _, Some(fault))) => {
            Err(Failure::new("42501", &format!("the hook's function {} {fault}", hook.name)))
        }
        Some((function, owner, _, None)) => Ok(Callable { function: oid(function), owner: oid(owner) }),
    })
}

statement!(
    KEEP,
    Write,
    "INSERT INTO checkout_data.hook_failures (organization_id, environment, hook_failure_id, checkout_session_id, event, \
       function_name, sqlstate, message, created_at) \
     VALUES ($1, $2, $4, $3, $5, $6, $7, $8, $9)"
);

/// Keeps the failure of a hook.
pub fn keep(tenant: Tenant, id: Uuid, hook: &Hook, failure: &Failure, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, session] = key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        session,
        datum::uuid(ids::session_id(now)).into(),
        hook.event.as_str().into(),
        hook.name.as_str().into(),
        failure.sqlstate.as_str().into(),
        failure.message.as_str().into(),
        datum::timestamp(now).into(),
    ];
    KEEP.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    ORGANIZATIONS,
    Transaction,
    "SELECT DISTINCT h.organization_id FROM checkout_data.hooks h WHERE h.event IN ('expired', 'failed')"
);

/// The organizations that have hooks for sessions which the clock ends.
pub fn organizations() -> Result<Vec<Uuid>> {
    let all = ORGANIZATIONS.with(|statement| statement.rows(&[], |row| row.get::<pgrx::Uuid>(1)))?;
    Ok(all.into_iter().flatten().map(datum::from_uuid).collect())
}

statement!(
    DUE,
    Transaction,
    "SELECT d.organization_id, d.environment::text, d.checkout_session_id FROM checkout_data.open_sessions d \
     WHERE d.deadline <= $1 AND d.organization_id = ANY ($2) ORDER BY d.deadline LIMIT $3"
);

/// The first sessions of these organizations whose deadline has passed. They are not locked.
pub fn due(organizations: &[Uuid], limit: usize, now: DateTime<Utc>) -> Result<Vec<(Tenant, Uuid)>> {
    let organizations: Vec<_> = organizations.iter().copied().map(datum::uuid).collect();
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let arguments: [Argument; 3] = [datum::timestamp(now).into(), organizations.into(), limit.into()];
    let due = DUE.with(|statement| {
        statement
            .rows(&arguments, |row| Ok((row.get::<pgrx::Uuid>(1)?, row.get::<String>(2)?, row.get::<pgrx::Uuid>(3)?)))
    })?;
    let read = |(organization_id, environment, id): (Option<pgrx::Uuid>, Option<String>, Option<pgrx::Uuid>)| {
        let environment = if environment? == "test" { Environment::Test } else { Environment::Live };
        let tenant = Tenant { organization_id: datum::from_uuid(organization_id?), environment };
        Some((tenant, datum::from_uuid(id?)))
    };
    Ok(due.into_iter().filter_map(read).collect())
}

// As the sweep, for one session. Its wide row is locked first, as everywhere: the hook may call functions that lock it.
statement!(
    END,
    Write,
    concat!(
        "WITH changed AS ( \
           DELETE FROM checkout_data.open_sessions s WHERE s.ctid = ANY (ARRAY( \
             SELECT d.ctid FROM checkout_data.open_sessions d CROSS JOIN LATERAL ( \
               SELECT FROM checkout_data.checkout_sessions w \
               WHERE w.organization_id = d.organization_id AND w.environment = d.environment \
                 AND w.checkout_session_id = d.checkout_session_id FOR NO KEY UPDATE SKIP LOCKED) AS w \
             WHERE d.organization_id = $1 AND d.environment = $2 AND d.checkout_session_id = $3 AND d.deadline <= $4 \
             FOR UPDATE OF d SKIP LOCKED)) \
           RETURNING s.organization_id, s.environment, s.checkout_session_id, s.event_count + 1 AS event_count, \
             s.fails_at_deadline, s.has_terms), ",
        told_of_end!("$4"),
        " WHERE NOT",
        is_written!(),
        fan_out!(),
        "SELECT c.fails_at_deadline, ",
        notified!(),
        " FROM changed c WHERE EXISTS (SELECT FROM event)"
    )
);

/// Ends a session whose deadline has passed, and returns its event. `None`: it is locked, or has ended.
pub fn end(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<Option<EventType>> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [organization_id, environment, id, datum::timestamp(now).into()];
    let fails = END.with(|statement| statement.row(&arguments, |row| row.get::<bool>(1)))?;
    Ok(fails.map(|fails| if fails == Some(true) { EventType::Failed } else { EventType::Expired }))
}

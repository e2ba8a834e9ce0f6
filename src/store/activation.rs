//! Whether this database does work of its own: whether it was activated, and what its settings say.
//!
//! A copy of a database has its rows but not its activation: see `sql/activations.sql`.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use pgrx::datum::TimestampWithTimeZone;

use super::statement::statement;
use crate::shared::registry;
use crate::{backend, datum, gucs};
use rules::{Error, Result};

// NULL if there is no row, or a row that is not native.
statement!(
    ACTIVE_SINCE,
    Latest,
    "SELECT CASE WHEN bool_and(a.database_oid = $1 AND a.table_oid = a.tableoid AND a.transaction_id = a.xmin) \
       THEN min(a.activated_at) END \
     FROM checkout_data.activations a"
);

/// Since when this database is active; `None` if it is not.
pub fn active_since() -> Result<Option<TimestampWithTimeZone>> {
    let arguments = [backend::database().into()];
    Ok(ACTIVE_SINCE.with(|statement| statement.row(&arguments, |row| row.get(1)))?.flatten())
}

pub fn is_active() -> Result<bool> {
    Ok(active_since()?.is_some())
}

/// Refuses to work in a database that is not active.
pub fn check_active() -> Result<()> {
    if is_active()? { Ok(()) } else { Err(Error::DatabaseInactive) }
}

/// Returns true if events may leave this database.
pub fn may_deliver() -> Result<bool> {
    Ok(deliveries_are_enabled()? && is_active()?)
}

// While a restore loads the tables one after the other, one of the two may be empty.
statement!(
    IS_NEW,
    Latest,
    "SELECT NOT EXISTS (SELECT FROM checkout_data.activations) AND NOT EXISTS (SELECT FROM checkout_data.organizations)"
);

/// Returns true if nothing has been stored yet, neither here nor by a restore.
pub fn is_new() -> Result<bool> {
    Ok(IS_NEW.with(|statement| statement.row(&[], |row| row.get(1)))?.flatten().unwrap_or(false))
}

statement!(REMOVE, Write, "DELETE FROM checkout_data.activations");
statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.activations (activated_at, activated_by, database_oid, table_oid, transaction_id) \
     VALUES ($1, $2, $3, 'checkout_data.activations'::regclass, $4::xid)"
);

/// Replaces all rows by a native one. Returns its time.
pub fn activate(activated_by: &str, now: DateTime<Utc>) -> Result<TimestampWithTimeZone> {
    REMOVE.with(|statement| statement.count(&[]))?;
    let arguments = [
        datum::timestamp(now).into(),
        activated_by.into(),
        backend::database().into(),
        backend::transaction_id().to_string().into(),
    ];
    INSERT.with(|statement| statement.count(&arguments))?;
    Ok(datum::timestamp(now))
}

// A session has the settings of its database as they were when it began, and relays stay connected for long.
statement!(
    DATABASE_SETTING,
    Latest,
    "SELECT split_part(setting, '=', 2)::boolean \
     FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS setting \
     WHERE s.setdatabase = $1 AND s.setrole = 0 AND lower(setting) ^@ $2"
);
statement!(SOURCE, Latest, "SELECT s.source FROM pg_catalog.pg_settings s WHERE s.name = $1");

const DELIVERIES_ENABLED: &str = "checkout_sessions.deliveries_enabled";
const WORKER_ENABLED: &str = "checkout_sessions.worker_enabled";

/// What ALTER DATABASE ... SET says of a setting by now.
fn database_setting(name: &str) -> Result<Option<bool>> {
    let arguments = [backend::database().into(), format!("{name}=").into()];
    Ok(DATABASE_SETTING.with(|statement| statement.row(&arguments, |row| row.get(1)))?.flatten())
}

fn deliveries_are_enabled() -> Result<bool> {
    let own = gucs::DELIVERIES_ENABLED.get();
    match database_setting(DELIVERIES_ENABLED)? {
        Some(false) => Ok(false),
        // What a role or a session has of its own comes before the database.
        Some(true) => Ok(own || !matches!(told_by()?, ToldBy::Another)),
        None if TOLD_BY_SERVER.get() => Ok(own),
        None => match told_by()? {
            // The database says no more what it said when the session began: the server's own value counts. Who does not
            // know that gets nothing before the next connection.
            ToldBy::Database => Ok(registry::deliveries_enabled() == Some(true)),
            ToldBy::Server | ToldBy::Another => Ok(own),
        },
    }
}

/// Who has told the session whether events can be claimed.
enum ToldBy {
    Server,
    Database,
    Another,
}

thread_local! {
    /// True if the server has, so that the database has said nothing when the session began. The server's view of its
    /// settings is slow.
    static TOLD_BY_SERVER: Cell<bool> = const { Cell::new(false) };
}

fn told_by() -> Result<ToldBy> {
    let source = SOURCE.with(|statement| statement.row(&[DELIVERIES_ENABLED.into()], |row| row.get::<String>(1)))?;
    Ok(match source.flatten().as_deref() {
        Some("default" | "environment variable" | "configuration file" | "command line") => {
            TOLD_BY_SERVER.set(true);
            ToldBy::Server
        }
        Some("database") => ToldBy::Database,
        _ => ToldBy::Another,
    })
}

/// Returns true if the worker of this database is to be disabled, whatever the session was told when it began.
pub fn worker_is_disabled() -> Result<bool> {
    Ok(database_setting(WORKER_ENABLED)? == Some(false))
}

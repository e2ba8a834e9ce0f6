//! The registry's data on one database, for reports.

use chrono::{DateTime, Utc};

use super::{NEVER, REGISTRY, Rest, available, now};
use crate::{backend, datum};

/// The state that `worker_status()` reports of a database.
#[derive(Default)]
pub struct Status {
    pub preloaded: bool,
    pub launcher_pid: Option<i32>,
    /// For the database, or for the server.
    pub disabled: bool,
    pub pid: Option<i32>,
    pub starting: bool,
    pub waiting: bool,
    pub rest: Rest,
    pub failing: bool,
    pub failures: i32,
    pub last_sweep_at: Option<DateTime<Utc>>,
    pub next_sweep_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
}

pub fn status() -> Status {
    if !available() {
        return Status::default();
    }
    let oid = backend::database();
    let registry = REGISTRY.share();
    let now = now();
    let launcher_pid = Some(registry.launcher_pid).filter(|pid| *pid != 0);
    let Some(database) = registry.find(oid) else {
        return Status { preloaded: true, launcher_pid, disabled: registry.disabled, ..Status::default() };
    };
    let time = |at: i64| match at {
        0 | NEVER => None,
        at => Some(datum::from_micros(at)),
    };
    let sweep_at = database.sweep_at(now);
    Status {
        preloaded: true,
        launcher_pid,
        disabled: registry.disabled || database.rest == Rest::Disabled,
        pid: Some(database.pid).filter(|pid| *pid != 0),
        rest: database.rest,
        starting: database.starting.is_some(),
        waiting: database.waiting,
        failing: database.failures > 0,
        failures: i32::try_from(database.failures).unwrap_or(i32::MAX),
        last_sweep_at: time(database.last_sweep_at),
        next_sweep_at: time(if sweep_at == 0 { now } else { sweep_at }),
        last_error: (database.error_at != 0).then(|| String::from_utf8_lossy(database.error()).into_owned()),
        last_error_at: time(database.error_at),
    }
}

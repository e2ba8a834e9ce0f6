-- Maintenance: the tasks of the background worker, and its state.

CREATE FUNCTION checkout_data.wake_worker() RETURNS void
    LANGUAGE c STRICT
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'wake_worker_wrapper';
COMMENT ON FUNCTION checkout_data.wake_worker IS
    'Makes the launcher of workers look at this database when the transaction commits. CREATE EXTENSION says then if there '
    'is none.';

CREATE FUNCTION checkout_data.library_version() RETURNS text
    LANGUAGE c STABLE STRICT
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION checkout_data.library_version IS
    'Returns the version of the library that this session has loaded. A script that upgrades the schema asks for it.';

-- The launcher learns of this database when the installation commits.
SELECT checkout_data.wake_worker();

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.expire_due_checkout_sessions(
    batch integer DEFAULT 1000
) RETURNS integer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'expire_due_checkout_sessions_wrapper';
COMMENT ON FUNCTION checkout.expire_due_checkout_sessions IS
$$Expires sessions of all organizations whose deadline has passed, and writes their events.

Returns how many sessions it expired. The worker does this automatically.

- batch: how many sessions at most, 1 to 100000.

Errors:
- 22004, 22023: batch is missing or wrong.
- PT409: the database is not active: see activate_database.$$;

CREATE FUNCTION checkout.run_maintenance(
    batch integer DEFAULT 1000
) RETURNS TABLE (
    task text,
    row_count integer
)
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET jit TO off
    AS 'MODULE_PATHNAME', 'run_maintenance_wrapper';
COMMENT ON FUNCTION checkout.run_maintenance IS
$$Runs the tasks of the background worker for all organizations.

Call it once a minute, for example from pg_cron, if the library is not preloaded. The tasks are:

- expire: expires sessions whose deadline has passed.
- remind: writes reminders that are due.
- announce: writes the events of subscriptions that are due.
- purge: removes old events, deliveries and idempotency keys.
- fold: counts the sessions of past hours for session_funnel: see fold_sessions. Its rows are hours.
- remove: removes sessions, subscriptions, events and API keys that have ended session_retention ago: see
  create_organization. In a REPEATABLE READ or SERIALIZABLE transaction, which does not see what others do meanwhile, it
  removes none, and says so in a warning.

Returns a row for each task, with its name and the number of rows that it changed. If a task returns batch or more, more
may be left: call the function again. If the library is preloaded, it also stores when API keys were last used, and which
calls were refused.

- batch: about how many rows each task changes, 1 to 100000: expire, remind, announce and fold at most so many, purge
  and remove so many of each kind.

Errors:
- 22004, 22023: batch is missing or wrong.
- PT409: the database is not active: see activate_database.$$;

CREATE FUNCTION checkout.worker_status() RETURNS TABLE (
    state text,
    launcher_pid integer,
    pid integer,
    last_sweep_at timestamptz,
    next_sweep_at timestamptz,
    next_deadline timestamptz,
    overdue bigint,
    oldest_overdue_at timestamptz,
    lag interval,
    failures integer,
    last_error text,
    last_error_at timestamptz
)
    LANGUAGE c STRICT SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'worker_status_wrapper';
COMMENT ON FUNCTION checkout.worker_status IS
$$Returns the state of the background worker in this database.

- state: sleeping, starting, working, standby, inactive (see activate_database), disabled
  (checkout_sessions.worker_enabled is off), failing (see last_error), no worker slot (max_worker_processes is too
  low), read only (default_transaction_read_only is on), no launcher (it is being restarted) or not preloaded (add
  checkout_sessions to shared_preload_libraries). Alert on the last five.
- pid: the process id of the worker while it runs. A worker with nothing due soon exits.
- next_deadline: when the next session or reminder is due.
- overdue, oldest_overdue_at, lag: the sessions whose deadline has passed, but whose event is not written yet. Normally
  0, NULL and NULL.$$;

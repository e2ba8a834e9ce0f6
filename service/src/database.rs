//! Sessions on the database that are the program's own, and in which it may write.

use std::time::Duration;

use crate::sqlx::postgres::{PgConnectOptions, PgRow};
use crate::sqlx::{Connection as _, Executor, PgConnection, Postgres, Row, raw_sql};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::database_error::DatabaseError;
use crate::servers::{Server, Servers};

pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A claim passes over locked rows, and waits only for statements that change tables.
const LOCK_TIMEOUT: &str = "10s";
/// Independent of the defaults of the role and of the database. These are given when a session starts and never set
/// later: behind a pooler, a later statement may reach another client's session.
const SETTINGS: [(&str, &str); 5] = [
    ("search_path", "pg_catalog,pg_temp"),
    ("statement_timeout", "25s"),
    ("lock_timeout", LOCK_TIMEOUT),
    ("idle_session_timeout", "0"),
    ("default_transaction_isolation", "read committed"),
];
/// A setting that no function reads, with another value for each session. It shows whether a session is the requested
/// one.
const MARK: &str = "checkout_sessions_service.session";
const OWN: &str = "SELECT pg_catalog.current_setting('checkout_sessions_service.session', true) AS mark";
/// Reads the defaults of new sessions, too: they may differ from this session's.
const LOOK: &str = "SELECT current_setting('checkout_sessions_service.session', true) AS mark,
        current_setting('transaction_read_only') AS read_only,
        (SELECT array_agg(s.setconfig::text ORDER BY s.setdatabase, s.setrole)::text FROM pg_db_role_setting s
            WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
                AND s.setrole IN (0, (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user))) AS defaults";
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct Connection {
    pub inner: PgConnection,
    mark: String,
    defaults: Option<String>,
    looked: Instant,
}

impl Connection {
    pub async fn open(servers: &Servers) -> Result<Self, DatabaseError> {
        let open = async |server: Server| {
            let (options, mark) = with_settings(&server.options);
            let mut inner = connect(&options).await?;
            check_own(&mut inner, &mark).await?;
            let mut connection = Self { inner, mark, defaults: None, looked: Instant::now() };
            connection.defaults = connection.look().await?;
            Ok(connection)
        };
        servers.find(open).await
    }

    /// Returns true if it is as a new one would be. Checks now and then.
    pub async fn is_current(&mut self) -> Result<bool, DatabaseError> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(true);
        }
        self.looked = Instant::now();
        let defaults = timeout(CONNECT_TIMEOUT, self.look()).await.unwrap_or(Err(DatabaseError::Timeout))?;
        Ok(defaults == self.defaults)
    }

    /// Returns the defaults of new sessions.
    async fn look(&mut self) -> Result<Option<String>, DatabaseError> {
        let row = raw_sql(LOOK).fetch_one(&mut self.inner).await?;
        if text(&row, "mark")?.as_ref() != Some(&self.mark) {
            return Err(DatabaseError::Pooler);
        }
        if text(&row, "read_only")?.as_deref() != Some("off") {
            return Err(DatabaseError::ReadOnly);
        }
        text(&row, "defaults")
    }
}

/// Connects, and tells a pooler that refuses our settings from other trouble.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DatabaseError> {
    PgConnection::connect_with(options).await.map_err(|error| match error.as_database_error() {
        // The error of pgbouncer for a setting that it does not pass on.
        Some(refused) if refused.message().contains("startup parameter") => DatabaseError::Pooler,
        _ => error.into(),
    })
}

/// How to connect to a session, and the mark that distinguishes it from others.
pub fn with_settings(options: &PgConnectOptions) -> (PgConnectOptions, String) {
    let mark = Uuid::new_v4().to_string();
    (options.clone().options(SETTINGS).options([(MARK, &mark)]), mark)
}

/// Checks that a session is the requested one, before anything is changed in it.
pub async fn check_own<'a>(
    connection: impl Executor<'a, Database = Postgres>,
    mark: &str,
) -> Result<(), DatabaseError> {
    let row = raw_sql(OWN).fetch_one(connection).await?;
    if text(&row, "mark")?.as_deref() == Some(mark) { Ok(()) } else { Err(DatabaseError::Pooler) }
}

fn text(row: &PgRow, column: &str) -> Result<Option<String>, DatabaseError> {
    Ok(row.try_get(column)?)
}

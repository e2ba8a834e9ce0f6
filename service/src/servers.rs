//! The servers of a database: one, or a primary and its standbys, of which one is at work at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use crate::database::CONNECT_TIMEOUT;
use crate::database_error::DatabaseError;
use crate::sqlx::postgres::PgConnectOptions;
use crate::sqlx::{Executor, Postgres, Row, raw_sql};

/// For each of several servers: the machine of one may be gone, and answer nothing.
const CONNECT_TIMEOUT_OF_EACH: Duration = Duration::from_secs(4);
const STATE: &str = "SELECT pg_catalog.pg_is_in_recovery() AS is_standby,
    pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on' AS is_read_only";

/// libpq's `target_session_attrs`, as far as they are of use to programs that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Any,
    ReadWrite,
    Primary,
}

impl Wanted {
    /// Of several servers, the one that takes writes is meant. One alone may be a standby, which can be read from.
    pub fn read(attributes: Option<&str>, servers: usize) -> Result<Self, &'static str> {
        match attributes {
            None | Some("") if servers > 1 => Ok(Self::ReadWrite),
            None | Some("" | "any") => Ok(Self::Any),
            Some("read-write") => Ok(Self::ReadWrite),
            Some("primary") => Ok(Self::Primary),
            Some(_) => Err(
                "--database-url: target_session_attrs must be any, read-write or primary, because this program writes",
            ),
        }
    }
}

/// One of the servers.
#[derive(Clone)]
pub struct Server {
    pub number: usize,
    pub options: PgConnectOptions,
}

#[derive(Clone)]
pub struct Servers {
    each: Arc<[PgConnectOptions]>,
    wanted: Wanted,
    /// The one that was found last, by any part of the program. It is asked first.
    last: Arc<AtomicUsize>,
}

impl Servers {
    pub fn new(each: Vec<PgConnectOptions>, wanted: Wanted) -> Self {
        Self { each: each.into(), wanted, last: Arc::default() }
    }

    #[cfg(test)]
    pub fn each(&self) -> &[PgConnectOptions] {
        &self.each
    }

    /// Connects to the first server that is as wanted, with `open`, which checks that. Begins with the one that was so
    /// last.
    pub async fn find<T, F>(&self, open: impl Fn(Server) -> F) -> Result<T, DatabaseError>
    where
        F: Future<Output = Result<T, DatabaseError>>,
    {
        let count = self.each.len();
        let limit = if count > 1 { CONNECT_TIMEOUT_OF_EACH } else { CONNECT_TIMEOUT };
        let last = self.last.load(Ordering::Relaxed);
        let mut failed = None;
        for number in (0..count).map(|step| (last + step) % count) {
            let server = Server { number, options: self.each[number].clone() };
            match timeout(limit, open(server)).await.unwrap_or(Err(DatabaseError::Timeout)) {
                Ok(opened) => {
                    self.last.store(number, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(DatabaseError::Pooler) => return Err(DatabaseError::Pooler),
                // A standby that answers says more than a primary that does not.
                Err(error) if !matches!(failed, Some(DatabaseError::ReadOnly)) => failed = Some(error),
                Err(_) => {}
            }
        }
        Err(failed.unwrap_or(DatabaseError::Timeout))
    }

    /// Asks a server whether it is as wanted; if any will do, whether it answers.
    pub async fn check<'a>(&self, connection: impl Executor<'a, Database = Postgres>) -> Result<(), DatabaseError> {
        let row = raw_sql(STATE).fetch_one(connection).await?;
        let is_right = match self.wanted {
            Wanted::Any => true,
            Wanted::ReadWrite => !row.try_get::<bool, _>("is_read_only")?,
            Wanted::Primary => !row.try_get::<bool, _>("is_standby")?,
        };
        if is_right { Ok(()) } else { Err(DatabaseError::ReadOnly) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Servers {
        Servers::new(vec![PgConnectOptions::new_without_pgpass(); 3], Wanted::ReadWrite)
    }

    #[tokio::test]
    async fn the_server_that_was_right_last_is_asked_first() {
        let servers = three();
        let open = |right: usize| {
            move |server: Server| async move {
                if server.number == right { Ok(server.number) } else { Err(DatabaseError::ReadOnly) }
            }
        };
        assert_eq!(servers.find(open(1)).await.ok(), Some(1));
        assert_eq!(servers.find(async |server: Server| Ok(server.number)).await.ok(), Some(1));
        // All others are tried before it is given up, those before the last one, too.
        assert_eq!(servers.find(open(0)).await.ok(), Some(0));
        assert!(matches!(servers.find(open(9)).await, Err(DatabaseError::ReadOnly)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_is_gone_does_not_hide_the_others() {
        let servers = three();
        let found = servers.find(async |server: Server| match server.number {
            0 => std::future::pending().await,
            number => Ok(number),
        });
        assert_eq!(found.await.ok(), Some(1));
    }

    #[tokio::test]
    async fn behind_a_pooler_no_other_is_tried() {
        let servers = three();
        let found = servers.find(async |server: Server| match server.number {
            0 => Err(DatabaseError::Pooler),
            number => Ok(number),
        });
        assert!(matches!(found.await, Err(DatabaseError::Pooler)));
    }
}

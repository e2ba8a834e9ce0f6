//! The connections to the database, and whether it is there.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx_core::pool::{Pool, PoolConnection, PoolOptions};
use tokio::sync::watch;

use crate::database;
use crate::gateway::catalog::Catalog;
use crate::gateway::failure::Failure;
use crate::gateway::sql_failure::failure;
use crate::servers::Server;
use crate::sqlx::postgres::PgConnectOptions;
use crate::sqlx::{Connection as _, PgConnection, Postgres};

/// A connection that was idle for longer is asked whether it still works. Under load that costs nothing.
const IDLE: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub struct Connections {
    count: u32,
    timeout: Duration,
    /// To the server of this number. There is none until a server has been found.
    pool: RwLock<Option<(usize, Pool<Postgres>)>>,
    /// `None` until somebody has looked.
    away: watch::Sender<Option<bool>>,
    catalog: RwLock<Arc<Catalog>>,
}

impl Connections {
    pub fn new(count: u32, timeout: Duration) -> Self {
        let (away, _) = watch::channel(None);
        Self { count, timeout, pool: RwLock::default(), away, catalog: RwLock::default() }
    }

    fn pool_of(&self, server: &Server) -> Pool<Postgres> {
        let (options, mark) = with_settings(&server.options, self.timeout);
        let mark: Arc<str> = mark.into();
        PoolOptions::new()
            .max_connections(self.count)
            .acquire_timeout(self.timeout.min(LONGEST_WAIT))
            .test_before_acquire(false)
            .before_acquire(|connection: &mut PgConnection, meta| {
                Box::pin(async move {
                    if meta.idle_for > IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                let mark = mark.clone();
                Box::pin(async move {
                    let own = database::check_own(connection, &mark).await;
                    own.map_err(|error| sqlx_core::Error::Configuration(error.into()))
                })
            })
            .connect_lazy_with(options)
    }

    /// A connection, or at once the news that the database is away.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, Failure> {
        let mut away = self.away.subscribe();
        let Some(pool) = self.pool() else { return Err(Failure::unavailable("the database is away")) };
        tokio::select! {
            biased;
            _ = away.wait_for(|away| *away == Some(true)) => Err(Failure::unavailable("the database is away")),
            connection = pool.acquire() => connection.map_err(|error| failure(&error, false)),
        }
    }

    fn pool(&self) -> Option<Pool<Postgres>> {
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.as_ref().map(|(_, pool)| pool.clone())
    }

    /// The database is there, on this server, and this is its catalog.
    pub fn there(&self, server: &Server, catalog: Catalog) {
        self.move_to(server);
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
        self.away.send_replace(Some(false));
    }

    /// From now on, requests are this server's. Those that are open end where they began.
    fn move_to(&self, server: &Server) {
        let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        if pool.as_ref().is_none_or(|(number, _)| *number != server.number)
            && let Some((_, left)) = pool.replace((server.number, self.pool_of(server)))
        {
            tokio::spawn(async move { left.close().await });
        }
    }

    pub fn away(&self) {
        self.away.send_replace(Some(true));
    }

    /// Returns when it is known whether the database is there.
    pub async fn looked(&self) {
        // The sender is here, so that there is no error.
        let _ = self.away.subscribe().wait_for(Option::is_some).await;
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn close(&self) {
        if let Some(pool) = self.pool() {
            pool.close().await;
        }
    }
}

/// As for the program's other sessions, with time limits of their own. A transaction that waits for its client longer
/// than a request may take has none any more.
pub fn with_settings(options: &PgConnectOptions, timeout: Duration) -> (PgConnectOptions, String) {
    let (options, mark) = database::with_settings(options);
    let milliseconds = timeout.as_millis().to_string();
    let limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    (options.options(limits.map(|name| (name, milliseconds.as_str()))), mark)
}

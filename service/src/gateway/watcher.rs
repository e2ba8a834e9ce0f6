//! Looks whether the database is there, and reads its catalog when it has come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::back_off::BackOff;
use crate::database::{self, CONNECT_TIMEOUT, check_own};
use crate::database_error::DatabaseError;
use crate::gateway::catalog::Catalog;
use crate::gateway::connections::{Connections, with_settings};
use crate::gateway::metrics::Metrics;
use crate::health::Health;
use crate::servers::{Server, Servers};
use crate::sqlx::PgConnection;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Clients see that it is back after so long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// New functions and grants are known after so many looks.
const CATALOG_EVERY: u32 = 30;

pub struct Watcher {
    pub servers: Servers,
    pub connections: Arc<Connections>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

impl Watcher {
    /// Runs for as long as the program.
    pub async fn run(self) {
        let mut back_off = BackOff::new();
        loop {
            let watched = self.watch(&mut back_off).await;
            let Err(error) = watched;
            self.connections.away();
            self.health.failed("watch", &error);
            self.metrics.database_errors.inc();
            warn!(%error, "the database does not answer");
            sleep(back_off.next().min(LONGEST_PAUSE)).await;
        }
    }

    /// Looks until the database is away. It is not, if only the connection that looks has ended: the next one tells.
    async fn watch(&self, back_off: &mut BackOff) -> Result<std::convert::Infallible, DatabaseError> {
        loop {
            let (mut connection, server) = self.servers.find(|server| self.connect(server)).await?;
            let ended = loop {
                let catalog = in_time(CONNECT_TIMEOUT, Catalog::read(&mut connection)).await?;
                self.connections.there(&server, catalog);
                self.health.works("watch");
                if back_off.is_used() {
                    info!("the database answers");
                    *back_off = BackOff::new();
                }
                if let Err(error) = self.look(&mut connection).await {
                    break error;
                }
            };
            match ended {
                DatabaseError::Sql(error) => warn!(%error, "the connection that looks has ended"),
                error => return Err(error),
            }
        }
    }

    /// Looks for as long as a catalog is good.
    async fn look(&self, connection: &mut PgConnection) -> Result<(), DatabaseError> {
        for _ in 0..CATALOG_EVERY {
            sleep(LOOK_EVERY).await;
            in_time(LOOK_TIMEOUT, self.servers.check(&mut *connection)).await?;
            self.health.works("watch");
        }
        Ok(())
    }

    async fn connect(&self, server: Server) -> Result<(PgConnection, Server), DatabaseError> {
        let (options, mark) = with_settings(&server.options, CONNECT_TIMEOUT);
        let mut connection = database::connect(&options).await?;
        check_own(&mut connection, &mark).await?;
        self.servers.check(&mut connection).await?;
        Ok((connection, server))
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, DatabaseError>>) -> Result<T, DatabaseError> {
    timeout(limit, work).await.unwrap_or(Err(DatabaseError::Timeout))
}

//! Listens for new deliveries, which are notified when they are committed.

use std::sync::Arc;
use std::time::Duration;

use crate::sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::back_off::BackOff;
use crate::database::{CONNECT_TIMEOUT, check_own, with_settings};
use crate::database_error::DatabaseError;
use crate::relay::metrics::Metrics;
use crate::servers::{Server, Servers};

const CHANNEL: &str = "checkout_sessions_webhooks";
/// A connection that a firewall has dropped looks like a quiet one.
const PING_EVERY: Duration = Duration::from_secs(30);

pub struct NotificationListener {
    pub servers: Servers,
    pub wake: Arc<Notify>,
    pub metrics: Arc<Metrics>,
}

impl NotificationListener {
    /// Runs for ever. Without notifications the relay still polls.
    pub async fn run(self) {
        let mut back_off = BackOff::new();
        loop {
            match self.servers.find(|server| self.connect(server)).await {
                Ok((listener, mark)) => {
                    back_off = BackOff::new();
                    info!("listening for new deliveries");
                    // Deliveries committed meanwhile were not notified.
                    self.wake.notify_one();
                    let why = self.listen(listener, &mark).await;
                    warn!("not listening any more: {why}");
                }
                Err(error) => warn!("not listening: {error}"),
            }
            self.metrics.database_errors.inc();
            sleep(back_off.next()).await;
        }
    }

    async fn connect(&self, server: Server) -> Result<(PgListener, String), DatabaseError> {
        let (options, mark) = with_settings(&server.options);
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        check_own(&mut listener, &mark).await?;
        self.servers.check(&mut listener).await?;
        listener.listen(CHANNEL).await?;
        Ok((listener, mark))
    }

    async fn look(&self, listener: &mut PgListener, mark: &str) -> Result<(), DatabaseError> {
        check_own(&mut *listener, mark).await?;
        self.servers.check(listener).await
    }

    /// Listens until it fails, and returns why.
    async fn listen(&self, mut listener: PgListener, mark: &str) -> String {
        loop {
            match timeout(PING_EVERY, listener.try_recv()).await {
                Ok(Ok(Some(_))) => {
                    self.metrics.notifications.inc();
                    self.wake.notify_one();
                }
                Ok(Ok(None)) => return "the connection is closed".into(),
                Ok(Err(error)) => return error.to_string(),
                Err(_) => match timeout(CONNECT_TIMEOUT, self.look(&mut listener, mark)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) => return DatabaseError::Timeout.to_string(),
                },
            }
        }
    }
}

//! Hears of new deliveries as they are committed.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::back_off::BackOff;
use crate::metrics::Metrics;

const CHANNEL: &str = "checkout_sessions_webhooks";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that a firewall has forgotten looks like a quiet one.
const PING_EVERY: Duration = Duration::from_secs(30);

pub struct Listener {
    pub options: PgConnectOptions,
    pub wake: Arc<Notify>,
    pub metrics: Arc<Metrics>,
}

impl Listener {
    /// Runs for ever. Without it the relay still polls.
    pub async fn run(self) {
        let mut back_off = BackOff::new();
        loop {
            if let Ok(listener) =
                timeout(CONNECT_TIMEOUT, self.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
            {
                back_off = BackOff::new();
                info!("listening for new deliveries");
                // Nobody has told of what was committed meanwhile.
                self.wake.notify_one();
                let error = self.listen(listener).await;
                self.metrics.database_errors.inc();
                warn!("not listening any more: {error}");
            } else {
                self.metrics.database_errors.inc();
            }
            sleep(back_off.next()).await;
        }
    }

    async fn connect(&self) -> Result<PgListener, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(self.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        sqlx::query("SET idle_session_timeout = 0").execute(&mut listener).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    async fn listen(&self, mut listener: PgListener) -> sqlx::Error {
        loop {
            match timeout(PING_EVERY, listener.try_recv()).await {
                Ok(Ok(Some(_))) => {
                    self.metrics.notifications.inc();
                    self.wake.notify_one();
                }
                Ok(Ok(None)) => return sqlx::Error::WorkerCrashed,
                Ok(Err(error)) => return error,
                Err(_) => match timeout(CONNECT_TIMEOUT, sqlx::query("SELECT 1").execute(&mut listener)).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return error,
                    Err(_) => return sqlx::Error::PoolTimedOut,
                },
            }
        }
    }
}

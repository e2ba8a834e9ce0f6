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
const SILENT: &str = "the database did not answer in time";
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
            match timeout(CONNECT_TIMEOUT, self.connect()).await {
                Ok(Ok(listener)) => {
                    back_off = BackOff::new();
                    info!("listening for new deliveries");
                    // Nobody has told of what was committed meanwhile.
                    self.wake.notify_one();
                    let fault = self.listen(listener).await;
                    warn!("not listening any more: {fault}");
                }
                Ok(Err(fault)) => warn!("not listening: {fault}"),
                Err(_) => warn!("not listening: {SILENT}"),
            }
            self.metrics.database_errors.inc();
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

    /// Returns why it does not any more.
    async fn listen(&self, mut listener: PgListener) -> String {
        loop {
            match timeout(PING_EVERY, listener.try_recv()).await {
                Ok(Ok(Some(_))) => {
                    self.metrics.notifications.inc();
                    self.wake.notify_one();
                }
                Ok(Ok(None)) => return "the connection is closed".into(),
                Ok(Err(fault)) => return fault.to_string(),
                Err(_) => match timeout(CONNECT_TIMEOUT, sqlx::query("SELECT 1").execute(&mut listener)).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(fault)) => return fault.to_string(),
                    Err(_) => return SILENT.into(),
                },
            }
        }
    }
}

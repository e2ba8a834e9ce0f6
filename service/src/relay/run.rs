//! Starts the parts of the relay, and stops them in the right order.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use crate::database_error::DatabaseError;
use crate::database_url::connect_options;
use crate::health::Health;
use crate::relay::claimer::{self, Claimer};
use crate::relay::delivery_store::{DeliveryStore, Purpose};
use crate::relay::delivery_tasks::DeliveryTasks;
use crate::relay::guard::Guard;
use crate::relay::in_flight::InFlight;
use crate::relay::metrics::Metrics;
use crate::relay::notifications::NotificationListener;
use crate::relay::options::Options;
use crate::relay::own_machine::raise_file_limit;
use crate::relay::recorder::Recorder;
use crate::relay::sender::{self, Sender};
use crate::relay::trouble::Trouble;
use crate::run_error::RunError;
use crate::shutdown::stop_at_signal;
use crate::{logs, metrics, monitoring, runtime};

/// The time for recording the last attempts after a stop. It lasts at least until the open requests are given up,
/// because until then attempts with locked rows are tried again, too.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(1);

const NOT_RECORDED: &str = "attempts can no longer be recorded: a fault of the relay, which the log tells of";

/// Runs until a signal comes; with one pass, until everything that it finds is done.
pub fn start(options: Options) -> Result<(), RunError> {
    options.check().map_err(RunError::Usage)?;
    logs::start(&options.shared);
    raise_file_limit(options.concurrency);
    let look_ups = 2 * usize::try_from(options.concurrency).unwrap_or(256) + 16;
    runtime::run(look_ups, run(options))
}

async fn run(options: Options) -> Result<(), RunError> {
    let url = options.shared.database.database_url.as_deref();
    let servers = connect_options(url, "checkout-sessions-relay").map_err(|error| RunError::Usage(error.into()))?;
    let more_roots = options.ca_file.as_ref().map(std::fs::read).transpose();
    let guard = Guard::new();
    let sender = sender::Settings {
        timeout: options.timeout,
        connect_timeout: options.connect_timeout,
        per_endpoint: options.per_endpoint,
        more_roots: more_roots.map_err(|error| RunError::Usage(format!("--ca-file: {error}")))?,
    };
    let sender = Sender::new(&sender, guard.clone()).map_err(RunError::Usage)?;

    let mut registry = metrics::registry("relay");
    let metrics = Arc::new(Metrics::new(&mut registry));
    let trouble = Arc::new(Trouble::new(metrics.clone()));
    let health = Arc::new({
        let trouble = trouble.clone();
        Health::new(patience(options.poll_interval, options.timeout), Box::new(move || trouble.what()))
    });
    monitoring::start(options.shared.listen, registry, health.clone()).await?;

    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    stop_at_signal(stop.clone(), "open deliveries")?;
    tokio::spawn(abort_after(stop.clone(), options.shutdown_timeout(), abort.clone()));

    let (finished, recorded) = mpsc::unbounded_channel();
    let wake = Arc::new(Notify::new());
    let store = |purpose| DeliveryStore::new(purpose, servers.clone(), health.clone(), metrics.clone());
    let recorder = Recorder::new(store(Purpose::Records), recorded, wake.clone(), metrics.clone(), abort.clone());
    let mut recorder = tokio::spawn(recorder.run());
    if !options.once {
        let listener = NotificationListener { servers: servers.clone(), wake: wake.clone(), metrics: metrics.clone() };
        tokio::spawn(listener.run());
    }
    let tasks = TaskTracker::new();
    let claimer = Claimer {
        settings: claimer::Settings {
            concurrency: usize::try_from(options.concurrency).unwrap_or(usize::MAX),
            per_endpoint: options.per_endpoint,
            lease: options.lease(),
            poll_interval: options.poll_interval,
            once: options.once,
        },
        store: store(Purpose::Claims),
        guard,
        in_flight: InFlight::new(metrics.clone()),
        wake,
        tasks: DeliveryTasks {
            sender: Arc::new(sender),
            finished,
            metrics: metrics.clone(),
            trouble,
            tasks: tasks.clone(),
            abort: abort.clone(),
        },
        stop: stop.clone(),
    };
    info!(version = env!("CARGO_PKG_VERSION"), "started");
    let result = while_recorded(claimer.run(), &mut recorder, health.behind_pooler()).await;

    // No claims any more. Open deliveries end, or are aborted when their time is over; then they are recorded, or given
    // back.
    stop.cancel();
    let Some(result) = result else {
        error!("{NOT_RECORDED}");
        return Err(RunError::Failed(NOT_RECORDED.into()));
    };
    tasks.close();
    tasks.wait().await;
    let patience = async {
        tokio::join!(sleep(RECORD_TIMEOUT), abort.cancelled());
        sleep(LAST_WORDS).await;
    };
    let recorded = tokio::select! {
        ended = recorder => Some(ended),
        () = patience => None,
    };
    if recorded.is_none() {
        error!(count = metrics.in_flight.get(), "attempts are not recorded: these deliveries will be sent again");
    }
    info!("stopped");
    if matches!(recorded, Some(Err(_))) { Err(RunError::Failed(NOT_RECORDED.into())) } else { result }
}

/// An idle relay asks the database once per poll interval; a busy one waits for its deliveries, which take no longer
/// than `timeout`.
fn patience(poll_interval: Duration, timeout: Duration) -> Duration {
    2 * poll_interval.max(timeout).max(Duration::from_secs(30))
}

/// Without a recorder, or with one behind a pooler, every delivery would be sent again and again. The recorder outlives
/// the claimer, unless it has panicked: then this returns `None`.
async fn while_recorded(
    claiming: impl Future<Output = Result<(), RunError>>,
    recorder: &mut JoinHandle<()>,
    behind_pooler: impl Future<Output = ()>,
) -> Option<Result<(), RunError>> {
    tokio::select! {
        biased;
        result = claiming => Some(result),
        () = behind_pooler => Some(Err(DatabaseError::Pooler.into())),
        _ = recorder => None,
    }
}

async fn abort_after(stop: CancellationToken, patience: Duration, abort: CancellationToken) {
    stop.cancelled().await;
    sleep(patience).await;
    abort.cancel();
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn without_a_recorder_nothing_goes_on() {
        let mut panicked = tokio::spawn(async { assert!(std::hint::black_box(false)) });
        assert!(while_recorded(pending(), &mut panicked, pending()).await.is_none());
        let mut recorder = tokio::spawn(pending());
        assert!(matches!(while_recorded(ready(Ok(())), &mut recorder, pending()).await, Some(Ok(()))));
        let failed = while_recorded(ready(Err(DatabaseError::Timeout.into())), &mut recorder, pending()).await;
        assert!(matches!(failed, Some(Err(RunError::Database(_)))));
        let pooled = while_recorded(pending(), &mut recorder, ready(())).await;
        assert!(matches!(pooled, Some(Err(RunError::Usage(_)))));
    }
}

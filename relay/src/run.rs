//! Puts the parts together, and takes them apart in the right order.

use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::database::Session;
use crate::database_url::connect_options;
use crate::dispatch::{self, Deliveries, Dispatcher};
use crate::fault::Fault;
use crate::guard::Guard;
use crate::health::{Health, Role};
use crate::in_flight::InFlight;
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::recorder::Recorder;
use crate::sender::{self, Sender};
use crate::server;
use crate::trouble::Trouble;

/// For the last attempts to be recorded, after a stop: at least so long, and at least until those still being sent are given
/// up, since then what somebody else has locked is given up, too.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What the relay was started with is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("the database is not there: {0}")]
    Database(Fault),
    #[error("{0}")]
    Other(Fault),
    #[error("attempts can no longer be recorded: a fault of the relay, which the log tells of")]
    Recorder,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Pooled => Self::Usage(fault.to_string()),
            Fault::Trouble(_) | Fault::ReadOnly => Self::Other(fault),
            fault => Self::Database(fault),
        }
    }
}

/// Runs until a signal comes, or everything is done that one pass finds.
pub async fn run(options: Options) -> Result<(), Failure> {
    let usage = |what: &str, error: &dyn std::fmt::Display| Failure::Usage(format!("{what}: {error}"));
    let connection = connect_options(options.database_url.as_deref()).map_err(|fault| Failure::Usage(fault.into()))?;
    let more_roots = match &options.ca_file {
        None => None,
        Some(file) => Some(std::fs::read(file).map_err(|error| usage("--ca-file", &error))?),
    };
    let guard = Guard::new();
    let sender = sender::Settings {
        timeout: options.timeout,
        connect_timeout: options.connect_timeout,
        per_endpoint: options.per_endpoint,
        more_roots,
    };
    let sender = Sender::new(&sender, guard.clone()).map_err(Failure::Usage)?;

    let metrics = Arc::new(Metrics::new());
    let trouble = Arc::new(Trouble::new(metrics.clone()));
    let health = Arc::new(Health::new(options.poll_interval, options.timeout, trouble.clone()));
    if let Some(address) = options.listen {
        let listener = TcpListener::bind(address).await.map_err(|error| usage("--listen", &error))?;
        tokio::spawn(server::serve(listener, metrics.clone(), health.clone()));
    }

    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    stop_at_signal(stop.clone()).map_err(|error| usage("signals", &error))?;
    tokio::spawn(abort_after(stop.clone(), options.shutdown_timeout(), abort.clone()));

    let (finished, recorded) = mpsc::unbounded_channel();
    let wake = Arc::new(Notify::new());
    let session = |role| Session::new(role, connection.clone(), health.clone(), metrics.clone());
    let recorder = Recorder::new(session(Role::Records), recorded, wake.clone(), metrics.clone(), abort.clone());
    let mut recorder = tokio::spawn(recorder.run());
    if !options.once {
        let listener = Listener { options: connection.clone(), wake: wake.clone(), metrics: metrics.clone() };
        tokio::spawn(listener.run());
    }
    let tasks = TaskTracker::new();
    let dispatcher = Dispatcher {
        settings: dispatch::Settings {
            concurrency: usize::try_from(options.concurrency).unwrap_or(usize::MAX),
            per_endpoint: options.per_endpoint,
            lease: options.lease(),
            poll_interval: options.poll_interval,
            once: options.once,
        },
        session: session(Role::Claims),
        guard,
        in_flight: InFlight::new(metrics.clone()),
        wake,
        deliveries: Deliveries {
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
    let result = while_recorded(dispatcher.run(), &mut recorder, health.pooled()).await;

    // No claims any more. What is open ends, or is aborted when its time is over; then it is recorded, or given back.
    stop.cancel();
    if matches!(result, Err(Failure::Recorder)) {
        return result;
    }
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
    if matches!(recorded, Some(Err(_))) { Err(Failure::Recorder) } else { result }
}

/// Without a recorder, or one that is behind a pooler, every delivery would be sent, and sent again. It outlives the
/// dispatcher, unless it has panicked.
async fn while_recorded(
    dispatching: impl Future<Output = Result<(), Fault>>,
    recorder: &mut JoinHandle<()>,
    pooled: impl Future<Output = ()>,
) -> Result<(), Failure> {
    tokio::select! {
        biased;
        result = dispatching => Ok(result?),
        () = pooled => Err(Fault::Pooled.into()),
        _ = recorder => {
            error!("{}", Failure::Recorder);
            Err(Failure::Recorder)
        }
    }
}

async fn abort_after(stop: CancellationToken, patience: Duration, abort: CancellationToken) {
    stop.cancelled().await;
    sleep(patience).await;
    abort.cancel();
}

/// The first signal stops, the second ends.
fn stop_at_signal(stop: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                warn!("ended by a second signal");
                exit(1);
            }
            info!("stopping: open deliveries may end");
            stop.cancel();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn without_a_recorder_nothing_goes_on() {
        let mut panicked = tokio::spawn(async { assert!(std::hint::black_box(false)) });
        assert!(matches!(while_recorded(pending(), &mut panicked, pending()).await, Err(Failure::Recorder)));
        let mut recorder = tokio::spawn(pending());
        assert!(while_recorded(ready(Ok(())), &mut recorder, pending()).await.is_ok());
        let failed = while_recorded(ready(Err(Fault::Silence)), &mut recorder, pending()).await;
        assert!(matches!(failed, Err(Failure::Database(_))));
        assert!(matches!(while_recorded(pending(), &mut recorder, ready(())).await, Err(Failure::Usage(_))));
    }
}

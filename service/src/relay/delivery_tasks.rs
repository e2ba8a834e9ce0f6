//! A task for each delivery: it sends the request, and passes on the outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use url::Url;

use crate::relay::attempt::{Attempt, Outcome};
use crate::relay::delivery::Delivery;
use crate::relay::in_flight::Slot;
use crate::relay::metrics::Metrics;
use crate::relay::recorder::Finished;
use crate::relay::sender::Sender;
use crate::relay::trouble::Trouble;

const LOCAL_PAUSE: Duration = Duration::from_secs(1);

/// Starts a task for each delivery; every task has a copy of this.
#[derive(Clone)]
pub struct DeliveryTasks {
    pub sender: Arc<Sender>,
    pub finished: mpsc::UnboundedSender<Finished>,
    pub metrics: Arc<Metrics>,
    pub trouble: Arc<Trouble>,
    pub tasks: TaskTracker,
    /// When to give up deliveries that are still being sent.
    pub abort: CancellationToken,
}

impl DeliveryTasks {
    pub fn start(&self, delivery: Delivery, leased_until: Instant, slot: Slot) {
        self.tasks.spawn(self.clone().deliver(delivery, leased_until, slot));
    }

    async fn deliver(self, delivery: Delivery, leased_until: Instant, slot: Slot) {
        let attempt = tokio::select! {
            biased;
            attempt = self.sender.send(&delivery) => Some(attempt),
            () = self.abort.cancelled() => None,
        };
        if let Some(attempt) = &attempt {
            self.metrics.attempted(attempt.outcome, attempt.duration);
            log(&delivery, attempt);
            match attempt.outcome {
                Outcome::Offline => self.trouble.met(attempt.error.as_deref().unwrap_or_default()),
                // These were not even tried.
                Outcome::Local | Outcome::Refused | Outcome::Invalid => {}
                _ => self.trouble.over(),
            }
        }
        let attempt = attempt.filter(|attempt| attempt.outcome.counts());
        if attempt.is_none() {
            // It is given back and can be claimed at once, but the missing resource does not come back at once.
            tokio::select! {
                () = sleep(LOCAL_PAUSE) => {}
                () = self.abort.cancelled() => {}
            }
        }
        self.finish(Finished { key: delivery.key, attempt, leased_until, _slot: slot });
    }

    pub fn finish(&self, finished: Finished) {
        // The recorder outlives its senders, unless the process is ending.
        let _ = self.finished.send(finished);
    }
}

/// The host of the URL only: its path and query may contain tokens.
fn log(delivery: &Delivery, attempt: &Attempt) {
    let url = Url::parse(&delivery.url).ok();
    macro_rules! log {
        ($level:ident) => {
            $level!(
                event_id = delivery.key.event_id,
                webhook_endpoint_id = %delivery.key.webhook_endpoint_id,
                host = url.as_ref().and_then(Url::host_str),
                attempt = delivery.attempt,
                outcome = attempt.outcome.name(),
                status = attempt.status,
                error = attempt.error,
                duration_ms = attempt.duration.as_millis() as u64,
                "attempt"
            )
        };
    }
    match attempt.outcome {
        Outcome::Success => log!(info),
        Outcome::Local => log!(error),
        _ => log!(warn),
    }
}

//! Records attempts: what has come meanwhile goes into one statement.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tracing::{error, info, warn};

use crate::attempt::Attempt;
use crate::back_off::BackOff;
use crate::database::{Fault, Key, Recorded, Session};
use crate::in_flight::Slot;
use crate::metrics::Metrics;

const GROUP: usize = 100;

/// A delivery that is to be recorded, or given back.
pub struct Finished {
    pub key: Key,
    /// `None`: it was not sent, or not to the end.
    pub attempt: Option<Attempt>,
    /// Free when this is dropped.
    pub _slot: Slot,
}

pub struct Recorder {
    pub session: Session,
    /// At most as many as there are slots: not bounded itself.
    pub finished: mpsc::UnboundedReceiver<Finished>,
    /// Tells the dispatcher that slots are free.
    pub freed: Arc<Notify>,
    pub metrics: Arc<Metrics>,
}

impl Recorder {
    /// Runs until nobody can finish anything any more.
    pub async fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        while self.finished.recv_many(&mut group, GROUP).await > 0 {
            self.settle(&mut group).await;
            group.clear();
            self.freed.notify_one();
        }
    }

    async fn settle(&mut self, group: &mut [Finished]) {
        // Two relays that wait for each other's locks never do so in a circle.
        group.sort_unstable_by(|a, b| {
            let order = |f: &Finished| f.key.webhook_endpoint_id;
            order(a).cmp(&order(b)).then_with(|| a.key.event_id.cmp(&b.key.event_id))
        });
        let attempts: Vec<_> = group.iter().filter_map(|f| Some((&f.key, f.attempt.as_ref()?))).collect();
        if !attempts.is_empty() && !self.record_together(&attempts).await {
            for (key, attempt) in attempts {
                self.record_alone(key, attempt).await;
            }
        }
        let unsent: Vec<_> = group.iter().filter(|f| f.attempt.is_none()).map(|f| f.key.clone()).collect();
        if !unsent.is_empty() {
            self.release(&unsent).await;
        }
    }

    /// Returns false if one of them cannot be recorded.
    async fn record_together(&mut self, attempts: &[(&Key, &Attempt)]) -> bool {
        let mut back_off = BackOff::new();
        loop {
            match self.session.record(attempts).await {
                Ok(recorded) => {
                    recorded.iter().for_each(|recorded| self.note(recorded));
                    return true;
                }
                Err(fault) if fault.is_lost() || fault.is_argument() => return false,
                Err(fault) => self.wait(&mut back_off, &fault).await,
            }
        }
    }

    async fn record_alone(&mut self, key: &Key, attempt: &Attempt) {
        let mut back_off = BackOff::new();
        // Text that the database's encoding does not have must not keep the fact from being recorded.
        let bare =
            Attempt { error: attempt.error.as_ref().map(|_| "failed".into()), response_body: None, ..attempt.clone() };
        let mut attempts = [attempt, &bare].into_iter();
        let mut next = attempts.next();
        while let Some(attempt) = next {
            match self.session.record(&[(key, attempt)]).await {
                Ok(recorded) => return recorded.iter().for_each(|recorded| self.note(recorded)),
                Err(fault) if fault.is_lost() => {
                    self.metrics.lost.inc();
                    warn!(
                        event_id = key.event_id,
                        webhook_endpoint_id = %key.webhook_endpoint_id,
                        "lost: the attempt is not recorded, because {fault}"
                    );
                    return;
                }
                Err(fault) if fault.is_argument() => {
                    error!(event_id = key.event_id, webhook_endpoint_id = %key.webhook_endpoint_id, "not recorded: {fault}");
                    next = attempts.next();
                }
                Err(fault) => self.wait(&mut back_off, &fault).await,
            }
        }
        self.metrics.lost.inc();
    }

    async fn release(&mut self, keys: &[Key]) {
        let mut back_off = BackOff::new();
        loop {
            match self.session.release(keys).await {
                Ok(count) => {
                    self.metrics.released.inc_by(count);
                    return info!(count, "gave unfinished deliveries back");
                }
                Err(fault) if fault.is_lost() || fault.is_argument() => {
                    // Their leases end by themselves.
                    return warn!("did not give unfinished deliveries back: {fault}");
                }
                Err(fault) => self.wait(&mut back_off, &fault).await,
            }
        }
    }

    fn note(&self, recorded: &Recorded) {
        let Recorded { event_id, webhook_endpoint_id, status } = recorded;
        self.metrics.recorded(status);
        if matches!(status.as_str(), "dead" | "paused") {
            warn!(event_id, %webhook_endpoint_id, "the delivery is {status} now");
        }
    }

    async fn wait(&self, back_off: &mut BackOff, fault: &Fault) {
        let pause = back_off.next();
        warn!(pause_ms = pause.as_millis() as u64, "attempts are not recorded yet: {fault}");
        tokio::time::sleep(pause).await;
    }
}

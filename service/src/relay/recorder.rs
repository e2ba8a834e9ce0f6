//! Records attempts. Those that arrive together are recorded as a set, by one statement; those whose rows are locked are
//! put off.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::back_off::BackOff;
use crate::database_error::DatabaseError;
use crate::relay::attempt::Attempt;
use crate::relay::consequence::Consequence;
use crate::relay::delivery::{DeliveryKey, Recorded};
use crate::relay::in_flight::Slot;
use crate::relay::metrics::Metrics;

/// The bounds of a set: the number of attempts, and the bytes of their texts.
const SET: usize = 100;
const SET_BYTES: usize = 256 * 1024;
/// The delay after which a deferred attempt is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A delivery to be recorded, or given back.
pub struct Finished {
    pub key: DeliveryKey,
    /// `None`: it was not sent, or not completely.
    pub attempt: Option<Attempt>,
    /// Until then no other relay gets it.
    pub leased_until: Instant,
    /// The slot, which is free when this is dropped.
    pub _slot: Slot,
}

/// Where attempts are recorded: the database.
pub trait AttemptStore: Send {
    /// Records all or none, except for deliveries that are not leased any more: another claim has them, or they are
    /// gone. Returns the new state of the others.
    fn record(
        &mut self,
        attempts: &[(&DeliveryKey, &Attempt)],
    ) -> impl Future<Output = Result<Vec<Recorded>, DatabaseError>> + Send;

    /// Gives leases back. Returns how many were still held.
    fn release(&mut self, keys: &[DeliveryKey]) -> impl Future<Output = Result<u64, DatabaseError>> + Send;
}

pub struct Recorder<S> {
    store: S,
    finished: mpsc::UnboundedReceiver<Finished>,
    /// The attempts whose rows are locked, each with the time of the next try, in order of time.
    later: VecDeque<(Instant, Finished)>,
    freed: Arc<Notify>,
    metrics: Arc<Metrics>,
    abort: CancellationToken,
}

impl<S: AttemptStore> Recorder<S> {
    /// `finished` has at most one entry for each slot, and is not bounded itself. `freed` tells the claimer of free
    /// slots. After `abort` no attempt is put off any more.
    pub fn new(
        store: S,
        finished: mpsc::UnboundedReceiver<Finished>,
        freed: Arc<Notify>,
        metrics: Arc<Metrics>,
        abort: CancellationToken,
    ) -> Self {
        Self { store, finished, later: VecDeque::new(), freed, metrics, abort }
    }

    /// Runs until no task can finish any more, and no attempt is put off.
    pub async fn run(mut self) {
        let mut group = Vec::with_capacity(SET);
        let mut more = true;
        while more || !self.later.is_empty() {
            let again = self.later.front().map(|(at, _)| *at);
            tokio::select! {
                biased;
                () = self.abort.cancelled(), if again.is_some() => self.give_up(),
                count = self.finished.recv_many(&mut group, SET), if more => more = count > 0,
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
            self.settle(std::mem::take(&mut group)).await;
            self.freed.notify_one();
            self.try_again().await;
        }
    }

    async fn settle(&mut self, group: Vec<Finished>) {
        let (sent, unsent): (Vec<_>, Vec<_>) = group.into_iter().partition(|f| f.attempt.is_some());
        for set in sets(sent) {
            if !self.record_together(&set).await {
                for finished in set {
                    self.record_alone(finished, true).await;
                    self.freed.notify_one();
                }
            }
        }
        self.release(&unsent).await;
    }

    /// Records those whose time has come, as long as no new ones arrive: each may take a while.
    async fn try_again(&mut self) {
        while let Some((_, finished)) = self.later.pop_front_if(|(at, _)| *at <= Instant::now()) {
            self.record_alone(finished, false).await;
            self.freed.notify_one();
            if !self.finished.is_empty() {
                break;
            }
        }
    }

    /// Returns false if they must be recorded one by one, so that the fault of one does not affect the others.
    async fn record_together(&mut self, sent: &[Finished]) -> bool {
        let attempts: Vec<_> = sent.iter().filter_map(|f| Some((&f.key, f.attempt.as_ref()?))).collect();
        if attempts.len() < 2 {
            return false;
        }
        let mut back_off = BackOff::new();
        loop {
            match self.store.record(&attempts).await {
                Ok(recorded) => {
                    self.note(sent.iter().map(|finished| &finished.key), &recorded);
                    return true;
                }
                Err(error) if Consequence::from(&error) == Consequence::Absent => wait(&mut back_off, &error).await,
                Err(error) => {
                    debug!(count = attempts.len(), "recording one by one: {error}");
                    return false;
                }
            }
        }
    }

    /// Logs if it is `new` that one is put off.
    async fn record_alone(&mut self, mut finished: Finished, new: bool) {
        let mut back_off = BackOff::new();
        let mut bare = false;
        while let Some(attempt) = &finished.attempt {
            let failed = match self.store.record(&[(&finished.key, attempt)]).await {
                Ok(recorded) => return self.note([&finished.key], &recorded),
                Err(error) => error,
            };
            match Consequence::from(&failed) {
                Consequence::Absent | Consequence::Denied => wait(&mut back_off, &failed).await,
                Consequence::Argument if !bare => {
                    let DeliveryKey { event_id, webhook_endpoint_id, .. } = &finished.key;
                    error!(event_id, %webhook_endpoint_id, "not recorded as it is: {failed}");
                    // Text that the database's encoding cannot represent must not keep the attempt from being recorded.
                    let error = attempt.error.as_ref().map(|_| "failed".into());
                    finished.attempt = Some(Attempt { error, response_body: None, ..attempt.clone() });
                    bare = true;
                }
                Consequence::Argument => return self.lose(&finished.key, &failed.to_string()),
                Consequence::Busy | Consequence::Other => return self.put_off(finished, &failed, new),
            }
        }
    }

    fn put_off(&mut self, finished: Finished, error: &DatabaseError, new: bool) {
        if finished.leased_until <= Instant::now() || self.abort.is_cancelled() {
            return self.lose(&finished.key, &error.to_string());
        }
        if new {
            let DeliveryKey { event_id, webhook_endpoint_id, .. } = &finished.key;
            warn!(event_id, %webhook_endpoint_id, "the attempt is not recorded yet: {error}");
        }
        self.later.push_back((Instant::now() + PAUSE, finished));
    }

    fn give_up(&mut self) {
        for (_, finished) in std::mem::take(&mut self.later) {
            self.lose(&finished.key, "there is no time left");
        }
    }

    fn lose(&self, key: &DeliveryKey, why: &str) {
        self.metrics.lost.inc();
        let DeliveryKey { event_id, webhook_endpoint_id, .. } = key;
        warn!(event_id, %webhook_endpoint_id, "lost: the attempt is not recorded, because {why}");
    }

    async fn release(&mut self, unsent: &[Finished]) {
        let keys: Vec<_> = unsent.iter().map(|finished| finished.key.clone()).collect();
        let mut back_off = BackOff::new();
        // First all together; if that fails, one by one.
        let mut parts = vec![&keys[..]];
        while let Some(part) = parts.pop().filter(|part| !part.is_empty()) {
            match self.store.release(part).await {
                Ok(count) => {
                    self.metrics.released.inc_by(count);
                    info!(count, "gave unfinished deliveries back");
                }
                Err(error) if Consequence::from(&error) == Consequence::Absent => {
                    wait(&mut back_off, &error).await;
                    parts.push(part);
                }
                Err(_) if part.len() > 1 => parts = part.chunks(1).collect(),
                // Its lease ends by itself.
                Err(error) => warn!("did not give an unfinished delivery back: {error}"),
            }
        }
    }

    /// Those of the deliveries that are not among the recorded have lost their leases.
    fn note<'a>(&self, keys: impl IntoIterator<Item = &'a DeliveryKey>, recorded: &[Recorded]) {
        let mut held = HashSet::new();
        for Recorded { event_id, webhook_endpoint_id, status } in recorded {
            held.insert((event_id, webhook_endpoint_id));
            self.metrics.recorded(status);
            if matches!(status.as_str(), "dead" | "paused") {
                warn!(event_id, %webhook_endpoint_id, "the delivery is {status} now");
            }
        }
        for key in keys {
            if !held.remove(&(&key.event_id, &key.webhook_endpoint_id)) {
                self.lose(key, "its lease has ended, or it is gone");
            }
        }
    }
}

/// Parts of a group, none of which has too many bytes. A part has one attempt at a delivery: the second would be of a
/// later lease.
fn sets(group: Vec<Finished>) -> Vec<Vec<Finished>> {
    let mut sets = Vec::new();
    let mut set: Vec<Finished> = Vec::new();
    let mut bytes = 0;
    let mut seen = HashSet::new();
    for finished in group {
        let size = finished.attempt.as_ref().map_or(0, Attempt::size);
        let delivery = (finished.key.event_id.clone(), finished.key.webhook_endpoint_id);
        if bytes + size > SET_BYTES || seen.contains(&delivery) {
            sets.push(std::mem::take(&mut set));
            seen.clear();
            bytes = 0;
        }
        seen.insert(delivery);
        bytes += size;
        set.push(finished);
    }
    sets.push(set);
    sets
}

async fn wait(back_off: &mut BackOff, error: &DatabaseError) {
    let pause = back_off.next();
    warn!(pause_ms = pause.as_millis() as u64, "attempts are not recorded yet: {error}");
    sleep(pause).await;
}

//! The loop: claims what is due whenever there are free slots, and starts a task for each delivery.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use url::Url;

use crate::attempt::{Attempt, Outcome};
use crate::back_off::BackOff;
use crate::database::{Delivery, Session};
use crate::fault::Fault;
use crate::guard::Guard;
use crate::in_flight::{InFlight, Slot};
use crate::local::has_network;
use crate::metrics::Metrics;
use crate::recorder::Finished;
use crate::sender::Sender;
use crate::trouble::Trouble;

/// One claim's worth: the first are on their way before the last are claimed.
const BATCH: usize = 100;
/// From a claim that left nothing to the next: a burst of notifications, or of finished deliveries, is one reason to
/// look again, not many.
const GAP: Duration = Duration::from_millis(5);
/// What is due and was not claimed is another's, or waits for an open delivery, whose end wakes us.
const SHORTEST_NAP: Duration = Duration::from_millis(200);
/// By so much the clocks that a claim and a look ahead go by may differ, and more.
const OVERLAP: Duration = Duration::from_millis(50);
const LOCAL_PAUSE: Duration = Duration::from_secs(1);
const REFRESH: Duration = Duration::from_secs(60);

pub struct Settings {
    pub concurrency: usize,
    pub per_endpoint: u32,
    pub lease: Duration,
    pub poll_interval: Duration,
    pub once: bool,
}

impl Settings {
    /// An organization that has so many open is given no more, however many endpoints it has. The last claim before that may
    /// bring as many again: so less than half of all.
    fn per_organization(&self) -> usize {
        (self.concurrency / 4).max(usize::try_from(self.per_endpoint).unwrap_or(usize::MAX))
    }
}

pub struct Dispatcher {
    pub settings: Settings,
    pub session: Session,
    pub guard: Guard,
    pub in_flight: InFlight,
    pub wake: Arc<Notify>,
    pub deliveries: Deliveries,
    /// When to claim no more.
    pub stop: CancellationToken,
}

/// What the task of a delivery needs.
#[derive(Clone)]
pub struct Deliveries {
    pub sender: Arc<Sender>,
    pub finished: mpsc::UnboundedSender<Finished>,
    pub metrics: Arc<Metrics>,
    pub trouble: Arc<Trouble>,
    pub tasks: TaskTracker,
    /// When to give up what is still being sent.
    pub abort: CancellationToken,
}

impl Dispatcher {
    /// Returns when it is told to stop; in a run of one pass, when there is nothing left to do, or the database is lost.
    pub async fn run(mut self) -> Result<(), Fault> {
        let mut back_off = BackOff::new();
        let mut refreshed: Option<Instant> = None;
        while !self.stop.is_cancelled() {
            match self.turn(&mut refreshed).await {
                Ok(true) => back_off = BackOff::new(),
                Ok(false) => break,
                Err(fault) if self.settings.once => return Err(fault),
                Err(fault) => {
                    let pause = back_off.next();
                    error!(pause_ms = pause.as_millis() as u64, "nothing is claimed: {fault}");
                    self.pause(pause).await;
                }
            }
        }
        Ok(())
    }

    /// Claims once, and waits if nothing more is to be expected. Returns whether to go on.
    async fn turn(&mut self, refreshed: &mut Option<Instant>) -> Result<bool, Fault> {
        let wake = self.wake.clone();
        let mut woken = pin!(wake.notified());
        let slots = match self.deliveries.trouble.rest() {
            None => self.settings.concurrency,
            Some(_) if self.settings.once => {
                return Err(Fault::Trouble(self.deliveries.trouble.what().unwrap_or_default()));
            }
            // One after the other, until one shows that it is over.
            Some(rest) => {
                self.pause(rest).await;
                1
            }
        };
        let open = self.in_flight.count();
        let free = slots.saturating_sub(open);
        if free == 0 {
            tokio::select! {
                () = woken => {}
                () = self.pause(self.settings.poll_interval) => {}
            }
            return Ok(true);
        }
        // What has woken us so far is answered by the claim that follows.
        woken.as_mut().enable();
        woken.set(wake.notified());
        if self.session.is_new() || refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
            self.refresh().await?;
            *refreshed = Some(Instant::now());
        }
        let asked = free.min(BATCH).min(self.settings.per_organization());
        let gap = sleep(GAP);
        let sent = Instant::now();
        let claimed = self.claim(asked).await?;
        let count = claimed.len();
        claimed.into_iter().for_each(|delivery| self.start(delivery, sent + self.settings.lease));
        if count == asked {
            return Ok(true);
        }
        if count + open == 0 && has_network() {
            // There is nothing that it keeps from being sent.
            self.deliveries.trouble.over();
        }
        if self.settings.once && count == 0 && open == 0 {
            return Ok(false);
        }
        gap.await;
        if woken.as_mut().enable() {
            return Ok(true);
        }
        // From a while ago on: what has become due after the claim has looked would else be seen by neither.
        let mut due = self.session.next_due(Some(sent.elapsed() + OVERLAP)).await?;
        loop {
            let nap = nap(due, self.settings.poll_interval.min(REFRESH));
            tokio::select! {
                () = woken.as_mut() => return Ok(true),
                () = self.pause(nap) => {}
            }
            let over = self.stop.is_cancelled() || refreshed.is_none_or(|at| at.elapsed() >= REFRESH);
            if over || is_within(due, nap) {
                return Ok(true);
            }
            // To look is cheaper than to claim. All of it: what is committed late was due before.
            due = self.session.next_due(None).await?;
            if is_within(due, Duration::ZERO) {
                return Ok(true);
            }
        }
    }

    /// Learns of the allowed ranges. A list with a mistake in it allows nothing.
    async fn refresh(&mut self) -> Result<(), Fault> {
        let text = self.session.allowed_ranges().await?;
        let ranges = text.parse().unwrap_or_else(|fault| {
            error!("checkout_sessions.webhook_allowed_ranges allows nothing: {fault}");
            rules::webhooks::url::Ranges::default()
        });
        if self.guard.update(ranges) {
            info!(ranges = text, "allowed ranges");
        }
        Ok(())
    }

    async fn claim(&mut self, count: usize) -> Result<Vec<Delivery>, Fault> {
        let Settings { lease, per_endpoint, .. } = self.settings;
        let enough = self.in_flight.organizations_with(self.settings.per_organization());
        let claim = self.session.claim(count, lease, per_endpoint, self.in_flight.endpoints(), enough);
        // To leave a claim would be to leave its leases, too: not before there is no time left.
        tokio::select! {
            claimed = claim => claimed,
            () = self.deliveries.abort.cancelled() => Ok(Vec::new()),
        }
    }

    fn start(&self, delivery: Delivery, leased_until: Instant) {
        let slot = self.in_flight.open(&delivery.key);
        if self.stop.is_cancelled() {
            return self.deliveries.finish(Finished { key: delivery.key, attempt: None, leased_until, _slot: slot });
        }
        self.deliveries.tasks.spawn(self.deliveries.clone().deliver(delivery, leased_until, slot));
    }

    async fn pause(&self, duration: Duration) {
        tokio::select! {
            () = sleep(duration) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

impl Deliveries {
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
                // Those were not even tried.
                Outcome::Local | Outcome::Refused | Outcome::Invalid => {}
                _ => self.trouble.over(),
            }
        }
        let attempt = attempt.filter(|attempt| attempt.outcome.counts());
        if attempt.is_none() {
            // It is given back and may be claimed at once, and what has run out does not come back at once.
            tokio::select! {
                () = sleep(LOCAL_PAUSE) => {}
                () = self.abort.cancelled() => {}
            }
        }
        self.finish(Finished { key: delivery.key, attempt, leased_until, _slot: slot });
    }

    fn finish(&self, finished: Finished) {
        // The recorder outlives its senders, unless the process is at its end.
        let _ = self.finished.send(finished);
    }
}

/// Of the URL only the host: its path and query may have tokens.
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

fn is_within(due: Option<f64>, nap: Duration) -> bool {
    due.is_some_and(|seconds| seconds <= nap.as_secs_f64())
}

/// How long there is nothing to do, if nothing happens.
fn nap(due: Option<f64>, longest: Duration) -> Duration {
    let Some(seconds) = due else { return longest };
    let shortest = SHORTEST_NAP.min(longest);
    if seconds <= 0.0 {
        return shortest;
    }
    // A millisecond more: to come a little early would be to come twice. What is too long for a Duration is long.
    Duration::try_from_secs_f64(seconds + 0.001).unwrap_or(longest).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nap_ends_when_something_is_due() {
        let minute = Duration::from_secs(60);
        assert_eq!(nap(None, minute), minute);
        assert_eq!(nap(Some(2.5), minute), Duration::from_millis(2501));
        assert_eq!(nap(Some(0.0005), minute), Duration::from_micros(1500));
        for far in [61.0, 1e300, f64::INFINITY, f64::NAN] {
            assert_eq!(nap(Some(far), minute), minute, "{far}");
        }
    }

    #[test]
    fn an_organization_has_a_quarter_or_what_one_endpoint_has() {
        let settings = |concurrency, per_endpoint| {
            let minute = Duration::from_secs(60);
            Settings { concurrency, per_endpoint, lease: minute, poll_interval: minute, once: false }
        };
        assert_eq!(settings(256, 10).per_organization(), 64);
        assert_eq!(settings(20, 10).per_organization(), 10);
        assert_eq!(settings(1, 1).per_organization(), 1);
    }

    #[test]
    fn what_is_due_and_cannot_be_claimed_does_not_make_it_spin() {
        let minute = Duration::from_secs(60);
        for past in [0.0, -0.001, -1e300, f64::NEG_INFINITY] {
            assert_eq!(nap(Some(past), minute), SHORTEST_NAP, "{past}");
        }
        assert_eq!(nap(Some(-1.0), Duration::from_millis(100)), Duration::from_millis(100), "a shorter poll interval");
    }
}

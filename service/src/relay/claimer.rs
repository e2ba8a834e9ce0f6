//! Claims due deliveries whenever there are free slots, and starts a task for each.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::back_off::BackOff;
use crate::database_error::DatabaseError;
use crate::relay::delivery::Delivery;
use crate::relay::delivery_store::DeliveryStore;
use crate::relay::delivery_tasks::DeliveryTasks;
use crate::relay::guard::Guard;
use crate::relay::in_flight::InFlight;
use crate::relay::own_machine::has_network;
use crate::relay::recorder::Finished;
use crate::run_error::RunError;

/// The size of one claim: the first deliveries are sent before the last are claimed.
const BATCH: usize = 100;
/// The pause after a claim that left nothing: a burst of notifications, or of finished deliveries, is one reason to
/// look again, not many.
const GAP: Duration = Duration::from_millis(5);
/// A due delivery that was not claimed is another relay's, or waits for an open one, whose end wakes this relay.
const SHORTEST_NAP: Duration = Duration::from_millis(200);
/// More than the possible difference between the clocks of a claim and of a look ahead.
const OVERLAP: Duration = Duration::from_millis(50);
const REFRESH: Duration = Duration::from_secs(60);

pub struct Settings {
    pub concurrency: usize,
    pub per_endpoint: u32,
    pub lease: Duration,
    pub poll_interval: Duration,
    pub once: bool,
}

impl Settings {
    /// An organization with this many open deliveries gets no more, however many endpoints it has. The last claim
    /// before that may bring as many again, so this is less than half of all slots.
    fn per_organization(&self) -> usize {
        (self.concurrency / 4).max(usize::try_from(self.per_endpoint).unwrap_or(usize::MAX))
    }
}

pub struct Claimer {
    pub settings: Settings,
    pub store: DeliveryStore,
    pub guard: Guard,
    pub in_flight: InFlight,
    pub wake: Arc<Notify>,
    pub tasks: DeliveryTasks,
    /// When to stop claiming.
    pub stop: CancellationToken,
}

/// How to continue after a claim.
enum Turn {
    More,
    /// Stop, in a run of one pass: nothing is left to do.
    Done,
    /// Stop, in a run of one pass: this keeps the relay from sending anything.
    Trouble(String),
}

impl Claimer {
    /// Returns when it is told to stop; in a run of one pass, when nothing is left to do or the database is lost.
    pub async fn run(mut self) -> Result<(), RunError> {
        let mut back_off = BackOff::new();
        let mut refreshed: Option<Instant> = None;
        while !self.stop.is_cancelled() {
            match self.turn(&mut refreshed).await {
                Ok(Turn::More) => back_off = BackOff::new(),
                Ok(Turn::Done) => break,
                Ok(Turn::Trouble(what)) => return Err(RunError::Failed(format!("nothing can be sent: {what}"))),
                Err(error) if self.settings.once => return Err(error.into()),
                Err(error) => {
                    let pause = back_off.next();
                    error!(pause_ms = pause.as_millis() as u64, "nothing is claimed: {error}");
                    self.pause(pause).await;
                }
            }
        }
        Ok(())
    }

    /// Claims once, and waits if no more deliveries are expected.
    async fn turn(&mut self, refreshed: &mut Option<Instant>) -> Result<Turn, DatabaseError> {
        let wake = self.wake.clone();
        let mut woken = pin!(wake.notified());
        let slots = match self.tasks.trouble.rest() {
            None => self.settings.concurrency,
            Some(_) if self.settings.once => {
                return Ok(Turn::Trouble(self.tasks.trouble.what().unwrap_or_default()));
            }
            // One after the other, until one shows that the trouble is over.
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
            return Ok(Turn::More);
        }
        // The following claim answers all notifications so far.
        woken.as_mut().enable();
        woken.set(wake.notified());
        if self.store.is_new() || refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
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
            return Ok(Turn::More);
        }
        if count + open == 0 && has_network() {
            // There is no delivery that it keeps from being sent.
            self.tasks.trouble.over();
        }
        if self.settings.once && count == 0 && open == 0 {
            return Ok(Turn::Done);
        }
        gap.await;
        if woken.as_mut().enable() {
            return Ok(Turn::More);
        }
        // From a little earlier on. Otherwise neither would see a delivery that became due after the claim looked.
        let mut due = self.store.next_due(Some(sent.elapsed() + OVERLAP)).await?;
        loop {
            let nap = nap(due, self.settings.poll_interval.min(REFRESH));
            tokio::select! {
                () = woken.as_mut() => return Ok(Turn::More),
                () = self.pause(nap) => {}
            }
            let over = self.stop.is_cancelled() || refreshed.is_none_or(|at| at.elapsed() >= REFRESH);
            if over || is_within(due, nap) {
                return Ok(Turn::More);
            }
            // A look is cheaper than a claim. It covers all deliveries, because one that is committed late was due
            // before.
            due = self.store.next_due(None).await?;
            if is_within(due, Duration::ZERO) {
                return Ok(Turn::More);
            }
        }
    }

    /// Reads the allowed ranges. A list with a mistake in it allows nothing.
    async fn refresh(&mut self) -> Result<(), DatabaseError> {
        let text = self.store.allowed_ranges().await?;
        match self.guard.allow(&text) {
            Ok(true) => info!(ranges = text, "allowed ranges"),
            Ok(false) => {}
            Err(error) => error!("checkout_sessions.webhook_allowed_ranges allows nothing: {error}"),
        }
        Ok(())
    }

    async fn claim(&mut self, count: usize) -> Result<Vec<Delivery>, DatabaseError> {
        let Settings { lease, per_endpoint, .. } = self.settings;
        let enough = self.in_flight.organizations_with(self.settings.per_organization());
        let claim = self.store.claim(count, lease, per_endpoint, self.in_flight.endpoints(), enough);
        // Abandoning a claim would abandon its leases, too. So this waits until no time is left.
        tokio::select! {
            claimed = claim => claimed,
            () = self.tasks.abort.cancelled() => Ok(Vec::new()),
        }
    }

    fn start(&self, delivery: Delivery, leased_until: Instant) {
        let slot = self.in_flight.open(delivery.organization_id, delivery.key.webhook_endpoint_id);
        if self.stop.is_cancelled() {
            return self.tasks.finish(Finished { key: delivery.key, attempt: None, leased_until, _slot: slot });
        }
        self.tasks.start(delivery, leased_until, slot);
    }

    async fn pause(&self, duration: Duration) {
        tokio::select! {
            () = sleep(duration) => {}
            () = self.stop.cancelled() => {}
        }
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
    // One millisecond more, because coming a little early would mean coming twice. A time that is too long for a
    // Duration becomes a long one.
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

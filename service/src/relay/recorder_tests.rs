//! Tests with a fake database and a fake clock.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx_core::error::ErrorKind;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::attempt::{Attempt, Outcome, SendError};
use super::delivery::{DeliveryKey, Recorded};
use super::in_flight::InFlight;
use super::metrics::Metrics;
use super::recorder::{AttemptStore, Finished, Recorder};
use crate::database_error::DatabaseError;

#[derive(Debug)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SQLSTATE {}", self.0)
    }
}
impl Error for Refused {}
impl sqlx_core::error::DatabaseError for Refused {
    fn message(&self) -> &str {
        self.0
    }
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }
    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }
    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }
    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }
}

#[derive(Default)]
struct Pages {
    /// The SQLSTATE with which a delivery's attempt fails.
    errors: HashMap<String, &'static str>,
    /// The deliveries whose leases have ended.
    gone: HashSet<String>,
    recorded: Vec<String>,
    released: Vec<String>,
    /// The number of attempts in each statement.
    statements: Vec<usize>,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Pages>>);

impl Fake {
    fn with<T>(&self, f: impl FnOnce(&mut Pages) -> T) -> T {
        f(&mut self.0.lock().expect("no panic"))
    }

    fn answer(&self, keys: Vec<&DeliveryKey>) -> Result<Vec<String>, DatabaseError> {
        self.with(|pages| {
            pages.statements.push(keys.len());
            let error = keys.iter().find_map(|key| pages.errors.get(&key.event_id));
            match error {
                Some(code) => Err(sqlx_core::Error::Database(Box::new(Refused(code))).into()),
                None => Ok(keys.iter().map(|key| key.event_id.clone()).collect()),
            }
        })
    }
}

impl AttemptStore for Fake {
    async fn record(&mut self, attempts: &[(&DeliveryKey, &Attempt)]) -> Result<Vec<Recorded>, DatabaseError> {
        let mut ids = self.answer(attempts.iter().map(|(key, _)| *key).collect())?;
        self.with(|pages| {
            ids.retain(|id| !pages.gone.contains(id));
            pages.recorded.extend(ids.iter().cloned());
        });
        let status = |event_id| Recorded { event_id, webhook_endpoint_id: Uuid::nil(), status: "delivered".into() };
        Ok(ids.into_iter().map(status).collect())
    }

    async fn release(&mut self, keys: &[DeliveryKey]) -> Result<u64, DatabaseError> {
        let ids = self.answer(keys.iter().collect())?;
        self.with(|pages| pages.released.extend(ids));
        Ok(keys.len() as u64)
    }
}

struct Story {
    fake: Fake,
    in_flight: InFlight,
    metrics: Arc<Metrics>,
    abort: CancellationToken,
    send: mpsc::UnboundedSender<Finished>,
    recorder: JoinHandle<()>,
}

const LEASE: Duration = Duration::from_secs(30);

impl Story {
    fn new(errors: &[(&str, &'static str)]) -> Self {
        let fake = Fake::default();
        fake.with(|pages| pages.errors.extend(errors.iter().map(|(id, code)| ((*id).to_owned(), *code))));
        let metrics = Arc::new(Metrics::default());
        let (send, finished) = mpsc::unbounded_channel();
        let abort = CancellationToken::new();
        let freed = Arc::new(Notify::new());
        let recorder = Recorder::new(fake.clone(), finished, freed, metrics.clone(), abort.clone());
        let in_flight = InFlight::new(metrics.clone());
        Self { fake, in_flight, metrics, abort, send, recorder: tokio::spawn(recorder.run()) }
    }

    fn finish(&self, event_id: &str, attempt: Option<Attempt>) {
        let key = DeliveryKey { event_id: event_id.into(), webhook_endpoint_id: Uuid::nil(), lease_token: Uuid::nil() };
        let _slot = self.in_flight.open(Uuid::nil(), Uuid::nil());
        let leased_until = Instant::now() + LEASE;
        self.send.send(Finished { key, attempt, leased_until, _slot }).expect("it listens");
    }

    fn sent(&self, ids: &[&str]) {
        ids.iter().for_each(|id| self.finish(id, Some(SendError::new(Outcome::Closed, "closed").into())));
    }

    fn heal(&self) {
        self.fake.with(|pages| pages.errors.clear());
    }

    fn recorded(&self) -> Vec<String> {
        self.fake.with(|pages| std::mem::take(&mut pages.recorded))
    }

    fn statements(&self) -> Vec<usize> {
        self.fake.with(|pages| pages.statements.clone())
    }

    /// The number of slots taken, and of attempts lost.
    fn open_and_lost(&self) -> (usize, u64) {
        (self.in_flight.count(), self.metrics.lost.get())
    }
}

async fn moments(count: u64) {
    sleep(Duration::from_millis(100 * count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_locked_delivery_keeps_nobody_else_waiting_and_is_recorded_when_it_is_free() {
    let story = Story::new(&[("locked", "55P03")]);
    story.sent(&["a", "locked", "b"]);
    moments(1).await;
    assert_eq!(story.recorded(), ["a", "b"]);
    assert_eq!(story.open_and_lost(), (1, 0), "its slot is taken");
    story.sent(&["c"]);
    moments(1).await;
    assert_eq!(story.recorded(), ["c"]);
    moments(50).await;
    assert!(story.fake.with(|pages| pages.statements.len()) < 12, "it is tried about once a second");
    story.heal();
    moments(11).await;
    assert_eq!(story.recorded(), ["locked"]);
    assert_eq!(story.open_and_lost(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_stays_locked_is_lost_with_its_lease() {
    let story = Story::new(&[("locked", "55P03"), ("broken", "XX000")]);
    story.sent(&["locked", "broken"]);
    moments(295).await;
    assert_eq!(story.open_and_lost(), (2, 0));
    moments(20).await;
    assert_eq!(story.open_and_lost(), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn when_the_relay_ends_it_waits_for_locks_until_its_time_is_over() {
    let Story { fake, in_flight, metrics, abort, send, recorder } = {
        let story = Story::new(&[("locked", "40P01"), ("free soon", "40001")]);
        story.sent(&["locked", "free soon"]);
        story
    };
    drop(send);
    moments(5).await;
    assert!(!recorder.is_finished());
    fake.with(|pages| pages.errors.remove("free soon"));
    moments(20).await;
    assert_eq!((fake.with(|pages| pages.recorded.clone()), in_flight.count()), (vec!["free soon".to_owned()], 1));
    abort.cancel();
    recorder.await.expect("no panic");
    assert_eq!((in_flight.count(), metrics.lost.get()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn without_the_database_all_wait_and_nothing_is_lost() {
    for code in ["08006", "57P01", "53300", "25006", "42501"] {
        let story = Story::new(&[("a", code)]);
        story.sent(&["a", "b"]);
        moments(6_000).await;
        assert_eq!(story.open_and_lost(), (2, 0), "{code}");
        assert!(story.fake.with(|pages| pages.statements.len()) < 100, "{code}: it does not insist");
        story.heal();
        moments(200).await;
        assert_eq!((story.recorded().len(), story.open_and_lost()), (2, (0, 0)), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_text_concerns_only_itself() {
    let story = Story::new(&[("odd", "22021"), ("again", "23505")]);
    story.sent(&["a", "odd", "b", "again"]);
    moments(1).await;
    assert_eq!(story.recorded(), ["a", "b"]);
    assert_eq!(story.open_and_lost(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_has_ended_is_lost_and_the_rest_of_its_set_is_recorded() {
    let story = Story::new(&[]);
    story.fake.with(|pages| pages.gone.extend(["gone".to_owned(), "alone".to_owned()]));
    story.sent(&["gone", "a", "b"]);
    moments(1).await;
    assert_eq!((story.recorded(), story.open_and_lost()), (vec!["a".to_owned(), "b".to_owned()], (0, 1)));
    story.sent(&["alone"]);
    moments(1).await;
    assert_eq!((story.recorded().len(), story.open_and_lost()), (0, (0, 2)));
    assert_eq!(story.statements(), [3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_set_has_bounds() {
    let story = Story::new(&[]);
    (0..250).for_each(|n| story.sent(&[&n.to_string()]));
    moments(1).await;
    assert_eq!(story.statements(), [100, 100, 50]);
}

#[tokio::test(start_paused = true)]
async fn long_texts_make_more_sets() {
    let story = Story::new(&[]);
    for n in 0..100 {
        let attempt = Attempt::from(SendError::new(Outcome::Closed, "closed"));
        let response_body = Some("\u{1F600}".repeat(1000));
        story.finish(&n.to_string(), Some(Attempt { response_body, ..attempt }));
    }
    moments(1).await;
    assert_eq!(story.statements(), [65, 35]);
    assert_eq!((story.recorded().len(), story.open_and_lost()), (100, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn two_attempts_at_one_delivery_are_in_two_sets() {
    let story = Story::new(&[]);
    story.sent(&["a", "b", "a", "c"]);
    moments(1).await;
    assert_eq!(story.statements(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_given_back_but_for_what_cannot_be() {
    let story = Story::new(&[("locked", "55P03")]);
    ["a", "locked", "b"].iter().for_each(|id| story.finish(id, None));
    moments(1).await;
    assert_eq!((story.metrics.released.get(), story.open_and_lost()), (2, (0, 0)));
}

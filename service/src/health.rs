//! Reports whether the database answers, and whether the subcommand can do its work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::database_error::DatabaseError;

/// Names anything else that keeps a subcommand from its work.
type Complaint = Box<dyn Fn() -> Option<String> + Send + Sync>;

pub struct Health {
    started: Instant,
    /// How long silence counts as good news.
    patience: Duration,
    /// Milliseconds after the start; 0: never.
    answered: AtomicU64,
    /// The faults of failing connections, by the names of the connections.
    failing: Mutex<BTreeMap<&'static str, &'static str>>,
    more: Complaint,
    pooler: Notify,
}

impl Health {
    pub fn new(patience: Duration, more: Complaint) -> Self {
        Self {
            started: Instant::now(),
            patience,
            answered: AtomicU64::new(0),
            failing: Mutex::default(),
            more,
            pooler: Notify::new(),
        }
    }

    /// The database has answered some statement. This alone does not show that the important ones work.
    pub fn answered(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(elapsed.max(1), Ordering::Relaxed);
    }

    /// A connection does its work.
    pub fn works(&self, connection: &'static str) {
        self.answered();
        self.failing().remove(connection);
    }

    pub fn failed(&self, connection: &'static str, error: &DatabaseError) {
        self.failing().insert(connection, error.complaint());
        if matches!(error, DatabaseError::Pooler) {
            self.pooler.notify_one();
        }
    }

    /// Returns when a connection has led through a pooler: it will do so again.
    pub async fn behind_pooler(&self) {
        self.pooler.notified().await;
    }

    /// Returns the fault; `None` if all is well.
    pub fn complaint(&self) -> Option<String> {
        let answered = self.answered.load(Ordering::Relaxed);
        let recently = self.started.elapsed().saturating_sub(Duration::from_millis(answered)) <= self.patience;
        let silent = (answered == 0 || !recently).then_some(DatabaseError::Timeout.complaint());
        let failing = self.failing().values().next().copied();
        failing.or(silent).map(str::to_owned).or_else(|| (self.more)())
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<&'static str, &'static str>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn health_is_what_the_database_last_said_and_what_else_is_wrong() {
        let network = Arc::new(Mutex::new(None));
        let more = network.clone();
        let health = Health::new(Duration::from_secs(120), Box::new(move || more.lock().expect("no panic").clone()));
        let is_good = || health.complaint().is_none();
        assert!(!is_good(), "nothing has been heard of it");
        health.works("claims");
        assert!(is_good());
        health.failed("records", &DatabaseError::Timeout);
        health.works("claims");
        assert!(!is_good(), "one of two connections fails");
        health.works("records");
        assert!(is_good());
        health.failed("claims", &DatabaseError::ReadOnly);
        assert_eq!(health.complaint().as_deref(), Some("the database takes no writes"));
        health.answered();
        assert!(!is_good(), "what it answered was no claim");
        health.works("claims");
        assert!(is_good());
        *network.lock().expect("no panic") = Some("no network".to_owned());
        assert_eq!(health.complaint().as_deref(), Some("no network"));
        *network.lock().expect("no panic") = None;
        assert!(is_good());
        tokio::time::advance(Duration::from_secs(121)).await;
        assert!(!is_good(), "it has been silent for too long");
    }
}

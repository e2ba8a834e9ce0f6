//! Whether the database answers, and anything can be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::trouble::Trouble;

const SILENT: &str = "the database does not answer";

/// Which of the relay's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Claims,
    Records,
}

pub struct Health {
    started: Instant,
    /// For how long no news is good news.
    patience: Duration,
    /// Milliseconds after the start; 0: never.
    answered: AtomicU64,
    failing: [AtomicBool; 2],
    trouble: Arc<Trouble>,
}

impl Health {
    /// An idle relay asks once a poll interval; a busy one waits for its deliveries, which take no longer than `timeout`.
    pub fn new(poll_interval: Duration, timeout: Duration, trouble: Arc<Trouble>) -> Self {
        let patience = 2 * poll_interval.max(timeout).max(Duration::from_secs(30));
        Self { started: Instant::now(), patience, answered: AtomicU64::new(0), failing: Default::default(), trouble }
    }

    /// To any statement: that alone does not say that those which matter work.
    pub fn answered(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(elapsed.max(1), Ordering::Relaxed);
    }

    /// Claims that are got, or attempts that are recorded.
    pub fn works(&self, role: Role) {
        self.answered();
        self.failing[role as usize].store(false, Ordering::Relaxed);
    }

    pub fn failed(&self, role: Role) {
        self.failing[role as usize].store(true, Ordering::Relaxed);
    }

    /// What is wrong.
    pub fn complaint(&self) -> Option<String> {
        let answered = self.answered.load(Ordering::Relaxed);
        let recently = self.started.elapsed().saturating_sub(Duration::from_millis(answered)) <= self.patience;
        if answered == 0 || !recently || self.failing.iter().any(|failing| failing.load(Ordering::Relaxed)) {
            return Some(SILENT.into());
        }
        self.trouble.what()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn health_is_what_the_database_last_said_and_whether_anything_can_be_sent() {
        let trouble = Arc::new(Trouble::new(Arc::default()));
        let health = Health::new(Duration::from_secs(60), Duration::from_secs(15), trouble.clone());
        let is_good = || health.complaint().is_none();
        assert!(!is_good(), "nothing has been heard of it");
        health.works(Role::Claims);
        assert!(is_good());
        health.failed(Role::Records);
        health.works(Role::Claims);
        assert!(!is_good(), "one of two connections fails");
        health.works(Role::Records);
        assert!(is_good());
        health.failed(Role::Claims);
        health.answered();
        assert!(!is_good(), "what it answered was no claim");
        health.works(Role::Claims);
        assert!(is_good());
        trouble.met("no network");
        assert_eq!(health.complaint().as_deref(), Some("no network"));
        trouble.over();
        assert!(is_good());
        tokio::time::advance(Duration::from_secs(121)).await;
        assert!(!is_good(), "it has been silent for too long");
    }
}

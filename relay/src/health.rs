//! Whether the database answers, and anything can be sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::trouble::Trouble;

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
    /// Of each connection what is wrong with it.
    failing: [Mutex<Option<&'static str>>; 2],
    trouble: Arc<Trouble>,
    pooled: Notify,
}

impl Health {
    /// An idle relay asks once a poll interval; a busy one waits for its deliveries, which take no longer than `timeout`.
    pub fn new(poll_interval: Duration, timeout: Duration, trouble: Arc<Trouble>) -> Self {
        let patience = 2 * poll_interval.max(timeout).max(Duration::from_secs(30));
        Self {
            started: Instant::now(),
            patience,
            answered: AtomicU64::new(0),
            failing: Default::default(),
            trouble,
            pooled: Notify::new(),
        }
    }

    /// To any statement: that alone does not say that those which matter work.
    pub fn answered(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(elapsed.max(1), Ordering::Relaxed);
    }

    /// Claims that are got, or attempts that are recorded.
    pub fn works(&self, role: Role) {
        self.answered();
        self.set(role, None);
    }

    pub fn failed(&self, role: Role, fault: &Fault) {
        self.set(role, Some(fault.complaint()));
        if matches!(fault, Fault::Pooled) {
            self.pooled.notify_one();
        }
    }

    /// Returns when a connection has led through a pooler: it will again.
    pub async fn pooled(&self) {
        self.pooled.notified().await;
    }

    fn set(&self, role: Role, complaint: Option<&'static str>) {
        *self.failing[role as usize].lock().unwrap_or_else(PoisonError::into_inner) = complaint;
    }

    /// What is wrong.
    pub fn complaint(&self) -> Option<String> {
        let answered = self.answered.load(Ordering::Relaxed);
        let recently = self.started.elapsed().saturating_sub(Duration::from_millis(answered)) <= self.patience;
        let failing = self.failing.iter().find_map(|failing| *failing.lock().unwrap_or_else(PoisonError::into_inner));
        let silent = (answered == 0 || !recently).then_some(Fault::Silence.complaint());
        failing.or(silent).map(str::to_owned).or_else(|| self.trouble.what())
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
        health.failed(Role::Records, &Fault::Silence);
        health.works(Role::Claims);
        assert!(!is_good(), "one of two connections fails");
        health.works(Role::Records);
        assert!(is_good());
        health.failed(Role::Claims, &Fault::ReadOnly);
        assert_eq!(health.complaint().as_deref(), Some("the database takes no writes"));
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

//! Trouble: a fault that keeps this relay from sending anything, and that is not an endpoint's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info};

use crate::back_off::BackOff;
use crate::relay::metrics::Metrics;

pub struct Trouble {
    state: Mutex<Option<State>>,
    metrics: Arc<Metrics>,
}

struct State {
    what: String,
    back_off: BackOff,
    /// When to check whether it is over.
    again: Instant,
}

impl Trouble {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { state: Mutex::new(None), metrics }
    }

    /// Waits grow with each try that meets it. Tries that were under way together count as one.
    pub fn met(&self, what: &str) {
        let mut state = self.state();
        if state.is_none() {
            error!("nothing can be sent: {what}; no attempt counts until that is over");
            self.metrics.in_trouble.set(1);
        }
        let state =
            state.get_or_insert_with(|| State { what: String::new(), back_off: BackOff::new(), again: Instant::now() });
        state.what = what.into();
        if state.again <= Instant::now() {
            state.again = Instant::now() + state.back_off.next();
        }
    }

    pub fn over(&self) {
        if self.state().take().is_some() {
            info!("deliveries are sent again");
            self.metrics.in_trouble.set(0);
        }
    }

    pub fn what(&self) -> Option<String> {
        self.state().as_ref().map(|state| state.what.clone())
    }

    /// How long to wait; `None` if there is no trouble.
    pub fn rest(&self) -> Option<Duration> {
        self.state().as_ref().map(|state| state.again.saturating_duration_since(Instant::now()))
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_less_and_less_often_until_it_is_over() {
        let trouble = Trouble::new(Arc::default());
        assert_eq!((trouble.rest(), trouble.what(), trouble.metrics.in_trouble.get()), (None, None, 0));
        let mut rests = Vec::new();
        for _ in 0..10 {
            trouble.met("no network");
            let rest = trouble.rest().expect("met");
            trouble.met("no network");
            assert_eq!(trouble.rest(), Some(rest), "they were under way together");
            rests.push(rest);
            tokio::time::advance(rest).await;
        }
        assert!(rests[0] < Duration::from_millis(250) && rests[9] == Duration::from_secs(10), "{rests:?}");
        assert_eq!((trouble.what(), trouble.metrics.in_trouble.get()), (Some("no network".into()), 1));
        trouble.over();
        assert_eq!((trouble.rest(), trouble.metrics.in_trouble.get()), (None, 0));
    }
}

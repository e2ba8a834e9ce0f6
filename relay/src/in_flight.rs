//! Which deliveries are open: claimed, and their attempt not recorded yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::metrics::Metrics;

#[derive(Clone)]
pub struct InFlight {
    /// How many are open for each endpoint.
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
    metrics: Arc<Metrics>,
}

/// One that is open, until this is dropped: also when a task ends in another way than it should.
pub struct Slot {
    endpoint: Uuid,
    of: InFlight,
}

impl InFlight {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { open: Arc::default(), metrics }
    }

    pub fn open(&self, endpoint: Uuid) -> Slot {
        *self.lock().entry(endpoint).or_default() += 1;
        self.metrics.in_flight.inc();
        Slot { endpoint, of: self.clone() }
    }

    pub fn count(&self) -> usize {
        self.lock().values().sum()
    }

    /// The endpoint of each.
    pub fn endpoints(&self) -> Vec<Uuid> {
        self.lock().iter().flat_map(|(endpoint, count)| std::iter::repeat_n(*endpoint, *count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        if let Some(count) = open.get_mut(&self.endpoint) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.endpoint);
            }
        }
        self.of.metrics.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_listed_once_for_each_open_delivery() {
        let metrics = Arc::new(Metrics::new());
        let in_flight = InFlight::new(metrics.clone());
        let [a, b] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let slots = [in_flight.open(a), in_flight.open(b), in_flight.open(a)];
        let mut endpoints = in_flight.endpoints();
        endpoints.sort();
        assert_eq!((endpoints, in_flight.count(), metrics.in_flight.get()), (vec![a, a, b], 3, 3));
        drop(slots);
        assert_eq!((in_flight.endpoints(), in_flight.count(), metrics.in_flight.get()), (vec![], 0, 0));
    }
}

//! The open deliveries: claimed, and their attempts not recorded yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::relay::metrics::Metrics;

#[derive(Clone)]
pub struct InFlight {
    open: Arc<Mutex<Open>>,
    metrics: Arc<Metrics>,
}

/// The number of open deliveries.
#[derive(Default)]
struct Open {
    of_endpoint: HashMap<Uuid, usize>,
    of_organization: HashMap<Uuid, usize>,
}

/// An open delivery, until this is dropped. This also covers tasks that end unexpectedly.
pub struct Slot {
    organization: Uuid,
    endpoint: Uuid,
    of: InFlight,
}

impl InFlight {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { open: Arc::default(), metrics }
    }

    pub fn open(&self, organization: Uuid, endpoint: Uuid) -> Slot {
        let mut open = self.lock();
        *open.of_endpoint.entry(endpoint).or_default() += 1;
        *open.of_organization.entry(organization).or_default() += 1;
        self.metrics.in_flight.inc();
        Slot { organization, endpoint, of: self.clone() }
    }

    pub fn count(&self) -> usize {
        self.lock().of_endpoint.values().sum()
    }

    /// The endpoint of each open delivery.
    pub fn endpoints(&self) -> Vec<Uuid> {
        let open = self.lock();
        open.of_endpoint.iter().flat_map(|(endpoint, count)| std::iter::repeat_n(*endpoint, *count)).collect()
    }

    /// The organizations that have at least so many.
    pub fn organizations_with(&self, least: usize) -> Vec<Uuid> {
        let open = self.lock();
        open.of_organization
            .iter()
            .filter(|(_, count)| **count >= least)
            .map(|(organization, _)| *organization)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        forget(&mut open.of_endpoint, &self.endpoint);
        forget(&mut open.of_organization, &self.organization);
        self.of.metrics.in_flight.dec();
    }
}

fn forget(counts: &mut HashMap<Uuid, usize>, one: &Uuid) {
    if let Some(count) = counts.get_mut(one) {
        *count -= 1;
        if *count == 0 {
            counts.remove(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_listed_once_for_each_open_delivery() {
        let metrics = Arc::new(Metrics::default());
        let in_flight = InFlight::new(metrics.clone());
        let slots = [1, 2, 1].map(|endpoint| in_flight.open(Uuid::nil(), Uuid::from_u128(endpoint)));
        let mut endpoints = in_flight.endpoints();
        endpoints.sort();
        let expected = [1, 1, 2].map(Uuid::from_u128).to_vec();
        assert_eq!((endpoints, in_flight.count(), metrics.in_flight.get()), (expected, 3, 3));
        drop(slots);
        assert_eq!((in_flight.endpoints(), in_flight.count(), metrics.in_flight.get()), (vec![], 0, 0));
    }

    #[test]
    fn an_organization_has_enough_for_as_long_as_it_has_so_many() {
        let in_flight = InFlight::new(Arc::default());
        let open = |organization, endpoint| in_flight.open(Uuid::from_u128(organization), Uuid::from_u128(endpoint));
        let mut slots = vec![open(7, 1), open(8, 2), open(7, 3)];
        assert_eq!(in_flight.organizations_with(2), [Uuid::from_u128(7)]);
        assert!(in_flight.organizations_with(3).is_empty());
        slots.remove(0);
        assert_eq!((in_flight.organizations_with(2), in_flight.count()), (vec![], 2));
    }
}

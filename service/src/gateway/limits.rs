//! How many requests a second an API key and an address may make.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use rules::access::api_key::Digest;
use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::address::network;
use crate::gateway::failure::Failure;

/// Those who have been quiet are forgotten so often.
const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// Made-up keys cost about a hundred bytes each; this bounds them between two housekeepings.
const MOST_KEPT: usize = 200_000;

pub struct Limits {
    keys: Limit<Digest>,
    addresses: Limit<IpAddr>,
}

impl Limits {
    pub fn new(of_a_key: Option<NonZeroU32>, of_an_address: Option<NonZeroU32>) -> Self {
        Self { keys: Limit::new(of_a_key), addresses: Limit::new(of_an_address) }
    }

    pub fn check(&self, key: Option<&Digest>, address: IpAddr) -> Result<(), Failure> {
        self.addresses.check(&network(address))?;
        key.map_or(Ok(()), |key| self.keys.check(key))
    }

    /// Runs for as long as the program.
    pub async fn keep_house(&self) {
        let mut ticks = interval(HOUSEKEEPING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.keys.forget_the_quiet();
            self.addresses.forget_the_quiet();
        }
    }
}

struct Limit<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(per_second: Option<NonZeroU32>) -> Self {
        Self(per_second.map(|count| RateLimiter::keyed(Quota::per_second(count))))
    }

    fn check(&self, key: &K) -> Result<(), Failure> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        if limiter.len() > MOST_KEPT {
            self.forget_the_quiet();
        }
        limiter.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "PT429", "Too many requests: try again later");
            Failure {
                retry_after: Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)),
                ..failure
            }
        })
    }

    fn forget_the_quiet(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn keys_and_addresses_have_their_own_limits() {
        let limits = Limits::new(NonZeroU32::new(2), NonZeroU32::new(5));
        let status = |key: Option<u8>| {
            let refused = limits.check(key.map(|key| [key; 32]).as_ref(), HOME).err();
            refused.map(|refused| (refused.status.as_u16(), refused.retry_after))
        };
        assert_eq!((status(Some(1)), status(Some(1))), (None, None));
        assert_eq!(status(Some(1)), Some((429, Some(1))));
        assert_eq!((status(Some(2)), status(None)), (None, None), "another key, and none");
        assert_eq!(status(Some(3)), Some((429, Some(1))), "the address has had its five");
        assert!(limits.check(None, [10, 0, 0, 1].into()).is_ok(), "another address");
    }

    #[test]
    fn the_quiet_are_forgotten() {
        let limit = Limit::new(NonZeroU32::new(1_000));
        for key in 0..1_000 {
            assert!(limit.check(&key).is_ok());
        }
        std::thread::sleep(Duration::from_millis(50));
        limit.forget_the_quiet();
        assert!(limit.0.is_some_and(|limiter| limiter.is_empty()));
    }
}

//! Distinguishes a receiver that cannot be reached from a relay that reaches no host.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync;
use tokio::time::{Instant, timeout};
use url::{Host, Url};

use crate::relay::attempt::{Doubt, Outcome, SendError};
use crate::relay::guard::{LookupError, is_this_machine, lookup_error};
use crate::relay::own_machine::{has_network, has_way_out};

/// A name that does not exist (RFC 6761), so that a resolver says so. The dot at the end prevents a search in other
/// domains.
const NOBODY: (&str, u16) = ("checkout-sessions-relay.invalid.", 0);
/// How long the resolver's answer to that is valid.
const FRESH: Duration = Duration::from_secs(1);
/// If so many hosts, all reached lately, cannot be reached while no other is, that is no coincidence.
const ALIKE: usize = 3;
const LATELY: Duration = Duration::from_secs(60 * 60);
/// Above this number, hosts that were last reached before `LATELY` are forgotten.
const MANY: usize = 10_000;

#[derive(Default)]
pub struct Network {
    hosts: Mutex<Hosts>,
    /// When the resolver was last asked, and whether it answered.
    resolver: sync::Mutex<Option<(Instant, bool)>>,
}

#[derive(Default)]
struct Hosts {
    reached: HashMap<String, Instant>,
    /// Those of them that failed since any host was last reached.
    silent: HashSet<String>,
}

impl Network {
    /// Notes that a host has answered.
    pub fn reached(&self, url: &str) {
        if let Some(host) = Url::parse(url).as_ref().ok().and_then(distant) {
            self.hosts().reached(host);
        }
    }

    /// Returns an error as it is, or instead the resource that the relay's own machine lacks.
    pub async fn judge(&self, error: SendError, url: &str, patience: Duration) -> SendError {
        let Ok(parsed) = Url::parse(url) else { return error };
        let Some(doubt) = error.doubt else {
            if matches!(error.outcome, Outcome::Connect | Outcome::Tls | Outcome::Closed) {
                self.reached(url);
            }
            return error;
        };
        match self.own_trouble(doubt, &parsed, patience).await {
            Some(text) => SendError::new(Outcome::Offline, text),
            None => error,
        }
    }

    async fn own_trouble(&self, doubt: Doubt, url: &Url, patience: Duration) -> Option<&'static str> {
        if doubt == Doubt::NoWay && !has_way_out() {
            return Some("the relay's machine has no network");
        }
        let host = distant(url)?;
        if !has_network() {
            return Some("the relay's machine has no network");
        }
        let looks_up = matches!(url.host(), Some(Host::Domain(_))) && matches!(doubt, Doubt::LookUp | Doubt::NoAnswer);
        if looks_up && !self.can_look_up(patience).await {
            return Some("the relay's machine cannot look up names");
        }
        let alike = doubt != Doubt::Interrupted && self.hosts().failed(host);
        alike.then_some("the relay's machine reaches none of the hosts that it has reached lately")
    }

    /// Returns true if the resolver answers at all. One look-up serves all tasks that wait for it.
    async fn can_look_up(&self, patience: Duration) -> bool {
        let mut asked = self.resolver.lock().await;
        if let Some((at, answered)) = *asked
            && at.elapsed() < FRESH
        {
            return answered;
        }
        let answered = match timeout(patience, lookup_host(NOBODY)).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => lookup_error(&error) != LookupError::Failed,
            Err(_) => false,
        };
        *asked = Some((Instant::now(), answered));
        answered
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    fn reached(&mut self, host: &str) {
        self.silent.clear();
        if self.reached.len() >= MANY {
            self.reached.retain(|_, at| at.elapsed() < LATELY);
        }
        match self.reached.get_mut(host) {
            Some(at) => *at = Instant::now(),
            None => drop(self.reached.insert(host.into(), Instant::now())),
        }
    }

    /// Returns true if it is one of too many.
    fn failed(&mut self, host: &str) -> bool {
        let Self { reached, silent } = self;
        silent.insert(host.into());
        silent.retain(|host| reached.get(host).is_some_and(|at| at.elapsed() < LATELY));
        silent.len() >= ALIKE
    }
}

/// The host, unless it is this machine, which is reached without a network and tells nothing about it.
fn distant(url: &Url) -> Option<&str> {
    if is_this_machine(&url.host()?) { None } else { url.host_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubtful(doubt: Doubt) -> SendError {
        SendError { doubt: Some(doubt), ..SendError::new(Outcome::Connect, "no connection") }
    }

    fn failed(hosts: &mut Hosts, names: &[&str]) -> Vec<bool> {
        names.iter().map(|name| hosts.failed(name)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_that_were_reached_are_silent_it_is_the_relay() {
        let mut hosts = Hosts::default();
        assert_eq!(failed(&mut hosts, &["a", "b", "c", "d"]), [false; 4], "they may never have been there");
        ["a", "b", "c", "d"].iter().for_each(|host| hosts.reached(host));
        assert_eq!(
            failed(&mut hosts, &["a", "a", "x", "b", "y", "c", "d"]),
            [false, false, false, false, false, true, true]
        );
        hosts.reached("d");
        assert_eq!(failed(&mut hosts, &["a", "b"]), [false; 2], "somebody was reached");
        tokio::time::advance(LATELY).await;
        assert_eq!(failed(&mut hosts, &["a", "b", "c"]), [false; 3], "that is long ago");
    }

    #[tokio::test]
    async fn one_that_is_silent_alone_is_at_fault_itself() {
        let network = Network::default();
        let url = "https://192.88.99.1/";
        if has_network() {
            for doubt in [Doubt::NoAnswer, Doubt::Interrupted] {
                let error = network.judge(doubtful(doubt), url, FRESH).await;
                assert_eq!(error, doubtful(doubt));
            }
        }
        let near = network.judge(doubtful(Doubt::NoAnswer), "http://localhost/", FRESH).await;
        assert_eq!(near.outcome, Outcome::Connect);
    }
}

//! Decides where requests may go. It resolves names, and the client connects to the addresses that were checked.
//!
//! The HTTP client asks this resolver and no other, so a name that has another address a moment later (DNS rebinding)
//! is checked again. An address in a URL never gets to a resolver: `check` is for those.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rules::webhooks::url::{Ranges, is_localhost, permitted};
use tokio::sync::watch;
use url::{Host, Url};

use crate::relay::own_machine::{has_way_to, is_out_of_files, machine_ran_out};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The owner of the endpoint reads this, so it does not name the address.
    #[error("the URL's host has an address that webhooks must not go to")]
    Address,
    #[error("the URL is not an https URL")]
    Scheme,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    #[error("DNS: no such host")]
    NoSuchHost,
    #[error("DNS: the look-up failed")]
    Failed,
    /// It has IPv6 addresses only, and the machine has none, or the reverse.
    #[error("host unreachable")]
    NoWay,
    /// The name is unknown.
    #[error("DNS: the relay has run out of something")]
    Local,
}

/// Shared by the senders, and by the claimer, which reads new settings.
#[derive(Clone)]
pub struct Guard {
    rules: watch::Sender<Rules>,
    /// Lets requests go to loopback addresses of this machine. For hosts that name the machine itself, and nothing else.
    at_home: bool,
}

#[derive(Default)]
struct Rules {
    allowed: Ranges,
    /// The machine's own addresses: through a public one, a request may reach a service that trusts local clients.
    own: Vec<IpAddr>,
}

impl Guard {
    pub fn new() -> Self {
        let guard = Self { rules: watch::Sender::new(Rules::default()), at_home: false };
        guard.update(Ranges::default());
        guard
    }

    /// The guard for the deliveries that the database lets go to the machine itself. It has the same settings.
    pub fn at_home(&self) -> Self {
        Self { at_home: true, ..self.clone() }
    }

    /// Takes the setting `webhook_allowed_ranges`, and reads the machine's interfaces again. Returns whether the ranges
    /// are new. A list with a mistake in it allows nothing.
    pub fn allow(&self, ranges: &str) -> Result<bool, impl std::fmt::Display + use<>> {
        let ranges = ranges.parse();
        let changed = self.update(ranges.as_ref().cloned().unwrap_or_default());
        ranges.map(|_| changed)
    }

    fn update(&self, allowed: Ranges) -> bool {
        let own = match if_addrs::get_if_addrs() {
            Ok(interfaces) => interfaces.into_iter().map(|interface| interface.ip()).collect(),
            Err(error) => {
                tracing::warn!(%error, "the machine's own addresses are not known");
                Vec::new()
            }
        };
        let changed = self.rules.borrow().allowed != allowed;
        self.rules.send_replace(Rules { allowed, own });
        changed
    }

    fn permits(&self, ip: IpAddr) -> bool {
        if self.at_home && ip.is_loopback() {
            return true;
        }
        let rules = self.rules.borrow();
        permitted(ip, &rules.allowed) && (!rules.own.contains(&ip) || rules.allowed.contains(ip))
    }

    /// Checks a URL by itself. It was checked when it was registered, but the allowed ranges may have changed since.
    pub fn check(&self, url: &Url) -> Result<(), TargetError> {
        let host = url.host().ok_or(TargetError::Scheme)?;
        // Plain HTTP does not leave the machine.
        if url.scheme() != "https" && !(url.scheme() == "http" && is_this_machine(&host)) {
            return Err(TargetError::Scheme);
        }
        match address_of(&host) {
            Some(ip) if !self.permits(ip) => {
                tracing::warn!(address = %ip, "refused: webhooks must not go to this address");
                Err(TargetError::Address)
            }
            _ => Ok(()),
        }
    }

    /// Chooses the addresses to connect to, from those that a look-up of the name has returned.
    fn choose(&self, name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, TargetError> {
        if is_localhost(name) {
            // No outsider controls these, so one of 127.0.0.1 and ::1 is enough.
            let local =
                found.into_iter().filter(|at| at.ip().is_loopback() && self.permits(at.ip())).collect::<Vec<_>>();
            return if local.is_empty() { Err(TargetError::Address) } else { Ok(local) };
        }
        // A name with both a public and a private address is an attack, or a mistake that would stay hidden until it
        // matters.
        match found.iter().find(|at| !self.permits(at.ip())) {
            Some(at) => {
                tracing::warn!(host = name, address = %at.ip(), "refused: webhooks must not go to this address");
                Err(TargetError::Address)
            }
            None => Ok(found),
        }
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            // The client replaces port 0 by the port of the URL.
            let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| lookup_error(&error))?;
            let found = found.collect::<Vec<_>>();
            if found.is_empty() {
                return Err(LookupError::NoSuchHost.into());
            }
            let mut chosen = guard.choose(name, found)?;
            chosen.retain(|at| has_way_to(at.ip()));
            if chosen.is_empty() {
                return Err(LookupError::NoWay.into());
            }
            Ok(Box::new(chosen.into_iter()) as Addrs)
        })
    }
}

/// The address in a URL; `None` if it has a name, whose addresses are checked when it is looked up.
pub fn address_of(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(ip) => Some(IpAddr::V4(*ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(*ip)),
        Host::Domain(_) => None,
    }
}

/// Returns true if a URL's host is this machine by its name or address.
pub fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => is_localhost(name),
    }
}

/// The standard library passes on the resolver's text, not its code: the texts of glibc and of musl.
pub fn lookup_error(error: &std::io::Error) -> LookupError {
    if machine_ran_out(error) || is_out_of_files() {
        return LookupError::Local;
    }
    let text = error.to_string();
    let no_such_host =
        ["Name or service not known", "No address associated", "Name does not resolve", "Name has no usable"];
    if no_such_host.iter().any(|words| text.contains(words)) { LookupError::NoSuchHost } else { LookupError::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &str) -> Guard {
        let guard = Guard::new();
        guard.update(allowed.parse().expect("ranges"));
        guard
    }

    fn found(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), 0)).collect()
    }

    fn check(guard: &Guard, url: &str) -> Result<(), TargetError> {
        guard.check(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn a_name_s_addresses_are_all_public_or_it_is_refused() {
        let guard = guard("");
        let public = found(&["8.8.8.8", "2606:4700::1111"]);
        assert_eq!(guard.choose("shop.example", public.clone()), Ok(public));
        for mixed in [["8.8.8.8", "10.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["2606:4700::1111", "::ffff:169.254.169.254"]]
        {
            assert_eq!(guard.choose("rebind.example", found(&mixed)), Err(TargetError::Address), "{mixed:?}");
        }
    }

    #[test]
    fn allowed_ranges_open_private_networks() {
        let guard = guard("10.1.0.0/16");
        assert!(guard.choose("hooks.corp.example", found(&["10.1.2.3"])).is_ok());
        assert!(guard.choose("hooks.corp.example", found(&["10.1.2.3", "10.2.0.1"])).is_err());
        assert_eq!(check(&guard, "https://10.1.2.3/"), Ok(()));
        assert_eq!(check(&guard, "https://10.2.0.1/"), Err(TargetError::Address));
        assert!(!guard.update("10.1.0.0/16".parse().expect("ranges")), "the same");
        assert!(guard.update(Ranges::default()));
        assert_eq!(check(&guard, "https://10.1.2.3/"), Err(TargetError::Address), "no longer");
    }

    #[test]
    fn localhost_is_the_machine_itself_or_nothing() {
        let closed = guard("");
        assert!(closed.choose("localhost", found(&["127.0.0.1", "::1"])).is_err());
        let open = guard("127.0.0.0/8,10.0.0.0/8");
        assert_eq!(open.choose("localhost", found(&["::1", "127.0.0.1"])), Ok(found(&["127.0.0.1"])));
        assert!(open.choose("shop.localhost", found(&["10.0.0.1"])).is_err(), "whatever a resolver says");
    }

    #[test]
    fn at_home_means_loopback_and_no_other_address() {
        let (guard, home) = (guard(""), guard("").at_home());
        for good in ["http://127.0.0.1:8080/", "https://127.1.2.3/", "http://[::1]/", "http://localhost/"] {
            assert_eq!(check(&home, good), Ok(()), "{good}");
        }
        assert_eq!(home.choose("localhost", found(&["127.0.0.1", "10.0.0.1"])), Ok(found(&["127.0.0.1"])));
        for bad in ["https://10.0.0.1/", "https://169.254.169.254/", "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/"]
        {
            assert_eq!(check(&home, bad), Err(TargetError::Address), "{bad}");
        }
        assert_eq!(check(&guard, "http://127.0.0.1:8080/"), Err(TargetError::Address), "the other stays as it was");
    }

    #[test]
    fn plain_http_does_not_leave_the_machine() {
        let guard = guard("127.0.0.0/8,10.0.0.0/8");
        for good in ["http://127.0.0.1:8080/", "http://localhost/", "http://a.localhost/", "https://example.com/"] {
            assert_eq!(check(&guard, good), Ok(()), "{good}");
        }
        for bad in ["http://10.0.0.1/", "http://example.com/", "ftp://localhost/", "http://localhost.example.com/"] {
            assert_eq!(check(&guard, bad), Err(TargetError::Scheme), "{bad}");
        }
        assert_eq!(check(&guard, "http://[::1]/"), Err(TargetError::Address), "not in the allowed ranges");
    }

    #[test]
    fn addresses_in_urls_are_checked_however_they_are_spelled() {
        for host in ["127.1", "0x7f000001", "2130706433", "[::ffff:10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "１０.0.0.1"] {
            assert_eq!(check(&guard(""), &format!("https://{host}/")), Err(TargetError::Address), "{host}");
        }
    }

    #[test]
    fn the_machine_s_own_public_address_is_refused() {
        let own: IpAddr = "93.184.215.14".parse().expect("an address");
        let rules = |allowed: &str| Rules { allowed: allowed.parse().expect("ranges"), own: vec![own] };
        let guard = |allowed| Guard { rules: watch::Sender::new(rules(allowed)), at_home: false };
        assert!(!guard("").permits(own) && !guard("").at_home().permits(own));
        assert!(guard("93.184.215.14").permits(own));
    }

    #[tokio::test]
    async fn the_resolver_refuses_what_it_finds() {
        let localhost = || "localhost".parse::<Name>().expect("a name");
        let refused = guard("").resolve(localhost()).await.err().expect("refused");
        assert_eq!(refused.downcast_ref(), Some(&TargetError::Address));
        assert!(!refused.to_string().contains("127"));
        let found = guard("127.0.0.0/8").resolve(localhost()).await.expect("found").collect::<Vec<_>>();
        assert!(found.iter().all(|at| at.ip().is_loopback()));
    }
}

//! The URL of an endpoint, read as the relay's HTTP client reads it (the URL standard), and stricter.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::permitted;
use super::ranges::Ranges;
use crate::access::credential::Environment;

const MAXIMUM_BYTES: usize = 2048;

/// The domains of names without a public meaning: RFC 6761, 6762, 8375, 9476, and ICANN's "internal".
const PRIVATE_DOMAINS: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "alt"];

/// Ports of protocols whose servers might accept a request as their own, from the Fetch standard.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Why a URL is refused. The text follows `argument "url" `, and never repeats the URL, which may contain a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("must have at most {MAXIMUM_BYTES} bytes")]
    TooLong,
    #[error("must not contain whitespace, control characters or backslashes")]
    Characters,
    #[error("must be an https URL")]
    NotHttps,
    #[error("must be an https URL; http is for localhost, and for tests")]
    Http,
    #[error("must not contain a user name or a password")]
    UserInformation,
    #[error("must not have a fragment")]
    Fragment,
    #[error("must have a valid host")]
    Host,
    #[error("must name a host of the public Internet, unless checkout_sessions.webhook_allowed_ranges allows others")]
    PrivateName,
    #[error("must not have a private or reserved address that checkout_sessions.webhook_allowed_ranges does not allow")]
    DeniedAddress,
    #[error("must not have a port of another protocol")]
    Port,
}

/// The URL, if webhooks may be registered for it. The relay finds out where its host leads, so private names are
/// refused only if no private range is allowed.
pub fn parse(text: &str, environment: Environment, allowed: &Ranges) -> Result<Url, Fault> {
    if text.len() > MAXIMUM_BYTES {
        return Err(Fault::TooLong);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(Fault::Characters);
    }
    // The standard accepts "https:example.com" and "https:////example.com", too; other programs may read those
    // differently.
    let (scheme, rest) = text.split_once("://").ok_or(Fault::NotHttps)?;
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Fault::NotHttps);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(Fault::Host);
    }
    // Checked here, because the parsed URL no longer shows the @ of "https://@example.com".
    if authority.contains('@') {
        return Err(Fault::UserInformation);
    }
    let url = Url::parse(text).map_err(|_| Fault::Host)?;
    if url.fragment().is_some() {
        return Err(Fault::Fragment);
    }
    let local = check_host(&url, environment, allowed)?;
    if url.scheme() != "https" && !local {
        return Err(Fault::Http);
    }
    if url.port().is_some_and(|port| BAD_PORTS.contains(&port)) {
        return Err(Fault::Port);
    }
    Ok(url)
}

/// Returns true if a name means the machine itself (RFC 6761), whatever a resolver says.
pub fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Refuses a host. Returns true if it is the machine itself.
fn check_host(url: &Url, environment: Environment, allowed: &Ranges) -> Result<bool, Fault> {
    let test = environment == Environment::Test;
    match url.host().ok_or(Fault::Host)? {
        Host::Ipv4(ip) => check_address(ip.into(), test, allowed),
        Host::Ipv6(ip) => check_address(ip.into(), test, allowed),
        Host::Domain(name) => {
            let labels = name.split('.').collect::<Vec<_>>();
            // Also an empty last label: "example.com." is the same host under a name that a list of hosts may miss.
            if name.len() > 253 || labels.iter().any(|label| label.is_empty() || label.len() > 63) {
                return Err(Fault::Host);
            }
            if test && is_localhost(name) {
                return Ok(true);
            }
            let within =
                |domain: &&str| name.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            if !allowed.is_empty() {
                return Ok(false);
            }
            if labels.len() == 1 || PRIVATE_DOMAINS.iter().any(within) {
                return Err(Fault::PrivateName);
            }
            Ok(false)
        }
    }
}

fn check_address(ip: IpAddr, test: bool, allowed: &Ranges) -> Result<bool, Fault> {
    match (test && ip.is_loopback(), permitted(ip, allowed)) {
        (true, _) => Ok(true),
        (false, true) => Ok(false),
        (false, false) => Err(Fault::DeniedAddress),
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;

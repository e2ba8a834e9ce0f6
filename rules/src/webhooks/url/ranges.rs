//! Ranges of addresses, in the form of a setting.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Private ranges that webhooks may go to. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<IpNet>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeFault {
    #[error("\"{0}\" is neither an address nor a CIDR range")]
    NoRange(String),
    /// The author of 10.1.2.3/8 may mean less than it allows.
    #[error("\"{0}\" has bits to the right of its mask; write {1}")]
    HostBits(String, IpNet),
}

impl Ranges {
    /// Returns true if the setting leaves it to the environment whether webhooks may go to the machine itself: it has no
    /// list, and not `none`.
    pub fn are_unset(text: &str) -> bool {
        text.trim().is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(&ip))
    }
}

/// The setting that allows no private address, not even that of the machine in the test environment.
const NONE: &str = "none";

/// Addresses and CIDR ranges, separated by commas; or `none`.
impl FromStr for Ranges {
    type Err = RangeFault;

    fn from_str(text: &str) -> Result<Self, RangeFault> {
        if text.trim().is_empty() || text.trim() == NONE {
            return Ok(Self::default());
        }
        text.split(',').map(|item| range(item.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn range(item: &str) -> Result<IpNet, RangeFault> {
    if let Ok(ip) = item.parse::<IpAddr>() {
        return Ok(ip.into());
    }
    let range: IpNet = item.parse().map_err(|_| RangeFault::NoRange(item.to_owned()))?;
    if range.trunc() != range {
        return Err(RangeFault::HostBits(item.to_owned(), range.trunc()));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(ranges: &str, ip: &str) -> bool {
        let ranges: Ranges = ranges.parse().expect("ranges");
        ranges.contains(ip.parse().expect("an address"))
    }

    #[test]
    fn a_list_has_addresses_and_ranges() {
        let list = "10.0.0.0/8, 192.168.7.1 ,fd00::/8,::1";
        for inside in ["10.0.0.0", "10.255.255.255", "192.168.7.1", "fd12::1", "::1"] {
            assert!(contains(list, inside), "{inside}");
        }
        for outside in ["11.0.0.0", "192.168.7.2", "fc00::1", "::2", "::ffff:10.0.0.1"] {
            assert!(!contains(list, outside), "{outside}");
        }
        assert!(contains("0.0.0.0/0", "255.255.255.255") && !contains("0.0.0.0/0", "::"));
    }

    #[test]
    fn nothing_is_in_no_list() {
        for empty in ["", " ", "\t\n", "none", " none "] {
            assert_eq!(empty.parse(), Ok(Ranges::default()));
            assert!(!contains(empty, "10.0.0.1"));
        }
    }

    #[test]
    fn only_no_setting_at_all_leaves_it_open() {
        assert!(["", " "].into_iter().all(Ranges::are_unset));
        assert!(!["none", "10.0.0.0/8", "10"].into_iter().any(Ranges::are_unset));
    }

    #[test]
    fn a_mistake_is_named() {
        let fault = |text: &str| text.parse::<Ranges>().expect_err("refused").to_string();
        for bad in
            ["10", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "localhost", "10.0.0.1-10.0.0.9", "010.0.0.1"]
        {
            assert_eq!(fault(bad), format!("\"{bad}\" is neither an address nor a CIDR range"));
        }
        for gap in ["10.0.0.0/8,", ",", "10.0.0.1,,::1"] {
            assert_eq!(fault(gap), "\"\" is neither an address nor a CIDR range");
        }
        assert_eq!(fault("10.1.2.3/8"), "\"10.1.2.3/8\" has bits to the right of its mask; write 10.0.0.0/8");
    }
}

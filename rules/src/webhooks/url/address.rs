//! Addresses that are not on the public Internet.
//!
//! Sources: IANA's special-purpose address registries for IPv4 and IPv6 (RFC 6890), and the lists of two proxies made
//! for this purpose: Stripe's smokescreen, Svix's server. Of IPv6 only 2000::/3 is global unicast: all else is denied.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ranges::Ranges;

/// The network, and the number of its bits that count.
const DENIED_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),        // "this network"
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carriers' NAT, and clouds' metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, and clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments, and clouds' metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's host, which serves its guests' metadata from a public address
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, and broadcast
];

/// Within 2000::/3.
const DENIED_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Returns true if webhooks must not go to this address, unless it is in an allowed range.
pub fn denied(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => DENIED_V4.iter().any(|&(network, bits)| {
            let shift = 32 - bits;
            ip.to_bits() >> shift == network.to_bits() >> shift
        }),
        IpAddr::V6(ip) => {
            let within = |network: Ipv6Addr, bits: u32| {
                let shift = 128 - bits;
                ip.to_bits() >> shift == network.to_bits() >> shift
            };
            let global_unicast = within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
            !global_unicast || DENIED_V6.iter().any(|&(network, bits)| within(network, bits))
        }
    }
}

/// Returns true if webhooks may go to this address.
/// An IPv6 address that leads to an IPv4 address is treated as that one. To allow all of NAT64 does not open the
/// private addresses behind it, and to allow 10.0.0.0/8 allows its mapped addresses, too.
pub fn permitted(ip: IpAddr, allowed: &Ranges) -> bool {
    match embedded(ip) {
        Some(inner) => allowed.contains(inner) || (allowed.contains(ip) && !denied(inner)),
        None => allowed.contains(ip) || !denied(ip),
    }
}

/// The IPv4 address that an IPv6 address leads to.
fn embedded(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(ip) = ip else { return None };
    let bits = ip.to_bits();
    let last = Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32);
    let inner = match ip.segments() {
        // Unspecified and loopback are not IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        // IPv4-mapped (RFC 4291), IPv4-compatible, and IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => last,
        // NAT64: RFC 6052, RFC 8215.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => last,
        // Teredo (RFC 4380) inverts every bit.
        [0x2001, 0, ..] => Ipv4Addr::from_bits(!last.to_bits()),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)),
        _ => return None,
    };
    Some(inner.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|_| unreachable!("{text} is an address"))
    }

    fn ranges(text: &str) -> Ranges {
        text.parse().expect("ranges")
    }

    /// The first and last address of each range, and the public neighbours (or `-`: the neighbour belongs to another
    /// range).
    const BOUNDARIES: [[&str; 4]; 30] = [
        ["-", "0.0.0.0", "0.255.255.255", "1.0.0.0"],
        ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
        ["100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
        ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
        ["168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"],
        ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
        ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
        ["191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"],
        ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
        ["192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"],
        ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
        ["198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"],
        ["198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"],
        ["203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"],
        ["223.255.255.255", "224.0.0.0", "239.255.255.255", "-"],
        ["-", "240.0.0.0", "255.255.255.255", "-"],
        ["-", "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"],
        ["2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"],
        [
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
        ],
        ["2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"],
        ["3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"],
        ["3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-"],
        ["-", "::1", "::ffff:255.255.255.255", "-"],
        ["-", "64:ff9b::", "64:ff9b::255.255.255.255", "-"],
        ["-", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "-"],
        ["-", "100::", "100::ffff:ffff:ffff:ffff", "-"],
        ["-", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-"],
        ["-", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-"],
        ["-", "fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-"],
        ["-", "ff00::", "ff0e::1", "-"],
    ];

    #[test]
    fn each_range_ends_where_the_registry_says() {
        let none = Ranges::default();
        for [before, first, last, after] in BOUNDARIES {
            for inside in [first, last] {
                assert!(denied(ip(inside)), "{inside}");
                assert!(!permitted(ip(inside), &none), "{inside}");
            }
            for outside in [before, after].into_iter().filter(|text| *text != "-") {
                assert!(!denied(ip(outside)), "{outside}");
                assert!(permitted(ip(outside), &none), "{outside}");
            }
        }
    }

    #[test]
    fn what_clouds_tell_their_guests_is_out_of_reach() {
        let metadata = [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ];
        for address in metadata {
            assert!(denied(ip(address)), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_reached() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.215.14",
            "192.175.48.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2620:4f:8000::1",
        ] {
            assert!(permitted(ip(address), &Ranges::default()), "{address}");
        }
    }

    #[test]
    fn an_allowed_range_opens_itself_and_nothing_else() {
        let allowed = ranges("10.1.0.0/16, fd00::/8, ::1");
        for good in [
            "10.1.0.0",
            "10.1.255.255",
            "fd12::1",
            "::1",
            "::ffff:10.1.2.3",
            "::10.1.2.3",
            "64:ff9b::10.1.2.3",
            "8.8.8.8",
        ] {
            assert!(permitted(ip(good), &allowed), "{good}");
        }
        for bad in
            ["10.0.255.255", "10.2.0.0", "fc00::1", "::", "::2", "::ffff:10.2.0.0", "64:ff9b::10.2.0.0", "127.0.0.1"]
        {
            assert!(!permitted(ip(bad), &allowed), "{bad}");
        }
    }

    #[test]
    fn to_allow_what_leads_to_ipv4_does_not_open_private_networks() {
        let allowed = ranges("64:ff9b::/96,::ffff:0:0/96,2002::/16,2001::/32,64:ff9b:1::/48");
        let to_public =
            ["64:ff9b::8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b:1::8.8.8.8", "2001::f7f7:f7f7"];
        for good in to_public {
            assert!(permitted(ip(good), &allowed), "{good}");
            assert!(!permitted(ip(good), &Ranges::default()), "{good} leads around a firewall's rules");
        }
        // 80ff:fffe is 127.0.0.1 with every bit inverted.
        for bad in
            ["64:ff9b::10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::1", "64:ff9b:1::169.254.169.254", "2001::80ff:fffe"]
        {
            assert!(!permitted(ip(bad), &allowed), "{bad}");
        }
    }
}

//! The address of a client: who counts as one for the rate limits.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

/// The client's address. Each of `proxies` trusted proxies has added to X-Forwarded-For where its request came from; what
/// stands before is the client's own claim.
pub fn client(peer: IpAddr, headers: &HeaderMap, proxies: u8) -> IpAddr {
    if proxies == 0 {
        return peer.to_canonical();
    }
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let joined = values.join(",");
    let addresses: Vec<&str> = joined.split(',').map(str::trim).collect();
    let at = addresses.len().saturating_sub(usize::from(proxies));
    addresses.get(at).and_then(|text| text.parse::<IpAddr>().ok()).unwrap_or(peer).to_canonical()
}

/// Whoever has one IPv6 address has its whole network.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_have_added_is_believed() {
        let peer = IpAddr::from([10, 0, 0, 1]);
        let seen = |forwarded: &[&str], proxies| {
            let headers =
                forwarded.iter().map(|value| ("x-forwarded-for".parse().expect(""), value.parse().expect("")));
            client(peer, &headers.collect(), proxies).to_string()
        };
        assert_eq!(seen(&["1.1.1.1"], 0), "10.0.0.1");
        assert_eq!(seen(&["6.6.6.6, 1.1.1.1"], 1), "1.1.1.1");
        assert_eq!(seen(&["6.6.6.6", "1.1.1.1, 10.0.0.2"], 2), "1.1.1.1");
        assert_eq!(seen(&["1.1.1.1"], 2), "1.1.1.1", "a request past one proxy");
        assert_eq!(seen(&["unknown"], 1), "10.0.0.1");
        assert_eq!(seen(&[], 1), "10.0.0.1");
        assert_eq!(seen(&["::ffff:1.1.1.1"], 1), "1.1.1.1");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let text = |address: &str| network(address.parse().expect("an address")).to_string();
        assert_eq!(text("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(text("1.2.3.4"), "1.2.3.4");
    }
}

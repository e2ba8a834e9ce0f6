//! The machine that the relay runs on: its limits and its network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use tracing::{info, warn};

/// Files for the log, the database, the server of metrics, look-ups of names, and the runtime.
const OTHER_FILES: u64 = 50;

/// Returns true if the error means that this machine, or this process, has run out of a resource.
pub fn machine_ran_out(error: &io::Error) -> bool {
    // EADDRNOTAVAIL: no port is left to connect from.
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Returns true if no file can be opened now. Then a look-up's answer is not reliable: it could not read its
/// configuration.
pub fn is_out_of_files() -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_err_and(|error| machine_ran_out(&error))
}

/// Returns true if this machine has an address to connect from. Without IPv6 a connection to an IPv6 address fails as
/// if no ports were left; the addresses of an endpoint are not this machine's fault. Sends nothing.
pub fn has_way_to(ip: IpAddr) -> bool {
    let any = if ip.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let Err(error) = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((ip, 443))) else { return true };
    !matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::ENETUNREACH))
}

/// Returns true if a route leads out of this machine and its own networks. Sends nothing to these addresses.
pub fn has_way_out() -> bool {
    has_way_to(Ipv4Addr::new(9, 9, 9, 9).into()) || has_way_to(Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe).into())
}

/// Returns true if this machine is connected to any other.
pub fn has_network() -> bool {
    // If the answer is not known, it is not this machine's fault.
    let interfaces = if_addrs::get_if_addrs();
    has_way_out()
        || interfaces.is_err()
        || interfaces.is_ok_and(|all| all.iter().any(|at| !at.is_loopback() && !at.is_link_local()))
}

/// Raises the limit of open files as far as possible, and logs if it is too low: each open delivery has one.
pub fn raise_file_limit(concurrency: u32) {
    let needed = u64::from(concurrency) + OTHER_FILES;
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(limit) if limit < needed => {
            warn!(limit, needed, "the limit of open files is too low for --concurrency: deliveries may have to wait");
        }
        Ok(limit) => info!(limit, "open files"),
        Err(error) => warn!(%error, needed, "the limit of open files is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_told_from_what_a_receiver_does() {
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL] {
            assert!(machine_ran_out(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in [libc::ECONNREFUSED, libc::ECONNRESET, libc::EHOSTUNREACH, libc::ETIMEDOUT] {
            assert!(!machine_ran_out(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!machine_ran_out(&io::Error::other("words")) && !is_out_of_files());
    }

    #[test]
    fn there_is_a_way_to_this_machine() {
        assert!(has_way_to(Ipv4Addr::LOCALHOST.into()));
    }
}

//! Puts the HTTP client's errors into words for the owner of an endpoint.
//!
//! The client's own texts are not used: they contain addresses, and URLs whose queries may have tokens.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::relay::attempt::{Doubt, Outcome, SendError};
use crate::relay::guard::{LookupError, TargetError};
use crate::relay::own_machine::machine_ran_out;

const LOCAL: &str = "the relay's machine has run out of files, memory or ports";
const TOO_LARGE: &str = "the response has more than 100 headers, or too large ones";
const CLOSED: &str = "connection closed before the response was complete";

pub fn of(error: &reqwest::Error, connect_timeout: Duration) -> SendError {
    if let Some(error) = find::<TargetError>(error) {
        return of_target(*error);
    }
    // First of all, because it is the cause of all other failures.
    if causes(error).filter_map(|error| error.downcast_ref()).any(machine_ran_out) {
        return SendError::new(Outcome::Local, LOCAL);
    }
    if let Some(lookup) = find::<LookupError>(error) {
        return match lookup {
            LookupError::Local => SendError::new(Outcome::Local, LOCAL),
            LookupError::NoWay => unreachable_host(),
            LookupError::NoSuchHost => SendError::new(Outcome::Dns, lookup.to_string()),
            LookupError::Failed => SendError::new(Outcome::Dns, lookup.to_string()).in_doubt(Doubt::LookUp),
        };
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return SendError::new(Outcome::Tls, format!("TLS: {}", of_tls(error)));
    }
    if error.is_timeout() && error.is_connect() {
        let text = format!("no connection within {} s", connect_timeout.as_secs_f64());
        return SendError::new(Outcome::Connect, text).in_doubt(Doubt::NoAnswer);
    }
    // No answer to the kernel's probes of a connection, or to HTTP/2's.
    if error.is_timeout() {
        return SendError::new(Outcome::Closed, "the server no longer answered");
    }
    if let Some(error) = find::<h2::Error>(error) {
        return SendError::new(Outcome::Closed, of_http2(error));
    }
    if let Some(kind) = find::<io::Error>(error).map(io::Error::kind) {
        return of_io(kind, error.is_connect());
    }
    match find::<hyper::Error>(error) {
        Some(error) if error.is_parse_too_large() => SendError::new(Outcome::Closed, TOO_LARGE),
        Some(error) if error.is_parse() => SendError::new(Outcome::Closed, "the response is not HTTP"),
        _ if error.is_connect() => SendError::new(Outcome::Connect, "no connection"),
        _ => SendError::new(Outcome::Closed, CLOSED),
    }
}

pub fn of_target(error: TargetError) -> SendError {
    let outcome = match error {
        TargetError::Address => Outcome::Refused,
        TargetError::Scheme => Outcome::Invalid,
    };
    SendError::new(outcome, error.to_string())
}

pub fn unreachable_host() -> SendError {
    SendError::new(Outcome::Connect, "host unreachable").in_doubt(Doubt::NoWay)
}

fn of_io(kind: io::ErrorKind, connecting: bool) -> SendError {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    match kind {
        ConnectionRefused => SendError::new(Outcome::Connect, "connection refused"),
        HostUnreachable | NetworkUnreachable => unreachable_host(),
        _ if connecting => SendError::new(Outcome::Connect, "connection closed while it was made"),
        _ => SendError::new(Outcome::Closed, CLOSED),
    }
}

fn of_http2(error: &h2::Error) -> &'static str {
    if error.is_library() {
        // The library does not say which of them.
        "the response is not HTTP/2, or has too large headers"
    } else if error.is_reset() {
        "the server gave the request up (HTTP/2 RST_STREAM)"
    } else if error.is_go_away() {
        "the server closed the connection before the response was complete (HTTP/2 GOAWAY)"
    } else {
        CLOSED
    }
}

fn of_tls(error: &rustls::Error) -> &'static str {
    use CertificateError::*;
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            NotValidForName | NotValidForNameContext { .. } => "certificate is not valid for this name",
            Expired | ExpiredContext { .. } => "certificate has expired",
            NotValidYet | NotValidYetContext { .. } => "certificate is not valid yet",
            UnknownIssuer => "certificate is not from a trusted authority",
            Revoked => "certificate is revoked",
            _ => "certificate is not valid",
        },
        rustls::Error::NoCertificatesPresented => "no certificate",
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        rustls::Error::PeerIncompatible(_) => "no version or cipher in common",
        _ => "handshake failed",
    }
}

/// The first error of a type in the chain of causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        // The cause of an I/O error that wraps another is the cause of that other error.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_within_an_io_error() {
        let wrapped = io::Error::other(io::Error::other(rustls::Error::HandshakeNotComplete));
        assert!(find::<rustls::Error>(&wrapped).is_some());
        assert!(find::<rustls::Error>(&io::Error::from(io::ErrorKind::TimedOut)).is_none());
        assert!(find::<io::Error>(&wrapped).is_some());
    }

    #[test]
    fn what_has_run_out_here_is_found_within_whatever_failed() {
        let local = io::Error::other(io::Error::from_raw_os_error(libc::EMFILE));
        assert!(causes(&local).filter_map(|error| error.downcast_ref()).any(machine_ran_out));
    }

    #[test]
    fn certificates_are_judged_in_plain_words() {
        for (reason, words) in [
            (CertificateError::NotValidForName, "certificate is not valid for this name"),
            (CertificateError::Expired, "certificate has expired"),
            (CertificateError::UnknownIssuer, "certificate is not from a trusted authority"),
            (CertificateError::BadSignature, "certificate is not valid"),
        ] {
            assert_eq!(of_tls(&rustls::Error::InvalidCertificate(reason)), words);
        }
    }

    #[test]
    fn connections_fail_in_plain_words() {
        use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset};
        assert_eq!(of_io(ConnectionRefused, true), SendError::new(Outcome::Connect, "connection refused"));
        assert_eq!(of_io(ConnectionReset, true).outcome, Outcome::Connect);
        for kind in [ConnectionReset, BrokenPipe] {
            assert_eq!(of_io(kind, false), SendError::new(Outcome::Closed, CLOSED));
        }
    }
}

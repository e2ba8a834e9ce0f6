//! The implementation of TLS, and the trusted certificates.

use reqwest::Certificate;
use tracing::warn;

use crate::run_error::RunError;

pub fn install_provider() -> Result<(), RunError> {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.map_err(|_| RunError::Failed("TLS was set up twice".into()))
}

/// The certificates of --ca-file, trusted in addition to the system's.
pub fn more_roots(pem: Option<&[u8]>) -> Result<Vec<Certificate>, String> {
    roots(pem, system_roots())
}

/// The number of authorities' certificates that the system has.
fn system_roots() -> usize {
    let found = rustls_native_certs::load_native_certs();
    found.errors.iter().for_each(|error| warn!("the system's root certificates: {error}"));
    found.certs.len()
}

/// Returns an error if no authority would be trusted, because no server is at fault then.
fn roots(pem: Option<&[u8]>, of_system: usize) -> Result<Vec<Certificate>, String> {
    let roots = match pem {
        None => Vec::new(),
        Some(pem) => Certificate::from_pem_bundle(pem).map_err(|_| "--ca-file: it is not PEM".to_owned())?,
    };
    if pem.is_some() && roots.is_empty() {
        return Err("--ca-file: it has no certificate".into());
    }
    match (of_system, roots.len()) {
        (0, 0) => Err("this machine has no root certificates, so that no receiver could be trusted: install them \
            (the package ca-certificates), or give --ca-file"
            .into()),
        (0, _) => {
            warn!("this machine has no root certificates: only those of --ca-file are trusted");
            Ok(roots)
        }
        _ => Ok(roots),
    }
}

//! The options of `checkout-sessions listen`.

use clap::Args;
use rules::webhooks::signature::Scheme;
use url::Url;

use crate::api_key::KeyOptions;

/// Forwards the events of a test environment, signed, to a server of your own
///
/// Connects as a role with request access: SELECT checkout.grant_access('web', 'request'). Runs until SIGTERM or SIGINT.
/// Events from before the start are not forwarded. Exit status: 0 stopped; 1 the database has refused something, or the
/// same command has been started again; 2 wrong arguments.
#[derive(Clone, Args)]
pub struct Options {
    /// Where to send the events, such as localhost:3000/webhooks
    #[arg(long, value_name = "URL", value_parser = read_url)]
    pub forward_to: Url,

    /// Which events: names, or beginnings of names followed by *
    #[arg(long, value_name = "TYPES", value_delimiter = ',', default_value = "*")]
    pub events: Vec<String>,

    /// How they are signed: standard (Standard Webhooks) or stripe
    #[arg(long, value_name = "SCHEME", default_value = "standard", value_parser = read_scheme)]
    pub signature_scheme: Scheme,

    #[command(flatten)]
    pub key: KeyOptions,
}

fn read_url(text: &str) -> Result<Url, &'static str> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    match Url::parse(&whole) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err("it is not an http or https URL"),
    }
}

fn read_scheme(text: &str) -> Result<Scheme, &'static str> {
    text.parse().map_err(|_| "it must be standard or stripe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_needs_no_scheme() {
        for (text, url) in [
            ("localhost:3000/webhooks", "http://localhost:3000/webhooks"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000/"),
            ("https://shop.test/hooks?a=b", "https://shop.test/hooks?a=b"),
        ] {
            assert_eq!(read_url(text).map(String::from), Ok(url.to_owned()));
        }
        for wrong in ["", ":3000", "ftp://localhost/", "http://"] {
            assert!(read_url(wrong).is_err(), "{wrong}");
        }
    }
}

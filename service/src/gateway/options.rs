//! The options of `checkout-sessions gateway`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, value_parser};
use humantime::{format_duration, parse_duration};
use rules::dialects::{self, Dialect};

use crate::gateway::target::DIALECTS;
use crate::options::SharedOptions;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Where an administrator puts the pages, and where a package does.
const INSTALLED_PAGES: [&str; 2] = ["/usr/local/share/checkout-sessions/pages", "/usr/share/checkout-sessions/pages"];

/// Serves the dialects, the functions and views, and the buyer's page over HTTP
///
/// Connects as a role with request access: SELECT checkout.grant_access('gateway', 'request'). Each request acts for the
/// organization of its API key. Runs until SIGTERM or SIGINT. Exit status: 0 stopped; 1 a failure; 2 wrong arguments.
#[derive(Clone, Args)]
pub struct Options {
    /// Where to serve HTTP; port 0 is any free port, which the log names
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))]
    pub address: SocketAddr,

    /// The only dialect, at its documented paths [default: all, each below /NAME]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(DIALECTS))]
    dialect: Option<String>,

    /// The folder of the buyer's page and the dashboard [default: `pages` beside the program, or
    /// /usr/local/share/checkout-sessions/pages, or /usr/share/checkout-sessions/pages]
    #[arg(long, value_name = "FOLDER")]
    pub pages: Option<PathBuf>,

    /// For a whole request, and for each of its statements
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub timeout: Duration,

    /// Connections to the database; one more looks whether it is there
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = value_parser!(u32).range(1..=1_000))]
    pub connections: u32,

    /// HTTP connections that are open at the same time; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = value_parser!(u32).range(1..=100_000))]
    pub clients: u32,

    /// For each API key [default: no limit]
    #[arg(long, value_name = "COUNT")]
    pub requests_per_second: Option<NonZeroU32>,

    /// For each client address; an IPv6 network of 64 bits counts as one [default: no limit]
    #[arg(long, value_name = "COUNT")]
    pub requests_per_second_address: Option<NonZeroU32>,

    /// How many proxies in front of the gateway add to X-Forwarded-For. 0: the header is not believed
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = value_parser!(u8).range(0..=10))]
    pub trusted_proxies: u8,

    #[command(flatten)]
    pub shared: SharedOptions,
}

impl Options {
    /// Returns an error if a value is out of bounds.
    pub fn check(&self) -> Result<(), String> {
        if (SHORTEST..=LONGEST).contains(&self.timeout) {
            return Ok(());
        }
        let [shortest, longest] = [SHORTEST, LONGEST].map(format_duration);
        Err(format!("--timeout must be between {shortest} and {longest}"))
    }

    pub fn dialect(&self) -> Option<&'static Dialect> {
        self.dialect.as_deref().and_then(|name| dialects::find(name).ok())
    }

    /// The folder of --pages, or the first of its defaults that is there.
    pub fn pages(&self) -> Result<Option<PathBuf>, String> {
        if let Some(folder) = &self.pages {
            let found = folder.canonicalize().map_err(|error| format!("--pages: {error}"))?;
            return if found.is_dir() { Ok(Some(found)) } else { Err("--pages: it is not a folder".into()) };
        }
        let program = std::env::current_exe().ok().and_then(|program| program.canonicalize().ok());
        let beside = program.as_deref().and_then(|program| program.parent()).map(|folder| folder.join("pages"));
        let places = beside.into_iter().chain(INSTALLED_PAGES.map(PathBuf::from));
        Ok(places.filter_map(|folder| folder.canonicalize().ok()).find(|folder| folder.is_dir()))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, Subcommand};

    use super::*;
    use crate::options::parse_from;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Subcommand)]
    enum Command {
        Gateway(Options),
    }

    fn options(arguments: &[&str]) -> Result<Options, String> {
        let arguments = [&["checkout-sessions", "gateway"], arguments].concat();
        let Program { command: Command::Gateway(options) } = parse_from(arguments).map_err(|e| e.to_string())?;
        options.check().map(|()| options)
    }

    #[test]
    fn without_arguments_the_defaults_hold() {
        let options = options(&[]).expect("defaults");
        assert_eq!(options.address.to_string(), "127.0.0.1:8080");
        assert!(options.dialect().is_none());
        assert_eq!((options.timeout, options.connections, options.clients), (Duration::from_secs(10), 10, 500));
        assert_eq!((options.requests_per_second, options.requests_per_second_address), (None, None));
        assert_eq!(options.trusted_proxies, 0);
    }

    #[test]
    fn one_dialect_is_served_alone() {
        let alone = options(&["--dialect", "yuno"]).expect("taken").dialect();
        assert_eq!(alone.map(|dialect| dialect.name), Some("yuno"));
        let refused = options(&["--dialect", "stripe"]).err().expect("refused");
        assert!(refused.contains("kobo, lomi, paygate, flutterwave, yuno"), "{refused}");
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            ["--address", "8080"],
            ["--timeout", "1ms"],
            ["--timeout", "1h"],
            ["--connections", "0"],
            ["--clients", "0"],
            ["--requests-per-second", "0"],
            ["--trusted-proxies", "-1"],
        ] {
            assert!(options(&arguments).is_err(), "{arguments:?}");
        }
        let missing = Options { pages: Some("/no/such/folder".into()), ..options(&[]).expect("defaults") };
        assert!(missing.pages().is_err());
    }
}

//! The options of `checkout-sessions relay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, value_parser};
use humantime::{format_duration, parse_duration};

use crate::options::SharedOptions;

const SHORTEST: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest lease that the database grants.
const LONGEST_LEASE: Duration = Duration::from_secs(12 * 60 * 60);

/// Sends webhooks: claims deliveries from PostgreSQL, sends them, records what came back
///
/// Connects as a role with relay access: SELECT checkout.grant_access('relay', 'relay'). Runs until SIGTERM or SIGINT,
/// or with --once until nothing is due. Any number of relays may run. Exit status: 0 stopped or done; 1 the database,
/// or any network, could not be reached; 2 wrong arguments.
#[derive(Clone, Args)]
pub struct Options {
    /// Deliveries that are open at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,

    /// Of these, how many go to one endpoint
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = value_parser!(u32).range(1..=1_000))]
    pub per_endpoint: u32,

    /// For a whole attempt: connection, request, response
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration)]
    pub timeout: Duration,

    /// For name, connection and TLS
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub connect_timeout: Duration,

    /// How long a claimed delivery is kept from other relays [default: twice the timeout and 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lease: Option<Duration>,

    /// When to look for work that no notification has told of
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub poll_interval: Duration,

    /// How long a stop waits for open deliveries [default: the timeout]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub shutdown_timeout: Option<Duration>,

    /// Root certificates (PEM) to trust as well as the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Sends what is due, and exits
    #[arg(long, value_parser = FalseyValueParser::new())]
    pub once: bool,

    #[command(flatten)]
    pub shared: SharedOptions,
}

impl Options {
    pub fn lease(&self) -> Duration {
        self.lease.unwrap_or(self.timeout * 2 + Duration::from_secs(30))
    }

    pub fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout.unwrap_or(self.timeout)
    }

    /// Returns an error if the options do not fit together.
    pub fn check(&self) -> Result<(), String> {
        // Checked before any computation: the longest durations that can be written are too long for one.
        for (name, value, shortest, longest) in [
            // With a longer timeout, a receiver that never answers would keep its slots for hours.
            ("--timeout", self.timeout, SHORTEST, HOUR),
            ("--connect-timeout", self.connect_timeout, SHORTEST, HOUR),
            ("--poll-interval", self.poll_interval, SHORTEST, DAY),
            ("--shutdown-timeout", self.shutdown_timeout(), Duration::ZERO, DAY),
        ] {
            within(name, value, shortest, longest)?;
        }
        within("--lease", self.lease(), Duration::from_secs(1), LONGEST_LEASE)?;
        if self.lease() <= self.timeout {
            // Otherwise another relay would send again a delivery that this one is still sending.
            return Err(format!("--lease must be longer than --timeout, which is {}", format_duration(self.timeout)));
        }
        Ok(())
    }
}

fn within(name: &str, value: Duration, shortest: Duration, longest: Duration) -> Result<(), String> {
    if (shortest..=longest).contains(&value) {
        return Ok(());
    }
    let [shortest, longest] = [shortest, longest].map(format_duration);
    Err(format!("{name} must be between {shortest} and {longest}"))
}

#[cfg(test)]
mod tests {
    use clap::{Parser, Subcommand};
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::options::{LogFormat, parse_from};

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Subcommand)]
    enum Command {
        Relay(Options),
    }

    fn options(arguments: &[&str]) -> Result<Options, String> {
        let arguments = [&["checkout-sessions", "relay"], arguments].concat();
        let Program { command: Command::Relay(options) } = parse_from(arguments).map_err(|e| e.to_string())?;
        options.check().map(|()| options)
    }

    fn refusal(arguments: &[&str]) -> String {
        options(arguments).err().expect("refused")
    }

    #[test]
    fn without_arguments_the_defaults_hold() {
        let options = options(&[]).expect("defaults");
        assert_eq!((options.concurrency, options.per_endpoint, options.once), (256, 10, false));
        assert_eq!((options.timeout, options.connect_timeout), (Duration::from_secs(15), Duration::from_secs(5)));
        assert_eq!((options.lease(), options.shutdown_timeout()), (Duration::from_secs(60), Duration::from_secs(15)));
        let shared = options.shared;
        assert_eq!((shared.listen, shared.log_format, shared.log_level), (None, LogFormat::Text, LevelFilter::INFO));
    }

    #[test]
    fn what_follows_from_the_timeout_moves_with_it() {
        let slow = options(&["--timeout", "1m 30s"]).expect("taken");
        assert_eq!((slow.lease(), slow.shutdown_timeout()), (Duration::from_secs(210), Duration::from_secs(90)));
    }

    #[test]
    fn a_lease_outlives_the_attempt() {
        assert_eq!(refusal(&["--lease", "15s"]), "--lease must be longer than --timeout, which is 15s");
        assert_eq!(
            refusal(&["--lease", "20s", "--timeout", "1m"]),
            "--lease must be longer than --timeout, which is 1m"
        );
        assert!(options(&["--lease", "16s"]).is_ok());
        assert_eq!(refusal(&["--lease", "13h"]), "--lease must be between 1s and 12h");
        assert_eq!(refusal(&["--lease", "500ms", "--timeout", "200ms"]), "--lease must be between 1s and 12h");
    }

    #[test]
    fn durations_that_nothing_can_be_reckoned_with_are_refused() {
        let longest = "18446744073709551615s";
        assert_eq!(refusal(&["--timeout", longest]), "--timeout must be between 100ms and 1h");
        assert_eq!(refusal(&["--connect-timeout", longest]), "--connect-timeout must be between 100ms and 1h");
        assert_eq!(refusal(&["--poll-interval", longest]), "--poll-interval must be between 100ms and 1day");
        assert_eq!(refusal(&["--shutdown-timeout", longest]), "--shutdown-timeout must be between 0s and 1day");
        assert_eq!(refusal(&["--lease", longest]), "--lease must be between 1s and 12h");
        let all =
            ["--timeout=1h", "--connect-timeout=1h", "--poll-interval=1d", "--shutdown-timeout=0s", "--lease=12h"];
        assert!(options(&all).is_ok());
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            ["--concurrency", "0"],
            ["--concurrency", "10001"],
            ["--per-endpoint", "1001"],
            ["--timeout", "15"],
            ["--timeout", "0s"],
            ["--timeout", "2h"],
            ["--poll-interval", "1ms"],
            ["--listen", "9187"],
            ["--log-format", "xml"],
            ["--log-level", "loud"],
        ] {
            assert!(options(&arguments).is_err(), "{arguments:?}");
        }
    }
}

//! The options of every subcommand, and how options are read: from arguments, and from environment variables.

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::{Args, Command, Parser, ValueEnum};
use tracing::level_filters::LevelFilter;

#[derive(Clone, Args)]
pub struct DatabaseOptions {
    /// postgres://USER@HOST/DATABASE, or postgres:///DATABASE?host=/FOLDER for a Unix socket [default: PGHOST, PGPORT, PGUSER,
    /// PGDATABASE and their like]. Of several hosts, with commas between them, the one that takes writes is used. Put a
    /// password into the environment or ~/.pgpass: others see arguments
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

#[derive(Clone, Args)]
#[command(next_help_heading = "Database, logs and monitoring")]
pub struct SharedOptions {
    #[command(flatten)]
    pub database: DatabaseOptions,

    /// Serves /metrics and /healthz over HTTP, such as on 127.0.0.1:9187
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// How log lines on standard error look
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LevelFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Reads the arguments of this process. Ends it if they are wrong, or ask for help.
pub fn parse<P: Parser>() -> P {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

pub fn parse_from<P: Parser>(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<P, clap::Error> {
    let mut matches = with_environment(P::command()).try_get_matches_from(arguments)?;
    P::from_arg_matches_mut(&mut matches)
}

/// Gives each option of a subcommand an environment variable: `CHECKOUT_SESSIONS_RELAY_LOG_LEVEL` is `relay --log-level`.
pub fn with_environment(program: Command) -> Command {
    program.mut_subcommands(|subcommand| {
        let prefix = format!("CHECKOUT_SESSIONS_{}", subcommand.get_name());
        subcommand.mut_args(|option| match option.get_env() {
            Some(_) => option,
            None if option.is_positional() => option,
            None => {
                let name = format!("{prefix}_{}", option.get_id()).to_uppercase();
                option.env(name)
            }
        })
    })
}

//! The programs beside the PostgreSQL extension checkout_sessions: subcommands of one program.
//!
//! The files in this folder are for every subcommand. Those of one subcommand are in its own folder, which the files
//! here do not use.

mod api_key;
mod back_off;
mod database;
mod database_error;
mod database_url;
mod gateway;
mod health;
mod listen;
mod logs;
mod metrics;
mod monitoring;
mod options;
mod relay;
mod run_error;
mod runtime;
mod servers;
mod shutdown;
mod sqlx;
mod tls;
mod trigger;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The programs beside the PostgreSQL extension checkout_sessions
///
/// `checkout-sessions COMMAND --help` tells of a command's options. Each option is an environment variable, too.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Gateway(gateway::Options),
    Relay(relay::Options),
    Listen(listen::Options),
    Trigger(trigger::Options),
}

/// 0: stopped or done; 1: the database could not be reached, or another failure; 2: wrong arguments.
fn main() -> ExitCode {
    let Program { command } = options::parse();
    let result = match command {
        Command::Gateway(options) => gateway::start(options),
        Command::Relay(options) => relay::start(options),
        Command::Listen(options) => listen::start(options),
        Command::Trigger(options) => trigger::start(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn each_option_of_a_subcommand_is_an_environment_variable() {
        let program = options::with_environment(Program::command());
        let names = |subcommand| {
            let subcommand = program.find_subcommand(subcommand).expect("there");
            let mut names: Vec<_> =
                subcommand.get_arguments().filter_map(|a| Some(a.get_env()?.to_str()?.to_owned())).collect();
            names.sort();
            names
        };
        let gateway = [
            "CHECKOUT_SESSIONS_GATEWAY_ADDRESS",
            "CHECKOUT_SESSIONS_GATEWAY_CLIENTS",
            "CHECKOUT_SESSIONS_GATEWAY_CONNECTIONS",
            "CHECKOUT_SESSIONS_GATEWAY_DIALECT",
            "CHECKOUT_SESSIONS_GATEWAY_LISTEN",
            "CHECKOUT_SESSIONS_GATEWAY_LOG_FORMAT",
            "CHECKOUT_SESSIONS_GATEWAY_LOG_LEVEL",
            "CHECKOUT_SESSIONS_GATEWAY_PAGES",
            "CHECKOUT_SESSIONS_GATEWAY_REQUESTS_PER_SECOND",
            "CHECKOUT_SESSIONS_GATEWAY_REQUESTS_PER_SECOND_ADDRESS",
            "CHECKOUT_SESSIONS_GATEWAY_TIMEOUT",
            "CHECKOUT_SESSIONS_GATEWAY_TRUSTED_PROXIES",
            "DATABASE_URL",
        ];
        assert_eq!(names("gateway"), gateway);
        let relay = [
            "CHECKOUT_SESSIONS_RELAY_CA_FILE",
            "CHECKOUT_SESSIONS_RELAY_CONCURRENCY",
            "CHECKOUT_SESSIONS_RELAY_CONNECT_TIMEOUT",
            "CHECKOUT_SESSIONS_RELAY_LEASE",
            "CHECKOUT_SESSIONS_RELAY_LISTEN",
            "CHECKOUT_SESSIONS_RELAY_LOG_FORMAT",
            "CHECKOUT_SESSIONS_RELAY_LOG_LEVEL",
            "CHECKOUT_SESSIONS_RELAY_ONCE",
            "CHECKOUT_SESSIONS_RELAY_PER_ENDPOINT",
            "CHECKOUT_SESSIONS_RELAY_POLL_INTERVAL",
            "CHECKOUT_SESSIONS_RELAY_SHUTDOWN_TIMEOUT",
            "CHECKOUT_SESSIONS_RELAY_TIMEOUT",
            "DATABASE_URL",
        ];
        assert_eq!(names("relay"), relay);
        program.debug_assert();
    }

    #[test]
    fn help_does_not_show_the_secrets_of_the_environment() {
        let program = Program::command();
        for (subcommand, option) in [
            ("gateway", "database_url"),
            ("relay", "database_url"),
            ("listen", "database_url"),
            ("listen", "api_key"),
            ("trigger", "database_url"),
            ("trigger", "api_key"),
        ] {
            let subcommand = program.find_subcommand(subcommand).expect("there");
            let option = subcommand.get_arguments().find(|a| a.get_id() == option).expect("there");
            assert!(option.is_hide_env_values_set(), "{option:?}");
        }
    }
}

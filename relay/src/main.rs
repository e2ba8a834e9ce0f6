use std::process::ExitCode;

use checkout_sessions_relay::{Failure, Options, raise_file_limit, run, start_logs};
use clap::Parser;

/// 0: stopped or done; 1: the database could not be reached; 2: wrong arguments.
fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(fault) = options.check() {
        eprintln!("error: {fault}");
        return ExitCode::from(2);
    }
    start_logs(options.log_format, options.log_level);
    raise_file_limit(options.concurrency);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("error: TLS was set up twice");
        return ExitCode::from(1);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Each look-up of a name blocks a thread, for as long as the resolver likes.
        .max_blocking_threads(2 * usize::try_from(options.concurrency).unwrap_or(256) + 16)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(run(options));
    // Without waiting for look-ups that hang.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

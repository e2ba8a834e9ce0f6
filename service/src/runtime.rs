//! The threads that a subcommand runs on.

use crate::run_error::RunError;
use crate::tls;

/// Runs a subcommand to its end. `look_ups` is the number of names that may be looked up at the same time. Each look-up
/// blocks a thread for as long as the resolver takes.
pub fn run(look_ups: usize, subcommand: impl Future<Output = Result<(), RunError>>) -> Result<(), RunError> {
    tls::install_provider()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(look_ups)
        .build()
        .map_err(|error| RunError::Failed(error.to_string()))?;
    let result = runtime.block_on(subcommand);
    // Does not wait for look-ups that hang.
    runtime.shutdown_background();
    result
}

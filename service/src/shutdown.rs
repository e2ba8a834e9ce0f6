//! How a signal stops the program.

use std::process::exit;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::run_error::RunError;

/// The first SIGTERM or SIGINT cancels `stop`, the second ends the process. `what` names the work that may still end.
pub fn stop_at_signal(stop: CancellationToken, what: &'static str) -> Result<(), RunError> {
    let listen = |kind| signal(kind).map_err(|error| RunError::Usage(format!("signals: {error}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                warn!("ended by a second signal");
                exit(1);
            }
            info!("stopping: {what} may end");
            stop.cancel();
        }
    });
    Ok(())
}

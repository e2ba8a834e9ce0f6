//! Accepts HTTP connections: no more than are allowed, and none that sends its headers slowly.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::gateway::gateway::Gateway;

/// Also for a connection that waits for its next request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_HEAD: usize = 64 * 1024;
/// When no file is left, others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Server {
    pub listener: TcpListener,
    pub gateway: Arc<Gateway>,
    pub clients: u32,
    pub stop: CancellationToken,
}

impl Server {
    /// Serves until it is stopped. Then answers the open requests.
    pub async fn run(self) {
        let slots = Arc::new(Semaphore::new(usize::try_from(self.clients).unwrap_or(Semaphore::MAX_PERMITS)));
        let graceful = GracefulShutdown::new();
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(LARGEST_HEAD);
        while let Some((stream, slot)) = self.next(&slots).await {
            let Ok(peer) = stream.peer_addr() else { continue };
            let _ = stream.set_nodelay(true);
            let gateway = self.gateway.clone();
            let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let gateway = gateway.clone();
                async move { Ok::<_, Infallible>(gateway.answer(request.map(Body::new), peer.ip()).await) }
            });
            let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), answer));
            let metrics = self.gateway.metrics.clone();
            tokio::spawn(async move {
                metrics.connections.inc();
                if let Err(error) = connection.await {
                    debug!(%error, "a connection has ended");
                }
                metrics.connections.dec();
                drop(slot);
            });
        }
        // New clients are refused at once.
        let Self { listener, gateway, .. } = self;
        drop(listener);
        let patience = gateway.timeout + Duration::from_secs(2);
        if timeout(patience, graceful.shutdown()).await.is_err() {
            warn!("connections were closed before their requests were answered");
        }
    }

    /// The next connection, when there is a place for it. `None` if the program stops.
    async fn next(&self, slots: &Arc<Semaphore>) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let accept = async {
            let slot = slots.clone().acquire_owned().await.ok()?;
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => return Some((stream, slot)),
                    Err(error) => {
                        warn!(%error, "a connection cannot be accepted");
                        sleep(PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            accepted = accept => accepted,
        }
    }
}

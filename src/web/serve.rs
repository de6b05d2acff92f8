//! The server: plain HTTP, or TLS where the guard says so.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server};
use tokio::net::TcpListener;

use super::guard::Guard;

/// For a client to send its first request. Who sends none holds a connection for nothing.
const FIRST_REQUEST: Duration = Duration::from_secs(30);
/// For the next request's headers on a connection that is kept: longer than any scrape interval.
const NEXT_REQUEST: Duration = Duration::from_secs(300);
/// For requests under way when the program stops.
const GRACE: Duration = Duration::from_secs(10);

/// Answers on a listener until `shutdown` ends, and then lets requests under way come to their end.
///
/// # Errors
/// Where the listener breaks down.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    guard: Option<Arc<Guard>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let handle = Handle::<SocketAddr>::new();
    let mut server = Server::from_listener(listener).handle(handle.clone()).first_request_timeout(FIRST_REQUEST);
    server.http_builder().http1().header_read_timeout(NEXT_REQUEST);
    let service = router.into_make_service();
    let tls = guard.as_ref().and_then(|guard| guard.tls());
    let answering = async {
        match tls {
            Some(tls) => server.acceptor(RustlsAcceptor::new(tls)).serve(service).await,
            None => server.serve(service).await,
        }
    };
    let stopping = async {
        shutdown.await;
        handle.graceful_shutdown(Some(GRACE));
        pending::<()>().await;
    };
    let following = async {
        match &guard {
            Some(guard) => guard.follow().await,
            None => pending().await,
        }
    };
    tokio::select! {
        ended = answering => ended,
        () = stopping => Ok(()),
        () = following => Ok(()),
    }
}

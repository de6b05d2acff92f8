//! The HTTP server: it accepts connections, enforces [`limits`] and access control, and serves the routers that it is given.

pub mod access;
mod activity;
mod close_cause;
mod connection;
mod connections;
pub mod limits;
mod middleware;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::exposition::exporter::ExporterMetrics;
use access::AccessControl;
use activity::Activity;
use close_cause::CloseCause;
use connections::OpenConnections;
use limits::{GRACE, PROBE_CONNECTIONS, SEND_BUFFER, connection_capacity};

/// After a failed accept, for example for lack of open files, before the next attempt.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// For the last responses to probes.
const PROBE_GRACE: Duration = Duration::from_millis(100);

/// Bound sockets.
pub struct Listeners {
    /// They serve everything, with access control.
    pub main: Vec<TcpListener>,
    /// It serves the probes only, without access control.
    pub probe: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        Self { main: vec![listener], probe: None }
    }
}

/// Whether the URL of a request has a valid key.
pub type HasKey = Arc<dyn Fn(&Uri) -> bool + Send + Sync>;

/// What is served, and to whom.
pub struct Site {
    /// The router of the main listeners.
    pub main: Router,
    /// The router of the probe listener.
    pub probe: Router,
    /// Headers of every response. The web configuration may override them.
    pub headers: HeaderMap,
    /// `None` without `--web.config.file`.
    pub access: Option<Arc<AccessControl>>,
    /// Whether a request needs no login, because its URL has a valid key.
    pub has_key: Option<HasKey>,
    /// Counters of requests and connections.
    pub metrics: Arc<ExporterMetrics>,
}

/// Serves until `shutdown` completes, then lets responses in flight finish, for ten seconds at most. The probe listener responds
/// until the end.
pub async fn serve(listeners: Listeners, site: Site, shutdown: impl Future<Output = ()>) {
    let Site { main, probe, headers, access, has_key, metrics } = site;
    metrics.declare_close_causes(CloseCause::ALL.map(CloseCause::label));
    let endpoint = |router, access: Option<Arc<AccessControl>>, capacity| Endpoint {
        router: middleware::around(router, headers.clone(), access.clone(), has_key.clone(), Arc::clone(&metrics)),
        access,
        connections: OpenConnections::new(capacity),
        metrics: Arc::clone(&metrics),
        draining: watch::Sender::new(false),
    };
    let main_endpoint = endpoint(main, access.clone(), connection_capacity());
    let probe_endpoint = endpoint(probe, None, PROBE_CONNECTIONS);
    let probing = async {
        join_all(listeners.probe.iter().map(|listener| probe_endpoint.accept_loop(listener))).await;
        pending::<()>().await
    };
    let watching = async {
        join_all(access.iter().map(|access| access.watch(&metrics))).await;
        pending::<()>().await
    };
    let serving = async {
        tokio::select! {
            _ = join_all(listeners.main.iter().map(|listener| main_endpoint.accept_loop(listener))) => {}
            () = watching => {}
            () = shutdown => {}
        }
        drop(listeners.main);
        if main_endpoint.drain(GRACE).await.is_err() {
            tracing::warn!("closing connections that did not read their response in time");
        }
    };
    tokio::select! {
        () = probing => {}
        () = serving => {}
    }
    drop(probe_endpoint.drain(PROBE_GRACE).await);
}

/// A router with access control and a connection limit, on any number of sockets.
struct Endpoint {
    router: Router,
    access: Option<Arc<AccessControl>>,
    connections: OpenConnections,
    metrics: Arc<ExporterMetrics>,
    draining: watch::Sender<bool>,
}

impl Endpoint {
    async fn accept_loop(&self, listener: &TcpListener) -> Infallible {
        if let Err(error) = rustix::net::sockopt::set_socket_send_buffer_size(listener, SEND_BUFFER) {
            tracing::warn!(%error, "cannot set the socket send buffer; using the system default");
        }
        let mut is_failing = false;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    is_failing = false;
                    self.spawn_connection(stream);
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "cannot accept a connection");
                    }
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn spawn_connection(&self, stream: TcpStream) {
        // Responses are written as a whole. If the socket is closed already, the connection will notice.
        drop(stream.set_nodelay(true));
        let activity = Arc::new(Activity::new());
        self.connections.add(&activity);
        let tls = self.access.as_ref().and_then(|access| access.tls());
        let connection = connection::run(stream, tls, self.router.clone(), activity, self.draining.subscribe());
        let metrics = Arc::clone(&self.metrics);
        tokio::spawn(async move {
            let _open = metrics.connection_opened();
            if let Some(cause) = connection.await {
                metrics.connection_closed(cause.label());
            }
        });
    }

    /// Lets responses in flight finish. Returns an error if some connections are still open after the time.
    async fn drain(&self, time: Duration) -> Result<(), tokio::time::error::Elapsed> {
        self.draining.send_replace(true);
        // Each connection holds a receiver.
        timeout(time, self.draining.closed()).await
    }
}

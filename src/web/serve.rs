//! The server: at which addresses it answers, whom it lets in, and how it stops.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::crowd::Crowd;
use super::guard::Guard;
use super::limits::{CONNECTIONS, GRACE, PROBES};
use super::pulse::Pulse;
use super::routes::{probes, routes};
use super::{Surface, limits};
use crate::exposition::program::ExporterMetrics;

/// After a failure to accept, such as that of no more open files, before the next attempt.
const RECOVERY: Duration = Duration::from_millis(100);

/// For the last answers to probes.
const LAST: Duration = Duration::from_millis(100);

/// Where the program listens.
pub struct Doors {
    /// For everything, behind the guard.
    pub main: Vec<TcpListener>,
    /// For `/-/healthy` and `/-/ready` alone, without guard.
    pub probes: Option<TcpListener>,
}

impl From<TcpListener> for Doors {
    fn from(listener: TcpListener) -> Self {
        Self { main: vec![listener], probes: None }
    }
}

/// Answers until `shutdown` ends, and then lets answers under way come to their end, for ten seconds at most. The address for
/// probes answers until all is over.
pub async fn serve(doors: Doors, surface: Arc<Surface>, shutdown: impl Future<Output = ()>) {
    let Doors { main, probes: probing } = doors;
    let guard = surface.guard.clone();
    let door = Door::new(limits::room(CONNECTIONS), routes(Arc::clone(&surface)), guard, &surface.program);
    let aside = Door::new(PROBES, probes(Arc::clone(&surface)), None, &surface.program);
    let probed = async {
        match probing {
            Some(listener) => aside.answer(&listener).await,
            None => pending().await,
        }
    };
    let following = async {
        match &surface.guard {
            Some(guard) => guard.follow(&surface.program).await,
            None => pending().await,
        }
    };
    let serving = async {
        let answering = async { join_all(main.iter().map(|listener| door.answer(listener))).await };
        tokio::select! {
            _ = answering => {}
            () = following => {}
            () = shutdown => {}
        }
        surface.stopping.store(true, Ordering::Release);
        drop(main);
        door.close().await;
    };
    tokio::select! {
        _ = probed => {}
        () = serving => {}
    }
    aside.hurry().await;
}

/// One kind of door, at any number of addresses.
struct Door {
    router: Router,
    guard: Option<Arc<Guard>>,
    crowd: Arc<Crowd>,
    program: Arc<ExporterMetrics>,
    leaving: watch::Sender<bool>,
}

impl Door {
    fn new(room: usize, router: Router, guard: Option<Arc<Guard>>, program: &Arc<ExporterMetrics>) -> Self {
        let (leaving, _) = watch::channel(false);
        Self { router, guard, crowd: Crowd::new(room), program: Arc::clone(program), leaving }
    }

    async fn answer(&self, listener: &TcpListener) -> Infallible {
        #[cfg(unix)]
        if let Err(error) = rustix::net::sockopt::set_socket_send_buffer_size(listener, limits::SEND_BUFFER) {
            tracing::warn!(%error, "the system's buffers for answers are left as they are");
        }
        let mut works = true;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    works = true;
                    self.admit(stream);
                }
                Err(error) => {
                    if std::mem::take(&mut works) {
                        tracing::error!(%error, "a connection cannot be accepted");
                    }
                    sleep(RECOVERY).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream) {
        // Answers are written as a whole. Where the socket is gone already, the connection will tell.
        drop(stream.set_nodelay(true));
        let pulse = Arc::new(Pulse::new());
        let place = self.crowd.admit(Arc::clone(&pulse));
        let connection = Connection {
            stream,
            tls: self.guard.as_ref().and_then(|guard| guard.tls()),
            router: self.router.clone(),
            pulse,
            leaving: self.leaving.subscribe(),
        };
        let program = Arc::clone(&self.program);
        tokio::spawn(async move {
            let open = program.connected();
            if let Some(cause) = connection.attend().await {
                program.closed(cause);
            }
            drop((place, open));
        });
    }

    /// Lets answers under way come to their end, and breaks off what does not.
    async fn close(&self) {
        self.leaving.send_replace(true);
        if timeout(GRACE, self.crowd.empty()).await.is_err() {
            tracing::warn!("some answers were not taken in time, and are broken off");
        }
    }

    /// The same for answers of a few bytes.
    async fn hurry(&self) {
        self.leaving.send_replace(true);
        drop(timeout(LAST, self.crowd.empty()).await);
    }
}

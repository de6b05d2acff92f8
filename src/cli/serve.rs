//! `serve`: collect in the background, and answer.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::info;

use super::args::{ListenAddress, ServeArgs};
use crate::app::setup::ConfigPaths;
use crate::app::{self, RunError, RunOptions};
use crate::collector::Timing;
use crate::exposition::program::Build;
use crate::web::serve::Doors;

/// How often the configuration is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub(super) async fn run(args: ServeArgs) -> Result<u8, RunError> {
    allow_more_open_files();
    let mut doors = Doors { main: Vec::new(), probes: None };
    for address in &args.web.listen {
        let listener = listen(*address, "--web.listen-address").await?;
        let address = listener.local_addr()?;
        let Build { version, revision } = super::BUILD;
        info!(version, revision, %address, "token-expiry-exporter starts");
        doors.main.push(listener);
    }
    if let Some(address) = args.web.probes {
        let listener = listen(address, "--web.probe-listen-address").await?;
        info!(address = %listener.local_addr()?, "probes are answered");
        doors.probes = Some(listener);
    }
    let flags = RunOptions {
        places: ConfigPaths { config: args.files.config, providers: args.files.providers },
        storage: args.storage,
        telemetry_path: args.web.telemetry_path,
        web_config: args.web.guard,
        lifecycle: args.web.lifecycle,
        shard: args.shard,
        look_every: LOOK_EVERY,
        surroundings: Timing::default(),
        build: super::BUILD,
    };
    app::run(flags, doors, asked_to_stop()).await.map(|()| 0)
}

/// Listens at an address; at every address of the machine it is IPv6 and IPv4 where the machine knows both.
pub(super) async fn listen(address: ListenAddress, flag: &'static str) -> Result<TcpListener, RunError> {
    let bind = async |address: SocketAddr| {
        let bound = TcpListener::bind(address).await;
        bound.map_err(|error| RunError::Listen { address, flag, error })
    };
    match address {
        ListenAddress::One(address) => bind(address).await,
        ListenAddress::Every(port) => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Ok(listener) => Ok(listener),
            Err(_) => bind((Ipv4Addr::UNSPECIFIED, port).into()).await,
        },
    }
}

/// Takes as many open files as the system grants: service managers begin with 1,024 for the sake of programs that use
/// `select`, and leave the rest to be asked for (<https://0pointer.net/blog/file-descriptor-limits.html>).
fn allow_more_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // Where it is not granted, there is room for fewer connections.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Waits for Ctrl-C, or for the signal by which service managers and Kubernetes stop a program.
pub(crate) async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

//! `serve`: collect in the background, and answer.

use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tracing::info;

use super::args::{ListenAddress, ServeArgs};
use crate::app::setup::ConfigPaths;
use crate::app::{self, BUILD, RunError, RunOptions};
use crate::server::Listeners;

pub(super) async fn run(args: ServeArgs) -> Result<u8, RunError> {
    allow_more_open_files();
    let mut listeners = Listeners { main: Vec::new(), probe: None };
    for address in &args.web.listen {
        let listener = listen(*address, "--web.listen-address").await?;
        let address = listener.local_addr()?;
        info!(version = BUILD.version, revision = BUILD.revision, %address, "token-expiry-exporter starts");
        listeners.main.push(listener);
    }
    if let Some(address) = args.web.probes {
        let listener = listen(address, "--web.probe-listen-address").await?;
        info!(address = %listener.local_addr()?, "probes are answered");
        listeners.probe = Some(listener);
    }
    let options = RunOptions {
        storage: args.storage,
        telemetry_path: args.web.telemetry_path,
        web_config: args.web.guard,
        lifecycle: args.web.lifecycle,
        shard: args.shard,
        ..RunOptions::new(ConfigPaths { config: args.files.config, providers: args.files.providers })
    };
    app::run(options, listeners, shutdown_requested()).await.map(|()| 0)
}

/// Binds a listener; without a host, to IPv6 and IPv4 if the system has both.
async fn listen(address: ListenAddress, flag: &'static str) -> Result<TcpListener, RunError> {
    match (address, app::listen(address.socket(), flag).await) {
        (ListenAddress::Every(port), Err(_)) => app::listen((Ipv4Addr::UNSPECIFIED, port).into(), flag).await,
        (_, bound) => bound,
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
pub(super) async fn shutdown_requested() {
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

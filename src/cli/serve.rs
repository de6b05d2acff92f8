//! `serve`: collects in the background and serves the results.

use std::env;
use std::future::pending;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::args::ServeArgs;
use super::exit::{Exit, Failure, invalid};
use crate::app::{self, BUILD, RunError, RunOptions, SharedStoreOptions};
use crate::pages::path::RoutePrefix;
use crate::server::Listeners;
use crate::storage::bucket::{self, Location};

pub(super) async fn run(args: ServeArgs, lost_log_lines: Arc<AtomicU64>) -> Result<Exit, Failure> {
    let shared_store = match &args.storage_url {
        Some(location) => Some(shared_store(location, &args)?),
        None => None,
    };
    let of_url = || args.web.external_url.as_ref().map(RoutePrefix::of_external_url).transpose();
    let prefix = match args.web.route_prefix {
        Some(prefix) => prefix,
        None => of_url().map_err(|problem| invalid("--web.external-url", problem))?.unwrap_or_default(),
    };
    let metrics = args.web.telemetry_path;
    if prefix.is_ambiguous_with(&metrics) {
        let problem =
            format!("`{prefix}` makes the path of the metrics, `{metrics}`, ambiguous; choose another prefix");
        return Err(invalid("--web.route-prefix", problem));
    }
    raise_open_file_limit();
    let mut listeners = Listeners { main: Vec::new(), probe: None };
    for address in args.web.listen {
        let listener = listen(address, "--web.listen-address").await?;
        let address = listener.local_addr()?;
        info!(version = BUILD.version, revision = BUILD.revision, %address, "token-expiry-exporter starting");
        listeners.main.push(listener);
    }
    if let Some(address) = args.web.probe {
        let listener = listen(address, "--web.probe-listen-address").await?;
        info!(address = %listener.local_addr()?, "listening for probes");
        listeners.probe = Some(listener);
    }
    let options = RunOptions {
        storage: args.storage,
        shared_store,
        telemetry_path: metrics,
        route_prefix: prefix,
        external_url: args.web.external_url,
        web_config: args.web.web_config,
        calendar_key: args.web.calendar_key,
        lifecycle: args.web.lifecycle,
        shard: args.shard,
        lost_log_lines,
        ..RunOptions::new(args.files.into())
    };
    app::run(options, listeners, shutdown_requested()).await?;
    Ok(Exit::Success)
}

/// Opens the store of `--storage.url`. Its settings are environment variables, as in the tools of its vendor.
fn shared_store(location: &Location, args: &ServeArgs) -> Result<SharedStoreOptions, Failure> {
    // The services use no value that is not Unicode.
    let environment =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let store = bucket::open(location, environment).map_err(|problem| invalid("--storage.url", problem))?;
    Ok(SharedStoreOptions {
        store,
        name: location.to_string(),
        installation: args.installation.clone(),
        when_lost: args.when_lost.into(),
        poll: args.poll,
    })
}

/// `[::]` is IPv6 and IPv4, or IPv4 alone on a system without IPv6.
async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, RunError> {
    match app::listen(address, flag).await {
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            app::listen((Ipv4Addr::UNSPECIFIED, address.port()).into(), flag).await
        }
        bound => bound,
    }
}

/// Raises the limit to what the system allows. Service managers start with 1,024 for programs that use `select`
/// (<https://0pointer.net/blog/file-descriptor-limits.html>).
fn raise_open_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // On failure fewer connections are accepted.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Completes on Ctrl-C, and on SIGTERM, with which service managers and Kubernetes stop a process.
pub(super) async fn shutdown_requested() {
    let received = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => pending().await,
    };
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
    }
}

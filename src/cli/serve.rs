//! `serve`: collect in the background, and answer.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::info;

use super::args::{ListenAddress, ServeArgs};
use crate::app::setup::Places;
use crate::app::{self, Fault, Flags};
use crate::collector::Surroundings;

/// The port that is this exporter's own.
const PORT: u16 = 10984;
/// How often the configuration is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub(super) async fn run(args: ServeArgs) -> Result<u8, Fault> {
    let listener = listen(args.web.listen).await?;
    let address = listener.local_addr()?;
    info!(version = super::BUILD.version, revision = super::BUILD.revision, %address, "token-expiry-exporter starts");
    let flags = Flags {
        places: Places { config: args.files.config, providers: args.files.providers },
        storage: args.storage,
        telemetry_path: args.web.telemetry_path,
        web_config: args.web.guard,
        lifecycle: args.web.lifecycle,
        shard: args.shard,
        look_every: LOOK_EVERY,
        surroundings: Surroundings::default(),
        build: super::BUILD,
    };
    app::run(flags, listener, asked_to_stop()).await.map(|()| 0)
}

/// Listens at the address; without one at every address of the machine, IPv6 and IPv4 where the machine knows both.
async fn listen(address: Option<ListenAddress>) -> Result<TcpListener, Fault> {
    let bind = async |address: SocketAddr| {
        let bound = TcpListener::bind(address).await;
        bound.map_err(|error| Fault::Listen { address, error })
    };
    match address {
        Some(ListenAddress(address)) => bind(address).await,
        None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT)).await {
            Ok(listener) => Ok(listener),
            Err(_) => bind((Ipv4Addr::UNSPECIFIED, PORT).into()).await,
        },
    }
}

/// Waits for Ctrl-C, or for the signal by which service managers and Kubernetes stop a program.
pub(super) async fn asked_to_stop() {
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

//! The wiring: files → sources → collector → inventory → metrics, pages and disk; and the reload of all that.
//!
//! [`run`] takes a bound listener and a future that ends when the program shall stop, so that tests bring their own.

mod fingerprint;
mod persistence;
mod reload;
pub mod setup;
mod shard;
mod watch;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch as channel};
use tracing::{info, warn};

use super::schema::diagnostic::Diagnostics;
use crate::collector::{Collector, Timing};
use crate::core::clock::Clock;
use crate::core::inventory::Inventory;
use crate::core::inventory::SharedInventory;
use crate::exposition::page::Page;
use crate::exposition::program::{Build, ExporterMetrics};
use crate::pages::path::TelemetryPath;
use crate::pages::render_limit::RenderLimit;
use crate::pages::{self, AppState};
use crate::server::access::AccessControl;
use crate::server::{self, Listeners, Site};
use crate::storage::Store;
use persistence::Persistence;
use reload::Reloader;
use setup::{ConfigPaths, Setup};

pub use shard::Shard;

/// The version of this build, and the commit if the builder set `TOKEN_EXPIRY_EXPORTER_REVISION`.
pub const BUILD: Build<'static> = Build {
    version: env!("CARGO_PKG_VERSION"),
    revision: match option_env!("TOKEN_EXPIRY_EXPORTER_REVISION") {
        Some(revision) => revision,
        None => "",
    },
};

/// What the command line sets.
pub struct RunOptions {
    pub paths: ConfigPaths,
    /// Directory of the persisted inventory; `None`: not persisted.
    pub storage: Option<PathBuf>,
    pub telemetry_path: TelemetryPath,
    /// File with TLS, client certificates and users.
    pub web_config: Option<PathBuf>,
    /// Enables `POST /-/reload`.
    pub lifecycle: bool,
    pub shard: Shard,
    /// How often the configuration files are checked for changes.
    pub poll_interval: Duration,
    pub timing: Timing,
}

impl RunOptions {
    /// The defaults, for the configuration at these paths.
    pub fn new(paths: ConfigPaths) -> Self {
        Self {
            paths,
            storage: None,
            telemetry_path: TelemetryPath::default(),
            web_config: None,
            lifecycle: false,
            shard: Shard::WHOLE,
            poll_interval: Duration::from_secs(10),
            timing: Timing::default(),
        }
    }
}

/// Why the program could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What a person has written is wrong.
    #[error(transparent)]
    Diagnostics(#[from] Diagnostics),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {error}; choose another with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that names it.
        flag: &'static str,
        /// Why.
        error: io::Error,
    },
    /// Another process keeps its inventory in the same place.
    #[error(
        "the storage path {} is in use by another token-expiry-exporter that runs; stop that one first, or give this one \
         another --storage.path",
        path.display()
    )]
    Taken {
        /// The place.
        path: PathBuf,
    },
    /// The listener broke down.
    #[error("the listener broke down: {0}")]
    Listener(#[from] io::Error),
    /// A fault of this program.
    #[error("a fault of this program: {0}")]
    Internal(String),
}

/// Binds a listener to an address that `flag` sets.
///
/// # Errors
/// If the address is in use or not allowed.
pub async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|error| RunError::Listen { address, flag, error })
}

/// Runs until `shutdown` ends.
///
/// # Errors
/// Where the configuration is wrong at the start.
pub async fn run(
    flags: RunOptions,
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let clock = Arc::clone(&flags.timing.clock);
    let mut reloader = Reloader::new(flags.paths.clone(), flags.shard, Arc::clone(&clock));
    let setup = reloader.load().await?;
    let access = flags.web_config.as_ref().map(AccessControl::open).transpose()?;
    let program = ExporterMetrics::new(BUILD, (flags.shard.number, flags.shard.count));
    let program = Arc::new(program.map_err(|error| RunError::Internal(error.to_string()))?);
    let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
    let keeper = flags.storage.as_ref().map(|folder| Persistence {
        store: Arc::new(Store::new(folder)),
        inventory: Arc::clone(&inventory),
        program: Arc::clone(&program),
        clock: Arc::clone(&clock),
    });
    let mut restored = false;
    if let (Some(keeper), Some(path)) = (&keeper, &flags.storage) {
        if keeper.is_taken() {
            return Err(RunError::Taken { path: path.clone() });
        }
        restored = keeper.restore(&setup);
    }
    // The first page is made of what was restored: whoever asks next finds it there.
    let ready = Arc::new(AtomicBool::new(restored && is_known(&inventory)));

    let page = Page::new(Arc::clone(&inventory), setup.labels, Arc::clone(&program), Arc::clone(&clock))?;
    let page = Arc::new(page);
    let collector = Collector::new(Arc::clone(&inventory), flags.timing);
    let followers = [
        tokio::spawn(Arc::clone(&page).follow(collector.revision())),
        tokio::spawn(become_ready(Arc::clone(&inventory), collector.revision(), Arc::clone(&page), Arc::clone(&ready))),
    ];
    let (stop_keeper, keeper_stops) = oneshot::channel();
    let keeper = keeper.map(|keeper| tokio::spawn(keeper.follow(collector.revision(), keeper_stops)));
    let (ask, asked) = mpsc::channel(1);
    let stopping = Arc::new(AtomicBool::new(false));
    let state = Arc::new(AppState {
        version: BUILD.version.to_owned(),
        inventory,
        page: Arc::clone(&page),
        clock: Arc::clone(&clock),
        ready,
        stopping: Arc::clone(&stopping),
        render_limit: RenderLimit::default(),
        reload: flags.lifecycle.then_some(ask),
        telemetry_path: flags.telemetry_path,
    });
    let site = Site {
        main: pages::router(Arc::clone(&state)),
        probe: pages::probe_router(state),
        headers: pages::security_headers(),
        access,
        metrics: Arc::clone(&program),
    };
    let mut work = Runtime { collector, page, program, clock };
    work.take_over(setup).await;

    let (stop_server, server_stops) = oneshot::channel::<()>();
    // A task of its own: it answers also while the collector stops and the inventory is saved.
    let mut server = tokio::spawn(server::serve(listeners.into(), site, async {
        drop(server_stops.await);
    }));
    let broken = tokio::select! {
        _ = &mut server => true,
        () = reload::follow(&mut reloader, &mut work, asked, flags.poll_interval) => false,
        () = shutdown => false,
    };
    info!("stopping");
    stopping.store(true, Ordering::Release);
    work.collector.stop().await;
    drop(stop_keeper);
    if let Some(keeper) = keeper {
        drop(keeper.await);
    }
    for follower in followers {
        follower.abort();
    }
    drop(stop_server);
    if broken || server.await.is_err() {
        return Err(RunError::Internal("the server broke off".to_owned()));
    }
    Ok(())
}

/// What a configuration sets to work.
struct Runtime {
    collector: Collector,
    page: Arc<Page>,
    program: Arc<ExporterMetrics>,
    clock: Clock,
}

impl Runtime {
    /// Lets a configuration hold from now on.
    async fn take_over(&mut self, setup: Setup) {
        self.page.set_labels(setup.labels);
        self.collector.apply(setup.orders, setup.policies, setup.rules).await;
        self.program.reloaded((self.clock)());
    }

    /// Shows it: whoever has asked for a reload, and is told that it is done, must not find the sources of before.
    async fn show(&self) {
        render(Arc::clone(&self.page)).await;
    }
}

/// Renders the page anew.
async fn render(page: Arc<Page>) {
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || page.render()).await {
        warn!(%error, "the metrics could not be rendered");
    }
}

/// Whether every source was attempted, by this process or an earlier one. The inventory must know the configuration.
fn is_known(inventory: &SharedInventory) -> bool {
    let inventory = inventory.read();
    inventory.sources().all(|(_, source)| source.last_attempt.is_some())
}

/// Sets the flag once every source was attempted, or its tokens of before were restored. Then what is shown is as good as it
/// will be: a source that fails for days must not keep the others' metrics from being used, and says so by itself.
async fn become_ready(
    inventory: SharedInventory,
    mut revision: channel::Receiver<u64>,
    page: Arc<Page>,
    ready: Arc<AtomicBool>,
) {
    if ready.load(Ordering::Acquire) {
        return;
    }
    // The first revision is the configuration's. Before it there is no source, and nothing is ready.
    while revision.changed().await.is_ok() {
        if is_known(&inventory) {
            // Whoever is told "ready" asks for the metrics next, and must find there what was known now.
            render(page).await;
            ready.store(true, Ordering::Release);
            return;
        }
    }
}

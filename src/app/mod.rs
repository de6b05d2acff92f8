//! The wiring: configuration → sources → collector → inventory → metrics, pages and disk; and its reload.
//!
//! [`run`] takes bound listeners and a future that completes at shutdown, so that tests bring their own.

pub mod config_schema;
mod fingerprint;
mod persistence;
mod reload;
mod selection;
pub mod setup;
mod shard;
mod shared_store;
mod warnings;
mod watch;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::http::Uri;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch as channel};
use tokio::task::{JoinSet, spawn_blocking};
use tracing::{info, warn};

use crate::collector::{Collector, Timing};
use crate::core::clock::Clock;
use crate::core::inventory::SharedInventory;
use crate::exposition::exporter::{Build, ExporterMetrics};
use crate::exposition::external_url::ExternalUrl;
use crate::exposition::page::Page;
use crate::pages::calendar_key::CalendarKey;
use crate::pages::path::{RoutePrefix, TelemetryPath};
use crate::pages::render_limit::RenderLimit;
use crate::pages::tags::Tags;
use crate::pages::{self, AppState};
use crate::schema::diagnostic::Diagnostics;
use crate::server::access::AccessControl;
use crate::server::{self, Listeners, Site};
use crate::storage::shared::SharedStore;
use persistence::Persistence;
use reload::Reloader;
use setup::{ConfigPaths, Setup};

pub use reload::load;
pub use shard::Shard;

/// The version of this build, and the commit if the builder set `TOKEN_EXPIRY_EXPORTER_REVISION`.
pub const BUILD: Build = Build {
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
    /// The store that replicas share, instead of `storage`.
    pub shared_store: Option<SharedStoreOptions>,
    pub telemetry_path: TelemetryPath,
    /// A prefix of all paths, not ambiguous with `telemetry_path`.
    pub route_prefix: RoutePrefix,
    /// The URL at which people reach the exporter.
    pub external_url: Option<ExternalUrl>,
    /// File with TLS, client certificates and users.
    pub web_config: Option<PathBuf>,
    /// File with the secret of the calendars' keys.
    pub calendar_key: Option<PathBuf>,
    /// Enables `POST /-/reload`.
    pub lifecycle: bool,
    pub shard: Shard,
    /// Lines that the log could not take. The log writer counts them.
    pub lost_log_lines: Arc<AtomicU64>,
    /// How often the configuration files are checked for changes.
    pub poll_interval: Duration,
    pub timing: Timing,
}

/// The store that the replicas of an installation share.
pub struct SharedStoreOptions {
    pub store: Arc<dyn SharedStore>,
    /// Its URL.
    pub name: String,
    /// The name of this installation. The prefix of another one is refused.
    pub installation: String,
    pub when_lost: WhenLost,
    /// The interval at which it is read. All other times of the protocol are multiples of it.
    pub poll: Duration,
}

/// What a replica does while the shared store is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLost {
    /// It goes on collecting the sources that it collected.
    Collect,
    /// It collects nothing.
    Hold,
}

impl RunOptions {
    /// The defaults, for the configuration at these paths.
    pub fn new(paths: ConfigPaths) -> Self {
        Self {
            paths,
            storage: None,
            shared_store: None,
            telemetry_path: TelemetryPath::default(),
            route_prefix: RoutePrefix::default(),
            external_url: None,
            web_config: None,
            calendar_key: None,
            lifecycle: false,
            shard: Shard::WHOLE,
            lost_log_lines: Arc::default(),
            poll_interval: Duration::from_secs(10),
            timing: Timing::default(),
        }
    }
}

/// Why the process cannot start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Errors in files or flags.
    #[error(transparent)]
    Diagnostics(#[from] Diagnostics),
    #[error("cannot listen on {address}: {error}; choose another address with {flag}")]
    Listen { address: SocketAddr, flag: &'static str, error: io::Error },
    #[error(
        "the storage path {} is in use by another token-expiry-exporter; stop it or set a different --storage.path",
        .0.display()
    )]
    StorageInUse(PathBuf),
    #[error("shared store: {0}")]
    SharedStore(String),
    #[error("listener failed: {0}")]
    Listener(#[from] io::Error),
    /// A bug.
    #[error("internal error: {0}; please report this bug")]
    Internal(String),
}

/// Binds a listener to an address that `flag` sets.
///
/// # Errors
/// If the address is in use or not allowed.
pub async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|error| RunError::Listen { address, flag, error })
}

/// Runs until `shutdown` completes.
///
/// # Errors
/// If the configuration is invalid at the start, the storage path is in use or the shared store cannot be used.
pub async fn run(
    options: RunOptions,
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let clock = Arc::clone(&options.timing.clock);
    let mut reloader = Reloader::new(options.paths, options.shard, options.external_url, Arc::clone(&clock));
    let setup = reloader.load().await?;
    let access = options.web_config.as_ref().map(AccessControl::open).transpose()?;
    let program = ExporterMetrics::new(BUILD, (options.shard.number, options.shard.count), options.lost_log_lines);
    let program = Arc::new(program.map_err(|error| RunError::Internal(error.to_string()))?);
    let inventory = SharedInventory::default();
    let persistence = options.storage.map(|path| Persistence::new(&path, &inventory, &program, &clock));
    if let Some(persistence) = &persistence {
        persistence.lock()?;
    }
    let page =
        Arc::new(Page::new(Arc::clone(&inventory), setup.exposure.clone(), Arc::clone(&program), Arc::clone(&clock))?);
    let (collector, fleet) = match options.shared_store {
        None => (Collector::new(Arc::clone(&inventory), options.timing), None),
        Some(store) => {
            let fleet = shared_store::join(store).await?;
            let status = Arc::clone(&fleet.status);
            program.expose_fleet(Arc::clone(&status));
            (Collector::shared(Arc::clone(&inventory), options.timing, fleet), Some(status))
        }
    };
    let calendar_key = options.calendar_key.as_deref().map(CalendarKey::load).transpose()?.map(Arc::new);
    let (request_reload, reload_requests) = mpsc::channel(1);
    let state = Arc::new(AppState {
        version: BUILD.version.to_owned(),
        inventory: Arc::clone(&inventory),
        fleet,
        page: Arc::clone(&page),
        clock: Arc::clone(&clock),
        starting: AtomicBool::new(true),
        ready: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        render_limit: RenderLimit::default(),
        reload: options.lifecycle.then_some(request_reload),
        telemetry_path: options.telemetry_path,
        route_prefix: options.route_prefix,
        calendar_key: calendar_key.clone(),
        tags: Tags::default(),
    });
    let has_key = calendar_key.map(|key| {
        let prefix = state.route_prefix.clone();
        Arc::new(move |uri: &Uri| key.opens(&prefix, uri)) as server::HasKey
    });
    let site = Site {
        main: pages::router(Arc::clone(&state)),
        probe: pages::probe_router(Arc::clone(&state)),
        headers: pages::security_headers(),
        access,
        has_key,
        metrics: Arc::clone(&program),
    };
    let (stop_server, server_stops) = oneshot::channel::<()>();
    // A task of its own: it responds while the inventory is restored, and while the collector stops and the inventory is saved.
    let mut server = tokio::spawn(server::serve(listeners.into(), site, async {
        drop(server_stops.await);
    }));
    tokio::pin!(shutdown);
    let restored = restore(persistence.clone(), setup, Arc::clone(&page));
    let restored = tokio::select! {
        setup = restored => setup.map(Some),
        () = &mut shutdown => Ok(None),
    };

    // Aborted when this function returns.
    let mut followers = JoinSet::new();
    let mut runtime = Runtime { collector, page, program, clock };
    let (stop_persistence, persistence_stops) = oneshot::channel();
    let mut saving = None;
    let mut failed = false;
    if let Some(setup) = restored? {
        state.ready.store(persistence.is_some() && is_known(&inventory), Ordering::Release);
        followers.spawn(Arc::clone(&runtime.page).run(runtime.collector.revision()));
        followers.spawn(report_ready(Arc::clone(&state), runtime.collector.revision()));
        let revision = runtime.collector.revision();
        saving = persistence.map(|persistence| tokio::spawn(persistence.run(revision, persistence_stops)));
        runtime.apply(setup).await;
        state.starting.store(false, Ordering::Release);
        failed = tokio::select! {
            _ = &mut server => true,
            () = reload::run(&mut reloader, &mut runtime, reload_requests, options.poll_interval) => false,
            () = shutdown => false,
        };
    }
    info!("stopping");
    state.stopping.store(true, Ordering::Release);
    runtime.collector.stop().await;
    drop(stop_persistence);
    if let Some(saving) = saving {
        drop(saving.await);
    }
    drop(stop_server);
    if failed || server.await.is_err() {
        return Err(RunError::Internal("server task ended unexpectedly".to_owned()));
    }
    Ok(())
}

/// Restores the persisted inventory and renders the first page, so that readiness may be reported at once.
async fn restore(persistence: Option<Persistence>, setup: Setup, page: Arc<Page>) -> Result<Setup, RunError> {
    let Some(persistence) = persistence else { return Ok(setup) };
    let restored = spawn_blocking(move || {
        persistence.restore(&setup);
        page.render_first().map(|()| setup)
    });
    let panicked = |_| RunError::Internal("restoring the inventory panicked".to_owned());
    Ok(restored.await.map_err(panicked)??)
}

/// What a reload changes.
struct Runtime {
    collector: Collector,
    page: Arc<Page>,
    program: Arc<ExporterMetrics>,
    clock: Clock,
}

impl Runtime {
    /// Activates a configuration.
    async fn apply(&mut self, setup: Setup) {
        self.page.set_exposure(setup.exposure);
        self.collector.apply(setup.jobs, setup.policies, setup.rules).await;
        self.program.reload_succeeded((self.clock)());
    }
}

async fn render(page: Arc<Page>) {
    if let Ok(Err(error)) = spawn_blocking(move || page.render()).await {
        warn!(%error, "cannot render the metrics");
    }
}

/// Whether every source was attempted, by this process or an earlier one. The inventory must have the configuration.
fn is_known(inventory: &SharedInventory) -> bool {
    let inventory = inventory.read();
    inventory.sources().all(|(_, source)| source.last_attempt.is_some())
}

/// Sets `ready` once every source was attempted, by any replica, and everything in a shared store was read. Success is not
/// required: a source that fails for days must not hide the metrics of the others, and has metrics of its own.
async fn report_ready(state: Arc<AppState>, mut revision: channel::Receiver<u64>) {
    // The first revision is the configuration's. Before it there is no source, and nothing is ready.
    while !state.ready.load(Ordering::Acquire) && revision.changed().await.is_ok() {
        let has_read = state.fleet.as_ref().is_none_or(|fleet| fleet.read().is_complete);
        if has_read && is_known(&state.inventory) {
            // A client that sees "ready" must find these tokens in the metrics.
            render(Arc::clone(&state.page)).await;
            state.ready.store(true, Ordering::Release);
        }
    }
}

//! The wiring: files → sources → collector → inventory → metrics, pages and disk; and the reload of all that.
//!
//! [`run`] takes a bound listener and a future that ends when the program shall stop, so that tests bring their own.

mod fingerprint;
mod keep;
mod reload;
pub mod setup;
mod shard;
mod watch;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch as channel};
use tracing::{info, warn};

use crate::collector::{Clock, Collector, SharedInventory, Surroundings};
use crate::core::inventory::Inventory;
use crate::core::mistake::Mistakes;
use crate::exposition::page::Page;
use crate::exposition::program::{Build, Program};
use crate::storage::Store;
use crate::web::path::TelemetryPath;
use crate::web::{self, Surface, guard::Guard};
use keep::Keeper;
use reload::Reloader;
use setup::{Places, Setup};

pub use shard::Shard;

/// What the command line says.
pub struct Flags {
    /// Where the configuration and further definitions are.
    pub places: Places,
    /// The folder in which the inventory is kept; none: it is not kept.
    pub storage: Option<PathBuf>,
    /// The path of the metrics.
    pub telemetry_path: TelemetryPath,
    /// TLS and users.
    pub web_config: Option<PathBuf>,
    /// Whether a reload may be asked for over HTTP.
    pub lifecycle: bool,
    /// Which part of the sources is collected.
    pub shard: Shard,
    /// How often the files are looked at.
    pub look_every: Duration,
    /// Clock and chance.
    pub surroundings: Surroundings,
    /// What was built.
    pub build: Build<'static>,
}

/// Why the program could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What a person has written is wrong.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {error}; choose another with --web.listen-address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The listener broke down.
    #[error("the listener broke down: {0}")]
    Listener(#[from] io::Error),
    /// A fault of this program.
    #[error("a fault of this program: {0}")]
    Internal(String),
}

/// Runs until `shutdown` ends.
///
/// # Errors
/// Where the configuration is wrong at the start, or the listener breaks down.
pub async fn run(flags: Flags, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> Result<(), Fault> {
    let clock = Arc::clone(&flags.surroundings.clock);
    let mut reloader = Reloader::new(flags.places.clone(), flags.shard, Arc::clone(&clock));
    let setup = reloader.load().await?;
    let shard = (flags.shard.number, flags.shard.count);
    let program = Program::new(flags.build, shard).map_err(|error| Fault::Internal(error.to_string()))?;
    let program = Arc::new(program);
    program.reloaded(clock());
    let guard = match &flags.web_config {
        Some(file) => Some(Guard::open(file)?),
        None => None,
    };

    let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
    let keeper = flags.storage.as_ref().map(|folder| Keeper {
        store: Store::new(folder),
        inventory: Arc::clone(&inventory),
        program: Arc::clone(&program),
        clock: Arc::clone(&clock),
    });
    if let Some(keeper) = &keeper {
        // What is restored is cut to what the configuration names; so that must be known first.
        let mut inventory = inventory.write().unwrap_or_else(PoisonError::into_inner);
        inventory.set_policy(setup.policies.clone(), Arc::clone(&setup.rules));
        drop(inventory);
        keeper.restore();
    }
    let page = Page::new(Arc::clone(&inventory), setup.labels, Arc::clone(&program), Arc::clone(&clock))?;
    let page = Arc::new(page);
    let mut collector = Collector::new(Arc::clone(&inventory), flags.surroundings);
    let ready = Arc::new(AtomicBool::new(false));
    let followers = [
        tokio::spawn(Arc::clone(&page).follow(collector.revision())),
        tokio::spawn(become_ready(Arc::clone(&inventory), collector.revision(), Arc::clone(&ready))),
    ];
    let (stop_keeper, stopped) = oneshot::channel();
    let keeper = keeper.map(|keeper| tokio::spawn(keeper.follow(collector.revision(), stopped)));
    take_over(&mut collector, &page, setup).await;

    let (ask, mut asked) = mpsc::channel(1);
    let surface = Arc::new(Surface {
        version: flags.build.version.to_owned(),
        inventory,
        page: Arc::clone(&page),
        program: Arc::clone(&program),
        clock: Arc::clone(&clock),
        ready,
        reload: flags.lifecycle.then_some(ask),
        telemetry_path: flags.telemetry_path,
        guard: guard.clone(),
    });
    let (stop_server, server_stops) = oneshot::channel::<()>();
    let server = web::serve::serve(listener, web::routes::routes(surface), guard, async {
        drop(server_stops.await);
    });
    let watching = async {
        let mut hangups = reload::hangups();
        loop {
            let tell = tokio::select! {
                Some(tell) = asked.recv() => Some(tell),
                () = hangups.next() => None,
                () = reloader.changed(flags.look_every) => None,
            };
            let result = match reloader.load().await {
                Ok(setup) => {
                    take_over(&mut collector, &page, setup).await;
                    program.reloaded(clock());
                    info!("the configuration is loaded anew");
                    Ok(())
                }
                Err(mistakes) => {
                    program.reload_failed();
                    reload::refuse(&mistakes);
                    Err(mistakes.to_string())
                }
            };
            if let Some(tell) = tell {
                drop(tell.send(result));
            }
        }
    };

    tokio::pin!(server);
    let ended = tokio::select! {
        ended = &mut server => Some(ended),
        () = watching => None,
        () = shutdown => None,
    };
    info!("stopping");
    collector.stop().await;
    if let Some(keeper) = keeper {
        drop(stop_keeper);
        drop(keeper.await);
    }
    for follower in followers {
        follower.abort();
    }
    let ended = match ended {
        Some(ended) => ended,
        None => {
            drop(stop_server);
            server.await
        }
    };
    ended.map_err(Fault::from)
}

/// Lets a configuration hold from now on.
async fn take_over(collector: &mut Collector, page: &Page, setup: Setup) {
    if let Err(mistakes) = &setup.credentials {
        for mistake in mistakes.iter() {
            warn!("{mistake}");
        }
    }
    page.set_labels(setup.labels);
    collector.apply(setup.orders, setup.policies, setup.rules).await;
}

/// Sets the flag once every source was attempted, or its tokens of before were restored. Then what is shown is as good as it
/// will be: a source that fails for days must not keep the others' metrics from being used, and says so by itself.
async fn become_ready(inventory: SharedInventory, mut revision: channel::Receiver<u64>, ready: Arc<AtomicBool>) {
    loop {
        let known = {
            let inventory = inventory.read().unwrap_or_else(PoisonError::into_inner);
            inventory.sources().all(|(_, source)| source.last_attempt.is_some())
        };
        // Before the first configuration there is no source, and nothing is ready.
        if known && *revision.borrow() > 0 {
            ready.store(true, Ordering::Release);
            return;
        }
        if revision.changed().await.is_err() {
            return;
        }
    }
}

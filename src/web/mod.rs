//! What the program answers over HTTP.
//!
//! [`routes`] lists the paths, [`guard`] says who may ask (`--web.config.file`), [`serve`] answers at the addresses, and
//! [`limits`] says what of each client is borne.

mod body;
mod calendar;
mod connection;
mod crowd;
mod desk;
pub mod filter;
pub mod guard;
mod html;
mod lifecycle;
pub mod limits;
mod metrics;
pub mod path;
mod policy;
mod pulse;
pub mod routes;
pub mod serve;
mod status;
mod stream;
pub(crate) mod tokens;
pub(crate) mod words;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::mpsc;

use crate::core::inventory::Inventory;
use crate::exposition::page::{Clock, Page};
use crate::exposition::program::ExporterMetrics;
use guard::Guard;
use path::TelemetryPath;

pub use desk::Desk;
pub use lifecycle::Reload;

/// What all answers are made of.
pub struct Surface {
    /// The version of the program, for the status page.
    pub version: String,
    /// What is known.
    pub inventory: Arc<RwLock<Inventory>>,
    /// The metrics, ready to be handed out. It also says what of an owner may be shown.
    pub page: Arc<Page>,
    /// What the program says of itself.
    pub program: Arc<ExporterMetrics>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether the first collection has ended, or an inventory was restored.
    pub ready: Arc<AtomicBool>,
    /// Whether the program stops.
    pub stopping: Arc<AtomicBool>,
    /// Where pages are written.
    pub desk: Desk,
    /// Where to ask for a reload; none without `--web.enable-lifecycle`.
    pub reload: Option<mpsc::Sender<Reload>>,
    /// The path of the metrics.
    pub telemetry_path: TelemetryPath,
    /// Who may ask; none without `--web.config.file`.
    pub guard: Option<Arc<Guard>>,
}

impl Surface {
    /// The inventory, also after a panic elsewhere: a stale answer is better than none.
    fn inventory(&self) -> RwLockReadGuard<'_, Inventory> {
        self.inventory.read().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The state that all handlers share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use axum::response::Response;
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

use super::calendar_key::CalendarKey;
use super::path::{RoutePrefix, TelemetryPath};
use super::render_limit::RenderLimit;
use super::tags::Tags;
use crate::core::clock::Clock;
use crate::core::fleet_status::SharedFleetStatus;
use crate::core::inventory::Inventory;
use crate::exposition::page::Page;

/// A reload request: the sender for its result. The error is text for the operator.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// The state that all handlers share.
pub struct AppState {
    /// The version of the program, for the status page.
    pub version: String,
    /// What is known.
    pub inventory: Arc<RwLock<Inventory>>,
    /// The replicas that share a store; `None` without one.
    pub fleet: Option<SharedFleetStatus>,
    /// The rendered metrics. It also has the setting of which owner labels are exposed.
    pub page: Arc<Page>,
    /// The time.
    pub clock: Clock,
    /// Whether the inventory is still being restored: until then a page without tokens would be wrong.
    pub starting: AtomicBool,
    /// Whether every source was collected, or restored, once.
    pub ready: AtomicBool,
    /// Whether the program shuts down.
    pub stopping: AtomicBool,
    /// Bounds the pages in memory.
    pub render_limit: RenderLimit,
    /// Receives reload requests; `None` without `--web.enable-lifecycle`.
    pub reload: Option<mpsc::Sender<Reload>>,
    /// The path of the metrics.
    pub telemetry_path: TelemetryPath,
    /// The prefix of all paths, which also exist without it.
    pub route_prefix: RoutePrefix,
    /// Makes and verifies the keys of calendars; `None` without `--web.calendar-key-file`.
    pub calendar_key: Option<Arc<CalendarKey>>,
    /// The tags of the API's lists.
    pub tags: Tags,
}

impl AppState {
    /// Renders a page within the limits of [`RenderLimit`]. `what` names the page.
    ///
    /// # Errors
    /// The response to send instead: the server is busy, or rendering failed.
    pub(super) async fn render<F>(self: Arc<Self>, what: &str, page: F) -> Result<Body, Response>
    where
        F: FnOnce(&Self) -> io::Result<Vec<u8>> + Send + 'static,
    {
        let state = Arc::clone(&self);
        self.render_limit.render(what, move || page(&state)).await
    }
}

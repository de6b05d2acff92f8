//! The demo: an invented organisation, whose tokens the real exporter collects over real HTTP.
//!
//! Everything runs in this process, on loopback addresses: simulations of two vendors' APIs (`atlassian`, `vault`) list the
//! tokens of one `organisation`, and the exporter runs with an ordinary configuration (`config`). `control` changes the
//! organisation while it runs; `expected` has the numbers that the exporter must show.

mod atlassian;
mod config;
mod control;
mod expected;
mod organisation;
mod people;
mod scenario;
mod state;
mod stub;
mod vault;

use std::fs;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use chrono::Utc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::app::setup::ConfigPaths;
use crate::app::{self, RunError, RunOptions};
use state::DemoState;

pub use expected::{Expected, ExpectedSource};

/// Any free port on the loopback interface.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How a demo runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Address of the exporter; port 0 for any free one.
    pub listen: SocketAddr,
    /// Address of the control endpoint.
    pub control: SocketAddr,
    /// Approximate number of tokens; default: a few hundred.
    pub tokens: Option<usize>,
    /// Collection interval.
    pub interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: FREE, control: FREE, tokens: None, interval: Duration::from_secs(15) }
    }
}

/// A demo whose simulated providers and control endpoint run. The exporter does not run yet.
pub struct Demo {
    state: Arc<DemoState>,
    listener: TcpListener,
    /// Address of the exporter.
    pub exporter: SocketAddr,
    /// Address of the control endpoint.
    pub control: SocketAddr,
    /// The exporter's configuration.
    pub config: String,
    /// Holds the configuration file and the credentials; removed with the demo.
    directory: TempDir,
    /// Stop with the demo.
    _servers: JoinSet<()>,
}

impl Demo {
    /// Creates the organisation, starts its servers and writes the configuration.
    ///
    /// # Errors
    /// If an address is in use or the temporary directory cannot be written.
    pub async fn prepare(options: Options) -> Result<Self, RunError> {
        let now = Utc::now();
        let state = Arc::new(DemoState::new(options.tokens, now));
        let mut servers = JoinSet::new();
        let mut serve = async |address, flag, respond| {
            let listener = app::listen(address, flag).await?;
            let address = listener.local_addr()?;
            stub::serve(&mut servers, listener, &state, respond);
            Ok::<SocketAddr, RunError>(address)
        };
        let listener = app::listen(options.listen, "--web.listen-address").await?;
        let control = serve(options.control, "--control.listen-address", control::respond).await?;
        let atlassian = serve(FREE, "", atlassian::respond).await?;
        let vault = serve(FREE, "", vault::respond).await?;
        let directory = TempDir::with_prefix("token-expiry-exporter-demo-")?;
        let (atlassian, vault) = (format!("http://{atlassian}"), format!("http://{vault}"));
        let config = config::text(&atlassian, &vault, directory.path(), options.interval, now);
        for (source, credential) in &state.credentials {
            fs::write(directory.path().join(source), credential)?;
        }
        let exporter = listener.local_addr()?;
        let demo = Self { state, listener, exporter, control, config, directory, _servers: servers };
        fs::write(demo.config_file(), &demo.config)?;
        Ok(demo)
    }

    /// The numbers that the exporter must show.
    pub fn expected(&self) -> Expected {
        Expected::of(&self.state.organisation.read())
    }

    /// The configuration file. A change to it is reloaded.
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("token-expiry-exporter.yaml")
    }

    /// Runs the exporter until `shutdown` completes.
    ///
    /// # Errors
    /// As [`app::run`].
    pub async fn run(
        self,
        lost_log_lines: Arc<AtomicU64>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), RunError> {
        let paths = ConfigPaths { config: self.config_file(), providers: None };
        let poll_interval = Duration::from_secs(1);
        let mut options = RunOptions { lifecycle: true, poll_interval, ..RunOptions::new(paths) };
        options.timing.spread = Duration::ZERO;
        // On all interfaces, no address is known at which people reach it.
        let url = format!("http://{}", self.exporter);
        options.external_url = url.parse().ok().filter(|_| !self.exporter.ip().is_unspecified());
        options.lost_log_lines = lost_log_lines;
        app::run(options, self.listener, shutdown).await
    }
}

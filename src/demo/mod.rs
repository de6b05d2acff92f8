//! `demo`: an invented company, whose tokens the real exporter collects over real HTTP.
//!
//! Everything runs in this process, on loopback addresses: two servers in the shape of vendors' APIs (`atlassian`,
//! `vault`) tell of the tokens of one `organisation`, and the exporter is configured as anybody would configure it
//! (`config`). `control` makes things happen meanwhile; `expected` says what must be seen.

mod atlassian;
mod config;
mod control;
mod expected;
mod organisation;
mod people;
mod scenario;
mod state;
mod vault;

use std::fs;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::Utc;
use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::app;
use crate::app::setup::ConfigPaths;
use crate::app::{RunError, RunOptions, Shard};
use crate::cli::args::ListenAddress;
use crate::cli::print;
use crate::cli::serve::asked_to_stop;
use crate::collector::{Clock, Timing};
use organisation::Organisation;
use state::{DemoCredentials, DemoState};

pub use expected::{Expected, ExpectedSource};

/// Flags of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// The address to listen at
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10984")]
    listen: ListenAddress,
    /// Where things are made to happen; port 0 takes a free one
    #[arg(long = "control.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: ListenAddress,
    /// About how many tokens the company has, instead of a few hundred
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    tokens: Option<u32>,
    /// Seconds between two collections
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
    /// Print the configuration that the demo would run, and end
    #[arg(long)]
    print_config: bool,
    /// Print as JSON what must be seen, and end
    #[arg(long, conflicts_with = "print_config")]
    expect: bool,
}

/// How a demo runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where the exporter listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where things are made to happen.
    pub control: SocketAddr,
    /// About how many tokens; none: a few hundred.
    pub tokens: Option<usize>,
    /// From one collection to the next.
    pub interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen: free, control: free, tokens: None, interval: Duration::from_secs(15) }
    }
}

/// A demo whose servers are up. The exporter does not run yet.
pub struct Demo {
    world: DemoState,
    listener: TcpListener,
    /// The address at which the exporter will answer.
    pub exporter: SocketAddr,
    /// The address at which things are made to happen.
    pub control: SocketAddr,
    /// The configuration.
    pub config: String,
    /// It holds the configuration and the credentials, and goes when the demo does.
    folder: TempDir,
    servers: Vec<Server>,
}

impl Demo {
    /// Invents the company and starts its servers.
    ///
    /// # Errors
    /// Where an address cannot be listened at, or the temporary folder not be written.
    pub async fn prepare(options: Options) -> Result<Self, RunError> {
        let clock: Clock = Arc::new(Utc::now);
        let listener = listen(options.listen).await?;
        let now = clock();
        let world =
            DemoState::new(Organisation::invent(now, options.tokens), DemoCredentials::draw(), Arc::clone(&clock));
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let servers = vec![
            Server::start(listen(free).await?, atlassian::router(world.clone()))?,
            Server::start(listen(free).await?, vault::router(world.clone()))?,
            Server::start(listen(options.control).await?, control::router(world.clone()))?,
        ];
        let folder = TempDir::with_prefix("token-expiry-exporter-demo-")?;
        let places = config::Places {
            atlassian: format!("http://{}", servers[0].address),
            vault: format!("http://{}", servers[1].address),
            folder: folder.path(),
        };
        let config = config::text(&places, options.interval, now);
        write(folder.path(), &config, world.keys())?;
        let (exporter, control) = (listener.local_addr()?, servers[2].address);
        Ok(Self { world, listener, exporter, control, config, folder, servers })
    }

    /// What must be seen.
    pub fn expected(&self) -> Expected {
        Expected::of(&self.world.read().organisation)
    }

    /// The file that holds the configuration. When it is changed, it is reloaded.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    /// Runs the exporter until `shutdown` ends.
    ///
    /// # Errors
    /// As [`app::run`].
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let flags = RunOptions {
            places: ConfigPaths { config: self.config_file(), providers: None },
            storage: None,
            telemetry_path: crate::web::path::TelemetryPath::default(),
            web_config: None,
            lifecycle: true,
            shard: Shard::WHOLE,
            look_every: Duration::from_secs(1),
            // Nobody wants to wait for a demo.
            surroundings: Timing { spread: Duration::ZERO, ..Timing::default() },
            build: crate::cli::BUILD,
        };
        app::run(flags, self.listener, shutdown).await?;
        drop(self.servers);
        Ok(())
    }
}

const CONFIG: &str = "token-expiry-exporter.yaml";

fn write(folder: &Path, config: &str, keys: &DemoCredentials) -> io::Result<()> {
    fs::write(folder.join(CONFIG), config)?;
    fs::write(folder.join("atlassian"), &keys.organisation)?;
    fs::write(folder.join("atlassian-sandbox"), &keys.sandbox)?;
    fs::write(folder.join("vault"), &keys.vault)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|error| RunError::Listen { address, flag: "--web.listen-address", error })
}

/// A server of the demo. It ends when it is dropped.
struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    fn start(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        // It ends only when it is aborted: accepting is tried again after errors.
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) async fn run(args: DemoArgs) -> Result<u8, RunError> {
    let mut options = Options {
        listen: args.listen.socket(),
        control: args.control.socket(),
        tokens: args.tokens.and_then(|tokens| usize::try_from(tokens).ok()),
        interval: Duration::from_secs(args.interval.into()),
    };
    if args.print_config || args.expect {
        // Another demo may be running.
        options.listen.set_port(0);
        options.control.set_port(0);
    }
    let demo = Demo::prepare(options).await?;
    if args.print_config {
        print::output(&demo.config);
        return Ok(0);
    }
    let expected = demo.expected();
    if args.expect {
        let json = serde_json::to_string_pretty(&expected).map_err(|error| RunError::Internal(error.to_string()))?;
        print::output(&format!("{json}\n"));
        return Ok(0);
    }
    print::output(&welcome(&demo, &expected));
    demo.run(asked_to_stop()).await.map(|()| 0)
}

fn welcome(demo: &Demo, expected: &Expected) -> String {
    let (exporter, control) = (demo.exporter, demo.control);
    let (tokens, sources) = (expected.tokens, expected.sources.len());
    let file = demo.config_file();
    format!(
        "\
Meridian Ferries, a company that does not exist, has {tokens} tokens at {sources} sources.

  http://{exporter}/               the status page
  http://{exporter}/metrics        what Prometheus reads
  http://{exporter}/api/v1/tokens  the tokens as JSON
  http://{exporter}/calendar.ics   their ends as a calendar
  http://{control}/               make things happen: rotate a token, stop a provider

It runs {file}; change it, and it is reloaded. Ctrl-C ends it all.

",
        file = file.display(),
    )
}

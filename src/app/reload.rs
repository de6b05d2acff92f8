//! When the configuration is read again: on a change of its files, `POST /-/reload` or SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use super::Runtime;
use super::setup::{ConfigPaths, Setup};
use super::shard::Shard;
use super::watch::FileHashes;
use crate::config::watched_files;
use crate::core::clock::Clock;
use crate::exposition::external_url::ExternalUrl;
use crate::pages::Reload;
use crate::schema::diagnostic::{Diagnostic, Diagnostics};

/// Loads the configuration and knows whether its files have changed since.
pub(super) struct Reloader {
    paths: ConfigPaths,
    shard: Shard,
    external_url: Option<ExternalUrl>,
    clock: Clock,
    /// The files that the configuration names.
    named: Vec<PathBuf>,
    loaded: FileHashes,
}

impl Reloader {
    pub(super) fn new(paths: ConfigPaths, shard: Shard, external_url: Option<ExternalUrl>, clock: Clock) -> Self {
        Self { paths, shard, external_url, clock, named: Vec::new(), loaded: FileHashes::default() }
    }

    pub(super) async fn load(&mut self) -> Result<Setup, Diagnostics> {
        // Before the files are read, so that a change in between is noticed.
        self.named = watched_files(&self.paths.config);
        self.loaded = self.hashes();
        let mut setup = load(&self.paths, self.shard, &self.clock).await?;
        setup.exposure.external_url.clone_from(&self.external_url);
        Ok(setup)
    }

    fn hashes(&self) -> FileHashes {
        FileHashes::of_config(&self.paths.config, &self.named, self.paths.providers.as_deref())
    }

    /// Waits until the files differ from those last loaded.
    async fn changed(&self, poll_interval: Duration) {
        loop {
            sleep(poll_interval).await;
            if self.hashes() != self.loaded {
                return info!("configuration changed");
            }
        }
    }
}

/// Reads the configuration and the definitions.
///
/// # Errors
/// As [`Setup::load`].
pub async fn load(paths: &ConfigPaths, shard: Shard, clock: &Clock) -> Result<Setup, Diagnostics> {
    let (blocking_paths, clock) = (paths.clone(), Arc::clone(clock));
    spawn_blocking(move || Setup::load(&blocking_paths, shard, &clock)).await.unwrap_or_else(|_| {
        let file = paths.config.display().to_string();
        Err(Diagnostic::in_file(file, "loading panicked; please report this bug").into())
    })
}

/// Reloads until it is dropped. Errors go to the log and to the client that requested the reload; the previous configuration
/// stays active.
pub(super) async fn run(
    reloader: &mut Reloader,
    runtime: &mut Runtime,
    mut requests: mpsc::Receiver<Reload>,
    poll_interval: Duration,
) {
    let hangup = signal(SignalKind::hangup());
    let mut hangup = hangup.inspect_err(|error| error!(%error, "cannot install the SIGHUP handler")).ok();
    loop {
        let reply = tokio::select! {
            Some(reply) = requests.recv() => Some(reply),
            Some(()) = async { hangup.as_mut()?.recv().await } => None,
            () = reloader.changed(poll_interval) => None,
        };
        let result = match reloader.load().await {
            Ok(setup) => {
                runtime.apply(setup).await;
                // A client that gets the response "reloaded" must not find the previous sources.
                super::render(Arc::clone(&runtime.page)).await;
                info!("configuration reloaded");
                Ok(())
            }
            Err(errors) => {
                runtime.program.reload_failed();
                errors.iter().for_each(|diagnostic| error!("{diagnostic}"));
                error!("reload failed; the previous configuration stays active");
                Err(errors.to_string())
            }
        };
        if let Some(reply) = reply {
            // The client may have disconnected.
            drop(reply.send(result));
        }
    }
}

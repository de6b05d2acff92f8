//! When the configuration is read anew, and what is said where it is refused.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use super::Runtime;
use super::setup::{ConfigPaths, Setup};
use super::shard::Shard;
use super::watch::FileHashes;
use crate::core::clock::Clock;
use crate::pages::Reload;
use crate::schema::diagnostic::{Diagnostic, Diagnostics};

/// Reads the configuration, and knows whether its files have changed since.
pub(super) struct Reloader {
    places: ConfigPaths,
    shard: Shard,
    clock: Clock,
    seen: FileHashes,
}

impl Reloader {
    pub(super) fn new(places: ConfigPaths, shard: Shard, clock: Clock) -> Self {
        let seen = look(&places);
        Self { places, shard, clock, seen }
    }

    /// Reads the configuration as it is now.
    pub(super) async fn load(&mut self) -> Result<Setup, Diagnostics> {
        // Before the files are read: what changes meanwhile is then seen as a change.
        self.seen = look(&self.places);
        let (places, shard, clock) = (self.places.clone(), self.shard, Clock::clone(&self.clock));
        match spawn_blocking(move || Setup::load(&places, shard, &clock)).await {
            Ok(loaded) => loaded,
            Err(_) => {
                let file = self.places.config.display().to_string();
                Err(Diagnostic::in_file(file, "the loading broke off: a fault of this program").into())
            }
        }
    }

    /// Waits until the files hold something else than when they were last read.
    pub(super) async fn changed(&self, look_every: Duration) {
        loop {
            sleep(look_every).await;
            if look(&self.places) != self.seen {
                info!("the configuration has changed");
                return;
            }
        }
    }
}

fn look(places: &ConfigPaths) -> FileHashes {
    FileHashes::at(&places.config, places.providers.as_deref())
}

/// Takes the configuration over anew whenever it has changed, or somebody asks for it. What is wrong runs no further than the
/// log, and whoever has asked.
pub(super) async fn follow(
    reloader: &mut Reloader,
    work: &mut Runtime,
    mut asked: mpsc::Receiver<Reload>,
    look_every: Duration,
) {
    let mut hangups = hangups();
    loop {
        let tell = tokio::select! {
            Some(tell) = asked.recv() => Some(tell),
            () = hangups.next() => None,
            () = reloader.changed(look_every) => None,
        };
        let result = match reloader.load().await {
            Ok(setup) => {
                work.take_over(setup).await;
                work.show().await;
                info!("the configuration is loaded anew");
                Ok(())
            }
            Err(mistakes) => {
                work.program.reload_failed();
                refuse(&mistakes);
                Err(mistakes.to_string())
            }
        };
        if let Some(tell) = tell {
            // Who has asked may be gone.
            drop(tell.send(result));
        }
    }
}

fn refuse(mistakes: &Diagnostics) {
    for mistake in mistakes.iter() {
        error!("{mistake}");
    }
    error!("the configuration is not loaded; that of before still runs");
}

/// The hang-up signals, each of which asks for a reload.
struct Sighup(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

/// Catches them from now on. Where that is not possible, there are none.
fn hangups() -> Sighup {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        Sighup(signal(SignalKind::hangup()).inspect_err(|error| error!(%error, "SIGHUP cannot be caught")).ok())
    }
    #[cfg(not(unix))]
    Sighup()
}

impl Sighup {
    /// The next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

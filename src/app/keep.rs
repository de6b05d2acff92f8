//! The inventory on disk: restored at the start, saved a while after each change and at the end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::setup::Setup;
use crate::collector::{Clock, SharedInventory};
use crate::core::inventory::Snapshot;
use crate::exposition::program::Program;
use crate::storage::{Loaded, Store, Unusable, encode};

/// From a change to its being saved: changes come in flocks, and the file may have tens of megabytes.
const DELAY: Duration = Duration::from_secs(10);

/// Keeps the inventory.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) inventory: SharedInventory,
    pub(super) program: Arc<Program>,
    pub(super) clock: Clock,
}

impl Keeper {
    /// Takes in what an earlier process knew, as far as the configuration names it. A file that cannot be used is a warning:
    /// there is work to do without it.
    pub(super) fn restore(&self, setup: &Setup) {
        let file = self.store.file();
        let file = file.display();
        match self.store.load::<Snapshot<'static>>() {
            Ok(Loaded::Found(snapshot)) => {
                let mut inventory = self.inventory.write().unwrap_or_else(PoisonError::into_inner);
                inventory.set_policy(setup.policies.clone(), Arc::clone(&setup.rules));
                inventory.restore(snapshot);
                info!(%file, "the inventory of before is restored");
            }
            Ok(Loaded::Nothing) => info!(%file, "there is no inventory of before"),
            Ok(Loaded::SetAside { why, to }) => {
                self.program.storage_failed();
                warn!(%file, to = %to.display(), "the inventory of before cannot be used and was set aside: {why}");
            }
            Err(unusable) => {
                self.program.storage_failed();
                error!("the inventory of before is not restored: {unusable}");
            }
        }
    }

    /// Saves after changes until told to stop, and then once more.
    pub(super) async fn follow(self, mut revision: watch::Receiver<u64>, mut stop: oneshot::Receiver<()>) {
        let mut works = true;
        loop {
            tokio::select! {
                _ = &mut stop => break,
                changed = revision.changed() => if changed.is_err() { break },
            }
            tokio::select! {
                _ = &mut stop => break,
                () = sleep(DELAY) => {}
            }
            revision.mark_unchanged();
            works = self.save_and_tell(works).await;
        }
        self.save_and_tell(works).await;
    }

    /// Saves, and tells where that begins or ceases to work. Whether it works.
    async fn save_and_tell(&self, worked: bool) -> bool {
        let keeper = self.clone();
        let saved = match spawn_blocking(move || keeper.save()).await {
            Ok(saved) => saved.map_err(|unusable| unusable.to_string()),
            Err(_) => Err("the saving broke off: a fault of this program".to_owned()),
        };
        match &saved {
            Ok(()) if !worked => info!("the inventory is saved again"),
            Ok(()) => {}
            Err(why) => {
                self.program.storage_failed();
                if worked {
                    error!("the inventory is not saved, and a restart would begin without it: {why}");
                }
            }
        }
        saved.is_ok()
    }

    fn save(&self) -> Result<(), Unusable> {
        let encoded = {
            let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
            encode(&inventory.snapshot(), (self.clock)())
        };
        match encoded {
            Ok(encoded) => self.store.save(&encoded),
            Err(error) => {
                // A snapshot is plain data: there is nothing in it that JSON cannot hold.
                error!(%error, "the inventory cannot be written as JSON: a fault of this program");
                Ok(())
            }
        }
    }
}

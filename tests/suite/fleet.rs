//! Replicas with a shared store: real processes, a provider that counts every request, and scrapers that miss nothing.

mod experiments;
mod moves;
mod replicas;
mod table;

use tokio::sync::Mutex;

use crate::buckets::server::Store;
use experiments::{Measured, Site};
use replicas::Times;

/// One experiment at a time, so that none delays the replicas of another.
static EXPERIMENT: Mutex<()> = Mutex::const_new(());

/// Runs an experiment on moto, alone.
async fn on_moto(experiment: impl AsyncFnOnce(Site<'_>) -> Measured) {
    let _alone = EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    experiment(Site::new(&store, "experiment", dir.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cold_start_asks_for_each_source_once() {
    on_moto(experiments::cold_start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steady_state_asks_for_each_source_once_per_interval() {
    on_moto(experiments::steady_state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_replica_is_replaced() {
    on_moto(async |site| experiments::kill(site, Times::SHORT).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_asks_for_no_source_early() {
    on_moto(experiments::rolling_restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_store_stops_neither_collections_nor_scrapes() {
    on_moto(experiments::outage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_replica_serves_everything_and_asks_for_nothing_early() {
    on_moto(experiments::new_replica).await;
}

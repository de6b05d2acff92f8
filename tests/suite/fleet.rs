//! Replicas with a shared store: real processes, a provider that counts every request, and scrapers that miss nothing.

mod replicas;

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::buckets::server::{Address, Store};
use crate::tcp_proxy::{Network, TcpProxy};
use replicas::{Fleet, Times};

const SOURCES: usize = 20;

/// One experiment at a time, so that none delays the replicas of another.
static EXPERIMENT: Mutex<()> = Mutex::const_new(());

/// Three replicas that start at once, and serve everything.
async fn three(directory: &std::path::Path, times: Times, address: &Address) -> Fleet {
    let mut fleet = Fleet::new(directory, times, SOURCES).await;
    for _ in 0..3 {
        fleet.start(address).await;
    }
    fleet.serve_all(times.interval + Duration::from_secs(30)).await;
    fleet
}

/// How late a collection may be: a tenth of the interval by chance, a look and the decision, on a busy machine.
fn tolerance(times: Times) -> Duration {
    times.interval / 10 + times.poll * 2 + Duration::from_secs(8)
}

#[tokio::test(flavor = "multi_thread")]
async fn cold_start_and_steady_state_ask_for_each_source_once_per_interval() {
    let _alone = EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let times = Times::SHORT;
    let started = Instant::now();
    let fleet = three(dir.path(), times, &store.address).await;
    let first: Vec<_> = fleet.asks().into_iter().map(|(name, starts)| (name, starts.len())).collect();
    assert!(started.elapsed() > times.interval || first.iter().all(|(_, asks)| *asks == 1), "cold start: {first:?}");

    let steady = Instant::now();
    sleep(times.interval * 2 + tolerance(times)).await;
    assert!(fleet.asks_since(steady) >= 2 * SOURCES, "{} collections", fleet.asks_since(steady));
    assert_eq!(fleet.early_since(started), [], "collected early");
    let longest = fleet.longest_gap_since(steady);
    assert!(longest <= times.interval + tolerance(times), "{longest:?}");
    fleet.assert_no_loss();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_replica_is_replaced() {
    let _alone = EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let times = Times::SHORT;
    let mut fleet = three(dir.path(), times, &store.address).await;
    let killed = Instant::now();
    fleet.replicas[0].kill();
    sleep(times.interval * 2 + times.takeover()).await;
    // A collection that was under way is repeated; no other.
    let early = fleet.early_since(killed);
    let soonest = times.ttl() - times.poll;
    assert!(early.iter().all(|(_, gap)| *gap >= soonest), "{early:?}");
    let longest = fleet.longest_gap_since(killed);
    assert!(longest <= times.interval + times.takeover() + tolerance(times), "{longest:?}");
    assert!(fleet.asks_since(killed) >= 2 * SOURCES, "{} collections", fleet.asks_since(killed));
    fleet.serve_all(Duration::from_secs(10)).await;
    fleet.assert_no_loss();
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_asks_for_no_source_early() {
    let _alone = EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let times = Times::SHORT;
    let mut fleet = three(dir.path(), times, &store.address).await;
    let restart = Instant::now();
    for _ in 0..3 {
        fleet.start(&store.address).await;
        fleet.serve_all(Duration::from_secs(30)).await;
        let took = fleet.replicas[0].stop();
        assert!(took < Duration::from_secs(12), "a stop took {took:?}");
        fleet.replicas.remove(0);
    }
    sleep(times.interval + tolerance(times)).await;
    assert_eq!(fleet.early_since(restart), [], "collected early");
    let longest = fleet.longest_gap_since(restart);
    assert!(longest <= times.interval + tolerance(times), "{longest:?}");
    fleet.assert_no_loss();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_store_stops_neither_collections_nor_scrapes() {
    let _alone = EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let times = Times::SHORT;
    let proxy = TcpProxy::to(store.port()).await;
    let fleet = three(dir.path(), times, &Address::s3(proxy.port)).await;
    // All replicas have the same view when the store is lost.
    sleep(times.interval).await;
    let lost = Instant::now();
    proxy.set(Network::Closed);
    sleep(times.interval * 2 + times.ttl()).await;
    assert!(fleet.asks_since(lost) >= SOURCES, "{} collections without a store", fleet.asks_since(lost));
    // The collection under way in the moment of the loss may be repeated by another replica.
    let early = fleet.early_since(lost);
    assert!(early.len() <= 1, "collected early: {early:?}");

    let back = Instant::now();
    proxy.set(Network::Works);
    sleep(times.interval * 2 + tolerance(times)).await;
    assert!(fleet.asks_since(back) >= SOURCES, "{} collections after the outage", fleet.asks_since(back));
    assert_eq!(fleet.early_since(back), [], "collected early");
    fleet.serve_all(Duration::from_secs(10)).await;
    fleet.assert_no_loss();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_replica_serves_everything_and_asks_for_nothing_early() {
    let _alone = EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let times = Times::SHORT;
    let mut fleet = three(dir.path(), times, &store.address).await;
    let joined = Instant::now();
    fleet.start(&store.address).await;
    let took = fleet.serve_all(Duration::from_secs(15)).await;
    assert!(took < times.interval, "it read the store instead of asking: {took:?}");
    sleep(times.interval + tolerance(times)).await;
    assert_eq!(fleet.early_since(joined), [], "collected early");
    fleet.assert_no_loss();
}

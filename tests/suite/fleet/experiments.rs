//! The experiments: what happens to replicas or to their store, and what must hold then. Each ends with what it measured.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::sleep;

use super::replicas::{Fleet, Pair, Times};
use crate::buckets::server::{Address, Store};
use crate::tcp_proxy::{Network, TcpProxy};

pub const SOURCES: usize = 20;

/// What an experiment measured.
pub struct Measured {
    pub requests: usize,
    /// Requests before the source was due.
    pub early: usize,
    pub longest_gap: Duration,
    pub scrapes: usize,
    pub remark: String,
}

/// A store for one experiment: its prefix is empty.
pub struct Site<'a> {
    pub store: &'a Store,
    pub address: Address,
    pub directory: &'a Path,
}

impl<'a> Site<'a> {
    pub fn new(store: &'a Store, prefix: &str, directory: &'a Path) -> Self {
        Self { address: store.address.below(prefix), store, directory }
    }

    /// Through a proxy, with the same prefix.
    async fn proxied(&self) -> (TcpProxy, Address) {
        let proxy = TcpProxy::to(self.store.port()).await;
        let prefix = self.address.url.split_once("://fleet/").unwrap().1;
        let address = self.store.through(proxy.port).below(prefix);
        (proxy, address)
    }

    /// Three replicas that start at once, and serve everything.
    async fn three(&self, times: Times, address: &Address) -> Fleet {
        let mut fleet = Fleet::new(self.directory, times, SOURCES).await;
        for _ in 0..3 {
            fleet.start(address).await;
        }
        fleet.serve_all(times.interval + Duration::from_secs(30)).await;
        fleet
    }
}

/// What was measured since a time; nothing was lost.
fn measured(fleet: &Fleet, since: Instant, remark: String) -> Measured {
    fleet.assert_no_loss();
    Measured {
        requests: fleet.asks_since(since),
        early: fleet.early_since(since).len(),
        longest_gap: fleet.longest_gap_since(since),
        scrapes: fleet.scrapes(),
        remark,
    }
}

/// What was under way at this time, or whose result the others had not seen.
fn was_under_way(pair: &Pair, at: Instant, times: Times) -> bool {
    pair.first + times.collection + times.poll * 2 + Duration::from_secs(1) >= at
}

pub async fn cold_start(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let started = Instant::now();
    let mut fleet = Fleet::new(site.directory, times, SOURCES).await;
    for _ in 0..3 {
        fleet.start(&site.address).await;
    }
    let took = fleet.serve_all(Duration::from_secs(40)).await;
    sleep(times.interval / 2).await;
    assert_eq!(fleet.early_since(started), [], "collected early");
    assert!(fleet.asks().iter().all(|(_, starts)| !starts.is_empty()));
    measured(&fleet, started, format!("all replicas serve everything after {:.1} s", took.as_secs_f64()))
}

pub async fn steady_state(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let fleet = site.three(times, &site.address).await;
    let steady = Instant::now();
    sleep(times.longest_gap() * 2).await;
    assert!(fleet.asks_since(steady) >= SOURCES, "{} collections", fleet.asks_since(steady));
    assert_eq!(fleet.early_since(steady), [], "collected early");
    fleet.assert_none_late(steady, times.longest_gap(), false);
    measured(&fleet, steady, String::new())
}

pub async fn kill(site: Site<'_>, times: Times) -> Measured {
    let mut fleet = site.three(times, &site.address).await;
    // The replicas that have started last know that the others live.
    sleep(times.ttl()).await;
    let killed = Instant::now();
    fleet.replicas[0].kill();
    sleep(times.longest_gap() + times.takeover()).await;
    // A collection that was under way is repeated; no other.
    let early = fleet.early_since(killed);
    let soonest = times.ttl() - times.poll;
    assert!(early.iter().all(|pair| was_under_way(pair, killed, times) && pair.gap >= soonest), "{early:?}");
    fleet.assert_none_late(killed, times.longest_gap() + times.takeover(), true);
    assert!(fleet.asks_since(killed) >= SOURCES, "{} collections", fleet.asks_since(killed));
    fleet.serve_all(Duration::from_secs(10)).await;
    let taken_over = early.iter().map(|pair| (pair.first + pair.gap) - killed).max();
    let remark = taken_over.map_or_else(
        || "no collection was under way".to_owned(),
        |longest| format!("collections under way are repeated after at most {:.1} s", longest.as_secs_f64()),
    );
    assert!(taken_over.is_none_or(|longest| longest < Duration::from_secs(60)), "{taken_over:?}");
    measured(&fleet, killed, remark)
}

pub async fn pause(site: Site<'_>) -> Measured {
    let times = Times::LONG;
    let fleet = site.three(times, &site.address).await;
    sleep(times.interval).await;
    let paused = Instant::now();
    fleet.replicas[0].pause();
    sleep(times.ttl() * 2 + times.collection).await;
    let woken = Instant::now();
    fleet.replicas[0].resume();
    sleep(times.longest_gap()).await;
    let early = fleet.early_since(paused);
    assert!(early.iter().all(|pair| was_under_way(pair, paused, times)), "{early:?}");
    fleet.assert_none_late(paused, times.longest_gap() + times.takeover(), true);
    fleet.serve_all(Duration::from_secs(20)).await;
    let after = fleet.early_since(woken).len();
    measured(
        &fleet,
        paused,
        format!("paused for {:.0} s; {after} of them after it woke", (woken - paused).as_secs_f64()),
    )
}

pub async fn outage(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let (proxy, address) = site.proxied().await;
    let fleet = site.three(times, &address).await;
    sleep(times.interval).await;
    let lost = Instant::now();
    proxy.set(Network::Closed);
    sleep(times.interval * 2 + times.ttl()).await;
    let without = fleet.asks_since(lost);
    assert!(without >= SOURCES, "{without} collections without a store");
    assert_eq!(fleet.early_since(lost), [], "collected early");
    let back = Instant::now();
    proxy.set(Network::Works);
    sleep(times.longest_gap() * 2).await;
    assert!(fleet.asks_since(back) >= SOURCES, "{} collections after the outage", fleet.asks_since(back));
    assert_eq!(fleet.early_since(lost), [], "collected early");
    fleet.serve_all(Duration::from_secs(10)).await;
    measured(
        &fleet,
        lost,
        format!("{without} of the requests during the outage of {:.0} s", (back - lost).as_secs_f64()),
    )
}

pub async fn cut_off(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let (proxy, address) = site.proxied().await;
    let mut fleet = Fleet::new(site.directory, times, SOURCES).await;
    for address in [&site.address, &site.address, &address] {
        fleet.start(address).await;
    }
    fleet.serve_all(times.interval + Duration::from_secs(30)).await;
    sleep(times.interval).await;
    let held = fleet.replicas[2].sample("token_expiry_exporter_fleet_preferred_sources").await as usize;
    let cut = Instant::now();
    proxy.set(Network::Closed);
    sleep(times.interval * 3).await;
    proxy.set(Network::Works);
    let back = Instant::now();
    sleep(times.longest_gap() + times.interval).await;
    let mut twice: Vec<String> = fleet.early_since(cut).into_iter().map(|pair| pair.source).collect();
    twice.sort();
    twice.dedup();
    assert!(twice.len() <= held, "{held} sources were its own: {twice:?}");
    assert_eq!(fleet.early_since(back + times.interval), [], "collected early after it is back");
    fleet.serve_all(Duration::from_secs(10)).await;
    measured(
        &fleet,
        cut,
        format!("{} of the {held} sources of this replica were also collected by others", twice.len()),
    )
}

pub async fn rolling_restart(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let mut fleet = site.three(times, &site.address).await;
    let restart = Instant::now();
    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        fleet.start(&site.address).await;
        fleet.serve_all(Duration::from_secs(30)).await;
        let took = fleet.replicas[0].stop();
        assert!(took < Duration::from_secs(12), "a stop took {took:?}");
        slowest = slowest.max(took);
        fleet.replicas.remove(0);
    }
    sleep(times.longest_gap() + times.change_of_holder()).await;
    assert_eq!(fleet.early_since(restart), [], "collected early");
    fleet.assert_none_late(restart, times.longest_gap() + times.change_of_holder(), true);
    measured(&fleet, restart, format!("a stop takes at most {:.1} s", slowest.as_secs_f64()))
}

pub async fn new_replica(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let mut fleet = site.three(times, &site.address).await;
    let joined = Instant::now();
    fleet.start(&site.address).await;
    let took = fleet.serve_all(Duration::from_secs(15)).await;
    assert!(took < times.interval, "it read the store instead of asking: {took:?}");
    sleep(times.longest_gap() + times.change_of_holder()).await;
    assert_eq!(fleet.early_since(joined), [], "collected early");
    fleet.assert_none_late(joined, times.longest_gap() + times.change_of_holder(), true);
    measured(&fleet, joined, format!("it serves everything after {:.1} s", took.as_secs_f64()))
}

/// Clocks 300 seconds ahead and behind.
pub async fn clocks(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/libfaketime/usr/lib");
    let directory = std::fs::read_dir(&library).expect("run tests/tools/install.sh faketime").next().unwrap().unwrap();
    let library = directory.path().join("faketime/libfaketime.so.1").display().to_string();
    let started = Instant::now();
    let mut fleet = Fleet::new(site.directory, times, SOURCES).await;
    for shift in ["+300s", "-300s", "+0s"] {
        let environment = [("LD_PRELOAD", &*library), ("FAKETIME", shift), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        fleet.start_with(&site.address, &environment).await;
    }
    let clock = |number: usize| {
        let log = fleet.replicas[number].log();
        let time = log.split_once("ts=").unwrap().1.split_whitespace().next().unwrap().to_owned();
        chrono::DateTime::parse_from_rfc3339(&time).unwrap()
    };
    let apart = (clock(0) - clock(1)).num_seconds();
    assert!((590..=610).contains(&apart), "the clocks are {apart} s apart");
    fleet.serve_all(Duration::from_secs(40)).await;
    sleep(times.longest_gap() * 2).await;
    assert_eq!(fleet.early_since(started), [], "collected early");
    fleet.assert_none_late(started + Duration::from_secs(20), times.longest_gap() + times.change_of_holder(), true);
    measured(&fleet, started, format!("clocks up to {apart} s apart"))
}

pub async fn emptied(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let fleet = site.three(times, &site.address).await;
    sleep(times.interval).await;
    let store = site.address.open();
    let emptied = Instant::now();
    for object in store.list("").await.unwrap() {
        store.delete(&object.name).await.unwrap();
    }
    sleep(times.longest_gap() + times.poll * 2).await;
    let early = fleet.early_since(emptied);
    assert!(early.iter().all(|pair| was_under_way(pair, emptied, times)), "{early:?}");
    let (states, tokens) = (store.list("live/sources/").await.unwrap(), store.list("blobs/").await.unwrap());
    assert_eq!((states.len(), tokens.len()), (SOURCES, SOURCES), "everything is there again");
    fleet.serve_all(Duration::from_secs(10)).await;
    measured(&fleet, emptied, "everything is in the store again after one interval".to_owned())
}

/// A damaged state, and damaged tokens, which only a new replica reads.
pub async fn damaged(site: Site<'_>) -> Measured {
    let times = Times::SHORT;
    let mut fleet = site.three(times, &site.address).await;
    sleep(times.interval).await;
    let store = site.address.open();
    let damaged = Instant::now();
    store.put("live/sources/org-1", Bytes::from_static(b"{\"format\":3}\nx")).await.unwrap();
    let tokens = store.list("blobs/").await.unwrap();
    let tokens = tokens.iter().find(|object| object.name.starts_with("blobs/org-2/")).unwrap();
    store.put(&tokens.name, Bytes::from_static(b"x")).await.unwrap();
    fleet.start(&site.address).await;
    let took = fleet.serve_all(Duration::from_secs(30)).await;
    sleep(times.longest_gap()).await;
    let early = fleet.early_since(damaged);
    let is_damaged = |pair: &Pair| pair.source == "org-1" || pair.source == "org-2";
    assert!(early.len() <= 2 && early.iter().all(is_damaged), "{early:?}");
    let mut unreadable = 0.0;
    for replica in &fleet.replicas {
        unreadable += replica.sample("token_expiry_exporter_fleet_unreadable_objects_total").await;
    }
    assert!(unreadable >= 2.0, "{unreadable} are counted");
    let read = site.address.open().get(&tokens.name, 1 << 20).await.unwrap();
    assert!(read.is_none_or(|object| &*object.bytes != b"x"), "damaged tokens are still there");
    measured(&fleet, damaged, format!("a new replica serves everything after {:.1} s", took.as_secs_f64()))
}

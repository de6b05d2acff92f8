//! `make fleet`: every experiment on every store, and the table of docs/scaling.md.

use std::fmt::Write as _;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};

use super::experiments::{self, Measured, Site};
use super::replicas::Times;
use crate::buckets::server::Store;

type Experiment = (&'static str, for<'a> fn(Site<'a>) -> LocalBoxFuture<'a, Measured>);

const EXPERIMENTS: &[Experiment] = &[
    ("cold start of three", |site| experiments::cold_start(site).boxed_local()),
    ("steady state", |site| experiments::steady_state(site).boxed_local()),
    ("a replica is killed", |site| experiments::kill(site, Times::LONG).boxed_local()),
    ("the same, with the shipped poll of 10 s", |site| experiments::kill(site, Times::SHIPPED).boxed_local()),
    ("a replica is paused for longer than its claims, and wakes", |site| experiments::pause(site).boxed_local()),
    ("outage of the store", |site| experiments::outage(site).boxed_local()),
    ("one replica of three is cut off", |site| experiments::cut_off(site).boxed_local()),
    ("rolling restart of three", |site| experiments::rolling_restart(site).boxed_local()),
    ("a fourth replica joins", |site| experiments::new_replica(site).boxed_local()),
    ("clocks five minutes ahead and behind", |site| experiments::clocks(site).boxed_local()),
    ("the store is emptied", |site| experiments::emptied(site).boxed_local()),
    ("a damaged state and damaged tokens", |site| experiments::damaged(site).boxed_local()),
];

const PAGE: &str = "docs/scaling.md";
const BEGIN: &str = "<!-- fleet: written by `make fleet` -->\n";
const END: &str = "<!-- /fleet -->";

/// All experiments on one store, one after the other.
async fn run(name: &str, store: &Store, directory: &Path) -> Result<Vec<String>, Vec<String>> {
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for (number, (title, experiment)) in EXPERIMENTS.iter().enumerate() {
        let directory = directory.join(format!("{name}-{number}"));
        fs::create_dir_all(&directory).unwrap();
        let site = Site::new(store, &format!("experiment-{number}"), &directory);
        // The others are run although one fails.
        let Ok(measured) = AssertUnwindSafe(experiment(site)).catch_unwind().await else {
            failed.push(format!("{title} on {name}"));
            continue;
        };
        let Measured { requests, early, longest_gap, scrapes, remark } = measured;
        let row = format!(
            "| {title} | {name} | {requests} | {early} | {:.1} s | {scrapes}, 0 | {remark} |",
            longest_gap.as_secs_f64()
        );
        eprintln!("{row}");
        rows.push(row);
    }
    if failed.is_empty() { Ok(rows) } else { Err(failed) }
}

/// The stores side by side, each with its own replicas and provider.
#[tokio::test]
#[ignore = "takes a quarter of an hour and needs Ceph and libfaketime: run `make fleet`"]
async fn every_experiment_holds_on_every_store() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [
        ("moto", Store::moto(dir.path()).await),
        ("azurite", Store::azurite(dir.path()).await),
        ("radosgw", Store::radosgw(dir.path()).await),
    ];
    let of_stores = join_all(stores.iter().map(|(name, store)| run(name, store, dir.path()))).await;
    let failed: Vec<String> = of_stores.iter().filter_map(|rows| rows.as_ref().err()).flatten().cloned().collect();
    assert_eq!(failed, Vec::<String>::new(), "the table is not written");
    let mut table =
        "| experiment | store | requests | early | longest gap | scrapes, lacking a known token | |\n".to_owned();
    table.push_str("|---|---|---:|---:|---:|---:|---|\n");
    for number in 0..EXPERIMENTS.len() {
        for rows in of_stores.iter().flatten() {
            writeln!(table, "{}", rows[number]).unwrap();
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
}

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;

use chrono::{TimeDelta, Utc};
use parking_lot::RwLock;

use super::*;
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::{Inventory, Policy};
use crate::core::lead::Lead;
use crate::core::outcome::Outcome;
use crate::exposition::exporter::Build;

#[test]
fn pause_is_19_times_the_save_up_to_a_limit() {
    let ms = Duration::from_millis;
    for (save, interval, expected) in [
        (0, 900_000, 0),
        (4, 900_000, 76),
        (500, 900_000, 9_500),
        (600, 900_000, 10_000),
        (60_000, 900_000, 10_000),
        (4, 1_000, 76),
        (500, 1_000, 250),
    ] {
        assert_eq!(pause_after(ms(save), ms(interval)), ms(expected), "{save} {interval}");
    }
}

fn policy() -> Policy {
    Policy {
        provider: "p".to_owned(),
        listings: vec!["l".to_owned()],
        interval: TimeDelta::hours(1),
        lead: Lead { warning: TimeDelta::zero(), critical: TimeDelta::zero() },
        min_lifetime: TimeDelta::zero(),
        expired_retention: TimeDelta::zero(),
        token_limit: 1,
        never_expires: true,
        max_lifetime: None,
        unused_after: None,
        rotate_after: None,
        without_replacement: Vec::new(),
        owner_logins: Vec::new(),
        renewals: std::sync::Arc::default(),
        finds_locations: false,
        finds_credentials: false,
        identifies: false,
    }
}

fn persistence(path: &Path) -> Persistence {
    let inventory = Arc::new(RwLock::new(Inventory::default()));
    let program = Arc::new(ExporterMetrics::new(Build { version: "", revision: "" }, (1, 1), Arc::default()).unwrap());
    let clock: Clock = Arc::new(Utc::now);
    Persistence::new(path, &inventory, &program, &clock)
}

fn attempt(persistence: &Persistence) {
    attempt_of(persistence, "s");
}

#[tokio::test(start_paused = true)]
async fn persistence_saves_a_change_at_once_and_retries_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inventory");
    // A file instead of the directory: nothing can be saved.
    fs::write(&path, "").unwrap();
    let persistence = persistence(&path);
    let file = persistence.store.tokens_file("s");
    persistence.inventory.write().set_policy(BTreeMap::from([("s".to_owned(), policy())]), Arc::new([]));
    let (revision, changes) = watch::channel(0);
    let (_stop, stops) = oneshot::channel();
    tokio::spawn(persistence.clone().run(changes, stops));

    attempt(&persistence);
    revision.send_modify(|revision| *revision += 1);
    sleep(Duration::from_secs(1)).await;
    fs::remove_file(&path).unwrap();
    sleep(RETRY_INTERVAL / 2).await;
    assert!(!file.exists(), "nothing has changed");
    sleep(RETRY_INTERVAL).await;
    assert!(file.exists(), "saving works again");

    let state_file = persistence.store.state_file("s");
    fs::remove_file(&state_file).unwrap();
    revision.send_modify(|revision| *revision += 1);
    sleep(Duration::from_secs(60)).await;
    assert!(!state_file.exists(), "the source has not changed");
    attempt(&persistence);
    revision.send_modify(|revision| *revision += 1);
    sleep(Duration::from_millis(1)).await;
    assert!(state_file.exists(), "a change is saved at once");
}

#[tokio::test(start_paused = true)]
async fn persistence_saves_no_empty_inventory_and_saves_at_shutdown() {
    let directory = tempfile::tempdir().unwrap();
    let persistence = persistence(directory.path());
    let file = persistence.store.tokens_file("s");
    persistence.inventory.write().set_policy(BTreeMap::from([("s".to_owned(), policy())]), Arc::new([]));
    let (revision, changes) = watch::channel(0);
    let (stop, stops) = oneshot::channel();
    let running = tokio::spawn(persistence.clone().run(changes, stops));
    revision.send_modify(|revision| *revision += 1);
    sleep(Duration::from_secs(60)).await;
    assert!(!file.exists(), "no source was attempted");
    attempt(&persistence);
    revision.send_modify(|revision| *revision += 1);
    drop(stop);
    running.await.unwrap();
    assert!(file.exists());
}

/// A persistence with these sources, each attempted once.
fn with_sources(path: &Path, sources: &[&str]) -> Persistence {
    let persistence = persistence(path);
    configure(&persistence, sources);
    sources.iter().for_each(|source| attempt_of(&persistence, source));
    persistence
}

fn configure(persistence: &Persistence, sources: &[&str]) {
    let policies = sources.iter().map(|source| ((*source).to_owned(), policy())).collect();
    persistence.inventory.write().set_policy(policies, Arc::new([]));
}

fn attempt_of(persistence: &Persistence, source: &str) {
    let failed = Outcome::failed(&["l".to_owned()], &Failure::new(Reason::Connect, "x"));
    persistence.inventory.write().record(source, failed, Utc::now(), Utc::now());
}

#[test]
fn save_writes_only_changed_sources_and_removes_files_of_removed_ones() {
    let directory = tempfile::tempdir().unwrap();
    let persistence = with_sources(directory.path(), &["a", "b"]);
    let written = |source: &str| {
        let files = [persistence.store.state_file(source), persistence.store.tokens_file(source)];
        files.map(|file| fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
    };
    persistence.save().unwrap();
    let (a, b) = (written("a"), written("b"));
    assert!(a[0].is_some() && a[1].is_some() && b[0].is_some() && b[1].is_some(), "{a:?} {b:?}");
    attempt_of(&persistence, "a");
    persistence.save().unwrap();
    assert!(written("a")[0] > a[0], "changed");
    assert_eq!(written("b"), b, "unchanged");
    configure(&persistence, &["b"]);
    persistence.save().unwrap();
    assert_eq!(written("a"), [None, None], "removed");
    assert!(written("b")[1].is_some());
    configure(&persistence, &["other"]);
    persistence.save().unwrap();
    assert!(written("b")[1].is_some(), "an empty inventory removes nothing");
}

#[test]
fn source_that_cannot_be_saved_affects_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let persistence = with_sources(directory.path(), &["a", "b"]);
    fs::create_dir(persistence.store.tokens_file("a")).unwrap();
    let why = persistence.save().unwrap_err();
    assert!(why.contains("inventory-a.tokens"), "{why}");
    assert!(persistence.store.load("b").problems.is_empty() && persistence.store.state_file("b").exists());
    fs::remove_dir(persistence.store.tokens_file("a")).unwrap();
    persistence.save().unwrap();
    assert!(persistence.store.state_file("a").exists(), "saved when it can be");
}

/// A link to a volume that is not mounted: not even root can read it.
#[test]
fn unreadable_file_of_an_earlier_version_stays_and_the_sources_are_saved() {
    let directory = tempfile::tempdir().unwrap();
    let persistence = with_sources(directory.path(), &["a"]);
    std::os::unix::fs::symlink("/nowhere/at/all", persistence.store.former_file()).unwrap();
    assert!(persistence.load_former().lock().is_empty());
    for attempt in 1..=2 {
        let why = persistence.save().unwrap_err();
        assert!(
            why.contains("inventory.json: it could not be read at the start and is not replaced"),
            "{attempt}: {why}"
        );
        assert!(persistence.store.state_file("a").exists());
    }
    fs::remove_file(persistence.store.former_file()).unwrap();
    persistence.save().unwrap();
}

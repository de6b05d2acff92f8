//! From one exporter to replicas, and two installations that meet.

use std::process::Command;
use std::time::Duration;

use super::experiments::SOURCES;
use super::replicas::{Fleet, Times};
use crate::buckets::server::Store;
use crate::test_servers::{exporter, free_port, metrics, samples, wait_for};

/// As docs/scaling.md says: the exporter stops, replicas start with the same configuration, and collect each source once.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_take_over_from_an_exporter_with_storage_path() {
    let _alone = super::EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let mut fleet = Fleet::new(dir.path(), Times { interval: Duration::from_secs(60), ..Times::SHORT }, SOURCES).await;
    let config = std::fs::read_to_string(dir.path().join("config.yaml")).unwrap();
    let persisted = dir.path().join("inventory");
    let alone = exporter(dir.path(), &config, &[&format!("--storage.path={}", persisted.display())]).await;
    let served = async || {
        let tokens = samples(&metrics(&alone).await, "token_expiry_timestamp_seconds").len();
        (tokens == fleet.all()).then_some(())
    };
    wait_for("the exporter serves everything", served).await;
    alone.stop();
    for _ in 0..2 {
        fleet.start(&store.address).await;
    }
    fleet.serve_all(Duration::from_secs(40)).await;
    assert!(fleet.asks().iter().all(|(_, starts)| starts.len() == 2), "once each before and after: {:?}", fleet.asks());
    fleet.assert_no_loss();

    // The way back, with the persisted inventory.
    for replica in &mut fleet.replicas {
        replica.stop();
    }
    let alone = exporter(dir.path(), &config, &[&format!("--storage.path={}", persisted.display())]).await;
    assert_eq!(samples(&metrics(&alone).await, "token_expiry_timestamp_seconds").len(), fleet.all(), "at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn prefix_of_another_installation_is_refused() {
    let _alone = super::EXPERIMENT.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::moto(dir.path()).await;
    let mut fleet = Fleet::new(dir.path(), Times::SHORT, 2).await;
    fleet.start(&store.address).await;
    fleet.serve_all(Duration::from_secs(30)).await;
    let objects = async || {
        let listed = store.address.open().list("live/sources/").await.unwrap();
        listed.into_iter().map(|object| object.name).collect::<Vec<_>>()
    };
    let before = objects().await;
    let other = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
        .arg("serve")
        .arg(format!("--config.file={}", dir.path().join("config.yaml").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", free_port()))
        .arg(format!("--storage.url={}", store.address.url))
        .arg("--storage.installation=staging")
        .envs(store.address.environment.clone())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&other.stderr).into_owned() + &String::from_utf8_lossy(&other.stdout);
    let expected = "the prefix belongs to the installation `default`, and this is `staging`; give each installation a prefix of its own, \
                    or, if it is the same, set --storage.installation=default";
    assert!(!other.status.success() && log.contains(expected), "{log}");
    assert_eq!(objects().await, before);

    // A second replica of the same installation is not refused.
    fleet.start(&store.address).await;
    fleet.serve_all(Duration::from_secs(20)).await;
    fleet.assert_no_loss();
}

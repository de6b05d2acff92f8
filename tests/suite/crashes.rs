//! kill -9 at any time: the persisted inventory is valid, and at most the last collection is lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::Utc;

use crate::stub_provider::{Org, StubProvider};
use crate::test_servers::{exporter, metrics, persisted, samples, wait_for};

const KILLS: u64 = 30;
const TOKENS: usize = 400;

/// The number of the list in the names, which is the same for all tokens.
fn list(names: impl Iterator<Item = String>) -> Option<u64> {
    let lists: std::collections::BTreeSet<u64> =
        names.map(|name| name.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(lists.len() <= 1, "tokens of several lists: {lists:?}");
    lists.first().copied()
}

/// The number of tokens in the persisted inventory, and of their list.
fn stored(inventory: &Path) -> (usize, Option<u64>) {
    let Some(tokens) = persisted(inventory, "main") else { return (0, None) };
    (tokens.len(), list(tokens.iter().map(|entry| entry["token"]["name"].as_str().unwrap().to_owned())))
}

#[tokio::test]
async fn kill_at_any_time_loses_at_most_the_last_collection() {
    let org = Org::with(TOKENS as u32, Utc::now().timestamp()).numbered();
    let stub = StubProvider::start([("main", org)]).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "a-key").unwrap();
    let storage = format!("--storage.path={}", dir.path().join("inventory").display());
    let inventory = dir.path().join("inventory");
    let config = format!("sources: [{}]\n", stub.source("main", "1s"));
    let mut saved = 0;
    for kill in 0..KILLS {
        let earlier = stub.org("main", |org| org.lists);
        let (_, restored) = stored(&inventory);
        let exporter = exporter(dir.path(), &config, &[&storage]).await;
        let shown = async || {
            let shown = samples(&metrics(&exporter).await, "token_expiry_timestamp_seconds");
            (shown.len(), list(shown.iter().map(|token| token.label("token_name").to_owned())))
        };
        let first = shown().await;
        if kill > 0 {
            assert_eq!(first.0, TOKENS, "the first scrape has all tokens");
            assert!(first.1 >= restored, "kill {kill}: list {:?} is shown, and {restored:?} was stored", first.1);
        }
        wait_for("tokens", || async { (shown().await.0 == TOKENS).then_some(()) }).await;
        // Each kill is at another time of the second between two collections.
        tokio::time::sleep(Duration::from_millis(kill * 37 % 400)).await;
        let (_, before) = shown().await;
        drop(exporter); // Kills it.
        let (tokens, after) = stored(&inventory);
        if kill > 0 || after.is_some() {
            assert_eq!(tokens, TOKENS, "after kill {kill}");
            let (before, after) = (before.unwrap(), after.unwrap());
            assert!(Some(after) >= restored, "kill {kill}: list {after} is stored, and {restored:?} was");
            // Of the lists that this process collected.
            let lost = before.saturating_sub(after.max(earlier));
            assert!(lost <= 1, "kill {kill}: list {before} was shown, {after} is stored, {earlier} was before");
            saved += u64::from(lost == 0);
        }
    }
    assert!(saved > KILLS / 4, "only {saved} of {KILLS} last collections were saved");
    let left: Vec<_> =
        fs::read_dir(dir.path().join("inventory")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.len() <= 4, "temporary files remain: {left:?}");
}

//! Shards and replicas: several real processes with one configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::{Json, Router};
use serde_json::json;

use crate::test_servers::{Server, exporter, metrics, persisted, samples, wait_for};

const SOURCES: [&str; 9] =
    ["atlassian", "jira", "confluence", "bitbucket", "gitlab", "gitlab-com", "github", "vault", "by-hand"];

/// A configuration with nine sources of one token each.
fn config() -> String {
    SOURCES.iter().fold("sources:\n".to_owned(), |config, source| {
        format!(
            "{config}  - {{name: {source}, provider: manual, tokens: [{{name: t-{source}, expires: 2099-01-01}}]}}\n"
        )
    })
}

/// Starts `count` shards, each with its own storage, like the pods of a StatefulSet.
async fn start(dir: &Path, count: usize) -> Vec<Server> {
    let mut shards = Vec::new();
    for number in 1..=count {
        let (shard, storage) =
            (format!("--shard={number}/{count}"), format!("--storage.path={}/{number}", dir.display()));
        shards.push(exporter(dir, &config(), &[&shard, &storage]).await);
    }
    shards
}

/// The metrics once every source was collected; `token_source_interval_seconds` has all of them from the start.
async fn collected(exporter: &Server) -> String {
    wait_for("every source to be collected", || async {
        let text = metrics(exporter).await;
        let up = samples(&text, "token_source_up").into_iter().filter(|source| source.value == 1.0).count();
        let all = samples(&text, "token_source_interval_seconds").len();
        (up == all).then_some(text) // a shard may have no source
    })
    .await
}

/// The shards that collect each source, and those that have its token.
async fn shards_by_source(shards: &[Server]) -> (BTreeMap<String, Vec<usize>>, BTreeMap<String, Vec<usize>>) {
    let (mut collecting, mut showing) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for (index, shard) in shards.iter().enumerate() {
        let text = collected(shard).await;
        for source in samples(&text, "token_source_up") {
            collecting.entry(source.label("source").to_owned()).or_default().push(index + 1);
        }
        for token in samples(&text, "token_expiry_timestamp_seconds") {
            showing.entry(token.label("source").to_owned()).or_default().push(index + 1);
        }
        let shard = &samples(&text, "token_expiry_exporter_shards")[0];
        assert_eq!((shard.label("shard"), shard.value), (format!("{}", index + 1).as_str(), shards.len() as f64));
    }
    (collecting, showing)
}

/// Asserts that exactly one shard collects each source and has its token; the shard by source.
async fn assert_each_source_once(shards: &[Server]) -> BTreeMap<String, usize> {
    let (collected, shown) = shards_by_source(shards).await;
    assert_eq!(collected, shown);
    let mut expected: Vec<&str> = SOURCES.to_vec();
    expected.sort_unstable();
    assert_eq!(collected.keys().collect::<Vec<_>>(), expected);
    assert!(collected.values().all(|shards| shards.len() == 1), "{collected:?}");
    collected.into_iter().map(|(source, shards)| (source, shards[0])).collect()
}

#[tokio::test]
async fn shards_collect_each_source_once_before_and_after_a_change_of_their_number() {
    let dir = tempfile::tempdir().unwrap();
    let three = start(dir.path(), 3).await;
    let before = assert_each_source_once(&three).await;
    assert!((1..=3).all(|shard| before.values().any(|owner| *owner == shard)), "every shard has a source: {before:?}");
    for shard in three {
        shard.stop();
    }

    // The first three restore inventories with sources that now belong to another shard.
    let first: Vec<&String> = before.iter().filter(|(_, owner)| **owner == 1).map(|(source, _)| source).collect();
    for source in first {
        let tokens = persisted(&dir.path().join("1"), source).unwrap();
        assert!(tokens.iter().any(|token| token["token"]["id"] == format!("t-{source}")), "{source}: {tokens:?}");
    }
    let four = start(dir.path(), 4).await;
    let after = assert_each_source_once(&four).await;
    assert!(before.iter().any(|(source, owner)| after[source] != *owner), "some sources moved: {before:?} {after:?}");
}

#[tokio::test]
async fn replicas_double_requests_and_shards_do_not() {
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    let respond = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Json(json!({"data": [], "links": {"next": null}})) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "a-key").unwrap();
    let source = |name: &str| {
        format!(
            "{{name: {name}, provider: atlassian-cloud, org_id: o, url: '{url}', listings: [api-tokens], credential: {{file: key}}}}"
        )
    };
    let config = format!("sources: [{}, {}, {}]\n", source("a"), source("b"), source("c"));

    let cost = async |flags: &[&str]| {
        requests.store(0, Ordering::SeqCst);
        let mut exporters = Vec::new();
        for flag in flags {
            exporters.push(exporter(dir.path(), &config, &[flag]).await);
        }
        for exporter in &exporters {
            collected(exporter).await;
        }
        requests.load(Ordering::SeqCst)
    };
    let one = cost(&["--shard=1/1"]).await;
    assert!(one >= 3, "{one} requests");
    assert_eq!(cost(&["--shard=1/1", "--shard=1/1"]).await, 2 * one, "as docs/scaling.md says of replicas");
    assert_eq!(cost(&["--shard=1/3", "--shard=2/3", "--shard=3/3"]).await, one, "as docs/scaling.md says of shards");
}

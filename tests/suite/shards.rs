//! Several exporters that share the work, or do the same: real processes with one configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::{Json, Router};
use serde_json::json;

use crate::equipment::{Server, exporter, metrics, samples, wait_for};

const SOURCES: [&str; 9] =
    ["atlassian", "jira", "confluence", "bitbucket", "gitlab", "gitlab-com", "github", "vault", "by-hand"];

/// Nine sources of one token each.
fn nine() -> String {
    SOURCES.iter().fold("sources:\n".to_owned(), |config, source| {
        format!(
            "{config}  - {{name: {source}, provider: manual, tokens: [{{name: t-{source}, expires: 2099-01-01}}]}}\n"
        )
    })
}

/// The shards of an installation of this many; each keeps its inventory in a folder of its own, as the pods of a
/// StatefulSet do.
async fn start(dir: &Path, count: usize) -> Vec<Server> {
    let mut shards = Vec::new();
    for number in 1..=count {
        let (shard, storage) =
            (format!("--shard={number}/{count}"), format!("--storage.path={}/{number}", dir.display()));
        shards.push(exporter(dir, &nine(), &[&shard, &storage]).await);
    }
    shards
}

/// The exposition of an exporter that has collected each of its sources. Which those are it says from the start.
async fn collected(exporter: &Server) -> String {
    wait_for("every source of an exporter is collected", Duration::from_secs(30), || async {
        let text = metrics(exporter).await;
        let up = samples(&text, "token_source_up").into_iter().filter(|source| source.value == 1.0).count();
        let all = samples(&text, "token_source_interval_seconds").len();
        (up == all).then_some(text) // with few sources a shard may have none
    })
    .await
}

/// Which shards collect each source, and which tell of its token.
async fn held(shards: &[Server]) -> (BTreeMap<String, Vec<usize>>, BTreeMap<String, Vec<usize>>) {
    let (mut held, mut told) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for (index, shard) in shards.iter().enumerate() {
        let text = collected(shard).await;
        for source in samples(&text, "token_source_up") {
            held.entry(source.label("source").to_owned()).or_default().push(index + 1);
        }
        for token in samples(&text, "token_expiry_timestamp_seconds") {
            told.entry(token.label("source").to_owned()).or_default().push(index + 1);
        }
        let said = &samples(&text, "token_expiry_exporter_shards")[0];
        assert_eq!((said.label("shard"), said.value), (format!("{}", index + 1).as_str(), shards.len() as f64));
    }
    (held, told)
}

/// Asserts that each source is collected and told of once, by one and the same shard. Who holds what.
async fn cover_each_once(shards: &[Server]) -> BTreeMap<String, usize> {
    let (collected, told) = held(shards).await;
    assert_eq!(collected, told);
    let mut expected: Vec<&str> = SOURCES.to_vec();
    expected.sort_unstable();
    assert_eq!(collected.keys().collect::<Vec<_>>(), expected);
    assert!(collected.values().all(|shards| shards.len() == 1), "{collected:?}");
    collected.into_iter().map(|(source, shards)| (source, shards[0])).collect()
}

#[tokio::test]
async fn three_shards_cover_nine_sources_once_and_so_do_four_that_follow_them() {
    let dir = tempfile::tempdir().unwrap();
    let three = start(dir.path(), 3).await;
    let before = cover_each_once(&three).await;
    assert!((1..=3).all(|shard| before.values().any(|holder| *holder == shard)), "none is idle: {before:?}");
    for shard in three {
        shard.stop();
    }

    // The first three find the inventories of before, in which there are sources that are theirs no more.
    let kept = std::fs::read_to_string(dir.path().join("1/inventory.json")).unwrap();
    let first: Vec<&String> = before.iter().filter(|(_, holder)| **holder == 1).map(|(source, _)| source).collect();
    assert!(first.iter().all(|source| kept.contains(&format!("t-{source}"))), "{first:?}: {kept}");
    let four = start(dir.path(), 4).await;
    let after = cover_each_once(&four).await;
    assert!(before.iter().any(|(source, holder)| after[source] != *holder), "some have moved: {before:?} {after:?}");
}

#[tokio::test]
async fn two_replicas_ask_twice_and_shards_do_not() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let answer = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Json(json!({"data": [], "links": {"next": null}})) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "a-key").unwrap();
    let source = |name: &str| {
        format!(
            "{{name: {name}, provider: atlassian-cloud, org_id: o, url: '{url}', listings: [api-tokens], credential: {{file: key}}}}"
        )
    };
    let config = format!("sources: [{}, {}, {}]\n", source("a"), source("b"), source("c"));

    let cost = async |flags: &[&str]| {
        asked.store(0, Ordering::SeqCst);
        let mut exporters = Vec::new();
        for flag in flags {
            exporters.push(exporter(dir.path(), &config, &[flag]).await);
        }
        for one in &exporters {
            collected(one).await;
        }
        asked.load(Ordering::SeqCst)
    };
    let one = cost(&["--shard=1/1"]).await;
    assert!(one >= 3, "{one} requests");
    assert_eq!(cost(&["--shard=1/1", "--shard=1/1"]).await, 2 * one, "docs/scaling.md says that replicas double them");
    assert_eq!(
        cost(&["--shard=1/3", "--shard=2/3", "--shard=3/3"]).await,
        one,
        "docs/scaling.md says that shards do not"
    );
}

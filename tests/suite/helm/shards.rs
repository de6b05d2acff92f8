//! Scaling out: each pod of a StatefulSet derives its shard from its name alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::program::mount;
use super::{manifests, template, value_sets, workload};
use crate::test_servers::{client, exporter, metrics, samples, wait_for};

/// Starts all pods, each with its own volume, and returns the sources that each exposes, by pod name.
async fn sources_by_pod(volumes: &Path, shards: u32, replicas: u32) -> BTreeMap<String, BTreeSet<String>> {
    let settings = [format!("shards={shards}"), format!("replicas={replicas}")];
    let text = template(&value_sets("good")["shards"], &["--set", &settings[0], "--set", &settings[1]]).unwrap();
    let manifests = manifests(&text);
    let workload = workload(&manifests);
    assert_eq!(workload["spec"]["replicas"], shards * replicas);
    let pod = &workload["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(pod["env"][0]["name"], "POD_NAME");
    assert_eq!(pod["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");

    let directory = tempfile::tempdir().unwrap();
    let arguments = mount(&manifests, directory.path());
    let shard = arguments.iter().find(|argument| argument.starts_with("--shard=")).unwrap();
    let config = std::fs::read_to_string(directory.path().join("config/config.yaml")).unwrap();
    let mut sources = BTreeMap::new();
    for number in 0..shards * replicas {
        let name = format!("{}-{number}", workload["metadata"]["name"].as_str().unwrap());
        // Kubernetes expands the variable: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
        let storage = format!("--storage.path={}", volumes.join(&name).display());
        let pod = exporter(directory.path(), &config, &[&shard.replace("$(POD_NAME)", &name), &storage]).await;
        let ready = format!("{}/-/ready", pod.url);
        wait_for("the pod is ready", async || {
            client().get(&ready).send().await.ok().filter(|reply| reply.status().is_success())
        })
        .await;
        let exposition = metrics(&pod).await;
        let shards_metric = samples(&exposition, "token_expiry_exporter_shards");
        assert_eq!(
            (shards_metric[0].label("shard"), shards_metric[0].value),
            (&*(number % shards + 1).to_string(), f64::from(shards))
        );
        let tokens = samples(&exposition, "token_expiry_timestamp_seconds");
        sources.insert(name, tokens.iter().map(|sample| sample.label("source").to_owned()).collect());
    }
    sources
}

#[tokio::test]
async fn shards_cover_each_of_nine_sources_exactly_once_before_and_after_scaling() {
    let nine: Vec<String> =
        ["atlassian", "east", "files", "github", "gitlab", "north", "south", "vault", "west"].map(str::to_owned).into();
    // The volumes stay: a source that has moved to another pod must not be exposed by its old pod.
    let volumes = tempfile::tempdir().unwrap();
    for shards in [3, 4] {
        let sources = sources_by_pod(volumes.path(), shards, 1).await;
        let mut all: Vec<String> = sources.values().flatten().cloned().collect();
        all.sort();
        assert_eq!(all, nine, "{sources:?}");
        assert!(sources.values().all(|of_pod| of_pod.len() < 6), "one shard has most sources: {sources:?}");
    }
}

#[tokio::test]
async fn replicas_of_a_shard_expose_the_same_sources() {
    let volumes = tempfile::tempdir().unwrap();
    let sources = sources_by_pod(volumes.path(), 2, 2).await;
    let pods: Vec<&BTreeSet<String>> = sources.values().collect();
    assert_eq!((pods[0], pods[1]), (pods[2], pods[3]), "{sources:?}");
    assert_eq!(pods[0].len() + pods[1].len(), 9);
}

//! Scaling out: the pods of a StatefulSet share the sources by nothing but their own names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::configured::mounted;
use super::{manifests, sets, template, workload};
use crate::equipment::{client, exporter, metrics, samples, wait_for};

/// The pods of so many shards, each with a volume of its own under this folder: which sources each shows, by the pod's name.
async fn held(volumes: &Path, shards: u32, replicas: u32) -> BTreeMap<String, BTreeSet<String>> {
    let further = [format!("shards={shards}"), format!("replicas={replicas}")];
    let text = template(&sets("good")["shards"], &["--set", &further[0], "--set", &further[1]]).unwrap();
    let manifests = manifests(&text);
    let workload = workload(&manifests);
    assert_eq!(workload["spec"]["replicas"], shards * replicas);
    let pod = &workload["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(pod["env"][0]["name"], "POD_NAME");
    assert_eq!(pod["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");

    let folder = tempfile::tempdir().unwrap();
    let arguments = mounted(&manifests, folder.path());
    let shard = arguments.iter().find(|argument| argument.starts_with("--shard=")).unwrap();
    let config = std::fs::read_to_string(folder.path().join("config/config.yaml")).unwrap();
    let mut held = BTreeMap::new();
    for number in 0..shards * replicas {
        let name = format!("{}-{number}", workload["metadata"]["name"].as_str().unwrap());
        // Kubernetes puts the variable in: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
        let storage = format!("--storage.path={}", volumes.join(&name).display());
        let pod = exporter(folder.path(), &config, &[&shard.replace("$(POD_NAME)", &name), &storage]).await;
        let ready = format!("{}/-/ready", pod.url);
        wait_for("the pod is ready", Duration::from_secs(60), async || {
            client().get(&ready).send().await.ok().filter(|reply| reply.status().is_success())
        })
        .await;
        let exposition = metrics(&pod).await;
        let told = samples(&exposition, "token_expiry_exporter_shards");
        assert_eq!((told[0].label("shard"), told[0].value), (&*(number % shards + 1).to_string(), f64::from(shards)));
        let sources = samples(&exposition, "token_expiry_timestamp_seconds");
        held.insert(name, sources.iter().map(|sample| sample.label("source").to_owned()).collect());
    }
    held
}

#[tokio::test]
async fn shards_cover_each_of_nine_sources_exactly_once_before_and_after_scaling() {
    let nine: Vec<String> =
        ["atlassian", "east", "files", "github", "gitlab", "north", "south", "vault", "west"].map(str::to_owned).into();
    // The volumes stay: what a pod remembers of a source that is another's now must not show twice.
    let volumes = tempfile::tempdir().unwrap();
    for shards in [3, 4] {
        let held = held(volumes.path(), shards, 1).await;
        let mut all: Vec<String> = held.values().flatten().cloned().collect();
        all.sort();
        assert_eq!(all, nine, "{held:?}");
        assert!(held.values().all(|sources| sources.len() < 6), "no shard does most of the work: {held:?}");
    }
}

#[tokio::test]
async fn two_replicas_of_a_shard_hold_the_same() {
    let volumes = tempfile::tempdir().unwrap();
    let held = held(volumes.path(), 2, 2).await;
    let pods: Vec<&BTreeSet<String>> = held.values().collect();
    assert_eq!((pods[0], pods[1]), (pods[2], pods[3]), "{held:?}");
    assert_eq!(pods[0].len() + pods[1].len(), 9);
}

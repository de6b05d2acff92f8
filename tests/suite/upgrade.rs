//! An upgrade from an installation with a stored inventory of format 2: its files, configuration and chart values in
//! `tests/upgrade/`, of which the inventory was written by that version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::test_servers::{Server, client, free_port, metrics, persisted, samples, tool, wait_for};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name)
}

/// A directory with the files of the installation.
fn installation() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("inventory")).unwrap();
    fs::copy(fixture("inventory.json"), dir.path().join("inventory/inventory.json")).unwrap();
    fs::copy(fixture("config.yaml"), dir.path().join("config.yaml")).unwrap();
    fs::write(dir.path().join("key"), "a-key").unwrap();
    dir
}

async fn serve(dir: &Path) -> Server {
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(["serve", "--config.file=config.yaml", "--storage.path=inventory"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(dir);
    Server::start("token-expiry-exporter", command, dir, port, "/-/healthy").await
}

/// The identifiers of all tokens of the source that cannot be collected, as the earlier version stored them.
fn stored_by_the_earlier_version() -> Vec<String> {
    let text = fs::read_to_string(fixture("inventory.json")).unwrap();
    let (header, content) = text.split_once('\n').unwrap();
    assert!(header.starts_with("{\"format\":2,"), "{header}");
    let content: Value = serde_json::from_str(content).unwrap();
    let tokens = content["sources"]["Atlassian.Cloud_1"]["tokens"].as_array().unwrap();
    tokens.iter().map(|entry| entry["token"]["id"].as_str().unwrap().to_owned()).collect()
}

/// The identifiers of the tokens of that source that are exposed.
async fn exposed(exporter: &Server) -> Vec<String> {
    let page = metrics(exporter).await;
    let expiries = samples(&page, "token_expiry_timestamp_seconds");
    let of_source = expiries.iter().filter(|sample| sample.label("source") == "Atlassian.Cloud_1");
    let mut ids: Vec<String> = of_source.map(|sample| sample.label("token_id").to_owned()).collect();
    ids.sort();
    ids
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

const FILES: [&str; 5] = [
    "inventory-%41tlassian.%43loud_1.state",
    "inventory-%41tlassian.%43loud_1.tokens",
    "inventory-by-hand.state",
    "inventory-by-hand.tokens",
    "inventory.lock",
];

#[tokio::test]
async fn upgraded_exporter_serves_all_tokens_at_once_and_converts_the_files() {
    let (dir, expected) = (installation(), stored_by_the_earlier_version());
    let inventory = dir.path().join("inventory");
    assert!(expected.len() > 30);
    let upgraded = serve(dir.path()).await;
    assert_eq!(exposed(&upgraded).await, expected, "the first page has all tokens: {}", upgraded.log());
    let ready = client().get(format!("{}/-/ready", upgraded.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    wait_for("the converted files", || async { (names(&inventory) == FILES).then_some(()) }).await;
    let failures = samples(&metrics(&upgraded).await, "token_expiry_exporter_storage_failures_total");
    assert_eq!(failures[0].value, 0.0, "{}", upgraded.log());
    drop(upgraded); // Kills it.

    assert_eq!(persisted(&inventory, "Atlassian.Cloud_1").unwrap().len(), expected.len());
    let restarted = serve(dir.path()).await;
    assert_eq!(exposed(&restarted).await, expected, "from the converted files");
}

/// A crash after some of the new files were written, and a downgrade followed by another upgrade.
#[tokio::test]
async fn newer_of_both_files_is_restored() {
    let (dir, expected) = (installation(), stored_by_the_earlier_version());
    let (inventory, former) = (dir.path().join("inventory"), dir.path().join("inventory/inventory.json"));
    let upgraded = serve(dir.path()).await;
    wait_for("the converted files", || async { (names(&inventory) == FILES).then_some(()) }).await;
    drop(upgraded);

    // As after a crash: the same tokens are in both. `by-hand` is only in the old file.
    fs::copy(fixture("inventory.json"), &former).unwrap();
    fs::remove_file(inventory.join("inventory-by-hand.state")).unwrap();
    fs::remove_file(inventory.join("inventory-by-hand.tokens")).unwrap();
    let again = serve(dir.path()).await;
    assert_eq!(exposed(&again).await, expected);
    wait_for("the converted files", || async { (names(&inventory) == FILES).then_some(()) }).await;
    drop(again);

    // As after a downgrade: the older version has collected later, when one token was left.
    let text = fs::read_to_string(fixture("inventory.json")).unwrap();
    let mut content: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
    let source = &mut content["sources"]["Atlassian.Cloud_1"];
    source["last_success"] = json!("2090-01-01T00:00:00Z");
    source["tokens"].as_array_mut().unwrap().truncate(1);
    let body = content.to_string();
    let header = json!({
        "format": 2, "crc32": format!("{:08x}", crc32fast::hash(body.as_bytes())), "length": body.len(), "written_at": "",
    });
    fs::write(&former, format!("{header}\n{body}")).unwrap();
    let upgraded = serve(dir.path()).await;
    assert_eq!(exposed(&upgraded).await, expected[..1], "{}", upgraded.log());
}

/// What Kubernetes does not let an upgrade change in a StatefulSet, and where the inventory is.
#[test]
fn chart_upgrades_a_stateful_set_in_place() {
    let output = Command::new(tool("helm"))
        .args(["template", "tokens", "helm/token-expiry-exporter", "--namespace=monitoring", "--values"])
        .arg(fixture("values.yaml"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = text.split("---\n").filter(|document| document.contains("\nkind: StatefulSet\n"));
    let sets: Vec<Value> = documents.map(|document| serde_saphyr::from_str(document).unwrap()).collect();
    assert_eq!(sets.len(), 1, "{text}");
    let spec = &sets[0]["spec"];
    let labels = json!({
        "app.kubernetes.io/name": "token-expiry-exporter",
        "app.kubernetes.io/instance": "tokens",
        "app.kubernetes.io/component": "exporter",
    });
    assert_eq!(sets[0]["metadata"]["name"], "tokens-token-expiry-exporter");
    assert_eq!(spec["selector"], json!({"matchLabels": labels}));
    assert_eq!(spec["serviceName"], "tokens-token-expiry-exporter");
    assert_eq!(spec["podManagementPolicy"], "Parallel");
    assert_eq!(
        spec["volumeClaimTemplates"],
        // An API server adds these two to claims without them, so they change nothing.
        json!([{
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "storage", "labels": labels, "annotations": {"example.com/backup": "yes"}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }])
    );
    let container = &spec["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    assert!(arguments.contains(&json!("--storage.path=/var/lib/token-expiry-exporter")), "{arguments:?}");
    let mount = json!({"name": "storage", "mountPath": "/var/lib/token-expiry-exporter"});
    assert!(container["volumeMounts"].as_array().unwrap().contains(&mount), "{container}");
}

//! The Helm chart: what it renders is valid, safe and what was tested; what is wrong is refused in words that help.

mod configured;
mod generated;
mod refused;
mod render;
mod routes;
mod rules;
mod safe;
mod shards;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::equipment::tool;

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn updates() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

const CHART: &str = "helm/token-expiry-exporter";

/// What is generated in the chart's folder is written anew before the first look at it, where that is asked for.
static FRESH: LazyLock<()> = LazyLock::new(|| {
    if updates() {
        generated::write();
    }
});

/// helm with these arguments, on the chart: what it prints, or what it complains of.
fn helm(arguments: &[&str]) -> Result<String, String> {
    LazyLock::force(&FRESH);
    let home = std::env::temp_dir().join("token-expiry-exporter-helm");
    let output = Command::new(tool("helm"))
        .args(arguments)
        .current_dir(file("."))
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    if output.status.success() { Ok(out) } else { Err(format!("{out}{err}")) }
}

/// The manifests of a set of values, as text.
fn template(values: &Path, further: &[&str]) -> Result<String, String> {
    let values = values.display().to_string();
    let mut arguments = vec!["template", "tokens", CHART, "--namespace=monitoring", "--values", &values];
    arguments.extend(further);
    helm(&arguments)
}

/// The sets of values under a folder of tests/helm, by name.
fn sets(folder: &str) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(file("tests/helm").join(folder)).unwrap();
    let named = |path: PathBuf| (path.file_stem().unwrap().to_string_lossy().into_owned(), path);
    entries.map(|entry| named(entry.unwrap().path())).collect()
}

/// Every good set of values, rendered.
static RENDERED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let render = |(name, path): (String, PathBuf)| {
        let text = template(&path, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, text)
    };
    sets("good").into_iter().map(render).collect()
});

/// The manifests of a text that helm has rendered.
fn manifests(text: &str) -> Vec<Value> {
    let documents = text.split("---\n# Source:").filter_map(|document| document.split_once('\n'));
    documents.map(|(_, document)| yaml(document)).filter(|manifest| !manifest.is_null()).collect()
}

/// The manifests of a good set.
fn of(set: &str) -> Vec<Value> {
    manifests(RENDERED.get(set).unwrap_or_else(|| panic!("tests/helm/good has no {set}.yaml")))
}

/// The one manifest of a kind.
fn one(set: &str, kind: &str) -> Value {
    let mut found: Vec<Value> = of(set).into_iter().filter(|manifest| manifest["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{set}: {kind}");
    found.remove(0)
}

/// The StatefulSet or Deployment.
fn workload(manifests: &[Value]) -> &Value {
    let is_workload = |manifest: &&Value| ["StatefulSet", "Deployment"].map(Value::from).contains(&manifest["kind"]);
    manifests.iter().find(is_workload).expect("a workload")
}

//! The Helm chart: rendered manifests are valid, secure and contain the tested files; invalid values are rejected with a remedy.

mod cases;
mod generated;
mod helm3;
mod operator;
mod program;
mod rejected;
pub(crate) mod render;
mod routes;
mod rules;
mod scope;
mod security;
mod shards;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::test_servers::tool;

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

fn updates_golden() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

const CHART: &str = "helm/token-expiry-exporter";

/// With `UPDATE_GOLDEN=1`, writes the generated files of the chart before their first use.
static GENERATED: LazyLock<()> = LazyLock::new(|| {
    if updates_golden() {
        generated::write();
    }
});

/// Runs helm and returns its output; on failure all output as the error.
fn helm(arguments: &[&str]) -> Result<String, String> {
    run_helm("helm", arguments)
}

/// Runs one version of Helm: `helm`, which is Helm 4, or `helm3`.
fn run_helm(version: &str, arguments: &[&str]) -> Result<String, String> {
    LazyLock::force(&GENERATED);
    let home = std::env::temp_dir().join("token-expiry-exporter-helm");
    let output = Command::new(tool(version))
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

/// Renders the chart with a file of values and additional arguments.
fn template(values: &Path, additional: &[&str]) -> Result<String, String> {
    let values = values.display().to_string();
    let mut arguments = vec!["template", "tokens", CHART, "--namespace=monitoring", "--values", &values];
    arguments.extend(additional);
    helm(&arguments)
}

/// Renders the chart with a file of values, which are added to the minimal ones if they are only a part.
pub(crate) fn render_values(values: &Path, is_part: bool) -> Result<String, String> {
    let minimal = value_sets("good")["minimal"].display().to_string();
    let additional: &[&str] = if is_part { &["--values", &minimal] } else { &[] };
    template(values, additional)
}

pub(crate) fn minimal_values() -> String {
    std::fs::read_to_string(&value_sets("good")["minimal"]).unwrap()
}

/// Every object of the chart with the minimal values.
pub(crate) fn render_minimal() -> String {
    RENDERED["minimal"].clone()
}

/// The value sets in a directory of tests/helm, by name.
fn value_sets(directory: &str) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(file("tests/helm").join(directory)).unwrap();
    let named = |path: PathBuf| (path.file_stem().unwrap().to_string_lossy().into_owned(), path);
    entries.map(|entry| named(entry.unwrap().path())).collect()
}

/// Every valid value set, rendered.
static RENDERED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let render = |(name, path): (String, PathBuf)| {
        let text = template(&path, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, text)
    };
    value_sets("good").into_iter().map(render).collect()
});

/// Parses the manifests that helm has rendered.
fn manifests(text: &str) -> Vec<Value> {
    let documents = text.split("---\n# Source:").filter_map(|document| document.split_once('\n'));
    documents.map(|(_, document)| yaml(document)).filter(|manifest| !manifest.is_null()).collect()
}

/// The manifests of a valid value set.
fn manifests_of(set: &str) -> Vec<Value> {
    manifests(RENDERED.get(set).unwrap_or_else(|| panic!("tests/helm/good has no {set}.yaml")))
}

/// The only manifest of a kind in a valid value set.
fn manifest_of(set: &str, kind: &str) -> Value {
    let mut found: Vec<Value> = manifests_of(set).into_iter().filter(|manifest| manifest["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{set}: {kind}");
    found.remove(0)
}

/// The StatefulSet or Deployment.
fn workload(manifests: &[Value]) -> &Value {
    let is_workload = |manifest: &&Value| ["StatefulSet", "Deployment"].map(Value::from).contains(&manifest["kind"]);
    manifests.iter().find(is_workload).expect("a workload")
}

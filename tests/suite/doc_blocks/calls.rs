//! Whether a program that is not run would accept how a page calls it.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::{config, repository, run};

/// Commands with their flags, from the references of the programs.
const COMMANDS: &[(&str, &[&str])] = &[
    ("apt install", &[]),
    ("cosign verify", &["--certificate-oidc-issuer", "--certificate-identity-regexp"]),
    ("aws secretsmanager tag-resource", &["--secret-id", "--tags"]),
    ("aws ssm add-tags-to-resource", &["--resource-type", "--resource-id", "--tags"]),
    ("az keyvault secret set-attributes", &["--vault-name", "--name", "--expires", "--tags"]),
    ("cosign verify-blob", &["--bundle", "--certificate-oidc-issuer", "--certificate-identity-regexp"]),
    ("docker run", &["--read-only", "--cap-drop", "--security-opt", "--publish", "--volume"]),
    ("gcloud secrets update", &["--update-annotations"]),
    ("gh attestation verify", &["--repo"]),
    ("helm get values", &["--namespace", "--output"]),
    ("helm install", &["--namespace", "--values", "--version"]),
    ("helm pull", &["--version"]),
    ("helm template", &["--namespace", "--no-hooks", "--values", "--version"]),
    ("helm test", &["--namespace", "--logs"]),
    ("kubectl annotate externalsecret", &[]),
    ("kubectl annotate secret", &[]),
    ("kubectl config set", &["--kubeconfig"]),
    ("kubectl config set-context", &["--kubeconfig", "--current", "--user"]),
    ("kubectl config unset", &["--kubeconfig"]),
    ("kubectl config view", &["--context", "--minify", "--flatten"]),
    ("kubectl create clusterrole", &["--context", "--verb", "--resource"]),
    ("kubectl create namespace", &[]),
    ("kubectl create rolebinding", &["--context", "--namespace", "--clusterrole", "--serviceaccount"]),
    ("kubectl create secret generic", &["--namespace", "--from-file"]),
    ("kubectl create serviceaccount", &["--context", "--namespace"]),
    ("kubectl create token", &["--context", "--namespace", "--duration"]),
    ("kubectl delete pvc", &["--namespace", "--selector"]),
    ("kubectl describe pods", &["--namespace", "--selector"]),
    ("kubectl diff", &["--filename"]),
    ("kubectl get persistentvolumeclaims", &["--namespace", "--selector"]),
    ("kubectl get pods", &["--all-namespaces", "--namespace", "--selector"]),
    ("kubectl logs", &["--all-namespaces", "--namespace", "--selector", "--previous", "--prefix"]),
    ("kubectl port-forward", &["--namespace"]),
    ("kubectl taint nodes", &[]),
    ("systemctl start", &[]),
    ("vault kv metadata put", &[]),
    ("vault policy write", &[]),
    ("vault write", &[]),
];

/// The chart's objects, with its minimal values, and a volume.
static CHART: LazyLock<String> = LazyLock::new(crate::helm::render_minimal);

pub(super) fn check(words: &[&str], directory: &Path) -> Result<(), String> {
    match words[0] {
        "make" => return check_make(&words[1..]),
        "cargo" => return check_cargo(&words[1..]),
        _ => {}
    }
    let positional: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let is_command = |command: &str| {
        let parts: Vec<&str> = command.split(' ').collect();
        let mut words = positional.iter();
        // A flag with a value may be in front of the subcommand, as in `kubectl --namespace x get`.
        parts.iter().all(|part| words.any(|word| word == part)) && positional[0] == parts[0]
    };
    let known = COMMANDS.iter().filter(|(command, _)| is_command(command)).max_by_key(|(command, _)| command.len());
    let (_, flags) = known.ok_or_else(|| format!("unknown command: {}", words.join(" ")))?;
    let used = words.iter().filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word));
    let unknown: Vec<_> = used.filter(|flag| !flags.contains(flag)).collect();
    if !unknown.is_empty() {
        return Err(format!("unknown flags {unknown:?}"));
    }
    check_names(words)?;
    match words {
        ["helm", "install" | "template", ..] => check_install(words, directory),
        _ => Ok(()),
    }
}

/// Versions, labels, names of objects and of workflows are those of this repository.
fn check_names(words: &[&str]) -> Result<(), String> {
    let call = words.join(" ");
    let version = Regex::new(r"(?:exporter[:_]|--version )(\d+\.\d+\.\d+)").unwrap();
    if let Some(found) = version.captures_iter(&call).find(|found| &found[1] != env!("CARGO_PKG_VERSION")) {
        return Err(format!("version {}", &found[1]));
    }
    let workflow = Regex::new(r"\.github/workflows/[\w.-]+\.yaml").unwrap();
    if let Some(found) = workflow.find_iter(&call).find(|found| !repository().join(found.as_str()).is_file()) {
        return Err(format!("no workflow {}", found.as_str()));
    }
    let selector = words.windows(2).find(|pair| pair[0] == "--selector").map(|pair| pair[1]);
    for label in selector.into_iter().flat_map(|selector| selector.split(',')) {
        if !CHART.contains(&label.replace('=', ": ")) {
            return Err(format!("the chart sets no label {label}"));
        }
    }
    let service = words.iter().find_map(|word| word.strip_prefix("service/"));
    match service.filter(|name| !CHART.contains(&format!("name: \"{name}\"\n"))) {
        Some(name) => Err(format!("the chart has no service {name}")),
        None => Ok(()),
    }
}

/// Renders what helm would install or render, with the chart of this repository.
fn check_install(words: &[&str], directory: &Path) -> Result<(), String> {
    let chart = words.get(3).copied().unwrap_or_default();
    let is_chart = chart == "helm/token-expiry-exporter" || chart.ends_with("/charts/token-expiry-exporter");
    if !is_chart {
        return Err(format!("unknown chart {chart}"));
    }
    crate::helm::render_values(&directory.join("values.yaml"), false).map(drop)
}

/// The Makefile has the targets. `make --dry-run` would run the lines that call `$(MAKE)`.
fn check_make(words: &[&str]) -> Result<(), String> {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let is_target = |word: &&str| makefile.lines().any(|line| line.starts_with(&format!("{word}:")));
    let unknown: Vec<_> = words.iter().filter(|word| !word.contains('=') && !is_target(word)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(format!("the Makefile has no target {unknown:?}")) }
}

/// The program has the subcommand that `cargo run` runs.
fn check_cargo(words: &[&str]) -> Result<(), String> {
    let arguments = words.split(|word| *word == "--").nth(1);
    let (Some(&"run"), Some([command, ..])) = (words.first(), arguments) else { return Err(words.join(" ")) };
    let (success, output) = run(config::program().args([command, "--help"]));
    if success && output.contains(&format!("token-expiry-exporter {command}")) { Ok(()) } else { Err(output) }
}

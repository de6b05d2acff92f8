//! The steps of the release workflow that push, run for a fork whose owner has capitals. Stand-ins take the place of the tools that
//! need a registry.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{read, root};
use crate::test_servers::tool;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The steps of a job, run in a copy of the checkout. Returns the arguments of the tools that push, a line a call, and the variables
/// that the steps have set.
fn run_steps(job: &str, repository: &str) -> (String, BTreeMap<String, String>) {
    let directory = tempfile::tempdir().unwrap();
    for entry in ["packaging", "helm", "Cargo.toml", "CHANGELOG.md", "Dockerfile"] {
        symlink(root().join(entry), directory.path().join(entry)).unwrap();
    }
    fs::create_dir(directory.path().join("dist")).unwrap();
    let stand_ins = directory.path().join("bin");
    fs::create_dir(&stand_ins).unwrap();
    let calls = directory.path().join("calls");
    for name in ["docker", "helm", "cosign"] {
        let real = match name {
            "helm" => format!("if [ \"$1\" = package ]; then exec {} \"$@\"; fi\n", tool("helm").display()),
            _ => String::new(),
        };
        // `imagetools inspect` prints the digest alone, and `helm push` in a line.
        let text = format!(
            "#!/bin/sh\n{real}echo {name} \"$@\" >>{}\ncase \"$*\" in *inspect*) echo {DIGEST};; push*) echo Digest: {DIGEST};; esac\n",
            calls.display()
        );
        fs::write(stand_ins.join(name), text).unwrap();
        fs::set_permissions(stand_ins.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    let workflow: Value = serde_saphyr::from_str(&read(".github/workflows/release.yaml")).unwrap();
    let (files, mut variables) = (directory.path().join("environment"), BTreeMap::new());
    for step in workflow["jobs"][job]["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else { continue };
        if !["GITHUB_ENV", "docker ", "helm "].iter().any(|part| script.contains(part)) {
            continue;
        }
        fs::write(&files, "").unwrap();
        let path = format!("{}:{}", stand_ins.display(), std::env::var("PATH").unwrap());
        let owner = repository.split('/').next().unwrap();
        // As GitHub runs a step without `shell`.
        let output = Command::new("bash")
            .args(["-e", "-c", script])
            .current_dir(directory.path())
            .env("PATH", path)
            .envs([("GITHUB_REPOSITORY", repository), ("GITHUB_REPOSITORY_OWNER", owner), ("GITHUB_ACTOR", owner)])
            .envs([("TAG", "v1.2.3"), ("TOKEN", "secret"), ("ARCHITECTURE", "arm64"), ("DIGEST", DIGEST)])
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_ENV", &files)
            .env("GITHUB_OUTPUT", directory.path().join("output"))
            .env_remove("HELM")
            .envs(&variables)
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let set = fs::read_to_string(&files).unwrap();
        variables
            .extend(set.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
    (fs::read_to_string(&calls).unwrap(), variables)
}

/// The words of the calls that name the registry.
fn addresses(calls: &str) -> Vec<&str> {
    calls.split_whitespace().filter(|word| word.contains("ghcr.io/")).collect()
}

#[test]
fn release_pushes_to_names_in_lower_case_for_an_owner_with_capitals() {
    let (calls, variables) = run_steps("build", "Acme-Corp/Tokens");
    assert_eq!(addresses(&calls), ["ghcr.io/acme-corp/tokens:1.2.3-arm64"], "{calls}");
    assert_eq!(variables["IMAGE"], "ghcr.io/acme-corp/tokens", "the subject of the provenance");

    let (calls, variables) = run_steps("publish", "Acme-Corp/Tokens");
    let image = "ghcr.io/acme-corp/tokens";
    assert_eq!(
        addresses(&calls),
        [
            &format!("{image}:1.2.3"),
            &format!("{image}:1.2.3-amd64"),
            &format!("{image}:1.2.3-arm64"),
            &format!("{image}:1.2.3"),
            &format!("{image}@{DIGEST}"),
            "oci://ghcr.io/acme-corp/charts",
            &format!("ghcr.io/acme-corp/charts/token-expiry-exporter@{DIGEST}"),
        ],
        "{calls}"
    );
    assert_eq!(variables["IMAGE"], image);
}

/// Every address comes from `packaging/addresses.sh`: in another place it could keep the capitals.
#[test]
fn release_has_one_place_for_addresses() {
    let workflow = read(".github/workflows/release.yaml");
    let code: Vec<&str> = workflow.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let direct: Vec<&&str> = code.iter().filter(|line| line.contains("ghcr.io/")).collect();
    assert!(direct.is_empty(), "{direct:?}");
    let used = |name: &str| code.iter().filter(|line| line.contains(name)).count();
    assert!(used("$IMAGE") + used("env.IMAGE") > 4 && used("$CHARTS") > 1, "{workflow}");
    for repository in ["", "acme", "acme/tokens/more", "acme/to kens", "acme/$(id)"] {
        let script = Path::new("packaging/addresses.sh");
        let output = Command::new(root().join(script)).arg(repository).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("is not OWNER/REPOSITORY"), "{repository}: {error}");
    }
}

//! The program itself takes every configuration that the chart renders, and every argument.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{RENDERED, manifests, of, sets, template, workload};
use crate::equipment::{Server, client, free_port, wait_for};

/// Writes the files of the ConfigMaps as they are mounted, with credentials where the configuration looks for them; gives the
/// arguments for them.
pub(super) fn mounted(manifests: &[Value], folder: &Path) -> Vec<String> {
    let root = folder.display().to_string();
    let secrets = regex::Regex::new(r"/(?:var/)?run/secrets/[\w./-]+").unwrap();
    for manifest in manifests.iter().filter(|manifest| manifest["kind"] == "ConfigMap") {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let place = match name {
            _ if name.ends_with("-providers") => "providers",
            _ if name.ends_with("-web") => "web",
            _ => "config",
        };
        fs::create_dir_all(folder.join(place)).unwrap();
        for (file, text) in manifest["data"].as_object().unwrap() {
            let text = text.as_str().unwrap();
            for path in secrets.find_iter(text) {
                let path = folder.join(&path.as_str()[1..]);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let key = include_str!("../../../src/providers/engine/signers/github_app/test-key.pem");
                fs::write(&path, if path.extension().is_some() { key } else { "a secret" }).unwrap();
            }
            let text =
                secrets.replace_all(text, |path: &regex::Captures<'_>| format!("{root}{}", &path[0])).into_owned();
            fs::write(folder.join(place).join(file), text).unwrap();
        }
    }
    let pod = &workload(manifests)["spec"]["template"]["spec"];
    let arguments = pod["containers"][0]["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let moved = |argument: &str| {
        argument
            .replace("/etc/token-expiry-exporter", &root)
            .replace("/var/lib/token-expiry-exporter", &format!("{root}/storage"))
    };
    arguments.map(moved).collect()
}

#[test]
fn every_configuration_passes_the_programs_own_check() {
    let (mut checked, mut left_out) = (0, Vec::new());
    for (set, _) in RENDERED.iter() {
        let folder = tempfile::tempdir().unwrap();
        let manifests = of(set);
        let arguments = mounted(&manifests, folder.path());
        if !folder.path().join("config/config.yaml").exists() {
            left_out.push(set.as_str());
            continue;
        }
        let files = arguments
            .iter()
            .filter(|argument| argument.starts_with("--config.file") || argument.starts_with("--providers.dir"));
        let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
            .arg("check")
            .args(files)
            .env("A", "secret")
            .env("GITLAB_TOKEN", "secret")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("no provider is called `kubernetes`") {
            left_out.push(set.as_str());
            continue;
        }
        assert!(output.status.success(), "{set}: {said}");
        checked += 1;
    }
    left_out.retain(|set| !set.starts_with("kubernetes-"));
    assert_eq!(left_out, ["own-config-map"]);
    assert!(checked > 20, "{checked}");
}

/// Each flag that the chart passes is one that the program has.
#[test]
fn every_argument_is_known() {
    let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for set in RENDERED.keys() {
        let manifests = of(set);
        let pod = &workload(&manifests)["spec"]["template"]["spec"];
        for argument in
            pod["containers"][0]["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap())
        {
            let flag = argument.split('=').next().unwrap();
            assert!(
                flag == "serve" || help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")),
                "{set}: {flag}"
            );
        }
    }
}

/// A pod as Kubernetes starts it, behind users; the probes need none.
#[tokio::test]
async fn a_pod_starts_with_its_arguments_and_its_probes_need_no_user() {
    let folder = tempfile::tempdir().unwrap();
    let [web, probes] = [free_port(), free_port()];
    let set = format!("shards=1,web.existingSecret.name=users,web.port={web},probes.port={probes}");
    let manifests = manifests(&template(&sets("good")["shards"], &["--set", &set]).unwrap());
    fs::create_dir(folder.path().join("web")).unwrap();
    let users = format!("basic_auth_users: {{prometheus: '{}'}}\n", bcrypt::hash("scrape", 5).unwrap());
    fs::write(folder.path().join("web/web.yaml"), users).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(mounted(&manifests, folder.path()));
    let pod = Server::start("pod", command, folder.path(), probes, "/-/healthy").await;
    let ready = format!("{}/-/ready", pod.url);
    wait_for("the pod is ready", Duration::from_secs(60), async || {
        client().get(&ready).send().await.ok().filter(|reply| reply.status().is_success())
    })
    .await;

    let metrics = format!("http://127.0.0.1:{web}/metrics");
    assert_eq!(client().get(&metrics).send().await.unwrap().status(), 401);
    let answer = client().get(&metrics).basic_auth("prometheus", Some("scrape")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("token_expiry_timestamp_seconds{source=\"atlassian\""));
    let beside = client().get(format!("{}/metrics", pod.url)).send().await.unwrap().status();
    assert_eq!(beside, 404, "the probes' port tells nothing of tokens");
}

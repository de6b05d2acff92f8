//! The program accepts every configuration and argument that the chart renders.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{RENDERED, manifests, manifests_of, template, value_sets, workload};
use crate::test_servers::{Server, client, free_port, samples, wait_for};

/// Writes the files of the ConfigMaps as Kubernetes would mount them, with a credential at every path that the configuration
/// names, and returns the container's arguments for these paths.
pub(super) fn mount(manifests: &[Value], directory: &Path) -> Vec<String> {
    let root = directory.display().to_string();
    let secrets = regex::Regex::new(r"/(?:var/)?run/secrets/[\w./-]+").unwrap();
    for manifest in manifests.iter().filter(|manifest| manifest["kind"] == "ConfigMap") {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let subdirectory = match name {
            _ if name.ends_with("-providers") => "providers",
            _ if name.ends_with("-web") => "web",
            _ => "config",
        };
        fs::create_dir_all(directory.join(subdirectory)).unwrap();
        for (file, text) in manifest["data"].as_object().unwrap() {
            let text = text.as_str().unwrap();
            for path in secrets.find_iter(text) {
                let path = directory.join(&path.as_str()[1..]);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let key = include_str!("../../../src/providers/engine/github_app/test-key.pem");
                fs::write(&path, if path.extension().is_some() { key } else { "a secret" }).unwrap();
            }
            let text =
                secrets.replace_all(text, |path: &regex::Captures<'_>| format!("{root}{}", &path[0])).into_owned();
            fs::write(directory.join(subdirectory).join(file), text).unwrap();
        }
    }
    let pod = &workload(manifests)["spec"]["template"]["spec"];
    let arguments = pod["containers"][0]["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let relocated = |argument: &str| {
        argument
            .replace("/etc/token-expiry-exporter", &root)
            .replace("/var/lib/token-expiry-exporter", &format!("{root}/storage"))
    };
    arguments.map(relocated).collect()
}

#[test]
fn check_accepts_every_rendered_configuration() {
    let (mut checked, mut skipped) = (0, Vec::new());
    for (set, _) in RENDERED.iter() {
        let directory = tempfile::tempdir().unwrap();
        let manifests = manifests_of(set);
        let arguments = mount(&manifests, directory.path());
        if !directory.path().join("config/config.yaml").exists() {
            skipped.push(set.as_str());
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
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{set}: {stderr}");
        checked += 1;
    }
    assert_eq!(skipped, ["existing-config-map"]);
    assert!(checked > 20, "{checked}");
}

/// A pod whose prefix or path of the metrics is a page of the exporter would not start.
#[test]
fn chart_knows_every_page_of_the_program() {
    let source = super::read("src/pages/path.rs");
    let constant = regex::Regex::new(r#"(?m)^pub const [A-Z]+: &str = "(.+)";$"#).unwrap();
    let pages: Vec<_> = constant.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    let chart = super::read("helm/token-expiry-exporter/templates/_pod.tpl");
    let line = chart.split_once("define \"tee.pages\"").unwrap().1.lines().nth(1).unwrap();
    let known: Vec<_> =
        regex::Regex::new(r#""(/[^"]*)""#).unwrap().captures_iter(line).map(|found| found[1].to_owned()).collect();
    assert_eq!(known, pages);
    assert!(pages.len() > 10, "{pages:?}");
}

#[test]
fn serve_knows_every_rendered_flag() {
    let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for set in RENDERED.keys() {
        let manifests = manifests_of(set);
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

/// Starts the exporter as a pod would, with users; the probes need no login.
#[tokio::test]
async fn pod_starts_with_users_and_probes_need_no_login() {
    let directory = tempfile::tempdir().unwrap();
    let [web, probes] = [free_port(), free_port()];
    let set = format!("shards=1,web.existingSecret.name=users,web.port={web},probes.port={probes}");
    let manifests = manifests(&template(&value_sets("good")["shards"], &["--set", &set]).unwrap());
    fs::create_dir(directory.path().join("web")).unwrap();
    let users = format!("basic_auth_users: {{prometheus: '{}'}}\n", bcrypt::hash("scrape", 5).unwrap());
    fs::write(directory.path().join("web/web.yaml"), users).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(mount(&manifests, directory.path()));
    let pod = Server::start("pod", command, directory.path(), probes, "/-/healthy").await;
    let ready = format!("{}/-/ready", pod.url);
    wait_for("the pod is ready", async || {
        client().get(&ready).send().await.ok().filter(|reply| reply.status().is_success())
    })
    .await;

    let metrics = format!("http://127.0.0.1:{web}/metrics");
    assert_eq!(client().get(&metrics).send().await.unwrap().status(), 401);
    let response = client().get(&metrics).basic_auth("prometheus", Some("scrape")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains("token_expiry_timestamp_seconds{source=\"atlassian\""));
    let on_probe_port = client().get(format!("{}/metrics", pod.url)).send().await.unwrap().status();
    assert_eq!(on_probe_port, 404, "the probe port serves no metrics");
}

/// One missing Secret must not keep the pod and all other sources from starting.
#[tokio::test]
async fn pod_starts_without_the_secret_of_an_optional_credential() {
    let directory = tempfile::tempdir().unwrap();
    let [web, probes] = [free_port(), free_port()];
    let set = format!("web.port={web},probes.port={probes}");
    let text = template(&value_sets("good")["optional-credentials"], &["--set", &set]).unwrap();
    let arguments = mount(&manifests(&text), directory.path());
    let secret = directory.path().join("run/secrets/token-expiry-exporter/gitlab");
    fs::remove_file(&secret).unwrap();
    let check =
        Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter")).arg("check").arg(&arguments[1]).output().unwrap();
    let warning = String::from_utf8_lossy(&check.stdout).into_owned() + &String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{warning}");
    assert!(warning.contains("until then the source fails with the reason credential"), "{warning}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(&arguments);
    let pod = Server::start("pod", command, directory.path(), probes, "/-/healthy").await;
    let metrics = format!("http://127.0.0.1:{web}/metrics");
    let exposition = wait_for("the other source is collected", async || {
        let text = client().get(&metrics).send().await.ok()?.text().await.ok()?;
        let failed = samples(&text, "token_source_failures_total").into_iter();
        let mut failed =
            failed.filter(|sample| sample.label("reason") == "credential" && sample.label("source") == "gitlab");
        let by_hand = text.contains("token_expiry_timestamp_seconds{source=\"by-hand\"");
        (by_hand && failed.any(|sample| sample.value > 0.0)).then_some(text)
    })
    .await;
    let ready = format!("{}/-/ready", pod.url);
    wait_for("the pod is ready", async || (client().get(&ready).send().await.ok()?.status() == 200).then_some(()))
        .await;
    assert!(exposition.contains("token_expiry_timestamp_seconds{source=\"by-hand\""), "{exposition}");
    assert!(exposition.contains("token_source_up{source=\"gitlab\",provider=\"gitlab\"} 0"), "{exposition}");
}

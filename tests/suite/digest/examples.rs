//! The examples for systemd and Kubernetes, and the CronJob of the chart: valid, and their command lines work.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Api, digest, owned_by, root, source, write};
use crate::alerts::sink::Mailbox;
use crate::web::certificates::Authority;

/// A unit's values of a key.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn unit(name: &str) -> String {
    std::fs::read_to_string(root().join("packaging/systemd").join(name)).unwrap()
}

/// Runs the flags of an example against a stub and a mail server: everything but addresses and paths stays.
async fn assert_sends_a_mail(flags: &[String], dir: &Path, recipient: &str) {
    let authority = Authority::new();
    authority.issue_to(dir);
    let file = |name: &str| dir.join(name).display().to_string();
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let mailbox = Mailbox::with(dir, &["--tls", &certificate, &key, "--login", "tokens", "a-password"]);
    let url = Api::new(vec![owned_by("ci", "jane@example.com")], vec![source("gitlab", true)]).start().await;
    let password = write(dir, "smtp", "a-password\n");
    let ca_file = write(dir, "ca.pem", &authority.pem);
    let ca = format!("--smtp.ca-file={ca_file}");
    let mut found = 0;
    let mut replaced: Vec<String> = flags
        .iter()
        .map(|flag| {
            let (name, _) = flag.split_once('=').unwrap();
            let value = match name {
                "--exporter.url" => url.clone(),
                "--smtp.server" => format!("localhost:{}", mailbox.port),
                "--smtp.password-file" | "--exporter.password-file" => password.clone(),
                "--exporter.ca-file" => ca_file.clone(),
                "--state.file" => file("state.json"),
                _ => return flag.clone(),
            };
            found += 1;
            format!("{name}={value}")
        })
        .collect();
    assert!(found >= 3, "{flags:?}");
    if !replaced.iter().any(|flag| flag.starts_with("--exporter.url=")) {
        replaced.push(format!("--exporter.url={url}"));
    }
    let args: Vec<&str> = replaced.iter().map(String::as_str).chain([ca.as_str()]).collect();
    let (code, _, problems) = digest(&args).await;
    assert_eq!(code, 0, "{args:?}: {problems}");
    assert_eq!(mailbox.mails().iter().map(|mail| mail.to.clone()).collect::<Vec<_>>(), [[recipient]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_unit_sends_mails_with_its_flags() {
    let service = unit("token-expiry-digest.service");
    // The commented example of ARGS.
    let args = service.lines().find_map(|line| line.strip_prefix("# ARGS=\"")?.strip_suffix('"')).unwrap();
    let command = values(&service, "ExecStart")[0].replace("$ARGS", args);
    let mut words = command.split(' ').map(str::to_owned);
    assert_eq!(words.next().as_deref(), Some("/usr/bin/token-expiry-exporter"));
    assert_eq!(words.next().as_deref(), Some("digest"));
    let dir = tempfile::tempdir().unwrap();
    assert_sends_a_mail(&words.collect::<Vec<_>>(), dir.path(), "jane@example.com").await;
}

/// The hardening of the exporter's unit is that of the example.
#[test]
fn systemd_unit_is_as_hardened_as_that_of_the_exporter() {
    let (exporter, example) = (unit("token-expiry-exporter.service"), unit("token-expiry-digest.service"));
    let hardening: Vec<&str> = exporter.lines().skip_while(|line| *line != "CapabilityBoundingSet=").collect();
    let hardening =
        hardening.iter().take_while(|line| !line.starts_with("MemoryMax")).filter(|line| line.contains('='));
    let hardening: Vec<_> = hardening.filter(|line| !line.starts_with('#')).collect();
    assert!(hardening.len() > 25);
    for line in hardening {
        assert!(example.lines().any(|found| found == *line), "token-expiry-digest.service: no {line}");
    }
}

#[test]
fn systemd_accepts_the_units() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["token-expiry-digest.service", "token-expiry-digest.timer"] {
        // Only the path of the program is not that of this machine.
        let text = unit(name).replace("/usr/bin/token-expiry-exporter", env!("CARGO_BIN_EXE_token-expiry-exporter"));
        write(dir.path(), name, &text);
    }
    let timer = dir.path().join("token-expiry-digest.timer");
    let service = dir.path().join("token-expiry-digest.service");
    let output = match Command::new("systemd-analyze").arg("verify").arg("--man=no").args([&service, &timer]).output() {
        Err(_) if std::env::var_os("CI").is_none() => return,
        output => output.unwrap(),
    };
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let own: Vec<&str> = text.lines().filter(|line| line.contains("token-expiry-digest")).collect();
    assert!(output.status.success() && own.is_empty(), "{text}");
    let calendar = values(&unit("token-expiry-digest.timer"), "OnCalendar")[0].to_owned();
    let output = Command::new("systemd-analyze").args(["calendar", &calendar]).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Mon "), "{output:?}");
}

fn cronjob() -> (String, Value) {
    let text = std::fs::read_to_string(root().join("examples/digest/cronjob.yaml")).unwrap();
    let job = text.split("\n---\n").nth(1).unwrap();
    (text.clone(), serde_saphyr::from_str(job).unwrap())
}

/// The flags of a CronJob, whose files are all in mounts.
fn flags_of(job: &Value) -> Vec<String> {
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mut args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
    assert_eq!(args.next().as_deref(), Some("digest"));
    let args: Vec<String> = args.collect();
    // Files are in mounts.
    for mount in container["volumeMounts"].as_array().unwrap() {
        let path = mount["mountPath"].as_str().unwrap();
        assert!(args.iter().any(|arg| arg.contains(&format!("={path}/"))), "{path}");
        let name = &mount["name"];
        assert!(pod["volumes"].as_array().unwrap().iter().any(|volume| volume["name"] == *name), "{name}");
    }
    args
}

#[tokio::test(flavor = "multi_thread")]
async fn cronjob_sends_mails_with_its_flags() {
    let (_, job) = cronjob();
    let image = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("token-expiry-exporter:{}", env!("CARGO_PKG_VERSION")));
    let dir = tempfile::tempdir().unwrap();
    assert_sends_a_mail(&flags_of(&job), dir.path(), "jane@example.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cronjob_of_the_chart_sends_mails_with_its_flags() {
    for (values, recipient) in [("digest", "jane@example.com"), ("digest-teams", "platform@example.com")] {
        let path = root().join(format!("tests/helm/good/{values}.yaml"));
        let rendered = crate::helm::render_values(&path, false).unwrap();
        let job = rendered.split("\n---\n").find(|object| object.contains("\nkind: CronJob\n")).expect("a CronJob");
        let flags = flags_of(&serde_saphyr::from_str(job).unwrap());
        assert!(
            flags.iter().any(|flag| flag.starts_with("--web.external-url=https://tokens.example.com/")),
            "{flags:?}"
        );
        assert_eq!(
            flags.iter().filter(|flag| flag.starts_with("--exporter.url=")).count(),
            if values == "digest" { 1 } else { 2 }
        );
        let dir = tempfile::tempdir().unwrap();
        assert_sends_a_mail(&flags, dir.path(), recipient).await;
    }
}

#[test]
fn cronjob_is_valid_in_every_version_of_kubernetes() {
    let (text, _) = cronjob();
    let dir = tempfile::tempdir().unwrap();
    let python = root().join(".tools/python/bin/python3");
    let validate = |text: &str| {
        write(dir.path(), "cronjob.yaml", text);
        let output = Command::new(&python).arg(root().join("tests/helm/validate.py")).arg(dir.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (success, found) = validate(&text);
    assert!(success, "{found}");
    let (success, found) = validate(&text.replace("backoffLimit", "backofLimit"));
    assert!(!success && found.contains("backofLimit"), "{found}");
}

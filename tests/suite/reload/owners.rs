//! The owners file of a running exporter: a change reaches metrics, API and mails; an invalid one keeps the previous owners.

use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::{hang_up, post, single};
use crate::test_servers::{Server, client, exporter, metrics, samples, wait_for};

const SUCCESSFUL: &str = "token_expiry_exporter_config_last_reload_successful";

/// Tokens whose owners are known by id, login, address, and to the authoritative source `people`.
fn config() -> String {
    let due = (Utc::now() + TimeDelta::days(3)).format("%Y-%m-%d");
    let owners = [
        ("by-id", "{id: '7'}"),
        ("by-login", "jdoe"),
        ("by-address", "{email: jane.old@example.com}"),
        ("by-people", "ada"),
        ("unknown", "nobody-knows"),
    ];
    let tokens: String = owners
        .iter()
        .map(|(id, owner)| format!("      - {{id: {id}, name: {id}, expires: {due}, owner: {owner}}}\n"))
        .collect();
    format!(
        "labels: {{owner: true, owner_email: true}}\nowners_file: owners.csv\nowners_from: [people]\nsources:\n  - name: hand\n    \
         provider: manual\n    tokens:\n{tokens}  - name: people\n    provider: manual\n    tokens:\n      \
         - {{id: people, expires: 2999-01-01, owner: {{name: ada, email: ada@example.com}}}}\n"
    )
}

fn write(dir: &Path, rows: &[&str]) {
    fs::write(dir.join("owners.csv"), format!("name,email,team,also\n{}\n", rows.join("\n"))).unwrap();
}

/// The owner of each token of `hand`: name, address and team.
async fn owners(exporter: &Server) -> Vec<String> {
    let response = client().get(format!("{}/api/v1/tokens?source=hand", exporter.url)).send().await.unwrap();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tokens = body["tokens"].as_array().unwrap().iter();
    let mut owners: Vec<String> = tokens
        .map(|token| {
            let owner = &token["owner"];
            let shown = [&token["id"], &owner["name"], &owner["email"], &token["labels"]["team"]].map(text);
            shown.join(" ").trim_end().to_owned()
        })
        .collect();
    owners.sort();
    owners
}

/// Whether the labels of the metrics are those of these owners. Ids have no blank, so that an entry begins with id and name.
async fn are_labels(exporter: &Server, owners: &[&str]) -> bool {
    let page = metrics(exporter).await;
    let infos = samples(&page, "token_info").into_iter().filter(|info| info.label("source") == "hand");
    let is_of = |label: String| owners.iter().any(|owner| owner.starts_with(&label));
    let mut labels = infos.map(|info| format!("{} {}", info.label("token_id"), info.label("token_owner")));
    labels.all(|label| is_of(label.trim_end().to_owned()))
}

/// The recipients of the week's mails.
fn recipients(exporter: &Server) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(["digest", "--mail.allow-domain=example.com", "--exporter.url", &exporter.url]);
    let output = command.env_remove("HTTP_PROXY").env_remove("http_proxy").output().unwrap();
    let mails = String::from_utf8(output.stdout).unwrap();
    mails.lines().filter_map(|line| line.strip_prefix("To: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn changed_owners_file_changes_owners_and_mails_and_an_invalid_one_keeps_them() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &["Jane Doe,jane@example.com,web,jdoe|hand:7|jane.old@example.com"]);
    let exporter = exporter(dir.path(), &config(), &["--web.enable-lifecycle"]).await;
    let shows = async |what: &str, expected: &[&str]| {
        let are_shown = async || owners(&exporter).await == expected && are_labels(&exporter, expected).await;
        wait_for(what, || async { are_shown().await.then_some(()) }).await;
    };
    shows(
        "the first owners",
        &[
            "by-address Jane Doe jane@example.com web",
            "by-id Jane Doe jane@example.com web",
            "by-login Jane Doe jane@example.com web",
            "by-people ada ada@example.com",
            "unknown nobody-knows",
        ],
    )
    .await;
    assert_eq!(recipients(&exporter), ["ada@example.com", "jane@example.com"]);

    // Noticed without a request.
    write(dir.path(), &["Ben Roe,ben@example.com,ops,jdoe|hand:7|jane.old@example.com"]);
    let of_ben = [
        "by-address Ben Roe ben@example.com ops",
        "by-id Ben Roe ben@example.com ops",
        "by-login Ben Roe ben@example.com ops",
    ];
    shows("the successor", &[&of_ben[..], &["by-people ada ada@example.com", "unknown nobody-knows"]].concat()).await;
    assert_eq!(recipients(&exporter), ["ada@example.com", "ben@example.com"]);

    // An entry of the file comes before what a source reports.
    write(
        dir.path(),
        &["Ben Roe,ben@example.com,ops,jdoe|hand:7|jane.old@example.com", "Ada L,ada.l@example.com,,ada"],
    );
    hang_up(&exporter);
    let last = [&of_ben[..], &["by-people Ada L ada.l@example.com", "unknown nobody-knows"]].concat();
    shows("the entry of Ada", &last).await;
    assert_eq!(recipients(&exporter), ["ada.l@example.com", "ben@example.com"]);

    let invalid = "owners.csv:3:1: owners.Bob.email: `bob@` is not a bare address";
    write(dir.path(), &["Ben Roe,other@example.com,ops,jdoe", "Bob,bob@,,ada"]);
    hang_up(&exporter);
    wait_for("the failed reload", || async { (single(&exporter, SUCCESSFUL).await == 0.0).then_some(()) }).await;
    let (status, body) = post(&exporter).await;
    assert_eq!((status, body.matches(invalid).count(), body.matches("owners.").count()), (500, 1, 2), "{body}");
    exporter.logged(&[invalid, "the previous configuration stays active"]).await;
    fs::remove_file(dir.path().join("owners.csv")).unwrap();
    let (status, body) = post(&exporter).await;
    assert!(status == 500 && body.contains("owners_file: cannot read "), "{body}");
    assert_eq!(owners(&exporter).await, last, "the previous owners stay");
    assert_eq!(recipients(&exporter), ["ada.l@example.com", "ben@example.com"]);

    write(dir.path(), &["Jane Doe,jane@example.com,,jdoe"]);
    assert_eq!(post(&exporter).await.0, 200);
    assert_eq!(single(&exporter, SUCCESSFUL).await, 1.0);
    let corrected = ["by-address jane.old@example.com", "by-id", "by-login Jane Doe jane@example.com"];
    let others = ["by-people ada ada@example.com", "unknown nobody-knows"];
    let without_blanks: Vec<String> = owners(&exporter).await.iter().map(|owner| owner.replace("  ", " ")).collect();
    assert_eq!(without_blanks, [&corrected[..], &others].concat());
}

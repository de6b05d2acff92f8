//! A real JupyterHub, and the exporter with the permissions that the definition documents.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::docs::repository;
use crate::test_servers::{Server, client, expiries, exporter, free_port, metrics, samples, tool, wait_for};

struct Hub(Server);

impl Hub {
    async fn start(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(tool("../jupyterhub/bin/python3"));
        command
            .args(["-m", "jupyterhub", "--config"])
            .arg(repository().join("tests/tools/jupyterhub_config.py"))
            .env("FOLDER", dir)
            .env("PORT", port.to_string())
            .current_dir(dir);
        Self(Server::start("jupyterhub", command, dir, port, "/hub/health").await)
    }

    /// Sends a request as an administrator.
    async fn request(&self, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/hub/api/{path}", self.0.url);
        let request = match body {
            Some(body) => client().post(url).body(body.to_string()),
            None => client().get(url),
        };
        let request = request.header("Authorization", format!("token {}", secret("admin")));
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Creates a token. Returns its id, and its expiry as the hub reports it, in whole seconds.
    async fn create_token(&self, user: &str, note: &str, seconds: Option<i64>) -> (String, Option<i64>) {
        let body = json!({"note": note, "expires_in": seconds});
        let created = self.request(&format!("users/{user}/tokens"), Some(body)).await;
        let expires = created["expires_at"].as_str().map(|time| time.parse::<DateTime<Utc>>().unwrap().timestamp());
        assert_eq!(expires.is_some(), seconds.is_some(), "{created}");
        (created["id"].as_str().unwrap().to_owned(), expires)
    }
}

/// The token of a service.
fn secret(service: &str) -> String {
    format!("{service}-1234567890abcdef")
}

#[tokio::test]
async fn exporter_lists_the_tokens_of_jupyterhub() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path()).await;
    let users = ["ada", "bob", "eve", "mia", "zoe"];
    hub.request("users", Some(json!({"usernames": users}))).await;
    let mut expected = BTreeMap::new();
    for (number, user) in users.iter().enumerate() {
        let day = 24 * 3600;
        expected.extend([hub.create_token(user, "ci", Some((i64::try_from(number).unwrap() + 1) * day)).await]);
        expected.extend([hub.create_token(user, "notebook", None).await]);
    }
    for service in ["exporter", "filtered"] {
        std::fs::write(dir.path().join(service), secret(service)).unwrap();
    }
    let source = |service: &str| {
        let url = &hub.0.url;
        format!("  - {{name: {service}, provider: jupyterhub, url: '{url}', credential: {{file: {service}}}}}\n")
    };
    let config = format!("interval: 1s\nsources:\n{}{}", source("exporter"), source("filtered"));
    let exporter = exporter(dir.path(), &config, &[]).await;
    let text = wait_for("both sources are collected", || async {
        let text = metrics(&exporter).await;
        (samples(&text, "token_source_last_attempt_timestamp_seconds").len() == 2).then_some(text)
    })
    .await;
    assert_eq!(expiries(&text, "api-token"), expected);
    let info = samples(&text, "token_info");
    let ada: Vec<_> =
        info.iter().filter(|info| info.label("token_owner") == "ada").map(|info| info.label("token_name")).collect();
    assert_eq!(ada.len(), 2, "{ada:?}");
    let up = |source: &str| {
        let all = samples(&text, "token_source_up");
        all.iter().find(|up| up.label("source") == source).map(|up| up.value)
    };
    assert_eq!(
        (up("exporter"), up("filtered")),
        (Some(1.0), Some(0.0)),
        "the documented scopes are enough; filtered ones are not"
    );
    let gaps = samples(&text, "token_source_gaps");
    let gap = gaps.iter().find(|gap| gap.label("source") == "filtered" && gap.value > 0.0).unwrap();
    assert_eq!(gap.label("reason"), "forbidden");

    // JupyterHub deletes an expired token when its tokens are listed; the exporter keeps it as expired.
    let (expiring, _) = hub.create_token("ada", "short", Some(20)).await;
    for state in ["active", "expired"] {
        wait_for(state, || async {
            let text = metrics(&exporter).await;
            let info = samples(&text, "token_info").into_iter().find(|info| info.label("token_id") == expiring)?;
            (info.label("state") == state).then_some(())
        })
        .await;
    }
    let listed = hub.request("users/ada/tokens", None).await;
    assert_eq!(listed["api_tokens"].as_array().unwrap().len(), 2, "{listed}");
}

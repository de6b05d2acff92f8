//! A real Vault-API server, the exporter under its documented policy, and a real Prometheus that scrapes it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use token_expiry_exporter::providers::Catalogue;

use crate::test_servers::{
    Sample, Server, assert_promtool_accepts, client, exporter, free_port, metrics, prometheus, query, target, tool,
    wait_for,
};

const TOKENS: usize = 2_000;
const SECRET_IDS: usize = 200;
struct Bao {
    server: Server,
    client: reqwest::Client,
}

impl Bao {
    async fn start(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(tool("bao"));
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}")).env("HOME", dir);
        let server = Server::start("bao", command, dir, port, "/v1/sys/health").await;
        Self { server, client: client() }
    }

    /// Sends a request with the root token. OpenBao returns 404 for an empty list, which yields null.
    async fn request(&self, namespace: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/v1/{path}", self.server.url);
        let mut tries = 0;
        let (status, text) = loop {
            let request = match &body {
                Some(body) => self.client.post(&url).body(body.to_string()),
                None => self.client.get(&url),
            };
            let request = request.header("X-Vault-Token", "root").header("X-Vault-Namespace", namespace);
            let response = request.send().await.unwrap();
            let (status, text) = (response.status(), response.text().await.unwrap());
            // In the in-memory store, one of two concurrent writes fails with this message and must be retried.
            tries += 1;
            if tries == 10 || !text.contains("transaction commit failed") {
                break (status, text);
            }
        };
        assert!(status.is_success() || status == 404, "{path}: {status}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Creates tokens and secret ids of every kind that Vault can list.
    async fn fill(&self) {
        self.request("", "sys/namespaces/team", Some(json!({}))).await;
        for namespace in ["", "team"] {
            self.request(namespace, "sys/auth/approle", Some(json!({"type": "approle"}))).await;
        }
        for role in 0..4 {
            self.request("", &format!("auth/approle/role/app-{role}"), Some(json!({"token_policies": "default"})))
                .await;
        }
        let tokens = stream::iter(0..TOKENS).for_each_concurrent(8, |number| async move {
            let hours = 1 + number % 700;
            let (namespace, body) = match number % 6 {
                0 => ("", json!({"ttl": format!("{hours}h"), "display_name": format!("ci-{number}")})),
                1 => ("", json!({"period": format!("{hours}h"), "no_parent": true, "meta": {"owner": "team-a"}})),
                2 => ("", json!({"ttl": format!("{hours}h"), "renewable": false, "policies": ["default"]})),
                3 => ("", json!({"ttl": "1h", "explicit_max_ttl": format!("{hours}h"), "num_uses": 9})),
                4 => ("team", json!({"ttl": format!("{hours}h"), "policies": ["default"]})),
                _ => ("", json!({"policies": ["root"], "display_name": "forever"})),
            };
            self.request(namespace, "auth/token/create", Some(body)).await;
        });
        tokens.await;
        let secret_ids = stream::iter(0..SECRET_IDS).for_each_concurrent(8, |number| async move {
            let body = match number % 3 {
                0 => json!({}),
                1 => json!({"ttl": format!("{}h", 1 + number)}),
                _ => json!({"ttl": "240h", "metadata": "{\"owner\": \"team-b\"}"}),
            };
            self.request("", &format!("auth/approle/role/app-{}/secret-id", number % 4), Some(body)).await;
        });
        secret_ids.await;
    }

    /// A token with the permissions that the definition documents, and no others.
    async fn least_privilege(&self) -> String {
        let catalogue = Catalogue::builtin(&token_expiry_exporter::config::source_keys());
        let vault = catalogue.get("vault").unwrap();
        let listings = vault.listings.iter().filter_map(|listing| listing.permission.as_deref());
        let root: String = vault.permission.as_deref().into_iter().chain(listings).collect();
        let team = root.replace("path \"", "path \"team/");
        let policy = root + &team;
        self.request("", "sys/policies/acl/exporter", Some(json!({"policy": policy}))).await;
        let created =
            self.request("", "auth/token/create", Some(json!({"policies": ["exporter"], "period": "24h"}))).await;
        created["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Every token in OpenBao with its expiry, in whole seconds.
    async fn tokens(&self) -> BTreeMap<String, Option<i64>> {
        let mut tokens = BTreeMap::new();
        for namespace in ["", "team"] {
            let listed = self.request(namespace, "auth/token/accessors?list=true", None).await;
            let accessors: Vec<String> = serde_json::from_value(listed["data"]["keys"].clone()).unwrap_or_default();
            let lookups = stream::iter(accessors).map(|accessor| async move {
                let body = json!({"accessor": accessor});
                let lookup = self.request(namespace, "auth/token/lookup-accessor", Some(body)).await;
                (accessor, seconds(&lookup["data"]["expire_time"]))
            });
            tokens.extend(lookups.buffer_unordered(8).collect::<Vec<_>>().await);
        }
        tokens
    }

    /// Every secret id in OpenBao with its expiry.
    async fn secret_ids(&self) -> BTreeMap<String, Option<i64>> {
        let mut found = BTreeMap::new();
        for role in 0..4 {
            let path = format!("auth/approle/role/app-{role}");
            let listed = self.request("", &format!("{path}/secret-id?list=true"), None).await;
            for accessor in listed["data"]["keys"].as_array().unwrap() {
                let body = json!({"secret_id_accessor": accessor});
                let lookup = self.request("", &format!("{path}/secret-id-accessor/lookup"), Some(body)).await;
                found.insert(accessor.as_str().unwrap().to_owned(), seconds(&lookup["data"]["expiration_time"]));
            }
        }
        found
    }
}

/// A timestamp of Vault, in whole seconds; null and the year 1 mean never.
fn seconds(time: &Value) -> Option<i64> {
    let time: DateTime<Utc> = time.as_str()?.parse().unwrap();
    (time.timestamp() > 0).then(|| time.timestamp())
}

/// The tokens of a kind in Prometheus with their expiry; those that never expire come from `token_info`.
async fn in_prometheus(prometheus: &Server, kind: &str) -> BTreeMap<String, Option<i64>> {
    let id = |sample: &Sample| sample.label("token_id").to_owned();
    let never = query(prometheus, &format!("token_info{{token_kind=\"{kind}\",expiry=\"never\"}}")).await;
    let expiries = query(prometheus, &format!("token_expiry_timestamp_seconds{{token_kind=\"{kind}\"}}")).await;
    let never = never.iter().map(|sample| (id(sample), None));
    #[allow(clippy::cast_possible_truncation)] // whole seconds are compared
    let expiries = expiries.iter().map(|sample| (id(sample), Some(sample.value.floor() as i64)));
    never.chain(expiries).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_has_exactly_the_tokens_of_openbao() {
    let dir = tempfile::tempdir().unwrap();
    let bao = Bao::start(dir.path()).await;
    bao.fill().await;
    std::fs::write(dir.path().join("token"), bao.least_privilege().await).unwrap();
    let config = format!(
        "interval: 2s\nsources:\n  - name: vault\n    provider: openbao\n    url: {}\n    namespaces: ['', team]\n    \
         approle_mounts: [approle]\n    auth: token\n    credential: {{file: token}}\n",
        bao.server.url
    );
    let exporter = exporter(dir.path(), &config, &[]).await;
    let scrape = json!({"job_name": "token-expiry-exporter", "static_configs": [{"targets": [target(&exporter)]}]});
    let prometheus = prometheus(dir.path(), json!({"scrape_configs": [scrape]})).await;

    let expected = bao.tokens().await;
    assert!(expected.len() > TOKENS, "{} tokens", expected.len());
    wait_for("every token in Prometheus", || async {
        (in_prometheus(&prometheus, "service-token").await.len() >= expected.len()).then_some(())
    })
    .await;
    assert_same(&in_prometheus(&prometheus, "service-token").await, &expected);
    let expected = bao.secret_ids().await;
    assert_eq!(expected.len(), SECRET_IDS);
    assert_same(&in_prometheus(&prometheus, "approle-secret-id").await, &expected);
    assert_eq!(query(&prometheus, "token_source_up").await[0].value, 1.0, "the documented policy is enough");
    assert_promtool_accepts(&metrics(&exporter).await);

    // A revoked token is removed after two complete collections; an expired one stays, with the state `expired`.
    let created = bao.request("", "auth/token/create", Some(json!({"ttl": "9s", "policies": ["default"]}))).await;
    let expiring = created["auth"]["accessor"].as_str().unwrap().to_owned();
    let created = bao.request("", "auth/token/create", Some(json!({"ttl": "99h", "policies": ["default"]}))).await;
    let revoked = created["auth"]["accessor"].as_str().unwrap().to_owned();
    let of = |accessor: &str| format!("token_info{{token_id=\"{accessor}\"}}");
    for accessor in [&expiring, &revoked] {
        wait_for("a new token", || async {
            let info = query(&prometheus, &of(accessor)).await;
            (!info.is_empty()).then(|| assert_eq!(info[0].label("state"), "active"))
        })
        .await;
    }
    bao.request("", "auth/token/revoke-accessor", Some(json!({"accessor": revoked}))).await;
    wait_for("the removal of the revoked token", || async {
        query(&prometheus, &of(&revoked)).await.is_empty().then_some(())
    })
    .await;
    wait_for("the state expired", || async {
        let info = query(&prometheus, &of(&expiring)).await;
        assert_eq!(info.len(), 1, "an expired token stays, in one state: {info:?}");
        (info[0].label("state") == "expired").then_some(())
    })
    .await;
    // OpenBao no longer lists it two collections later.
    let attempts = query(&prometheus, "token_source_last_attempt_timestamp_seconds").await[0].value;
    wait_for("two more collections", || async {
        let now = query(&prometheus, "token_source_last_attempt_timestamp_seconds").await[0].value;
        (now >= attempts + 4.0).then_some(())
    })
    .await;
    assert!(!bao.tokens().await.contains_key(&expiring));
    assert_eq!(query(&prometheus, &of(&expiring)).await[0].label("state"), "expired");
}

/// Compares two maps; prints only the first differences.
fn assert_same(actual: &BTreeMap<String, Option<i64>>, expected: &BTreeMap<String, Option<i64>>) {
    let missing: Vec<_> = expected.iter().filter(|(id, expiry)| actual.get(*id) != Some(expiry)).take(5).collect();
    let unexpected: Vec<_> = actual.iter().filter(|(id, _)| !expected.contains_key(*id)).take(5).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "missing or wrong: {missing:?}; unexpected: {unexpected:?}");
}

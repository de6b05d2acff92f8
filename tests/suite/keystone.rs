//! A real Keystone of OpenStack, and the exporter with the permissions that the definition documents.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use chrono::{SubsecRound as _, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::docs::repository;
use crate::test_servers::{Server, client, expiries, exporter, free_port, metrics, samples, tool, wait_for};

struct Keystone {
    server: Server,
    project: String,
    roles: BTreeMap<String, String>,
}

impl Keystone {
    async fn start(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(tool("../keystone/bin/python3"));
        // A new database takes longer than all of the test, so that the installation makes it.
        let copied = Command::new("cp").arg("-a").arg(tool("../keystone/filled/.")).arg(dir).status().unwrap();
        assert!(copied.success());
        command.arg(repository().join("tests/tools/keystone_server.py")).arg("serve").arg(dir).arg(port.to_string());
        let server = Server::start("keystone", command, dir, port, "/v3").await;
        let mut keystone = Self { server, project: String::new(), roles: BTreeMap::new() };
        let admin = keystone.login("admin", "admin", json!({"system": {"all": true}})).await;
        let projects = keystone.request(&admin, Method::GET, "projects?name=admin", Value::Null).await;
        keystone.project = text(&projects["projects"][0]["id"]);
        let roles = keystone.request(&admin, Method::GET, "roles", Value::Null).await;
        let roles = roles["roles"].as_array().unwrap().iter().map(|role| (text(&role["name"]), text(&role["id"])));
        keystone.roles = roles.collect();
        keystone
    }

    /// A token of a user in this scope.
    async fn login(&self, user: &str, password: &str, scope: Value) -> String {
        let user = json!({"name": user, "domain": {"name": "Default"}, "password": password});
        let auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope});
        let url = format!("{}/v3/auth/tokens", self.server.url);
        let response = client()
            .post(url)
            .header("Content-Type", "application/json")
            .body(json!({"auth": auth}).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 201, "{:?}", response.text().await);
        response.headers()["x-subject-token"].to_str().unwrap().to_owned()
    }

    async fn request(&self, token: &str, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/v3/{path}", self.server.url);
        let mut request = client().request(method, url).header("X-Auth-Token", token);
        if !body.is_null() {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Creates a user with a role in the project. Returns the id and a token in that project.
    async fn create_user(&self, admin: &str, name: &str) -> (String, String) {
        let user = json!({"user": {"name": name, "domain_id": "default", "password": "secret-of-a-user"}});
        let created = self.request(admin, Method::POST, "users", user).await;
        let id = text(&created["user"]["id"]);
        let role = format!("projects/{}/users/{id}/roles/{}", self.project, self.roles["member"]);
        self.request(admin, Method::PUT, &role, Value::Null).await;
        let token = self.login(name, "secret-of-a-user", json!({"project": {"id": self.project}})).await;
        (id, token)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

#[tokio::test]
async fn exporter_lists_the_application_credentials_of_keystone() {
    let dir = tempfile::tempdir().unwrap();
    let keystone = Keystone::start(dir.path()).await;
    let admin = keystone.login("admin", "admin", json!({"system": {"all": true}})).await;
    let now = Utc::now().trunc_subsecs(0);
    let mut expected = BTreeMap::new();
    // With the administrator and the exporter more users than two pages have.
    for (number, user) in ["ada", "bob", "eve"].iter().enumerate() {
        let (id, token) = keystone.create_user(&admin, user).await;
        let soon = now + TimeDelta::days(i64::try_from(number).unwrap() + 1);
        for (name, expires) in [("ci", Some(soon)), ("backup", None)] {
            let mut wanted = json!({"application_credential": {"name": name}});
            if let Some(at) = expires {
                wanted["application_credential"]["expires_at"] =
                    json!(at.format("%Y-%m-%dT%H:%M:%S.000000").to_string());
            }
            let path = format!("users/{id}/application_credentials");
            let created = keystone.request(&token, Method::POST, &path, wanted).await;
            expected.insert(text(&created["application_credential"]["id"]), expires.map(|at| at.timestamp()));
        }
    }
    let (reader, _) = keystone.create_user(&admin, "token-expiry").await;
    keystone.create_user(&admin, "member").await;
    let role = format!("system/users/{reader}/roles/{}", keystone.roles["reader"]);
    keystone.request(&admin, Method::PUT, &role, Value::Null).await;
    let created = json!({"application_credential": {"name": "own", "expires_at": "2035-01-01T00:00:00.000000"}});
    let token = keystone.login("admin", "admin", json!({"project": {"id": keystone.project}})).await;
    let users = keystone.request(&admin, Method::GET, "users?name=admin", Value::Null).await;
    let path = format!("users/{}/application_credentials", text(&users["users"][0]["id"]));
    let own = keystone.request(&token, Method::POST, &path, created).await["application_credential"].clone();
    expected.insert(text(&own["id"]), Some(2_051_222_400));

    let reads = |name: &str, content: &str| std::fs::write(dir.path().join(name), content).unwrap();
    reads("password", "secret-of-a-user");
    reads("application", own["secret"].as_str().unwrap());
    let url = &keystone.server.url;
    let config = format!(
        "interval: 2s\nsources:\n  \
         - {{name: reader, provider: openstack, url: '{url}', username: token-expiry, credential: {{file: password}}}}\n  \
         - {{name: member, provider: openstack, url: '{url}', username: member, credential: {{file: password}}}}\n  \
         - {{name: own, provider: keystone, url: '{url}', auth: application-credential, application_credential_id: {}, \
           credential: {{file: application}}}}\n",
        own["id"]
    );
    let exporter = exporter(dir.path(), &config, &[]).await;
    let exposition = wait_for("all sources are collected", || async {
        let text = metrics(&exporter).await;
        (samples(&text, "token_source_last_attempt_timestamp_seconds").len() == 3).then_some(text)
    })
    .await;
    for source in ["reader", "own"] {
        let lines = exposition.lines().filter(|line| line.contains(&format!("source=\"{source}\"")));
        let of_source: String = lines.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(expiries(&of_source, "application-credential"), expected, "{source}");
        assert_eq!(samples(&of_source, "token_source_up")[0].value, 1.0, "{source}: the documented role is enough");
    }
    let own_expiry = samples(&exposition, "token_source_credential_expiry_timestamp_seconds");
    assert_eq!(
        own_expiry.iter().map(|own| (own.label("source"), own.value)).collect::<Vec<_>>(),
        [("own", 2_051_222_400.0)]
    );
    // A user without a role on the system cannot log in with that scope.
    let gaps = samples(&exposition, "token_source_gaps");
    let gap = gaps.iter().find(|gap| gap.label("source") == "member" && gap.value > 0.0).unwrap();
    assert_eq!(gap.label("reason"), "unauthorized");
}

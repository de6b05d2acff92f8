//! A real NetBox, and the exporter with the permissions that the definition documents.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{SubsecRound as _, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::debian13;
use crate::test_servers::{Server, client, expiries, exporter, gap_reason, metrics, of_source, samples, wait_for};

struct NetBox {
    server: Server,
    admin: String,
}

struct Token {
    id: i64,
    secret: String,
}

impl NetBox {
    async fn start(dir: &Path) -> Self {
        let server = debian13::start("netbox", dir, "/login/").await;
        let mut netbox = Self { server, admin: String::new() };
        let login = json!({"username": "admin", "password": "admin", "description": "of the administrator"});
        let created = netbox.request(Method::POST, "users/tokens/provision/", login).await;
        netbox.admin = secret(&created);
        netbox
    }

    /// Sends a request as the administrator.
    async fn request(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/api/{path}", self.server.url);
        let mut request = client().request(method, url).header("Content-Type", "application/json");
        if !self.admin.is_empty() {
            request = request.bearer_auth(&self.admin);
        }
        let response = request.body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn create_user(&self, name: &str) -> i64 {
        let user = json!({"username": name, "password": "Long-pass-word-1"});
        self.request(Method::POST, "users/users/", user).await["id"].as_i64().unwrap()
    }

    async fn create_token(&self, user: i64, mut fields: Value) -> Token {
        fields["user"] = json!(user);
        let created = self.request(Method::POST, "users/tokens/", fields).await;
        Token { id: created["id"].as_i64().unwrap(), secret: secret(&created) }
    }

    /// Lets a user view objects of these types.
    async fn permit(&self, user: i64, types: &[&str], constraints: Value) {
        let permission = json!({
            "name": format!("of user {user}"),
            "object_types": types,
            "actions": ["view"],
            "users": [user],
            "constraints": constraints,
        });
        self.request(Method::POST, "users/permissions/", permission).await;
    }
}

/// A new token as its user sends it.
fn secret(created: &Value) -> String {
    let token = created["token"].as_str().unwrap();
    created["key"].as_str().map_or_else(|| token.to_owned(), |key| format!("nbt_{key}.{token}"))
}

#[tokio::test]
async fn exporter_lists_the_tokens_of_netbox() {
    const TYPES: [&str; 2] = ["users.token", "users.objectpermission"];
    let dir = tempfile::tempdir().unwrap();
    let netbox = NetBox::start(dir.path()).await;
    let now = Utc::now().trunc_subsecs(0);
    let in_days = |days| now + TimeDelta::days(days);
    let mut expected = BTreeMap::new();
    let mut expect = |token: &Token, days: Option<i64>| {
        expected.insert(token.id.to_string(), days.map(|days| in_days(days).timestamp()));
    };
    expect(&Token { id: 1, secret: String::new() }, None); // that of the administrator
    let (ada, bob) = (netbox.create_user("ada").await, netbox.create_user("bob").await);
    let soon = netbox.create_token(ada, json!({"description": "soon", "expires": in_days(1)})).await;
    expect(&soon, Some(1));
    let never = netbox.create_token(bob, json!({"write_enabled": false})).await;
    expect(&never, None);
    let first_version = netbox.create_token(bob, json!({"description": "v1", "version": 1})).await;
    expect(&first_version, None);
    let disabled =
        netbox.create_token(ada, json!({"description": "off", "enabled": false, "expires": in_days(9)})).await;
    expect(&disabled, Some(9));
    let past = netbox.create_token(bob, json!({"description": "past"})).await;
    let path = |token: &Token| format!("users/tokens/{}/", token.id);
    netbox.request(Method::PATCH, &path(&past), json!({"expires": in_days(-1)})).await;
    expect(&past, Some(-1));

    let documented = netbox.create_user("token-expiry").await;
    netbox.permit(documented, &TYPES, Value::Null).await;
    let own = netbox.create_token(documented, json!({"description": "exporter", "expires": in_days(90)})).await;
    expect(&own, Some(90));
    let own_v1 = netbox.create_token(documented, json!({"description": "exporter v1", "version": 1})).await;
    expect(&own_v1, None);
    let constrained = netbox.create_user("constrained").await;
    netbox.permit(constrained, &TYPES, json!({"id": 2})).await;
    let some = netbox.create_token(constrained, json!({"description": "constrained"})).await;
    expect(&some, None);
    let without = netbox.create_token(ada, json!({"description": "without"})).await;
    expect(&without, None);

    let url = &netbox.server.url;
    let credentials = [
        ("documented", &own),
        ("version-1", &own_v1),
        ("constrained", &some),
        ("without", &without),
        ("expired", &past),
    ];
    let mut config = "interval: 1s\nsources:\n".to_owned();
    for (source, token) in credentials {
        std::fs::write(dir.path().join(source), &token.secret).unwrap();
        let scheme = if source == "version-1" { "v1" } else { "v2" };
        config += &format!(
            "  - {{name: {source}, provider: netbox, url: '{url}', auth: {scheme}, credential: {{file: {source}}}}}\n"
        );
    }
    config += &format!(
        "  - {{name: wrong-path, provider: netbox, url: '{url}/netbox', auth: v2, credential: {{file: documented}}}}\n"
    );
    let exporter = exporter(dir.path(), &config, &[]).await;
    let text = wait_for("all sources are collected", || async {
        let text = metrics(&exporter).await;
        (samples(&text, "token_source_last_attempt_timestamp_seconds").len() == 6).then_some(text)
    })
    .await;
    // More than two pages of four.
    assert_eq!(expected.len(), 10);
    for source in ["documented", "version-1"] {
        let lines = text.lines().filter(|line| line.contains(&format!("source=\"{source}\"")));
        let of_source: String = lines.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(expiries(&of_source, "api-token"), expected, "{source}");
        assert_eq!(
            samples(&of_source, "token_source_up")[0].value,
            1.0,
            "{source}: the documented permission is enough"
        );
    }
    let gaps = ["documented", "version-1", "constrained", "without", "expired", "wrong-path"];
    assert_eq!(
        gaps.map(|source| gap_reason(&text, source)),
        ["", "", "forbidden", "forbidden", "forbidden", "not_found"]
    );
    let info = samples(&text, "token_info");
    let info = of_source(&info, "documented");
    let token = |token: &Token| *info.iter().find(|info| info.label("token_id") == token.id.to_string()).unwrap();
    let shown = |of| ["token_name", "token_owner", "state"].map(|name| token(of).label(name).to_owned());
    assert_eq!(shown(&soon), ["soon", "ada", "active"]);
    assert_eq!(shown(&past), ["past", "bob", "expired"]);
    assert_eq!(shown(&disabled), ["off", "ada", "disabled"]);
    let key = never.secret.trim_start_matches("nbt_").split('.').next().unwrap();
    assert_eq!(shown(&never), [key, "bob", "active"], "the public part instead of a description");
    let used = samples(&text, "token_last_used_timestamp_seconds");
    let used =
        |token: &Token| used.iter().find(|used| used.label("token_id") == token.id.to_string()).map(|used| used.value);
    assert!(used(&own).unwrap() >= now.timestamp() as f64, "the exporter uses its own token");
    assert_eq!(used(&soon), None, "never used");
    let own_expiry = samples(&text, "token_source_credential_expiry_timestamp_seconds");
    assert_eq!(
        own_expiry.iter().map(|own| (own.label("source"), own.value as i64)).collect::<Vec<_>>(),
        [("documented", in_days(90).timestamp())]
    );

    // The tokens of a source whose own token is disabled stay.
    netbox.request(Method::PATCH, &path(&own), json!({"enabled": false})).await;
    let text = wait_for("the source fails", || async {
        let text = metrics(&exporter).await;
        (gap_reason(&text, "documented") == "forbidden").then_some(text)
    })
    .await;
    let info = samples(&text, "token_info");
    assert_eq!(of_source(&info, "documented").len(), expected.len());
    debian13::stop(netbox.server, dir.path()).await;
}

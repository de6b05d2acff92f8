//! A real Zabbix, and the exporter with the permissions that the definition documents.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::debian13;
use crate::test_servers::{Server, client, expiries, exporter, gap_reason, metrics, of_source, samples, wait_for};

const SUPER_ADMIN: u8 = 3;
const ADMIN: u8 = 2;

struct Zabbix {
    server: Server,
    admin: String,
    group: Value,
}

impl Zabbix {
    async fn start(dir: &Path) -> Self {
        let server = debian13::start("zabbix", dir, "/zabbix/favicon.ico").await;
        let mut zabbix = Self { server, admin: String::new(), group: Value::Null };
        let session = zabbix.call(None, "user.login", json!({"username": "Admin", "password": "zabbix"})).await;
        session.as_str().unwrap().clone_into(&mut zabbix.admin);
        zabbix.group = zabbix.request("usergroup.create", json!({"name": "test"})).await["usrgrpids"][0].clone();
        zabbix
    }

    /// The URL of the frontend.
    fn url(&self) -> String {
        format!("{}/zabbix", self.server.url)
    }

    async fn call(&self, credential: Option<&str>, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = client().post(format!("{}/api_jsonrpc.php", self.url())).body(body.to_string());
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        let response = request.header("Content-Type", "application/json-rpc").send().await.unwrap();
        let text = response.text().await.unwrap();
        let mut response: Value = serde_json::from_str(&text).unwrap();
        assert!(response["result"] != Value::Null, "{method}: {text}");
        response["result"].take()
    }

    /// Calls a method as the administrator.
    async fn request(&self, method: &str, params: Value) -> Value {
        self.call(Some(&self.admin), method, params).await
    }

    /// Creates a user with a role of its own that may call these methods only, as the definition documents it.
    async fn create_user(&self, name: &str, user_type: u8, methods: &[&str], manages_tokens: bool) -> Value {
        let rules = json!({
            "ui": [{"name": "monitoring.dashboard", "status": "1"}],
            "ui.default_access": 0,
            "actions": [{"name": "manage_api_tokens", "status": u8::from(manages_tokens).to_string()}],
            "api.mode": "1",
            "api": methods,
        });
        let role = self.request("role.create", json!({"name": name, "type": user_type, "rules": rules})).await;
        let groups = json!([{"usrgrpid": self.group}]);
        let user =
            json!({"username": name, "passwd": "Long-pass-word-1", "roleid": role["roleids"][0], "usrgrps": groups});
        self.request("user.create", user).await["userids"][0].clone()
    }

    /// Creates a token. Returns its id and the token itself.
    async fn create_token(
        &self,
        user: &Value,
        name: &str,
        expires_at: Option<i64>,
        is_disabled: bool,
    ) -> (String, String) {
        let token = json!({"name": name, "userid": user, "expires_at": expires_at.unwrap_or(0), "status": u8::from(is_disabled)});
        let id = self.request("token.create", token).await["tokenids"][0].clone();
        let generated = self.request("token.generate", json!([id])).await;
        (id.as_str().unwrap().to_owned(), generated[0]["token"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn exporter_lists_the_tokens_of_zabbix() {
    const METHODS: [&str; 3] = ["token.get", "user.get", "auditlog.get"];
    let dir = tempfile::tempdir().unwrap();
    let zabbix = Zabbix::start(dir.path()).await;
    let now = Utc::now();
    let in_days = |days| Some((now + TimeDelta::days(days)).timestamp());
    let mut expected = BTreeMap::new();
    let ada = zabbix.create_user("ada", ADMIN, &["token.get", "user.get"], true).await;
    let bob = zabbix.create_user("bob", SUPER_ADMIN, &["token.get", "user.get"], true).await;
    let (soon, _) = zabbix.create_token(&ada, "soon", in_days(1), false).await;
    let (past, expired) = zabbix.create_token(&bob, "past", in_days(-1), false).await;
    let (never, _) = zabbix.create_token(&bob, "never", None, false).await;
    let (disabled, refused) = zabbix.create_token(&ada, "disabled", in_days(30), true).await;
    let (admin, limited) = zabbix.create_token(&ada, "type admin", None, false).await;
    let (short, without_audit_log) = zabbix.create_token(&bob, "without auditlog.get", None, false).await;
    let exporters = zabbix.create_user("token-expiry", SUPER_ADMIN, &METHODS, true).await;
    let (own, documented) = zabbix.create_token(&exporters, "exporter", in_days(90), false).await;
    let not_managing = zabbix.create_user("no management", SUPER_ADMIN, &METHODS, false).await;
    let (unmanaged, no_management) = zabbix.create_token(&not_managing, "no management", None, false).await;
    expected.extend([(soon.clone(), in_days(1)), (past.clone(), in_days(-1)), (disabled.clone(), in_days(30))]);
    expected.extend([
        (own.clone(), in_days(90)),
        (never, None),
        (admin.clone(), None),
        (short, None),
        (unmanaged, None),
    ]);

    let url = zabbix.url();
    let credentials = [
        ("documented", &documented),
        ("type-admin", &limited),
        ("no-auditlog", &without_audit_log),
        ("no-management", &no_management),
        ("expired", &expired),
        ("disabled", &refused),
    ];
    let mut config = "interval: 1s\nsources:\n".to_owned();
    for (source, secret) in credentials {
        std::fs::write(dir.path().join(source), secret).unwrap();
        config += &format!(
            "  - {{name: {source}, provider: zabbix, url: '{url}', token_name: exporter, credential: {{file: {source}}}}}\n"
        );
    }
    let root = &zabbix.server.url;
    config += &format!("  - {{name: wrong-path, provider: zabbix, url: '{root}', credential: {{file: documented}}}}\n");
    let exporter = exporter(dir.path(), &config, &[]).await;
    let text = wait_for("all sources are collected", || async {
        let text = metrics(&exporter).await;
        (samples(&text, "token_source_last_attempt_timestamp_seconds").len() == 7).then_some(text)
    })
    .await;
    assert_eq!(expiries(&text, "api-token"), expected);
    let gaps = ["documented", "type-admin", "no-auditlog", "no-management", "expired", "disabled", "wrong-path"];
    assert_eq!(
        gaps.map(|source| gap_reason(&text, source)),
        ["", "forbidden", "forbidden", "forbidden", "unauthorized", "unauthorized", "not_found"]
    );
    let up = samples(&text, "token_source_up");
    assert_eq!(of_source(&up, "documented")[0].value, 1.0, "the documented role is enough");
    let info = samples(&text, "token_info");
    let token = |id: &str| info.iter().find(|info| info.label("token_id") == id).unwrap();
    let shown = |id| ["token_name", "token_owner", "state"].map(|name| token(id).label(name).to_owned());
    assert_eq!(shown(&soon), ["soon", "ada", "active"]);
    assert_eq!(shown(&past), ["past", "bob", "expired"]);
    assert_eq!(shown(&disabled), ["disabled", "ada", "disabled"]);
    assert_eq!(shown(&own), ["exporter", "token-expiry", "active"]);
    let used = samples(&text, "token_last_used_timestamp_seconds");
    let used = |id: &str| used.iter().find(|used| used.label("token_id") == id).map(|used| used.value);
    assert!(used(&own).unwrap() >= now.timestamp() as f64, "the exporter uses its own token");
    assert_eq!((used(&soon), used(&disabled)), (None, None), "never used");
    let own_expiry = samples(&text, "token_source_credential_expiry_timestamp_seconds");
    assert_eq!(own_expiry.iter().map(|own| own.label("source")).collect::<Vec<_>>(), ["documented"]);
    assert_eq!(Some(own_expiry[0].value as i64), in_days(90));

    // The tokens of a source whose own token is disabled stay.
    zabbix.request("token.update", json!({"tokenid": own, "status": "1"})).await;
    let text = wait_for("the source fails", || async {
        let text = metrics(&exporter).await;
        (gap_reason(&text, "documented") == "unauthorized").then_some(text)
    })
    .await;
    assert_eq!(expiries(&text, "api-token"), expected);
    debian13::stop(zabbix.server, dir.path()).await;
}

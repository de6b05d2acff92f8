//! A real Unleash, and the exporter with the permissions that the definition documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::test_servers::{
    LIMIT, Server, client, expiries, exporter, free_port, metrics, persisted, samples, tool, wait_for,
};

/// Secrets that an administrator chose, in the variables of the server.
const CHOSEN_ADMIN: &str = "*:*.chosen-by-an-administrator";
const CHOSEN_BACKEND: &str = "*:development.chosen-by-an-administrator,*:development.also-chosen-by-an-administrator";

const PASSWORD: &str = "A-Password-of-a-user-1";

/// The description of the exporter's personal access token.
const TOKEN_NAME: &str = "token-expiry-exporter";

/// A database in the test's directory, with a Unix socket only. Its other processes stop when this one does.
struct Postgres(Child);

impl Postgres {
    fn start(dir: &Path) -> Self {
        let data = dir.join("postgres");
        let log = dir.join("postgres.log");
        let output = File::create(&log).unwrap();
        let printed = || fs::read_to_string(&log).unwrap_or_default();
        let mut initdb = unprivileged("initdb");
        initdb.args(["--auth=trust", "--username=unleash", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"]);
        let filled = initdb.arg(&data).stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap()).status();
        assert!(filled.unwrap().success(), "initdb:\n{}", printed());
        let mut postgres = unprivileged("postgres");
        postgres.arg("-D").arg(&data).arg("-k").arg(dir).stdin(Stdio::null());
        // Nothing outside of the directory: no port and no shared memory.
        for setting in ["listen_addresses=", "dynamic_shared_memory_type=mmap", "fsync=off"] {
            postgres.args(["-c", setting]);
        }
        let mut postgres = Self(postgres.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap());
        let started = Instant::now();
        while !fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|status| status.contains("ready")) {
            let exited = postgres.0.try_wait().unwrap();
            assert!(
                exited.is_none() && started.elapsed() < LIMIT,
                "postgres is not ready ({exited:?}):\n{}",
                printed()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        postgres
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// PostgreSQL refuses to run as root, which has another number in a user namespace. An IPC namespace removes what a killed
/// process leaves.
fn unprivileged(name: &str) -> Command {
    let program = tool(&format!("../unleash/postgres/{name}"));
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--ipc", "--map-user=1000", "--map-group=1000"]).arg(program);
    command
}

struct Unleash {
    url: String,
    _server: Server,
    _database: Postgres,
}

impl Unleash {
    /// A server under a path, as behind a reverse proxy.
    async fn start(dir: &Path) -> Self {
        let database = Postgres::start(dir);
        let port = free_port();
        let mut command = Command::new(tool("../unleash/node"));
        command
            .arg(tool("../unleash/node_modules/unleash-server/dist/server.js"))
            .current_dir(dir)
            .env_remove("DATABASE_URL")
            .env("DATABASE_HOST", dir)
            .env("PORT", port.to_string())
            .env("INIT_ADMIN_API_TOKENS", CHOSEN_ADMIN)
            .env("INIT_BACKEND_API_TOKENS", CHOSEN_BACKEND);
        command.envs([
            ("BASE_URI_PATH", "/flags"),
            // It sends nothing to its maker.
            ("CHECK_VERSION", "false"),
            ("DATABASE_NAME", "postgres"),
            ("DATABASE_PASSWORD", "none"),
            ("DATABASE_SSL", "false"),
            ("DATABASE_USERNAME", "unleash"),
            ("HTTP_HOST", "127.0.0.1"),
            ("NODE_ENV", "production"),
            ("SEND_TELEMETRY", "false"),
            ("TZ", "UTC"),
        ]);
        let server = Server::start("unleash", command, dir, port, "/flags/health").await;
        let url = format!("{}/flags", server.url);
        Self { url, _server: server, _database: database }
    }

    /// Sends a request as an administrator.
    async fn request(&self, path: &str, body: &Value) -> Value {
        let request = client().post(format!("{}/{path}", self.url)).header("Authorization", CHOSEN_ADMIN);
        let response = request.header("Content-Type", "application/json").body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Creates a token of an application. Returns its secret, and its expiry in seconds.
    async fn create_token(&self, name: &str, kind: &str, expires: Option<DateTime<Utc>>) -> (String, Option<i64>) {
        let mut body = json!({"tokenName": name, "type": kind, "environment": "development", "projects": ["default"]});
        if let Some(at) = expires {
            body["expiresAt"] = json!(at.to_rfc3339());
        }
        let created = self.request("api/admin/api-tokens", &body).await;
        (created["secret"].as_str().unwrap().to_owned(), expires.map(|at| at.timestamp()))
    }

    /// Creates a user with a root role and a personal access token. Returns the token.
    async fn create_user(&self, name: &str, role: u8, expires: DateTime<Utc>) -> PersonalToken {
        let user = json!({"username": name, "rootRole": role, "password": PASSWORD, "sendEmail": false});
        self.request("api/admin/user-admin", &user).await;
        let post = |path: &str, body: Value| {
            let request = client().post(format!("{}/{path}", self.url)).header("Content-Type", "application/json");
            request.body(body.to_string())
        };
        let login = post("auth/simple/login", json!({"username": name, "password": PASSWORD})).send().await.unwrap();
        assert_eq!(login.status(), 200, "{name}");
        let session = login.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let body = json!({"description": TOKEN_NAME, "expiresAt": expires.to_rfc3339()});
        let created = post("api/admin/user/tokens", body).header("Cookie", session).send().await.unwrap();
        let created: Value = serde_json::from_str(&created.text().await.unwrap()).unwrap();
        let secret = created["secret"].as_str().unwrap().to_owned();
        PersonalToken { id: created["id"].to_string(), secret, expires: expires.timestamp() }
    }
}

struct PersonalToken {
    id: String,
    secret: String,
    expires: i64,
}

/// The id of a token with a generated secret.
fn hashed(secret: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of an exposition that are of one source.
fn of_source(exposition: &str, source: &str) -> String {
    let lines = exposition.lines().filter(|line| line.contains(&format!("source=\"{source}\"")));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// All listings of a source with a failed scope, with the reason.
fn failed(exposition: &str) -> BTreeSet<(String, String)> {
    let gaps = samples(exposition, "token_source_gaps").into_iter().filter(|gap| gap.value > 0.0);
    gaps.map(|gap| (gap.label("listing").to_owned(), gap.label("reason").to_owned())).collect()
}

/// Everything that is stored: the tokens, which are compressed, and the files as they are.
fn stored(storage: &Path, sources: &[&str]) -> String {
    let tokens: Vec<_> = sources.iter().map(|source| persisted(storage, source).unwrap()).collect();
    let files =
        walkdir::WalkDir::new(storage).into_iter().map(|entry| entry.unwrap()).filter(|e| e.file_type().is_file());
    let files = files.map(|file| String::from_utf8_lossy(&fs::read(file.path()).unwrap()).into_owned());
    files.chain([json!(tokens).to_string()]).collect()
}

#[tokio::test]
async fn exporter_lists_the_tokens_of_unleash() {
    let dir = tempfile::tempdir().unwrap();
    let unleash = Unleash::start(dir.path()).await;
    let now = Utc::now().trunc_subsecs(0);
    let in_days = |days| now + TimeDelta::days(days);

    // Two with the same name, type and environment are two tokens; one has expired.
    let mut secrets = BTreeMap::new();
    for (name, kind, expires) in [
        ("ci", "client", Some(in_days(1))),
        ("ci", "client", Some(in_days(2))),
        ("shop", "backend", None),
        ("web", "frontend", Some(in_days(3))),
        ("old", "frontend", Some(now - TimeDelta::hours(1))),
    ] {
        let (secret, expires) = unleash.create_token(name, kind, expires).await;
        secrets.insert(secret, expires);
    }
    let mut personal = BTreeMap::new();
    for (number, (name, role)) in [("admin", 1), ("editor", 2), ("viewer", 3)].into_iter().enumerate() {
        let expires = in_days(100 + i64::try_from(number).unwrap());
        let token = unleash.create_user(&format!("token-expiry-{name}"), role, expires).await;
        fs::write(dir.path().join(name), &token.secret).unwrap();
        personal.insert(name, token);
    }
    fs::write(dir.path().join("admin-token"), CHOSEN_ADMIN).unwrap();

    let source = |name: &str, user: &str, more: &str| {
        let url = &unleash.url;
        format!("  - {{name: {name}, provider: unleash, url: '{url}', credential: {{file: {user}}}, {more}}}\n")
    };
    let by_name = format!("token_name: {TOKEN_NAME}");
    let config = [
        "interval: 1s\nsources:\n".to_owned(),
        source("admin", "admin", &by_name),
        source("editor", "editor", &format!("{by_name}, listings: [api-token, personal-access-token]")),
        source("too-little", "editor", ""),
        source("viewer", "viewer", ""),
        source("admin-token", "admin-token", "auth: admin-token"),
    ];
    let storage = dir.path().join("inventory");
    let exporter = exporter(dir.path(), &config.concat(), &[&format!("--storage.path={}", storage.display())]).await;
    // A page that is rendered while a source is recorded can have its state without its tokens.
    let exposition = wait_for("all sources are collected", || async {
        let text = metrics(&exporter).await;
        let info = samples(&text, "token_info");
        let with_tokens: BTreeSet<_> = info.iter().map(|info| info.label("source").to_owned()).collect();
        (with_tokens.len() == 5).then_some(text)
    })
    .await;

    // An administrator's choice has no hash: its id consists of public parts, and both were created at once.
    let of_admin = of_source(&exposition, "admin");
    let mut tokens = expiries(&of_admin, "api-token");
    let chosen: Vec<_> = tokens.keys().filter(|id| id.starts_with("client/*/development/admin/")).cloned().collect();
    assert_eq!(chosen.iter().map(|id| tokens.remove(id)).collect::<Vec<_>>(), [Some(None); 2], "{of_admin}");
    let expected: BTreeMap<_, _> = secrets.iter().map(|(secret, expires)| (hashed(secret), *expires)).collect();
    assert_eq!(tokens, expected);
    let admin_tokens = expiries(&of_admin, "admin-token");
    assert!(
        admin_tokens.iter().all(|(id, expires)| id.starts_with("admin/*/*/admin/") && expires.is_none())
            && admin_tokens.len() == 1,
        "{admin_tokens:?}"
    );
    let info = samples(&of_admin, "token_info");
    let states = |state: &str| info.iter().filter(|info| info.label("state") == state).count();
    assert_eq!((states("active"), states("expired")), (8, 1), "{of_admin}");

    // An Editor sees no admin tokens, a Viewer none at all, and an admin token has no personal ones.
    for source in ["editor", "too-little", "admin-token"] {
        let tokens = expiries(&of_source(&exposition, source), "api-token");
        assert_eq!(tokens, expiries(&of_admin, "api-token"), "{source}");
    }
    for (source, user) in [("admin", "admin"), ("editor", "editor"), ("too-little", "editor"), ("viewer", "viewer")] {
        let own = &personal[user];
        let tokens = expiries(&of_source(&exposition, source), "personal-access-token");
        assert_eq!(tokens, BTreeMap::from([(own.id.clone(), Some(own.expires))]), "{source}");
    }
    let forbidden = |listings: &[&str]| -> BTreeSet<_> {
        listings.iter().map(|listing| ((*listing).to_owned(), "forbidden".to_owned())).collect()
    };
    for (source, up, failures) in [
        ("admin", 1.0, forbidden(&[])),
        ("editor", 1.0, forbidden(&[])),
        ("too-little", 0.0, forbidden(&["admin-token"])),
        ("viewer", 0.0, forbidden(&["admin-token", "api-token"])),
        ("admin-token", 1.0, forbidden(&[])),
    ] {
        let of_source = of_source(&exposition, source);
        assert_eq!(samples(&of_source, "token_source_up")[0].value, up, "{source}");
        assert_eq!(failed(&of_source), failures, "{source}");
    }
    let own = samples(&exposition, "token_source_credential_expiry_timestamp_seconds");
    let own: BTreeMap<_, _> = own.iter().map(|own| (own.label("source"), own.value)).collect();
    #[allow(clippy::cast_precision_loss)] // a date of this century
    let expected = ["admin", "editor"].map(|name| (name, personal[name].expires as f64));
    assert_eq!(own, BTreeMap::from(expected));
    for permission in ["READ_CLIENT_API_TOKEN and READ_FRONTEND_API_TOKEN", "ADMIN, which only the root role Admin"] {
        exporter.logged(&[&format!("required permission: {permission}")]).await;
    }

    // The list consists of secrets. None of them is shown or stored, though the tokens are.
    let log = exporter.stop();
    let stored = stored(&storage, &["admin", "editor", "too-little", "viewer", "admin-token"]);
    assert!(stored.contains(&hashed(secrets.keys().next().unwrap())), "{stored}");
    let created = personal.values().map(|token| token.secret.as_str());
    for secret in secrets.keys().map(String::as_str).chain(created).chain(["chosen-by-an-administrator"]) {
        // Its end is looked for too, in case that something was cut.
        for text in [secret, &secret[secret.len() - 16..]] {
            for (output, what) in [(&exposition, "the exposition"), (&log, "the log"), (&stored, "the storage")] {
                assert!(!output.contains(text), "{what} contains {text}:\n{output}");
            }
        }
    }
}

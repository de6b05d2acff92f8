//! The canary: every credential, and every secret in a provider's answers, is a known text. After a run through every
//! success and every fault none of them stands anywhere that the program writes to.

mod find;
mod vendor;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use crate::equipment::{client, wait_for};
use crate::web::certificates::Authority;
use find::{Place, found};
use vendor::{DEFINITION, FAULTS, SCHEMES};

const SOON: Duration = Duration::from_secs(120);

/// The key of no App at all, made for the tests of the signer.
const APP_KEY: &str = include_str!("../../src/providers/engine/signers/github_app/test-key.pem");

/// The secret of this name. Headers can carry it, and each way of writing it differs.
fn secret(name: &str) -> String {
    format!("cnry-{name}-Qz7~/+%26\"x<&_{}", name.len())
}

/// One that can stand in a URL.
fn plain(name: &str) -> String {
    format!("cnry-{name}-Qz7xyz")
}

/// The line of a key that is its own.
fn heart(pem: &str) -> String {
    pem.lines().nth(1).unwrap().to_owned()
}

/// Everything that one run needs, and all its secrets.
struct Yard {
    dir: tempfile::TempDir,
    authority: Authority,
    secrets: Vec<(&'static str, String)>,
    config: PathBuf,
    vendor: std::net::SocketAddr,
}

impl Yard {
    /// `name` is the expression that becomes a token's name.
    async fn new(name: &str, faults: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let neighbour = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let vendor = vendor::start(neighbour.local_addr().unwrap()).await;
        tokio::spawn(async move { axum::serve(neighbour, Router::new().fallback(trespassed)).await });
        std::fs::create_dir(path("providers")).unwrap();
        std::fs::write(path("providers/leaky.yaml"), DEFINITION.replace("NAME", name)).unwrap();

        let mut secrets: Vec<(&'static str, String)> = [
            "access-token",
            "refresh-token",
            "answer-secret",
            "answer-token",
            "answer-password",
            "page",
            "response-header",
            "cursor",
            "signed-url",
            "link-password",
            "web-password",
            "wrong-password",
        ]
        .into_iter()
        .map(|name| (name, secret(name)))
        .collect();
        secrets.push(("proxy-password", plain("proxy-password")));
        secrets.push(("env-credential", secret("env-credential")));
        for (_, parts) in SCHEMES {
            for (_, name) in parts {
                std::fs::write(path(name), format!("{}\n", secret(name))).unwrap();
                secrets.push((name, secret(name)));
            }
        }
        std::fs::write(path("app-key"), APP_KEY).unwrap();
        secrets.push(("the key of an App", heart(APP_KEY)));

        // The web configuration, and a client certificate.
        let authority = Authority::new();
        authority.issue_to(dir.path());
        secrets.push(("the server's key", heart(&std::fs::read_to_string(path("server.key")).unwrap())));
        let (certificate, key) = authority.issue("client");
        std::fs::write(path("client.pem"), certificate).unwrap();
        std::fs::write(path("client.key"), &key).unwrap();
        secrets.push(("a client's key", heart(&key)));
        let hash = bcrypt::hash(secret("web-password"), 4).unwrap();
        let web = json!({
            "tls_server_config": {"cert_file": "server.pem", "key_file": "server.key"},
            "basic_auth_users": {"prometheus": hash},
        });
        std::fs::write(path("web.yaml"), web.to_string()).unwrap();
        secrets.push(("the hash of a user's password", hash));

        let config = path("config.yaml");
        std::fs::write(
            &config,
            json!({"interval": "1s", "timeout": "20s", "sources": sources(vendor, faults)}).to_string(),
        )
        .unwrap();
        Self { dir, authority, secrets, config, vendor }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with everything that it is told by its surroundings.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command.args(arguments).arg(format!("--providers.dir={}", self.path("providers").display()));
        command.env("HTTP_PROXY", format!("http://user:{}@{}", plain("proxy-password"), self.vendor));
        command.env("LEAKY_TOKEN", secret("env-credential")).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command.stdin(Stdio::null());
        command
    }

    /// What it prints where it ends by itself.
    fn run(&self, arguments: &[&str], config: &Path) -> Vec<Place> {
        let mut command = self.program(arguments);
        let output = command.arg(format!("--config.file={}", config.display())).output().unwrap();
        let place = |name: &str, content| Place { name: format!("{} of {}", name, arguments.join(" ")), content };
        vec![place("the output", output.stdout), place("what is said", output.stderr)]
    }
}

/// A request has come where none may come with a credential.
async fn trespassed(request: Request) -> &'static str {
    panic!("another origin was asked: {request:?}");
}

/// A source for each way to authenticate and each fault, and those that are special.
fn sources(vendor: std::net::SocketAddr, faults: &[&str]) -> Vec<Value> {
    let mut sources = Vec::new();
    for (scheme, parts) in SCHEMES {
        for fault in faults {
            // What goes wrong after the login is the same for all of them.
            if scheme != "bearer"
                && !["well", "unauthorized", "forbidden", "server"].contains(fault)
                && !fault.starts_with("login")
            {
                continue;
            }
            let credential = match parts {
                [("", file)] => json!({"file": file}),
                parts => parts.iter().map(|(part, file)| ((*part).to_owned(), json!({"file": file}))).collect(),
            };
            sources.push(json!({
                "name": format!("{scheme}-{fault}"), "provider": "leaky", "auth": scheme, "credential": credential,
                "url": format!("http://{vendor}/{fault}"),
            }));
        }
    }
    let leaky = |name: &str, url: String, more: Value| {
        let mut source = json!({"name": name, "provider": "leaky", "url": url, "credential": {"file": "bearer"}});
        source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source
    };
    sources.push(leaky("env", format!("http://{vendor}/well"), json!({"credential": {"env": "LEAKY_TOKEN"}})));
    sources.push(leaky(
        "tls",
        format!("http://{vendor}/well"),
        json!({"tls": {"cert_file": "client.pem", "key_file": "client.key"}}),
    ));
    sources.push(leaky("proxied", "http://behind.example/well".into(), json!({})));
    sources.push(leaky(
        "down",
        "http://127.0.0.1:1/x".into(),
        json!({"auth": "query", "credential": {"file": "query-key"}}),
    ));
    sources.push(json!({
        "name": "app", "provider": "github", "auth": "app", "org": "acme", "app_id": "1", "credential": {"file": "app-key"},
        "url": format!("http://{vendor}/unauthorized"),
    }));
    sources
}

/// A running exporter behind TLS and a password.
struct Running {
    child: Child,
    log: PathBuf,
    url: String,
    client: Client,
}

impl Running {
    async fn start(yard: &Yard, format: &str) -> Self {
        let log = yard.path(&format!("{format}.log"));
        let output = std::fs::File::create(&log).unwrap();
        let mut command =
            yard.program(&["serve", "--log.level=debug", "--web.enable-lifecycle", "--web.listen-address=127.0.0.1:0"]);
        command
            .arg(format!("--log.format={format}"))
            .arg(format!("--config.file={}", yard.config.display()))
            .arg(format!("--web.config.file={}", yard.path("web.yaml").display()))
            .arg(format!("--storage.path={}", yard.path(&format!("storage-{format}")).display()));
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let _ = client();
        let ca = Certificate::from_pem(yard.authority.pem.as_bytes()).unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([ca]).timeout(SOON).build().unwrap();
        let mut running = Self { child, log, url: String::new(), client };
        let port = wait_for("the address", SOON, || async {
            let log = running.log();
            Some(log.split_once("127.0.0.1:")?.1.split(|c: char| !c.is_ascii_digit()).next()?.to_owned())
        })
        .await;
        running.url = format!("https://localhost:{port}");
        wait_for("an answer", SOON, || async { running.client.get(&running.url).send().await.ok() }).await;
        running
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn get(&self, path: &str, password: &str, accept: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.url)).header("accept", accept);
        request.basic_auth("prometheus", Some(password)).send().await.unwrap().text().await.unwrap()
    }

    /// Every page, and what those see who may not see it.
    async fn pages(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for path in [
            "/",
            "/metrics",
            "/api/v1/tokens",
            "/calendar.ics",
            "/-/ready",
            "/-/healthy",
            "/nowhere",
            "/api/v1/tokens?limit=x",
        ] {
            for (password, accept) in [
                (secret("web-password"), "*/*"),
                (secret("web-password"), "application/openmetrics-text"),
                (secret("wrong-password"), "*/*"),
            ] {
                let content = self.get(path, &password, accept).await.into_bytes();
                places.push(Place { name: format!("{path} as {accept}"), content });
            }
        }
        places
    }

    /// What others on this machine see of the process.
    fn process(&self) -> Vec<Place> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let read = |name: &str| std::fs::read(proc.join(name)).unwrap();
        let limits = String::from_utf8(read("limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(
            core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(),
            ["0", "0"],
            "a core dump may be written"
        );
        for task in std::fs::read_dir(proc.join("task")).unwrap() {
            let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            assert_eq!(children, "", "a child would have the environment");
        }
        ["cmdline", "comm", "status"].map(|name| Place { name: format!("/proc/{name}"), content: read(name) }).into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// All files under a folder.
fn stored(folder: &Path) -> Vec<Place> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| Place { name: path.display().to_string(), content: std::fs::read(&path).unwrap() }).collect()
}

/// Serves until every source was collected, asks for everything, breaks the configuration, and gives all that came out.
async fn served(yard: &Yard, format: &str, sources: usize) -> Vec<Place> {
    let running = Running::start(yard, format).await;
    wait_for("every source to be collected", SOON, || async {
        let metrics = running.get("/metrics", &secret("web-password"), "*/*").await;
        let attempted = |line: &&str| line.starts_with("token_source_last_attempt_timestamp_seconds{");
        (metrics.lines().filter(attempted).count() == sources).then_some(())
    })
    .await;
    let mut places = running.pages().await;
    places.extend(running.process());
    let config = std::fs::read_to_string(&yard.config).unwrap();
    for broken in mistaken() {
        std::fs::write(&yard.config, &broken).unwrap();
        let reload = running
            .client
            .post(format!("{}/-/reload", running.url))
            .basic_auth("prometheus", Some(secret("web-password")));
        let refused = reload.send().await.unwrap();
        let status = refused.status();
        assert!(status.is_server_error() || status.is_client_error(), "{status} for {broken}");
        places.push(Place { name: "/-/reload".into(), content: refused.text().await.unwrap().into_bytes() });
    }
    std::fs::write(&yard.config, config).unwrap();
    places.extend(running.pages().await);
    wait_for("the storage", SOON, || async {
        yard.path(&format!("storage-{format}/inventory.json")).exists().then_some(())
    })
    .await;
    places.extend(stored(&yard.path(&format!("storage-{format}"))));
    places.push(Place { name: format!("the log as {format}"), content: running.log().into_bytes() });
    places
}

/// Configurations in which somebody has written the secret itself, with slips around it.
fn mistaken() -> Vec<String> {
    let word = json!(secret("bearer"));
    let source = |rest: &str| format!("sources:\n  - name: a\n    provider: leaky\n    url: http://h/\n    {rest}\n");
    let mut mistaken: Vec<String> = ["credential", "token", "password", "api_key", "client_secret", "secrets"]
        .map(|key| source(&format!("{key}: {word}")))
        .into();
    mistaken.extend([
        source(&format!("credential: {{value: {word}}}")),
        source(&format!("credential: {{file: token, secret: {word}}}")),
        source(&format!("credential: [{word}]")),
        source(&format!("credential: {{file: {word}")),
        source(&format!("credential:\n      {word}: x")),
        source(&format!("credential {word}")),
        source(&format!("headers: {{Authorization: {word}, token: {word}}}")),
        source(&format!("password: {word}\n  broken: [")),
        format!(
            "sources: [{{name: a, provider: leaky, url: 'http://u:{0}@h/', proxy: 'http://u:{0}@p/'}}]\n",
            plain("proxy-password")
        ),
        source(&format!("auth: bearer\n    private_key: |\n      {}", APP_KEY.replace('\n', "\n      "))),
    ]);
    mistaken
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_anywhere_after_every_success_and_every_fault() {
    let yard = Yard::new(".name", &FAULTS).await;
    let sources = sources(yard.vendor, &FAULTS).len();
    // One after the other: each breaks the configuration that both read.
    let (logfmt, json) = (served(&yard, "logfmt", sources).await, served(&yard, "json", sources).await);
    let mut places: Vec<Place> = logfmt.into_iter().chain(json).collect();
    for arguments in [
        &["check"][..],
        &["check", "--online"],
        &["list", "--log.level=debug"],
        &["list", "--output=json"],
        &["list", "--output=csv", "--fail-within=90d"],
        &["list", "--output=prom"],
        &["list", "--source=nobody"],
    ] {
        places.extend(yard.run(arguments, &yard.config));
    }
    for (number, broken) in mistaken().iter().enumerate() {
        let file = yard.path(&format!("mistaken-{number}.yaml"));
        std::fs::write(&file, broken).unwrap();
        for arguments in [&["check"][..], &["list"], &["serve", "--web.listen-address=127.0.0.1:0"]] {
            places.extend(yard.run(arguments, &file));
        }
    }

    // That there is something to find a secret in: every fault is told, and every kind of failure counted.
    let text = |name: &str| {
        String::from_utf8_lossy(&places.iter().find(|place| place.name == name).unwrap().content).into_owned()
    };
    let metrics = text("/metrics as */*");
    for reason in
        ["unauthorized", "forbidden", "rate_limited", "server_error", "connect", "redirect", "decode", "mapping"]
    {
        let counted = |line: &&str| {
            line.starts_with("token_source_failures_total{") && line.contains(reason) && !line.ends_with(" 0")
        };
        assert!(metrics.lines().any(|line| counted(&line)), "nothing failed with {reason}");
    }
    let log = text("the log as logfmt");
    for (source, _) in SCHEMES {
        assert!(log.contains(&format!("source={source}-well")), "{source}");
    }
    assert!(log.contains("source=proxied tokens=2"), "the proxy was gone through:\n{log}");
    assert!(log.contains("level=debug"), "the log is as talkative as it can be");
    let found = found(&yard.secrets, &places);
    assert!(found.is_empty(), "{} secrets in {} places:\n{}", found.len(), places.len(), found.join("\n"));
}

/// What a definition publishes is public: the same run finds the secret that a bad one takes for a name.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_a_definition_takes_for_a_name_is_found_everywhere() {
    let yard = Yard::new(".secret", &["well"]).await;
    let mut places = served(&yard, "json", sources(yard.vendor, &["well"]).len()).await;
    places.extend(yard.run(&["list"], &yard.config));
    places.extend(yard.run(&["list", "--output=csv"], &yard.config));
    let found = found(&yard.secrets, &places);
    for place in
        ["/metrics as", "/ as", "/api/v1/tokens as", "/calendar.ics as", "/inventory.json", "the output of list"]
    {
        assert!(
            found.iter().any(|line| line.starts_with("answer-secret, ") && line.contains(place)),
            "{place}: {found:#?}"
        );
    }
    assert!(found.iter().all(|line| line.starts_with("answer-secret, ")), "{found:#?}");
}

/// No part of the program starts another.
#[test]
fn the_program_starts_no_other() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap_or_default();
            let code = code.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!code.contains("process::Command"), "{}: a child would have the environment", path.display());
        }
    }
}

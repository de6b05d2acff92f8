//! Every credential, and every secret in a provider's responses, is a known text. After runs through every success and every
//! fault, none of them is in any output of the exporter.

mod provider;
pub(crate) mod scan;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::extract::Request;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use crate::test_servers::{LIMIT, client, wait_for};
use crate::web::certificates::Authority;
use provider::{DEFINITION, FAULTS, SCHEMES};
use scan::{Output, find};

/// Of no real App; made for the tests of the signer.
const APP_KEY: &str = include_str!("../../src/providers/engine/github_app/test-key.pem");

/// The secret with this name. It is valid in a header, and every encoding of it differs.
fn secret(name: &str) -> String {
    format!("cnry-{name}-Qz7~/+%26\"x<&_{}", name.len())
}

/// One that is valid in a URL.
fn url_safe_secret(name: &str) -> String {
    format!("cnry-{name}-Qz7xyz")
}

/// The first line of a key that differs from key to key.
fn key_line(pem: &str) -> String {
    pem.lines().nth(1).unwrap().to_owned()
}

/// The files of one run, and all its secrets.
struct Fixture {
    dir: tempfile::TempDir,
    authority: Authority,
    secrets: Vec<(&'static str, String)>,
    config: PathBuf,
    provider: std::net::SocketAddr,
}

impl Fixture {
    /// `name` is the definition's expression for a token's name.
    async fn new(name: &str, faults: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let foreign_origin = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = provider::start(foreign_origin.local_addr().unwrap()).await;
        tokio::spawn(async move { axum::serve(foreign_origin, Router::new().fallback(unexpected)).await });
        std::fs::create_dir(path("providers")).unwrap();
        std::fs::write(path("providers/leaky.yaml"), DEFINITION.replace("NAME", name)).unwrap();

        let mut secrets: Vec<(&'static str, String)> = [
            "access-token",
            "refresh-token",
            "response-secret",
            "response-token",
            "response-password",
            "page",
            "response-header",
            "cursor",
            "signed-url",
            "link-password",
            "web-password",
            "wrong-password",
            "gateway-key",
        ]
        .into_iter()
        .map(|name| (name, secret(name)))
        .collect();
        secrets.push(("proxy-password", url_safe_secret("proxy-password")));
        secrets.push(("env-credential", secret("env-credential")));
        for (_, parts) in SCHEMES {
            for (_, name) in parts {
                std::fs::write(path(name), format!("{}\n", secret(name))).unwrap();
                secrets.push((name, secret(name)));
            }
        }
        std::fs::write(path("gateway-key"), secret("gateway-key")).unwrap();
        std::fs::write(path("app-key"), APP_KEY).unwrap();
        secrets.push(("the key of an App", key_line(APP_KEY)));

        // The web configuration and a client certificate.
        let authority = Authority::new();
        authority.issue_to(dir.path());
        secrets.push(("the server's key", key_line(&std::fs::read_to_string(path("server.key")).unwrap())));
        let (certificate, key) = authority.issue("client");
        std::fs::write(path("client.pem"), certificate).unwrap();
        std::fs::write(path("client.key"), &key).unwrap();
        secrets.push(("a client's key", key_line(&key)));
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
            json!({"interval": "1s", "timeout": "20s", "sources": sources(provider, faults)}).to_string(),
        )
        .unwrap();
        Self { dir, authority, secrets, config, provider }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The exporter with secrets in its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command.args(arguments).arg(format!("--providers.dir={}", self.path("providers").display()));
        command.env("HTTP_PROXY", format!("http://user:{}@{}", url_safe_secret("proxy-password"), self.provider));
        command.env("LEAKY_TOKEN", secret("env-credential")).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    fn run(&self, arguments: &[&str], config: &Path) -> Vec<Output> {
        let mut command = self.command(arguments);
        let output = command.arg(format!("--config.file={}", config.display())).output().unwrap();
        let written = |name: &str, content| Output { name: format!("{} of {}", name, arguments.join(" ")), content };
        vec![written("stdout", output.stdout), written("stderr", output.stderr)]
    }
}

/// No request may reach another origin.
async fn unexpected(request: Request) -> &'static str {
    panic!("request to a different origin: {request:?}");
}

/// A source for each authentication scheme and fault, and special ones.
fn sources(provider: std::net::SocketAddr, faults: &[&str]) -> Vec<Value> {
    let mut sources = Vec::new();
    for (scheme, parts) in SCHEMES {
        for fault in faults {
            // Faults after the login are the same for all schemes.
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
                "url": format!("http://{provider}/{fault}"),
            }));
        }
    }
    let leaky = |name: &str, url: String, more: Value| {
        let mut source = json!({"name": name, "provider": "leaky", "url": url, "credential": {"file": "bearer"}});
        source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source
    };
    sources.push(leaky("env", format!("http://{provider}/well"), json!({"credential": {"env": "LEAKY_TOKEN"}})));
    sources.push(leaky(
        "tls",
        format!("http://{provider}/well"),
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
        "url": format!("http://{provider}/unauthorized"),
    }));
    for source in &mut sources {
        source["headers"] = json!({"X-Gateway-Key": {"file": "gateway-key"}});
    }
    sources
}

/// A running exporter with TLS and a password.
struct Exporter {
    child: Child,
    log: PathBuf,
    url: String,
    client: Client,
}

impl Exporter {
    async fn start(fixture: &Fixture, format: &str) -> Self {
        let log = fixture.path(&format!("{format}.log"));
        let output = std::fs::File::create(&log).unwrap();
        let mut command = fixture.command(&[
            "serve",
            "--log.level=debug",
            "--web.enable-lifecycle",
            "--web.listen-address=127.0.0.1:0",
        ]);
        command
            .arg(format!("--log.format={format}"))
            .arg(format!("--config.file={}", fixture.config.display()))
            .arg(format!("--web.config.file={}", fixture.path("web.yaml").display()))
            .arg(format!("--storage.path={}", fixture.path(&format!("storage-{format}")).display()));
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let _ = client();
        let ca = Certificate::from_pem(fixture.authority.pem.as_bytes()).unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([ca]).timeout(LIMIT).build().unwrap();
        let mut exporter = Self { child, log, url: String::new(), client };
        let port = wait_for("the address", || async {
            let log = exporter.log();
            Some(log.split_once("127.0.0.1:")?.1.split(|c: char| !c.is_ascii_digit()).next()?.to_owned())
        })
        .await;
        exporter.url = format!("https://localhost:{port}");
        wait_for("a response", || async { exporter.client.get(&exporter.url).send().await.ok() }).await;
        exporter
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn get(&self, path: &str, password: &str, accept: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.url)).header("accept", accept);
        request.basic_auth("prometheus", Some(password)).send().await.unwrap().text().await.unwrap()
    }

    /// Every page, with a valid and an invalid login.
    async fn pages(&self) -> Vec<Output> {
        let mut outputs = Vec::new();
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
                outputs.push(Output { name: format!("{path} as {accept}"), content });
            }
        }
        outputs
    }

    /// What other users of the machine can see of the process.
    fn process(&self) -> Vec<Output> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let read = |name: &str| std::fs::read(proc.join(name)).unwrap();
        let limits = String::from_utf8(read("limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "core dumps are enabled");
        for task in std::fs::read_dir(proc.join("task")).unwrap() {
            let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            assert_eq!(children, "", "a child process inherits the environment");
        }
        ["cmdline", "comm", "status"].map(|name| Output { name: format!("/proc/{name}"), content: read(name) }).into()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// The files of a directory, with compressed tokens decompressed.
fn files(directory: &Path) -> Vec<Output> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let output = |path: PathBuf| {
        let mut content = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "tokens") {
            let compressed = content.split_off(content.iter().position(|byte| *byte == b'\n').unwrap() + 1);
            flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut content).unwrap();
        }
        Output { name: path.display().to_string(), content }
    };
    files.map(output).collect()
}

/// Serves until every source was collected, requests everything and reloads invalid configurations; all outputs.
async fn serve(fixture: &Fixture, format: &str, sources: usize) -> Vec<Output> {
    let exporter = Exporter::start(fixture, format).await;
    wait_for("every source to be collected", || async {
        let metrics = exporter.get("/metrics", &secret("web-password"), "*/*").await;
        let attempted = |line: &&str| line.starts_with("token_source_last_attempt_timestamp_seconds{");
        (metrics.lines().filter(attempted).count() == sources).then_some(())
    })
    .await;
    let mut outputs = exporter.pages().await;
    outputs.extend(exporter.process());
    let config = std::fs::read_to_string(&fixture.config).unwrap();
    for invalid in invalid_configs() {
        std::fs::write(&fixture.config, &invalid).unwrap();
        let reload = exporter
            .client
            .post(format!("{}/-/reload", exporter.url))
            .basic_auth("prometheus", Some(secret("web-password")));
        let response = reload.send().await.unwrap();
        let status = response.status();
        assert!(status.is_server_error() || status.is_client_error(), "{status} for {invalid}");
        outputs.push(Output { name: "/-/reload".into(), content: response.text().await.unwrap().into_bytes() });
    }
    std::fs::write(&fixture.config, config).unwrap();
    outputs.extend(exporter.pages().await);
    let storage = fixture.path(&format!("storage-{format}"));
    wait_for("the persisted inventory", || async {
        let is_state = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "state");
        let stored = std::fs::read_dir(&storage).unwrap().map(|entry| entry.unwrap().path()).filter(is_state).count();
        (stored == sources).then_some(())
    })
    .await;
    outputs.extend(files(&storage));
    outputs.push(Output { name: format!("{format} log"), content: exporter.log().into_bytes() });
    outputs
}

/// Invalid configurations with the secret itself in them.
fn invalid_configs() -> Vec<String> {
    let secret = json!(secret("bearer"));
    let source = |rest: &str| format!("sources:\n  - name: a\n    provider: leaky\n    url: http://h/\n    {rest}\n");
    let mut configs: Vec<String> = ["credential", "token", "password", "api_key", "client_secret", "secrets"]
        .map(|key| source(&format!("{key}: {secret}")))
        .into();
    configs.extend([
        source(&format!("credential: {{value: {secret}}}")),
        source(&format!("credential: {{file: token, secret: {secret}}}")),
        source(&format!("credential: [{secret}]")),
        source(&format!("credential: {{file: {secret}")),
        source(&format!("credential:\n      {secret}: x")),
        source(&format!("credential {secret}")),
        source(&format!("headers: {{Authorization: {secret}, token: {secret}}}")),
        source(&format!("headers: {{X-Api-Key: {secret}}}\n    broken: [")),
        source(&format!("headers:\n      X-Api-Key: {secret}\n    broken: [")),
        source(&format!("headers: {secret}")),
        source(&format!("headers: {{{secret}}}")),
        source(&format!("headers: {{{secret}: x}}")),
        source(&format!("headers: {{X-Api-Key: [{secret}]}}")),
        source(&format!("headers: {{X-Api-Key: {{file: {{value: {secret}}}}}}}")),
        source(&format!("password: {secret}\n  broken: [")),
        format!(
            "sources: [{{name: a, provider: leaky, url: 'http://u:{0}@h/', proxy: 'http://u:{0}@p/'}}]\n",
            url_safe_secret("proxy-password")
        ),
        source(&format!("auth: bearer\n    private_key: |\n      {}", APP_KEY.replace('\n', "\n      "))),
    ]);
    configs
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_output_after_every_success_and_fault() {
    let fixture = Fixture::new(".name", &FAULTS).await;
    let sources = sources(fixture.provider, &FAULTS).len();
    // One after the other: both write invalid configurations to the same file.
    let (logfmt, json) = (serve(&fixture, "logfmt", sources).await, serve(&fixture, "json", sources).await);
    let mut outputs: Vec<Output> = logfmt.into_iter().chain(json).collect();
    for arguments in [
        &["check"][..],
        &["check", "--online"],
        &["list", "--log.level=debug"],
        &["list", "--output=json"],
        &["list", "--output=csv", "--fail-within=90d"],
        &["list", "--output=prom"],
        &["list", "--source=nobody"],
    ] {
        outputs.extend(fixture.run(arguments, &fixture.config));
    }
    for (number, invalid) in invalid_configs().iter().enumerate() {
        let file = fixture.path(&format!("invalid-{number}.yaml"));
        std::fs::write(&file, invalid).unwrap();
        for arguments in [&["check"][..], &["list"], &["serve", "--web.listen-address=127.0.0.1:0"]] {
            outputs.extend(fixture.run(arguments, &file));
        }
    }

    // The outputs are complete: every fault is logged, and every reason is counted.
    let text = |name: &str| {
        String::from_utf8_lossy(&outputs.iter().find(|output| output.name == name).unwrap().content).into_owned()
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
    let log = text("logfmt log");
    for (source, _) in SCHEMES {
        assert!(log.contains(&format!("source={source}-well")), "{source}");
    }
    assert!(log.contains("source=proxied tokens=2"), "requests went through the proxy:\n{log}");
    assert!(log.contains("level=debug"), "the log has debug messages");
    let found = find(&fixture.secrets, &outputs);
    assert!(found.is_empty(), "{} secrets in {} outputs:\n{}", found.len(), outputs.len(), found.join("\n"));
}

/// The counter-check: the same run finds a secret that a bad definition uses as a token's name.
#[tokio::test(flavor = "multi_thread")]
async fn secret_published_by_a_definition_is_found_in_every_output() {
    let fixture = Fixture::new(".secret", &["well"]).await;
    let mut outputs = serve(&fixture, "json", sources(fixture.provider, &["well"]).len()).await;
    outputs.extend(fixture.run(&["list"], &fixture.config));
    outputs.extend(fixture.run(&["list", "--output=csv"], &fixture.config));
    let found = find(&fixture.secrets, &outputs);
    for output in ["/metrics as", "/ as", "/api/v1/tokens as", "/calendar.ics as", ".tokens", "stdout of list"] {
        assert!(
            found.iter().any(|line| line.starts_with("response-secret, ") && line.contains(output)),
            "{output}: {found:#?}"
        );
    }
    assert!(found.iter().all(|line| line.starts_with("response-secret, ")), "{found:#?}");
}

#[test]
fn exporter_starts_no_process() {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            if path.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap_or_default();
            let code = code.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!code.contains("process::Command"), "{}: a child process inherits the environment", path.display());
        }
    }
}

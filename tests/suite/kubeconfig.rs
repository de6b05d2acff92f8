//! Sources with a kubeconfig, against API servers with TLS: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use axum_server::tls_rustls::RustlsConfig;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{Datelike as _, TimeDelta, Utc};
use rcgen::date_time_ymd;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};

use crate::test_servers::{exporter, metrics, samples, wait_for};
use crate::web::certificates::{Authority, server_tls};

/// Real answers of an API server.
const SECRETS: &str = include_str!("../providers/kubernetes/secrets-tls.json");

/// An API server, and the `Authorization` of each request.
struct ApiServer {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl ApiServer {
    /// One that accepts every token, or only clients with a certificate of `clients`.
    fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = authority.issue("localhost");
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let ca = clients.map(|clients| CertificateDer::from_pem_slice(clients.pem.as_bytes()).unwrap());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = server_tls(ca).with_single_cert(chain, key).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(config))).unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (recorded, needs_token) = (Arc::clone(&seen), clients.is_none());
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| async move {
            let credential = headers.get(header::AUTHORIZATION).map_or("none", |value| value.to_str().unwrap());
            recorded.lock().unwrap().push(credential.to_owned());
            let (status, body) = match uri.path() {
                _ if needs_token && credential == "none" => {
                    (StatusCode::UNAUTHORIZED, r#"{"message": "Unauthorized"}"#)
                }
                "/api/v1/secrets" => (StatusCode::OK, SECRETS),
                _ => (StatusCode::NOT_FOUND, "404 page not found"),
            };
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        });
        tokio::spawn(server.serve(router.into_make_service()));
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The credentials of the requests so far, each once.
    fn seen(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort();
        seen.dedup();
        seen
    }
}

fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// A kubeconfig with one context.
fn kubeconfig(cluster: &Value, user: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "prod", "user": "exporter", "namespace": "ci"}}],
        "clusters": [{"name": "prod", "cluster": cluster}],
        "users": [{"name": "exporter", "user": user}],
    })
    .to_string()
}

/// Replaces a file at once, as a client that renews its kubeconfig does.
fn replace(dir: &Path, name: &str, content: &str) {
    fs::write(dir.join("new"), content).unwrap();
    fs::rename(dir.join("new"), dir.join(name)).unwrap();
}

const SOURCE: &str = "sources: [{name: cluster, provider: kubernetes, interval: 1s, kubeconfig: {file: kubeconfig}}]\n";

async fn run(dir: &Path, arguments: &'static [&'static str], config: &str) -> Output {
    fs::write(dir.join("config.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(arguments).arg("--config.file=config.yaml").current_dir(dir);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The names of the tokens that `list` prints.
async fn listed(dir: &Path, config: &str) -> Vec<String> {
    let output = run(dir, &["list", "--output=json"], config).await;
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert!(output.status.success(), "{}", text(&output));
    let names = list["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconfig_has_the_server_its_ca_and_the_token() {
    let authority = Authority::new();
    let server = ApiServer::start(&authority, None);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("kube/pki")).unwrap();
    fs::write(dir.path().join("kube/pki/ca.crt"), &authority.pem).unwrap();
    fs::write(dir.path().join("kube/token"), "token-in-a-file\n").unwrap();
    let files = format!(
        "current-context: files
contexts:
  - {{name: files, context: {{cluster: files, user: files}}}}
  - {{name: 2026, context: {{cluster: data, user: data}}}}
clusters:
  - {{name: files, cluster: {{server: '{url}/', certificate-authority: pki/ca.crt, insecure-skip-tls-verify: false}}}}
  - name: data
    cluster: {{server: '{url}', certificate-authority-data: {}, certificate-authority: missing}}
users:
  - {{name: files, user: {{tokenFile: token, token: the-token-of-before}}}}
  - {{name: data, user: {{token: token-in-the-kubeconfig, exec: {{command: never}}}}}}
",
        base64(&authority.pem),
        url = server.url()
    );
    fs::write(dir.path().join("kube/config"), files).unwrap();
    for (context, token) in [("", "Bearer token-in-a-file"), (", context: 2026", "Bearer token-in-the-kubeconfig")] {
        let config =
            format!("sources: [{{name: k, provider: kubernetes, kubeconfig: {{file: kube/config{context}}}}}]\n");
        assert_eq!(listed(dir.path(), &config).await, ["default/web-tls"]);
        assert_eq!(std::mem::take(&mut *server.seen.lock().unwrap()), [token]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificate_authenticates_and_its_expiry_is_exposed() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = ApiServer::start(&authority, Some(&clients));
    let (certificate, key) = clients.issue_with("exporter", |params| params.not_after = date_time_ymd(2120, 1, 1));
    let dir = tempfile::tempdir().unwrap();
    let cluster = json!({"server": server.url(), "certificate-authority-data": base64(&authority.pem)});
    let user = json!({"client-certificate-data": base64(&certificate), "client-key-data": base64(&key)});
    fs::write(dir.path().join("kubeconfig"), kubeconfig(&cluster, &user)).unwrap();
    assert_eq!(listed(dir.path(), SOURCE).await, ["default/web-tls"]);

    for (name, content) in [("ca.crt", &authority.pem), ("client.crt", &certificate), ("client.key", &key)] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let parts = format!(
        "sources: [{{name: k, provider: kubernetes, url: '{}', auth: certificate, tls: {{ca_file: ca.crt, cert_file: client.crt, key_file: client.key}}}}]\n",
        server.url()
    );
    assert_eq!(listed(dir.path(), &parts).await, ["default/web-tls"]);
    assert_eq!(server.seen(), ["none"]);

    let exporter = exporter(dir.path(), SOURCE, &[]).await;
    let expiry = async || {
        let samples = samples(&metrics(&exporter).await, "token_source_credential_expiry_timestamp_seconds");
        samples.first().map(|sample| sample.value)
    };
    assert_eq!(wait_for("the expiry of the certificate", &expiry).await, 4_733_510_400.0, "2120-01-01");
    // A program renews certificates of a few days, so that an alert on their expiry would never end.
    let day = |days: i64| {
        let date = (Utc::now() + TimeDelta::days(days)).date_naive();
        date_time_ymd(date.year(), date.month() as u8, date.day() as u8)
    };
    let (certificate, key) =
        clients.issue_with("exporter", |params| (params.not_before, params.not_after) = (day(-1), day(5)));
    let user = json!({"client-certificate-data": base64(&certificate), "client-key-data": base64(&key)});
    replace(dir.path(), "kubeconfig", &kubeconfig(&cluster, &user));
    wait_for("no expiry", async || expiry().await.is_none().then_some(())).await;
    assert!(samples(&metrics(&exporter).await, "token_source_up").iter().all(|sample| sample.value == 1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_token_is_used_and_never_sent_to_another_server() {
    let authority = Authority::new();
    let [first, second] = [(); 2].map(|()| ApiServer::start(&authority, None));
    let ca = base64(&authority.pem);
    let with = |server: &ApiServer, user: Value| {
        kubeconfig(&json!({"server": server.url(), "certificate-authority-data": ca}), &user)
    };
    let dir = tempfile::tempdir().unwrap();
    replace(dir.path(), "kubeconfig", &with(&first, json!({"token": "token-one"})));
    let exporter = exporter(dir.path(), SOURCE, &[]).await;
    let seen = |server: &ApiServer, token: &str| server.seen().contains(&format!("Bearer {token}")).then_some(());
    wait_for("the first token", async || seen(&first, "token-one")).await;
    replace(dir.path(), "kubeconfig", &with(&first, json!({"token": "token-two"})));
    wait_for("the second token", async || seen(&first, "token-two")).await;

    replace(dir.path(), "kubeconfig", &with(&second, json!({"token": "token-three"})));
    wait_for("the token of the second server", async || seen(&second, "token-three")).await;
    assert_eq!(first.seen(), ["Bearer token-one", "Bearer token-two"], "each token is only for its server");
    assert_eq!(second.seen(), ["Bearer token-three"]);

    replace(dir.path(), "kubeconfig", &with(&second, json!({"exec": {"command": "aws"}})));
    exporter.logged(&["reload failed", "users[0].user.exec: the exporter runs no plug-ins"]).await;
    let failures = samples(&metrics(&exporter).await, "token_source_failures_total");
    assert!(failures.iter().any(|sample| sample.label("reason") == "credential" && sample.value > 0.0), "{failures:?}");
    let log = exporter.stop();
    for secret in ["token-one", "token-two", "token-three"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// A proxy that records the first line of each connection and carries the rest.
async fn proxy(lines: Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let lines = Arc::clone(&lines);
            tokio::spawn(async move {
                let (mut client, mut line, mut head) = (BufStream::new(client), String::new(), String::new());
                client.read_line(&mut line).await.unwrap();
                while client.read_line(&mut head).await.unwrap() > 2 {}
                let target = line.split(' ').nth(1).unwrap().to_owned();
                lines.lock().unwrap().push(line);
                let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                client.flush().await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_of_a_kubeconfig_is_used() {
    let authority = Authority::new();
    let server = ApiServer::start(&authority, None);
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let port = proxy(Arc::clone(&lines)).await;
    let dir = tempfile::tempdir().unwrap();
    let cluster = json!({
        "server": server.url(), "certificate-authority-data": base64(&authority.pem), "proxy-url": format!("http://127.0.0.1:{port}"),
    });
    fs::write(dir.path().join("kubeconfig"), kubeconfig(&cluster, &json!({"token": "a-token"}))).unwrap();
    assert_eq!(listed(dir.path(), SOURCE).await, ["default/web-tls"]);
    assert_eq!(*lines.lock().unwrap(), [format!("CONNECT localhost:{} HTTP/1.1\r\n", server.port)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reports_what_contradicts_a_kubeconfig() {
    let dir = tempfile::tempdir().unwrap();
    let user = json!({"token": "a-token"});
    fs::write(dir.path().join("kubeconfig"), kubeconfig(&json!({"server": "https://prod.internal.acme.net"}), &user))
        .unwrap();
    fs::write(dir.path().join("no-url"), kubeconfig(&json!({"server": "prod.internal.acme.net"}), &user)).unwrap();
    fs::write(dir.path().join("http"), kubeconfig(&json!({"server": "http://prod.internal.acme.net"}), &user)).unwrap();
    let config = "sources:
  - {name: url, provider: kubernetes, url: https://other.internal.acme.net, kubeconfig: {file: kubeconfig}}
  - {name: other, provider: gitlab, credential: {file: kubeconfig}, kubeconfig: {file: kubeconfig}}
  - {name: hand, provider: manual, tokens: [], kubeconfig: {file: kubeconfig}}
  - {name: no-url, provider: openshift, kubeconfig: {file: no-url}}
  - {name: no-certificate, provider: kubernetes, auth: certificate}
  - {name: both, provider: kubernetes, auth: certificate, credential: {file: kubeconfig}}
";
    let output = run(dir.path(), &["check"], config).await;
    let found = text(&output);
    let errors: Vec<&str> = found.lines().filter(|line| line.starts_with("config.yaml")).collect();
    let expected = [
        "config.yaml:2:39: sources.url.url: the kubeconfig has it; remove one of them",
        "config.yaml:3:37: sources.other.credential: the kubeconfig has it; remove one of them",
        "config.yaml:3:81: sources.other.kubeconfig: this provider reads no kubeconfig; remove it",
        "config.yaml:4:60: sources.hand.kubeconfig: has no effect with this provider; remove it",
        "config.yaml:5:53: sources.no-url.kubeconfig: the server: expected an http or https URL, such as `https://api.example.com`",
        "config.yaml:6:56: sources.no-certificate.auth: needs a client certificate; set `tls: {cert_file: PATH, key_file: PATH}`",
        "config.yaml:7:46: sources.both.auth: needs a client certificate; set `tls: {cert_file: PATH, key_file: PATH}`",
        "config.yaml:7:71: sources.both.credential: has no effect with `auth: certificate`; remove it",
    ];
    assert_eq!(errors, expected, "{found}");
    assert!(!found.contains("a-token"), "{found}");

    let output = run(dir.path(), &["check"], &SOURCE.replace("{file: kubeconfig}", "{file: http}")).await;
    let warning =
        "sources.cluster.url: plain http sends the credential unencrypted to `prod.internal.acme.net`; use https";
    assert!(output.status.success() && text(&output).contains(warning), "{}", text(&output));
}

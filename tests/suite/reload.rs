//! Reloads of the real program: which sources are collected again, what an error does, and what needs no reload.

mod owners;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use chrono::Utc;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::stub_provider::{Org, ProviderFault, StubProvider};
use crate::test_servers::{Sample, Server, client, exporter, free_port, metrics, samples, wait_for};
use crate::web::certificates::Authority;

/// The only sample of a source.
fn of<'a>(samples: &'a [Sample], source: &str) -> Option<&'a Sample> {
    samples.iter().find(|sample| sample.label("source") == source)
}

/// What a reload must not change of a source: its tokens, counters and timestamps.
async fn state(exporter: &Server, source: &str) -> Vec<Sample> {
    let page = metrics(exporter).await;
    let metrics = [
        "token_expiry_timestamp_seconds",
        "token_source_requests_total",
        "token_source_failures_total",
        "token_source_last_attempt_timestamp_seconds",
        "token_source_last_success_timestamp_seconds",
        "token_source_up",
    ];
    let all = metrics.iter().flat_map(|metric| samples(&page, metric));
    all.filter(|sample| sample.label("source") == source).collect()
}

async fn single(exporter: &Server, metric: &str) -> f64 {
    samples(&metrics(exporter).await, metric)[0].value
}

async fn post(exporter: &Server) -> (u16, String) {
    let response = client().post(format!("{}/-/reload", exporter.url)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn hang_up(exporter: &Server) {
    assert!(Command::new("kill").args(["-HUP", &exporter.pid().to_string()]).status().unwrap().success());
}

/// Mounts files as Kubernetes does: each is a link through `..data`, which is replaced atomically by a link to a new directory.
fn mount(at: &Path, version: u32, files: &[(&str, String)]) {
    let directory = format!("..2026_03_01_08_00_00.{version}");
    fs::create_dir_all(at.join(&directory)).unwrap();
    for (name, content) in files {
        fs::write(at.join(&directory).join(name), content).unwrap();
        if fs::symlink_metadata(at.join(name)).is_err() {
            symlink(Path::new("..data").join(name), at.join(name)).unwrap();
        }
    }
    symlink(&directory, at.join("..data_tmp")).unwrap();
    let previous = fs::read_link(at.join("..data")).ok();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
    if let Some(previous) = previous {
        fs::remove_dir_all(at.join(previous)).unwrap();
    }
}

#[tokio::test]
async fn reload_of_a_config_map_leaves_unchanged_sources_alone() {
    let now = Utc::now().timestamp();
    let stub = StubProvider::start([
        ("unchanged", Org::with(7, now)),
        ("removed", Org::with(3, now)),
        ("added", Org::with(2, now)),
    ])
    .await;
    stub.org("unchanged", |org| org.fault = Some(ProviderFault::Status(403)));
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let config = |sources: &[&str], more: &str| {
        let sources: Vec<_> = sources.iter().map(|source| stub.source(source, "1h")).collect();
        format!("{more}sources: [{}]\n", sources.join(", "))
    };
    let key = ("key", "a-key".to_owned());
    let write = |version, text| mount(dir.path(), version, &[("config.yaml", text), key.clone()]);
    write(1, config(&["unchanged", "removed"], ""));
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command
        .args(["serve", "--web.enable-lifecycle"])
        .arg(format!("--config.file={}", dir.path().join("config.yaml").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let exporter = Server::start("token-expiry-exporter", command, dir.path(), port, "/-/healthy").await;
    let tokens = async |source: &str| {
        let tokens = samples(&metrics(&exporter).await, "token_expiry_timestamp_seconds");
        tokens.iter().filter(|token| token.label("source") == source).count()
    };
    wait_for("the first collections", || async {
        (samples(&metrics(&exporter).await, "token_source_up").len() == 2).then_some(())
    })
    .await;
    let before = state(&exporter, "unchanged").await;
    assert!(before.iter().any(|sample| sample.label("reason") == "forbidden" && sample.value == 1.0), "{before:?}");
    let requests = stub.org("unchanged", |org| org.requests);
    assert_eq!(tokens("removed").await, 3);

    // Automatically, when the mounted file changes.
    write(2, config(&["unchanged", "added"], "alert_lead: {warning: 20d}\n"));
    wait_for("the new source", || async { (tokens("added").await == 2).then_some(()) }).await;
    let page = metrics(&exporter).await;
    assert!(!page.contains("source=\"removed\""), "a removed source has no samples");

    // On request: the reload is complete when the response arrives.
    write(3, config(&["unchanged"], ""));
    assert_eq!(post(&exporter).await, (200, "reloaded\n".to_owned()));
    assert!(!metrics(&exporter).await.contains("source=\"added\""), "removed at once");
    write(4, config(&["unchanged", "removed"], ""));
    hang_up(&exporter);
    wait_for("the source that is configured again", || async { (tokens("removed").await == 3).then_some(()) }).await;

    // What is exposed.
    let count = async |metric: &str| samples(&metrics(&exporter).await, metric).len();
    for (version, selected, expiries, infos) in [
        (5, "tokens: due", 0, 0),
        (6, "deny: [token_expiry_timestamp_seconds]", 0, 3),
        (7, "allow: [token_expiry_timestamp_seconds]", 3, 0),
        (8, "tokens: all", 3, 3),
    ] {
        write(version, config(&["unchanged", "removed"], &format!("metrics: {{{selected}}}\n")));
        assert_eq!(post(&exporter).await, (200, "reloaded\n".to_owned()));
        let found = (count("token_expiry_timestamp_seconds").await, count("token_info").await);
        assert_eq!(found, (expiries, infos), "{selected}");
        assert_eq!(samples(&metrics(&exporter).await, "token_source_tokens")[0].value, 3.0, "{selected}");
    }

    assert_eq!(state(&exporter, "unchanged").await, before, "counters, timestamps and tokens are unchanged");
    assert_eq!(stub.org("unchanged", |org| org.requests), requests, "its provider got no requests");
}

#[tokio::test]
async fn invalid_file_changes_nothing_and_is_reported_in_metrics_log_and_response() {
    let stub = StubProvider::start([("main", Org::with(4, Utc::now().timestamp()))]).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "a-key").unwrap();
    let good = format!("sources: [{}]\n", stub.source("main", "1h"));
    let exporter = exporter(dir.path(), &good, &["--web.enable-lifecycle"]).await;
    wait_for("the tokens", || async { (state(&exporter, "main").await.len() > 20).then_some(()) }).await;
    let before = state(&exporter, "main").await;
    let loaded = single(&exporter, "token_expiry_exporter_config_last_reload_success_timestamp_seconds").await;
    let file = dir.path().join(format!("config-{}.yaml", exporter.url.rsplit(':').next().unwrap()));

    fs::write(&file, good.replace("interval: 1h", "intervall: 1h")).unwrap();
    hang_up(&exporter);
    let successful = "token_expiry_exporter_config_last_reload_successful";
    wait_for("the failed reload", || async { (single(&exporter, successful).await == 0.0).then_some(()) }).await;
    let (status, body) = post(&exporter).await;
    assert_eq!(status, 500);
    for text in [&body, &exporter.logged(&["intervall"]).await] {
        assert!(text.contains("intervall") && text.contains("did you mean `interval`"), "{text}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(post(&exporter).await.0, 500);
    assert_eq!(state(&exporter, "main").await, before, "the previous configuration stays active");
    assert_eq!(
        single(&exporter, "token_expiry_exporter_config_last_reload_success_timestamp_seconds").await,
        loaded,
        "the timestamp of the last successful reload stays"
    );

    fs::write(&file, &good).unwrap();
    assert_eq!(post(&exporter).await.0, 200);
    assert_eq!(single(&exporter, successful).await, 1.0);
    assert_eq!(state(&exporter, "main").await, before);
}

/// TLS with a certificate of this CA. Without HTTP/2, whose connections outlive a response.
fn tls_config(authority: &Authority) -> Arc<rustls::ServerConfig> {
    let (certificate, key) = authority.issue("127.0.0.1");
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

#[tokio::test]
async fn rotated_ca_bundle_needs_no_reload_and_a_missing_one_loses_no_token() {
    let (old, new) = (Authority::new(), Authority::new());
    let running = RustlsConfig::from_config(tls_config(&old));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let row = r#"{"data":[{"id":"1","label":"ci","createdAt":"2026-01-01T00:00:00Z","expiresAt":"2099-01-01T00:00:00Z"}],"links":{}}"#;
    // Each response closes its connection, so that the next one gets the current certificate.
    let close = move || async move { ([("connection", "close"), ("content-type", "application/json")], row) };
    let router = Router::new().route("/admin/api-access/v1/orgs/o/api-tokens", get(close));
    let server = axum_server::from_tcp_rustls(listener, running.clone()).unwrap();
    tokio::spawn(server.serve(router.into_make_service()));

    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(dir.path().join("key"), "a-key").unwrap();
    fs::write(&ca, &old.pem).unwrap();
    let config = format!(
        "sources: [{{name: main, provider: atlassian-cloud, org_id: o, url: 'https://{address}', listings: [api-tokens], \
         interval: 1s, tls: {{ca_file: ca.pem}}, credential: {{file: key}}}}]\n"
    );
    let exporter = exporter(dir.path(), &config, &[]).await;
    let up = |expected: f64, what| {
        let exporter = &exporter;
        wait_for(what, move || async move {
            let up = samples(&metrics(exporter).await, "token_source_up");
            of(&up, "main").filter(|up| up.value == expected).map(|_| ())
        })
    };
    up(1.0, "trust in the old CA").await;
    running.reload_from_config(tls_config(&new));
    up(0.0, "no trust in the new CA").await;
    fs::write(&ca, &new.pem).unwrap();
    up(1.0, "trust in the new CA").await;
    fs::remove_file(&ca).unwrap();
    up(0.0, "the missing file").await;
    let page = metrics(&exporter).await;
    assert_eq!(samples(&page, "token_expiry_timestamp_seconds").len(), 1, "the token stays");
    exporter.logged(&["tls.ca_file: cannot read "]).await;
    fs::write(&ca, &new.pem).unwrap();
    up(1.0, "the restored file").await;
    assert!(!exporter.stop().contains("configuration reloaded"), "there was no reload");
}

//! Reloads of the real program: who is asked anew and who is not, what a mistake does, and what needs no reload at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use chrono::Utc;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::equipment::{Sample, Server, client, exporter, free_port, metrics, samples, wait_for};
use crate::stub::{Org, Stub, Trouble};
use crate::web::certificates::Authority;

/// The files are looked at every ten seconds.
const SOON: Duration = Duration::from_secs(60);

/// The one sample of a source.
fn of<'a>(samples: &'a [Sample], source: &str) -> Option<&'a Sample> {
    samples.iter().find(|sample| sample.label("source") == source)
}

/// What a reload must not touch of a source: its tokens, its counters, and when it was last asked.
async fn standing(exporter: &Server, source: &str) -> Vec<Sample> {
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
    let reply = client().post(format!("{}/-/reload", exporter.url)).send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

fn hang_up(exporter: &Server) {
    assert!(Command::new("kill").args(["-HUP", &exporter.pid().to_string()]).status().unwrap().success());
}

/// Mounts files as Kubernetes does: each is a link through `..data`, which is moved to a new folder at once.
fn mount(at: &Path, version: u32, files: &[(&str, String)]) {
    let folder = format!("..2026_03_01_08_00_00.{version}");
    fs::create_dir_all(at.join(&folder)).unwrap();
    for (name, content) in files {
        fs::write(at.join(&folder).join(name), content).unwrap();
        if fs::symlink_metadata(at.join(name)).is_err() {
            symlink(Path::new("..data").join(name), at.join(name)).unwrap();
        }
    }
    symlink(&folder, at.join("..data_tmp")).unwrap();
    let former = fs::read_link(at.join("..data")).ok();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
    if let Some(former) = former {
        fs::remove_dir_all(at.join(former)).unwrap();
    }
}

#[tokio::test]
async fn a_config_map_that_changes_is_taken_over_and_disturbs_no_source_that_it_leaves_alone() {
    let now = Utc::now().timestamp();
    let stub =
        Stub::start([("stays", Org::with(7, now)), ("goes", Org::with(3, now)), ("comes", Org::with(2, now))]).await;
    stub.org("stays", |org| org.trouble = Some(Trouble::Status(403)));
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let config = |sources: &[&str], more: &str| {
        let sources: Vec<_> = sources.iter().map(|source| stub.source(source, "1h")).collect();
        format!("{more}sources: [{}]\n", sources.join(", "))
    };
    let key = ("key", "a-key".to_owned());
    let write = |version, text| mount(dir.path(), version, &[("config.yaml", text), key.clone()]);
    write(1, config(&["stays", "goes"], ""));
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command
        .args(["serve", "--web.enable-lifecycle"])
        .arg(format!("--config.file={}", dir.path().join("config.yaml").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let exporter = Server::start("token-expiry-exporter", command, dir.path(), port, "/-/healthy").await;
    let tokens = async |source: &str| {
        let shown = samples(&metrics(&exporter).await, "token_expiry_timestamp_seconds");
        shown.iter().filter(|token| token.label("source") == source).count()
    };
    wait_for("the first collections", SOON, || async {
        (samples(&metrics(&exporter).await, "token_source_up").len() == 2).then_some(())
    })
    .await;
    let before = standing(&exporter, "stays").await;
    assert!(before.iter().any(|sample| sample.label("reason") == "forbidden" && sample.value == 1.0), "{before:?}");
    let requests = stub.org("stays", |org| org.requests);
    assert_eq!(tokens("goes").await, 3);

    // By itself, when the mounted file changes.
    write(2, config(&["stays", "comes"], "alert_lead: {warning: 20d}\n"));
    wait_for("the new source", SOON, || async { (tokens("comes").await == 2).then_some(()) }).await;
    let page = metrics(&exporter).await;
    assert!(!page.contains("source=\"goes\""), "a source that is gone has no sample of any metric");

    // When asked for: what is answered is done.
    write(3, config(&["stays"], ""));
    assert_eq!(post(&exporter).await, (200, "reloaded\n".to_owned()));
    assert!(!metrics(&exporter).await.contains("source=\"comes\""), "it goes at once");
    write(4, config(&["stays", "goes"], ""));
    hang_up(&exporter);
    wait_for("the source that is back", SOON, || async { (tokens("goes").await == 3).then_some(()) }).await;

    assert_eq!(standing(&exporter, "stays").await, before, "counters, times and tokens go on");
    assert_eq!(stub.org("stays", |org| org.requests), requests, "and nobody has asked its provider");
}

#[tokio::test]
async fn a_file_with_a_mistake_changes_nothing_and_is_told_in_metrics_log_and_answer() {
    let stub = Stub::start([("main", Org::with(4, Utc::now().timestamp()))]).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "a-key").unwrap();
    let good = format!("sources: [{}]\n", stub.source("main", "1h"));
    let exporter = exporter(dir.path(), &good, &["--web.enable-lifecycle"]).await;
    wait_for("the tokens", SOON, || async { (standing(&exporter, "main").await.len() > 20).then_some(()) }).await;
    let before = standing(&exporter, "main").await;
    let loaded = single(&exporter, "token_expiry_exporter_config_last_reload_success_timestamp_seconds").await;
    let file = dir.path().join(format!("config-{}.yaml", exporter.url.rsplit(':').next().unwrap()));

    fs::write(&file, good.replace("interval: 1h", "intervall: 1h")).unwrap();
    hang_up(&exporter);
    let successful = "token_expiry_exporter_config_last_reload_successful";
    wait_for("the refusal", SOON, || async { (single(&exporter, successful).await == 0.0).then_some(()) }).await;
    let (status, words) = post(&exporter).await;
    assert_eq!(status, 500);
    for told in [&words, &exporter.log()] {
        assert!(told.contains("intervall") && told.contains("did you mean `interval`"), "{told}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(post(&exporter).await.0, 500);
    assert_eq!(standing(&exporter, "main").await, before, "the tokens, and all that is known, stay");
    assert_eq!(
        single(&exporter, "token_expiry_exporter_config_last_reload_success_timestamp_seconds").await,
        loaded,
        "what runs was loaded before"
    );

    fs::write(&file, &good).unwrap();
    assert_eq!(post(&exporter).await.0, 200);
    assert_eq!(single(&exporter, successful).await, 1.0);
    assert_eq!(standing(&exporter, "main").await, before);
}

/// A provider with a certificate of this authority. It does not offer HTTP/2, whose connections outlive an answer.
fn shows(authority: &Authority) -> Arc<rustls::ServerConfig> {
    let (certificate, key) = authority.issue("127.0.0.1");
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

#[tokio::test]
async fn a_rotated_authority_is_trusted_without_a_reload_and_a_missing_one_costs_no_token() {
    let (old, new) = (Authority::new(), Authority::new());
    let running = RustlsConfig::from_config(shows(&old));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let row = r#"{"data":[{"id":"1","label":"ci","createdAt":"2026-01-01T00:00:00Z","expiresAt":"2099-01-01T00:00:00Z"}],"links":{}}"#;
    // Each answer ends its connection, so that the next one shows the certificate of then.
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
        wait_for(what, SOON, move || async move {
            let up = samples(&metrics(exporter).await, "token_source_up");
            of(&up, "main").filter(|up| up.value == expected).map(|_| ())
        })
    };
    up(1.0, "trust in the old authority").await;
    running.reload_from_config(shows(&new));
    up(0.0, "no trust in the new one").await;
    fs::write(&ca, &new.pem).unwrap();
    up(1.0, "trust in the new authority").await;
    fs::remove_file(&ca).unwrap();
    up(0.0, "the missing file").await;
    let page = metrics(&exporter).await;
    assert_eq!(samples(&page, "token_expiry_timestamp_seconds").len(), 1, "the token stays");
    assert!(exporter.log().contains("tls.ca_file: cannot read "));
    fs::write(&ca, &new.pem).unwrap();
    up(1.0, "the file that is back").await;
    assert!(!exporter.log().contains("configuration reloaded"), "there was no reload");
}

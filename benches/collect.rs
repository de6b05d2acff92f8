//! Time and memory of one collection: the exporter as a separate process against a local server, compared with only fetching
//! the same pages. Run by `make bench-collect`; `EXPORTER` measures another program. Machines differ, so times are also ratios.
//!
//! The promise: 10,000 tokens in less than 5 s and 60 MiB of memory.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

const TOKENS: u32 = 10_000;
const MAX_SECONDS: f64 = 5.0;
const MAX_MEBIBYTES: f64 = 60.0;

/// A source: its configuration, and the pages that contain the same rows.
struct Case {
    name: &'static str,
    source: &'static str,
    pages: fn(&str) -> Vec<String>,
    /// Whether the promise applies. It does not with one request per token, which depends on the provider.
    promised: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "atlassian-cloud, 10 pages of 1,000",
        source: "{name: bench, provider: atlassian-cloud, org_id: o, url: URL, listings: [api-tokens], credential: {env: KEY}}",
        pages: |url| {
            (0..10)
                .map(|page| format!("{url}/admin/api-access/v1/orgs/o/api-tokens?pageSize=1000&cursor={page}"))
                .collect()
        },
        promised: true,
    },
    Case {
        name: "gitlab, 100 pages of 100",
        source: "{name: bench, provider: gitlab, admin: true, url: URL, listings: [instance], credential: {env: KEY}}",
        pages: |url| {
            (1..=100).map(|page| format!("{url}/api/v4/personal_access_tokens?per_page=100&page={page}")).collect()
        },
        promised: true,
    },
    Case {
        name: "vault, one lookup per token",
        source: "{name: bench, provider: vault, url: URL, auth: token, credential: {env: KEY}}",
        pages: |url| vec![format!("{url}/v1/auth/token/accessors?list=true")],
        promised: false,
    },
];

#[derive(Deserialize)]
struct Page {
    cursor: Option<u32>,
    page: Option<u32>,
}

fn row(id: u32) -> Value {
    json!({
        "id": format!("token-{id}"), "label": format!("integration {id}"), "name": format!("integration {id}"), "status": "ALLOWED",
        "createdAt": "2026-01-10T08:00:00.000Z", "expiresAt": "2099-01-10T08:00:00.000Z", "lastActiveAt": "2026-11-20T02:11:05.000Z",
        "created_at": "2026-01-10T08:00:00.000Z", "expires_at": "2099-01-10", "last_used_at": "2026-11-20T02:11:05.000Z", "user_id": 1,
        "user": {"id": format!("712020:{}", id % 500), "name": format!("Person {}", id % 500), "email": format!("person-{}@example.com", id % 500)},
        "scopes": ["read:jira-work", "read:confluence-content.all"],
    })
}

async fn atlassian(Query(page): Query<Page>) -> Json<Value> {
    let page = page.cursor.unwrap_or(0);
    let rows: Vec<_> = (page * 1000..(page + 1) * 1000).map(row).collect();
    let next = (page < TOKENS / 1000 - 1).then(|| (page + 1).to_string());
    Json(json!({"data": rows, "links": {"next": next}}))
}

async fn gitlab(Query(page): Query<Page>, headers: HeaderMap) -> (HeaderMap, Json<Value>) {
    let page = page.page.unwrap_or(1);
    let rows: Vec<_> = ((page - 1) * 100..page * 100).filter(|id| *id < TOKENS).map(row).collect();
    let mut link = HeaderMap::new();
    if page < TOKENS / 100 {
        let host = headers["host"].to_str().unwrap();
        let next =
            format!("<http://{host}/api/v4/personal_access_tokens?per_page=100&page={}>; rel=\"next\"", page + 1);
        link.insert(header::LINK, next.parse().unwrap());
    }
    (link, Json(json!(rows)))
}

async fn lookup(Json(body): Json<Value>) -> Json<Value> {
    Json(json!({"data": {
        "accessor": body["accessor"], "display_name": "token-ci", "path": "auth/token/create", "policies": ["default"], "renewable": true,
        "issue_time": "2026-01-10T08:00:00Z", "expire_time": "2099-01-10T08:00:00Z", "creation_ttl": 2_764_800, "meta": {"owner": "team-a"},
    }}))
}

async fn serve() -> String {
    let keys: Vec<_> = (0..TOKENS).map(|id| format!("accessor-{id}")).collect();
    let router = Router::new()
        .route("/admin/api-access/v1/orgs/{org}/api-tokens", get(atlassian))
        .route(
            "/admin/api-access/v1/orgs/{org}/api-keys",
            get(|Path(_): Path<String>| async { Json(json!({"data": [], "links": {}})) }),
        )
        .route("/api/v4/deploy_tokens", get(|| async { Json(json!([])) }))
        .route("/api/v4/users", get(|| async { Json(json!([{"id": 1, "username": "ada"}])) }))
        .route("/api/v4/personal_access_tokens/self", get(|| async { Json(json!({"expires_at": "2099-01-01"})) }))
        .route("/api/v4/personal_access_tokens", get(gitlab))
        .route("/v1/auth/token/accessors", get(move || async move { Json(json!({"data": {"keys": keys}})) }))
        .route("/v1/auth/token/lookup-accessor", post(lookup))
        .route("/v1/auth/token/lookup-self", get(|| async { Json(json!({"data": {"expire_time": null}})) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Kills the exporter even if the benchmark panics.
struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The value of the first sample in `/metrics` whose line starts with `name`.
fn value(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find(|line| line.starts_with(name))?.rsplit(' ').next()?.parse().ok()
}

/// The peak memory of a process, in MiB.
fn peak_memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// CPU time of a process, in seconds, with saving and scrapes.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Fields 14 and 15 of proc_pid_stat(5); the second one ends with the last parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = serve().await;
    let program = std::env::var("EXPORTER").unwrap_or(env!("CARGO_BIN_EXE_token-expiry-exporter").to_owned());
    println!("{TOKENS} tokens from a server on this machine\n");
    println!(
        "{:<38}{:>10}{:>10}{:>8}{:>10}{:>10}{:>12}{:>10}",
        "", "fetch", "collect", "ratio", "CPU", "peak MiB", "exposition", "scrape"
    );
    let mut exceeded = Vec::new();
    for case in CASES {
        let begun = Instant::now();
        for page in (case.pages)(&url) {
            client.get(page).send().await.unwrap().bytes().await.unwrap();
        }
        let floor = begun.elapsed().as_secs_f64();

        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yaml");
        std::fs::write(&config, format!("sources: [{}]\n", case.source.replace("URL", &format!("'{url}'")))).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let exporter = Command::new(&program)
            .arg("serve")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().join("inventory").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .env("KEY", "a-key")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let exporter = Exporter(exporter);
        let scrape = || async {
            let response = client
                .get(format!("http://127.0.0.1:{port}/metrics"))
                .header("Accept-Encoding", "gzip")
                .send()
                .await
                .ok()?;
            let page = response.bytes().await.ok()?;
            let mut text = String::new();
            MultiGzDecoder::new(&page[..]).read_to_string(&mut text).ok()?;
            Some(text)
        };
        let begun = Instant::now();
        let metrics = loop {
            assert!(begun.elapsed() < Duration::from_secs(120), "{}: no collection within 120 s", case.name);
            match scrape().await {
                Some(metrics) if value(&metrics, "token_source_last_duration_seconds{").is_some() => break metrics,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let collect = value(&metrics, "token_source_last_duration_seconds{").unwrap();
        let tokens = metrics.lines().filter(|line| line.starts_with("token_expiry_timestamp_seconds{")).count();
        assert_eq!(tokens, TOKENS as usize, "{}", case.name);
        let begun = Instant::now();
        for _ in 0..20 {
            scrape().await.unwrap();
        }
        let scrape_seconds = begun.elapsed().as_secs_f64() / 20.0;
        // The inventory is saved some seconds after the collection, which needs memory too.
        let storage = dir.path().join("inventory");
        let begun = Instant::now();
        while std::fs::read_dir(&storage).map_or(0, Iterator::count) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}: inventory not saved within 60 s", case.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let cpu = cpu_seconds(exporter.0.id());
        let memory = peak_memory(exporter.0.id());
        #[allow(clippy::cast_precision_loss)]
        let size = metrics.len() as f64 / 1e6;
        println!(
            "{:<38}{:>8.2} s{:>8.2} s{:>8.1}{:>8.2} s{:>10.1}{:>9.1} MB{:>7.1} ms",
            case.name,
            floor,
            collect,
            collect / floor,
            cpu,
            memory,
            size,
            scrape_seconds * 1e3
        );
        if case.promised && (collect > MAX_SECONDS || memory > MAX_MEBIBYTES) {
            exceeded.push(case.name);
        }
    }
    assert!(exceeded.is_empty(), "over {MAX_SECONDS} s or {MAX_MEBIBYTES} MiB: {exceeded:?}");
}

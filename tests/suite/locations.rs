//! Where tokens are used: credentials that are found in Secrets and files, and addresses in an audit log. With a real Vault-API
//! server, an API server that responds as recorded, and hostile Secrets.

mod ci;
mod stub;
mod variables;

use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use token_expiry_exporter::app::Shard;
use token_expiry_exporter::app::setup::{ConfigPaths, Setup};
use token_expiry_exporter::collector::{Identifiers, collect};
use token_expiry_exporter::core::adjustment::Adjustment;
use token_expiry_exporter::core::clock::Clock;
use token_expiry_exporter::core::inventory::{FoundResult, Inventory};

use crate::secret_leaks::scan::{Output, find};
use crate::test_servers::{Server, client, exporter, free_port, metrics, samples, tool, wait_for};
use stub::{Secret, Stub};

async fn bao(dir: &Path) -> Server {
    let port = free_port();
    let mut command = Command::new(tool("bao"));
    command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]);
    command.arg(format!("-dev-listen-address=127.0.0.1:{port}")).env("HOME", dir);
    Server::start("bao", command, dir, port, "/v1/sys/health").await
}

/// Sends a request with the root token.
async fn ask_bao(bao: &Server, path: &str, body: &Value) -> Value {
    let request = client().post(format!("{}/v1/{path}", bao.url)).header("X-Vault-Token", "root");
    let text = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_default()
}

/// A token: its value and its accessor.
async fn create_token(bao: &Server, body: &Value) -> (String, String) {
    let created = ask_bao(bao, "auth/token/create", body).await;
    let text = |name: &str| created["auth"][name].as_str().unwrap().to_owned();
    (text("client_token"), text("accessor"))
}

/// A token that may do what the definition documents, and `auth/token/lookup`.
async fn least_privilege(bao: &Server) -> String {
    let rules = [("auth/token/accessors", "list\", \"sudo"), ("auth/token/accessors/", "list\", \"sudo")];
    let lookups = [("auth/token/lookup-accessor", "update"), ("auth/token/lookup", "update")];
    let all = rules.into_iter().chain(lookups);
    let policy: String = all.map(|(path, can)| format!("path \"{path}\" {{ capabilities = [\"{can}\"] }}\n")).collect();
    ask_bao(bao, "sys/policies/acl/exporter", &json!({"policy": policy})).await;
    create_token(bao, &json!({"policies": ["exporter"], "period": "24h"})).await.0
}

/// The places of a token in the metrics.
fn places(exposition: &str, token: &str) -> Vec<String> {
    let locations = samples(exposition, "token_location_info").into_iter();
    let of_token = locations.filter(|sample| sample.label("token_id") == token && sample.value == 1.0);
    of_token.map(|sample| format!("{} {}", sample.label("source"), sample.label("location"))).collect()
}

/// Every file below a directory, decompressed.
fn files(dir: &Path) -> Vec<Output> {
    let mut outputs = Vec::new();
    for file in
        glob::glob(&format!("{}/**/*", dir.display())).unwrap().map(Result::unwrap).filter(|file| file.is_file())
    {
        let mut content = std::fs::read(&file).unwrap();
        if let Some(at) = content.windows(3).position(|bytes| bytes == [0x1f, 0x8b, 8]) {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&content[at..]).read_to_end(&mut plain).unwrap();
            content.extend(plain);
        }
        outputs.push(Output { name: file.display().to_string(), content });
    }
    outputs
}

#[tokio::test(flavor = "multi_thread")]
async fn openbao_token_in_a_secret_and_in_files_is_located_and_its_value_appears_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let bao = bao(dir.path()).await;
    let (value, accessor) = create_token(&bao, &json!({"ttl": "99h", "policies": ["default"], "num_uses": 3})).await;
    let (gone, _) = create_token(&bao, &json!({"ttl": "99h", "policies": ["default"]})).await;
    ask_bao(&bao, "auth/token/revoke", &json!({"token": gone})).await;
    let own = least_privilege(&bao).await;
    let written = Secret::new("ci", "renovate", &[("token", &value)]).annotated("2027-01-10");
    let cluster =
        Stub::cluster(vec![written, Secret::new("ci", "old", &[("env", &format!("A=1\nTOKEN={gone}\n"))])]).await;
    let app = dir.path().join("app");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(dir.path().join("own"), &own).unwrap();
    std::fs::write(app.join("app.env"), format!("URL=https://bao.example\nexport VAULT_TOKEN='{value}'\n")).unwrap();
    std::fs::write(app.join("token"), &value).unwrap();
    std::fs::write(app.join("settings.json"), json!({"vault": {"token": value}}).to_string()).unwrap();
    let config = format!(
        "interval: 1s\nsources:\n  - {{name: vault, provider: vault, url: '{}', auth: token, credential: {{file: own}}, identify: true}}\n  \
         - {{name: cluster, provider: kubernetes, url: '{}', cluster: prod, credential: {{file: own}}, listings: [secret, use]}}\n  \
         - {{name: machine, provider: files, paths: app/*, locations: true}}\n",
        bao.url, cluster.url,
    );
    let storage = dir.path().join("storage");
    let arguments = [format!("--storage.path={}", storage.display()), "--log.level=debug".to_owned()];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let running = exporter(dir.path(), &config, &arguments).await;
    let app = app.display();
    let expected = [
        "vault Secret prod/ci/renovate".to_owned(),
        format!("vault file {app}/app.env"),
        format!("vault file {app}/settings.json"),
        format!("vault file {app}/token"),
    ];
    let exposition = wait_for("the locations", || async {
        let text = metrics(&running).await;
        (places(&text, &accessor) == expected).then_some(text)
    })
    .await;
    // One credential is one token: neither the annotated Secret nor the file is another one.
    let infos = samples(&exposition, "token_info");
    assert!(infos.iter().any(|info| info.label("token_id") == accessor && info.label("source") == "vault"));
    let others: Vec<_> = infos.iter().filter(|info| info.label("source") != "vault").collect();
    assert!(others.is_empty(), "{others:?}");
    let found = |result: &str| {
        let counts = samples(&exposition, "token_source_found_credentials");
        counts.iter().find(|sample| sample.label("result") == result).map(|sample| sample.value)
    };
    assert_eq!((found("listed"), found("rejected"), found("skipped")), (Some(1.0), Some(1.0), Some(0.0)));
    // The look-up was no use of the found token.
    let looked_up = ask_bao(&bao, "auth/token/lookup-accessor", &json!({"accessor": accessor})).await;
    assert_eq!(looked_up["data"]["num_uses"], 3);

    // A restart without anything to ask keeps the locations.
    wait_for("the locations in the storage", || async {
        let stored = files(&storage);
        stored.iter().any(|file| String::from_utf8_lossy(&file.content).contains("prod/ci/renovate")).then_some(())
    })
    .await;
    let mut outputs = vec![Output { name: "the log".to_owned(), content: running.log().into_bytes() }];
    running.stop();
    drop((bao, cluster));
    let restarted = exporter(dir.path(), &config, &arguments).await;
    let restored = metrics(&restarted).await;
    assert_eq!(places(&restored, &accessor), expected, "a restart does not blank locations");

    for page in ["/", "/metrics", "/api/v1/tokens", "/api/v1/sources", "/api/v1/findings", "/calendar.ics"] {
        let response = client().get(format!("{}{page}", restarted.url)).send().await.unwrap();
        outputs.push(Output { name: page.to_owned(), content: response.bytes().await.unwrap().to_vec() });
    }
    outputs.push(Output { name: "the metrics before".to_owned(), content: exposition.into_bytes() });
    outputs.push(Output { name: "the second log".to_owned(), content: restarted.log().into_bytes() });
    outputs.extend(files(&storage));
    assert!(outputs.iter().any(|output| String::from_utf8_lossy(&output.content).contains(&accessor)));
    let secrets = [("found token", value.clone()), ("revoked token", gone), ("own token", own)];
    let planted = [Output { name: "planted".to_owned(), content: format!("x{value}").into_bytes() }];
    assert!(!find(&secrets, &planted).is_empty(), "the search works");
    assert_eq!(find(&secrets, &outputs), [""; 0]);
}

/// The sources of a configuration, collected one after the other in one process.
struct Collected {
    setup: Setup,
    inventory: Inventory,
    now: DateTime<Utc>,
    _dir: tempfile::TempDir,
}

impl Collected {
    fn new(sources: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "the-exporters-own-key").unwrap();
        let config = dir.path().join("config.yaml");
        std::fs::write(&config, sources).unwrap();
        let clock: Clock = Arc::new(Utc::now);
        let setup = Setup::load(&ConfigPaths { config, providers: None }, Shard::WHOLE, &clock);
        let setup = setup.unwrap_or_else(|errors| panic!("{errors}"));
        let mut inventory = Inventory::default();
        inventory.set_policy(setup.policies.clone(), setup.rules.clone());
        Self { setup, inventory, now: Utc::now(), _dir: dir }
    }

    /// Collects every source once, at a time that is so much later than the last.
    async fn collect(&mut self, later: TimeDelta) {
        self.now += later;
        let now = self.now;
        let clock: Clock = Arc::new(move || now);
        for job in &self.setup.jobs {
            let intake = self.inventory.intake(&job.name);
            let attempt = collect(job, intake, Identifiers::of(&self.setup.jobs), &clock).await;
            self.inventory.record(&job.name, attempt.outcome, attempt.started, attempt.finished);
        }
    }

    fn found(&self, source: &str, result: FoundResult) -> u64 {
        self.inventory.source(source).unwrap().found_credentials[&result]
    }

    fn locations(&self, token: &str) -> Vec<String> {
        let view = self.inventory.tokens(self.now).find(|view| *view.token.id == *token);
        view.unwrap_or_else(|| panic!("no token {token}")).locations.iter().map(ToString::to_string).collect()
    }
}

fn fake(number: usize) -> String {
    format!("glpat-Fake{number:06}AbCdEfGhIj")
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_secrets_neither_flood_nor_hide_the_credentials_of_others() {
    let real = "glpat-RealToken0123456789ab";
    let gitlab = Stub::gitlab(&[(real, 77)]).await;
    let mut secrets: Vec<Secret> = (0..100)
        .map(|number| {
            let values: String = (0..100).map(|value| format!("K{value}={}\n", fake(number * 100 + value))).collect();
            Secret::new("evil", &format!("s{number}"), &[("env", &values)])
        })
        .collect();
    secrets.push(Secret::new("ci", "renovate", &[("token", real)]));
    let cluster = Stub::cluster(secrets).await;
    let mut collected = Collected::new(&format!(
        "sources:\n  - {{name: gitlab, provider: gitlab, url: '{}', credential: {{file: key}}, identify: true}}\n  \
         - {{name: cluster, provider: kubernetes, url: '{}', credential: {{file: key}}, listings: [use]}}\n",
        gitlab.url, cluster.url,
    ));
    for round in 1..=3 {
        collected.collect(TimeDelta::minutes(15)).await;
        assert_eq!(collected.locations("77"), ["Secret ci/renovate"], "round {round}");
        assert_eq!(collected.found("gitlab", FoundResult::Listed), 1);
        assert_eq!(collected.found("gitlab", FoundResult::Rejected), 2);
        assert_eq!(collected.found("gitlab", FoundResult::Skipped), 1_998);
        let adjustments = &collected.inventory.source("cluster").unwrap().adjustments;
        assert_eq!(adjustments[&Adjustment::CutLocations], 8_000, "2,000 of a namespace are looked at");
        assert_eq!(gitlab.asked(), 3, "two refused ones of the namespace, and the real one: once, not in each round");
    }
    assert_eq!(cluster.pages(), 3 * 2, "the list is read by pages");
    collected.collect(TimeDelta::hours(1)).await;
    assert_eq!(gitlab.asked(), 5, "two more after an hour");
    assert_eq!(collected.found("gitlab", FoundResult::Rejected), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_all_namespaces_together_are_limited_and_stay_known() {
    let gitlab = Stub::gitlab(&[]).await;
    let secrets = (0..50).map(|number| Secret::new(&format!("ns{number}"), "x", &[("token", &fake(number))])).collect();
    let cluster = Stub::cluster(secrets).await;
    let mut collected = Collected::new(&format!(
        "sources:\n  - {{name: gitlab, provider: gitlab, url: '{}', credential: {{file: key}}, identify: true}}\n  \
         - {{name: cluster, provider: kubernetes, url: '{}', credential: {{file: key}}, listings: [use]}}\n",
        gitlab.url, cluster.url,
    ));
    for (hour, rejected) in [(1, 5), (2, 10), (3, 15)] {
        collected.collect(TimeDelta::hours(1)).await;
        assert_eq!((gitlab.asked(), collected.found("gitlab", FoundResult::Rejected)), (rejected, rejected), "{hour}");
        assert_eq!(collected.found("gitlab", FoundResult::Skipped), 50 - rejected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_look_up_stops_after_one_request_and_is_reported() {
    let gitlab = Stub::forbidden_gitlab().await;
    let secrets = (0..20).map(|number| Secret::new(&format!("ns{number}"), "x", &[("token", &fake(number))])).collect();
    let cluster = Stub::cluster(secrets).await;
    let mut collected = Collected::new(&format!(
        "sources:\n  - {{name: gitlab, provider: gitlab, url: '{}', admin: true, credential: {{file: key}}, identify: true}}\n  \
         - {{name: cluster, provider: kubernetes, url: '{}', credential: {{file: key}}, listings: [use]}}\n",
        gitlab.url, cluster.url,
    ));
    for round in 1..=2 {
        collected.collect(TimeDelta::minutes(15)).await;
        assert_eq!(gitlab.asked(), round, "one request in each collection");
        assert_eq!(collected.found("gitlab", FoundResult::Skipped), 20);
        let failures = &collected.inventory.source("cluster").unwrap().failures;
        assert_eq!(failures[&token_expiry_exporter::core::failure::Reason::Forbidden], round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_that_no_listing_lists_is_counted_with_its_place() {
    let gitlab = Stub::gitlab(&[("glpat-OfOtherGroup0123456789", 99), ("glpat-RealToken0123456789ab", 77)]).await;
    gitlab.unlist(99);
    let cluster = Stub::cluster(vec![Secret::new("ci", "renovate", &[("t", "glpat-OfOtherGroup0123456789")])]).await;
    let mut collected = Collected::new(&format!(
        "sources:\n  - {{name: gitlab, provider: gitlab, url: '{}', credential: {{file: key}}, identify: true}}\n  \
         - {{name: cluster, provider: kubernetes, url: '{}', credential: {{file: key}}, listings: [use]}}\n\
         rules:\n  - {{match: {{source: gitlab}}, must_be_located: true}}\n  - {{match: {{id: '^88$'}}, used_in: laptop of Jane}}\n",
        gitlab.url, cluster.url,
    ));
    gitlab.list(88);
    collected.collect(TimeDelta::minutes(15)).await;
    let unlisted: Vec<_> = collected.inventory.unlisted_credentials().collect();
    assert_eq!(unlisted.len(), 1);
    assert_eq!((unlisted[0].source, unlisted[0].token_id, unlisted[0].found_by), ("gitlab", Some("99"), "cluster"));
    assert_eq!(unlisted[0].location.to_string(), "Secret ci/renovate");
    assert_eq!(collected.found("gitlab", FoundResult::Unlisted), 1);
    // A listed token that is found nowhere is a finding, unless a rule says where it is.
    let findings = |id: &str| {
        let view = collected.inventory.tokens(collected.now).find(|view| *view.token.id == *id).unwrap();
        view.findings.contains(token_expiry_exporter::core::inventory::Finding::NotLocated)
    };
    assert_eq!((findings("77"), findings("88")), (true, false));
    assert_eq!(collected.locations("88"), ["laptop of Jane"]);
    // Not while a place could not be searched.
    cluster.refuse();
    collected.collect(TimeDelta::minutes(15)).await;
    let view = collected.inventory.tokens(collected.now).find(|view| &*view.token.id == "77").unwrap();
    assert!(!view.findings.contains(token_expiry_exporter::core::inventory::Finding::NotLocated));
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_log_of_two_pages_shows_from_where_a_token_was_used() {
    let atlassian = Stub::atlassian().await;
    let mut collected = Collected::new(&format!(
        "sources:\n  - {{name: atlassian, provider: atlassian-cloud, org_id: o, url: '{}', credential: {{file: key}}, listings: [api-tokens, last-seen]}}\n",
        atlassian.url,
    ));
    atlassian.event(collected.now - TimeDelta::hours(30), "tok-1", "198.51.100.4");
    atlassian.event(collected.now - TimeDelta::hours(20), "tok-1", "203.0.113.7");
    collected.collect(TimeDelta::minutes(15)).await;
    let day =
        |hours: i64| (collected.now - TimeDelta::minutes(15) - TimeDelta::hours(hours)).format("%Y-%m-%d").to_string();
    let expected = [format!("seen from 203.0.113.7 on {}", day(20)), format!("seen from 198.51.100.4 on {}", day(30))];
    assert_eq!(collected.locations("tok-1"), expected);
    let pages = atlassian.pages();
    assert_eq!(pages, 3, "two pages of one event each, and an empty one");

    // Later only what is new is read.
    atlassian.event(collected.now, "tok-1", "192.0.2.9");
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!(atlassian.pages() - pages, 3, "the new page, one within the overlap, and the first known one");
    assert_eq!(collected.locations("tok-1").len(), 3);
    assert!(collected.locations("tok-1")[0].starts_with("seen from 192.0.2.9 on "));

    // An address is never a label.
    let exposition = token_expiry_exporter::exposition::render(
        &collected.inventory,
        token_expiry_exporter::exposition::Labels::default(),
        collected.now,
    );
    assert!(exposition.contains("tok-1"));
    assert!(!exposition.contains("token_location_info") && !exposition.contains("203.0.113.7"), "{exposition}");
}

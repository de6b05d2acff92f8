#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::app::setup::ConfigPaths;
use crate::core::token::{Lifetime, Token};

const CONFIG: &str = "\
alert_lead: {warning: 30d, critical: 7d}
labels: {owner_email: true}
owners:
  - {name: Jane Doe, email: jane@example.com, team: platform, also: [jdoe]}
rules:
  - match: {owner: Jane}
    labels: {tier: gold}
    alert_lead: {warning: 60d}
  - match: {name: ^scanner$}
    drop: true
  - match: {kind: deploy-key}
    renew: Ask the platform team in the channel of deployments.
  - match: {owner: Jane}
    used_in: [report server, job nightly]
    must_be_located: true
sources:
  - name: by-hand
    provider: manual
    tokens:
      - {id: '1', name: deploy, expires: 2026-07-01, created: 2026-04-02, kind: deploy-key, owner: jdoe, labels: {site: x}}
      - {id: '2', name: deploy, expires: 2026-12-31}
      - {id: '3', name: Scanner of the network, expires: never}
      - {id: '4', name: scanner, expires: 2026-06-08}
      - {id: '5', name: short, expires: 2026-06-02, created: 2026-06-01T12:00:00Z}
";

struct Fixture {
    all: Inventory,
    ruled: Inventory,
    places: Vec<String>,
    now: DateTime<Utc>,
}

async fn fixture() -> Fixture {
    fixture_of(|token| token).await
}

/// The fixture with changed tokens.
async fn fixture_of(change: impl Fn(Token) -> Token) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    fs::write(&config, CONFIG).unwrap();
    let now: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let clock: Clock = Arc::new(move || now);
    let paths = ConfigPaths { config, providers: None };
    let Setup { jobs, policies, rules, rule_places, .. } = app::load(&paths, Shard::WHOLE, &clock).await.unwrap();
    let mut attempts = attempts(&jobs, &clock).await;
    let outcomes = attempts.iter_mut().map(|(_, attempt)| &mut attempt.outcome);
    for scope in outcomes.flat_map(|outcome| &mut outcome.listings).flat_map(|listed| &mut listed.scopes) {
        scope.tokens = scope.tokens.iter().map(|token| change((**token).clone())).collect();
    }
    let file = |place: String| place.rsplit('/').next().unwrap().to_owned();
    Fixture {
        all: inventory(policies.clone(), Rules::default(), &attempts),
        ruled: inventory(policies, rules, &attempts),
        places: rule_places.into_iter().map(file).collect(),
        now,
    }
}

impl Fixture {
    fn text(&self, id: &str, width: Option<usize>) -> String {
        let token = self.all.token("by-hand", id, self.now).unwrap();
        let labels = crate::exposition::Labels { owner: true, owner_email: true };
        let subject = Subject { before: &token, inventory: &self.ruled, places: &self.places, labels };
        subject.text(Terminal { width, colored: false }, self.now)
    }
}

fn compare(name: &str, actual: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(&path).unwrap_or_default(), "{}: UPDATE_GOLDEN=1 writes it", path.display());
}

#[tokio::test]
async fn explanation_fits_the_terminal_and_matches_the_golden_files() {
    let fixture = fixture().await;
    for (id, name) in [("1", "capped"), ("3", "never"), ("4", "dropped"), ("5", "short-lived")] {
        for width in [80, 120] {
            let text = fixture.text(id, Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            compare(&format!("{name}-{width}.txt"), &text);
        }
    }
}

#[tokio::test]
async fn lead_of_a_token_that_its_provider_renews_names_the_renewal() {
    let renewed = |token| Token { renews_before: Lifetime::new(chrono::TimeDelta::days(15)), ..token };
    let text = fixture_of(renewed).await.text("2", None);
    for line in [
        "10 days: 30 days (alert_lead of the source, or of the file), capped to 2/3 of the 15 days in which its provider renews it by itself",
        "5 days: 7 days (alert_lead of the source, or of the file), capped to 1/3 of the 15 days in which its provider renews it by itself",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn token_is_found_by_source_and_id_then_id_then_name() {
    let Fixture { all, now, .. } = fixture().await;
    let ids = |wanted: &str| {
        let found = find(&all, wanted, now);
        found.iter().map(|view| view.token.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    for (wanted, expected) in [
        ("by-hand/2", "2"),
        ("3", "3"),
        ("deploy", "1 2"),
        ("scanner", "4"),
        ("scanner of the network", "3"),
        ("SHORT", "5"),
        ("other/2", ""),
        ("deplo", ""),
    ] {
        assert_eq!(ids(wanted), expected, "{wanted}");
    }
    let ambiguous = candidates(&all, "deploy", &find(&all, "deploy", now), now);
    assert_eq!(
        ambiguous,
        "2 tokens are called `deploy`; name one of them:\n  by-hand/1  deploy-key, expires in 29 days\n  by-hand/2  manual, \
         expires in 212 days"
    );
    assert!(candidates(&all, "deplo", &[], now).starts_with("no token `deplo`; did you mean `deploy`?; `list` shows"));
}

#[tokio::test]
async fn list_fits_the_terminal_and_matches_the_golden_files() {
    let fixture = fixture().await;
    let labels = crate::exposition::Labels { owner: true, owner_email: true };
    let mut views: Vec<_> = fixture.ruled.tokens(fixture.now).collect();
    views.sort_by_key(|view| view.expires.timestamp().unwrap_or(DateTime::<Utc>::MAX_UTC));
    let list = |width, colored| {
        crate::cli::list::table::table(&views, labels, Terminal { width: Some(width), colored }, fixture.now)
    };
    for width in [64, 80, 120] {
        let text = list(width, false);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        compare(&format!("list-{width}.txt"), &text);
    }
    assert!(list(120, true).contains("\u{1b}[33mwarning\u{1b}[0m"));
}

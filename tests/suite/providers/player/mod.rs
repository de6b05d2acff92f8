//! Plays scenarios: one source, one collection, one server that answers as the scenario says and nothing else.

mod scenario;
mod server;
mod source;
mod yields;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use token_expiry_exporter::config;
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::providers::language::compile::compile;
use token_expiry_exporter::providers::language::expression::Expression;
use token_expiry_exporter::providers::language::provider::{Provider, Request, Step};
use token_expiry_exporter::schema::diagnostic::SourceText;
use tokio::time::Instant;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use scenario::Scenario;
use server::Server;

/// What must reach no token, gap, failure or line of the log. Scenarios write it where a body holds a secret.
pub(crate) const SECRETS: [&str; 3] = ["CREDENTIAL", "DO-NOT-LEAK", "PRIVATE KEY"];

/// What has come of all scenarios.
pub(crate) struct Played {
    pub(crate) count: usize,
    pub(crate) failed: Vec<(String, Vec<String>)>,
    pub(crate) unreached: Vec<String>,
}

/// Plays every scenario that is there.
pub(crate) fn play_all() -> Played {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut played = Played { count: 0, failed: Vec::new(), unreached: Vec::new() };
    for folder in sorted(&root.join("tests/providers")).into_iter().filter(|path| path.is_dir()) {
        let name = file_name(&folder);
        let definition = root.join(format!("src/providers/definitions/{name}.yaml"));
        if !definition.exists() {
            continue; // a provider in Rust, or the player itself
        }
        let text = SourceText::new(format!("{name}.yaml"), std::fs::read_to_string(&definition).unwrap());
        let provider = match compile(&text, &config::source_keys()) {
            Ok(provider) => Arc::new(provider),
            Err(mistakes) => {
                played.failed.push((name, vec![mistakes.to_string()]));
                continue;
            }
        };
        let mut refused = BTreeSet::new();
        let mut is_whole = true;
        for file in sorted(&folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "yaml")) {
            let title = format!("{name}/{}", file_name(&file));
            if !title.contains(&only) {
                is_whole = false;
                continue;
            }
            played.count += 1;
            let faults = play(&provider, &file, &mut refused);
            if !faults.is_empty() {
                played.failed.push((title, faults));
            }
        }
        if is_whole {
            played.unreached.extend(unreached(&provider, &refused).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    played
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Plays one scenario; what is wrong with what has come of it.
fn play(provider: &Arc<Provider>, file: &Path, refused: &mut BTreeSet<String>) -> Vec<String> {
    let scenario = match Scenario::read(file) {
        Ok(scenario) => scenario,
        Err(fault) => return vec![fault],
    };
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish()
        .with(Targets::new().with_target("token_expiry_exporter", Level::TRACE));
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start(&scenario).await;
        let source = match source::connect(provider, &scenario, &server.origin) {
            Ok(source) => source,
            Err(fault) => return vec![fault],
        };
        let outcome = source.collect(scenario.now, Instant::now() + Duration::from_secs(20)).await;
        for listed in &outcome.listings {
            let is_refusal = |reason| {
                matches!(reason, Reason::Unauthorized | Reason::Forbidden | Reason::NotFound | Reason::Internal)
            };
            if listed.gaps.iter().any(|gap| is_refusal(gap.failure.reason)) {
                refused.insert(listed.name.clone());
            }
        }
        let mut faults = server.faults();
        faults.extend(yields::compare(&scenario.yields, &outcome, &server.origin));
        faults.extend(leaks(&outcome, &log.text()));
        faults
    })
}

fn leaks(outcome: &Outcome, log: &str) -> Vec<String> {
    let told = format!("{outcome:?}");
    let held = |text: &str, what: &str| {
        let found = SECRETS.iter().filter(|secret| text.contains(**secret));
        found.map(|secret| format!("{what} shows {secret}")).collect::<Vec<_>>()
    };
    [held(&told, "what came of it"), held(log, "the log")].concat()
}

/// What of a definition no scenario has reached.
fn unreached(provider: &Provider, refused: &BTreeSet<String>) -> Vec<String> {
    let all = provider.expressions();
    // A step that several listings begin with is asked for once, by one of them.
    let is_step = |expression: &Expression| expression.path().contains(".for_each");
    let is_reached = |expression: &Expression| {
        let is_twin = |other: &&&Expression| is_step(other) && other.code() == expression.code() && other.has_yielded();
        expression.has_yielded() || (is_step(expression) && all.iter().any(|other| is_twin(&other)))
    };
    let silent = all.iter().filter(|expression| !is_reached(expression));
    let mut missing: Vec<String> =
        silent.map(|expression| format!("{} has yielded nothing", expression.path())).collect();
    for (path, request) in requests(provider) {
        let unmet = request.none.iter().enumerate().filter(|(_, nothing)| !nothing.is_met());
        missing
            .extend(unmet.map(|(number, nothing)| format!("{path}.none[{number}] ({}) was never met", nothing.status)));
    }
    let never = provider.listings.iter().filter(|listing| !refused.contains(&listing.name));
    missing.extend(never.map(|listing| format!("listings.{} was never refused", listing.name)));
    missing
}

fn requests(provider: &Provider) -> Vec<(String, &Request)> {
    let mut all: Vec<(String, &Request)> =
        provider.maps.iter().map(|map| (format!("maps.{}", map.name), &map.request)).collect();
    for listing in &provider.listings {
        let name = format!("listings.{}", listing.name);
        for (number, step) in listing.for_each.iter().enumerate() {
            if let Step::Request { request, .. } = step {
                all.push((format!("{name}.for_each[{number}]"), request));
            }
        }
        all.push((name, &listing.request));
    }
    all
}

/// The log of one scenario.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An object of a scenario.
pub(crate) type Object = BTreeMap<String, Value>;

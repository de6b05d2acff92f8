//! Plays every scenario of every definition: one source and one collection through the real HTTP client, against a server
//! that responds as the scenario says and to nothing else.
//!
//! A scenario is `tests/providers/PROVIDER/NAME.yaml`. `tests/definitions` has definitions of no vendor, for parts of the
//! language that no built-in one needs. `SCENARIO=gitlab/own cargo test --lib -- providers::tests` plays those
//! whose name contains that text.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compare;
mod conformance;
pub(super) mod coverage;
mod scenario;
mod server;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use super::language::compile::compile;
use super::language::expression::Expression;
use super::language::provider::{Limits, Provider, Request, Step};
use super::source::{Candidate, Identified};
use crate::core::failure::Reason;
use crate::core::intake::Intake;
use crate::core::outcome::{Gap, Outcome};
use crate::core::secret::Secret;
use crate::core::value_pattern::{ValuePattern, ValuePatterns};
use crate::schema::diagnostic::SourceText;
use scenario::Scenario;
use server::Server;

/// Texts that must not appear in a token, gap, failure or log line. Scenarios use them for secrets.
const SECRETS: [&str; 3] = ["CREDENTIAL", "DO-NOT-LEAK", "PRIVATE KEY"];

/// An object of a scenario.
type Object = BTreeMap<String, Value>;

/// The results of all scenarios.
#[derive(Default)]
struct Played {
    count: usize,
    /// The errors by scenario.
    failed: Vec<(String, Vec<String>)>,
    /// The parts of definitions that no scenario reached.
    unreached: Vec<String>,
    /// What built-in definitions lack.
    nonconforming: Vec<String>,
}

fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(play_all)
}

#[test]
fn scenario_yields_its_tokens_and_gaps() {
    let played = played();
    assert!(played.count > 0, "no scenario found");
    let errors: String =
        played.failed.iter().map(|(name, errors)| format!("\n{name}\n  {}\n", errors.join("\n  "))).collect();
    assert!(played.failed.is_empty(), "{} of {} scenarios failed:\n{errors}", played.failed.len(), played.count);
}

#[test]
fn scenarios_reach_every_part_of_a_definition() {
    let unreached = &played().unreached;
    assert!(unreached.is_empty(), "no scenario covers:\n  {}", unreached.join("\n  "));
}

#[test]
fn builtin_definitions_conform() {
    let missing = &played().nonconforming;
    assert!(missing.is_empty(), "{} parts are missing:\n  {}", missing.len(), missing.join("\n  "));
}

fn play_all() -> Played {
    // At run time, so that definitions can be played without compiling.
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let root = Path::new(&root);
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut played = Played::default();
    let builtin = files(&root.join("src/providers/definitions"));
    for definition in builtin.iter().cloned().chain(files(&root.join("tests/definitions"))) {
        let name = definition.file_stem().unwrap().to_string_lossy().into_owned();
        let text = SourceText::new(file_name(&definition), std::fs::read_to_string(&definition).unwrap());
        let provider = match compile(&text, &[]) {
            // No waiting for the vendor's request rate.
            Ok(provider) => Arc::new(Provider { limits: Limits::default(), ..provider }),
            Err(errors) => {
                played.failed.push((name, vec![errors.to_string()]));
                continue;
            }
        };
        let mut denied = BTreeSet::new();
        let scenarios = files(&root.join("tests/providers").join(&name));
        let title = |file: &Path| format!("{name}/{}", file_name(file));
        let selected: Vec<&PathBuf> = scenarios.iter().filter(|file| title(file).contains(&only)).collect();
        for file in &selected {
            played.count += 1;
            let errors = play(&provider, file, &mut denied);
            if !errors.is_empty() {
                played.failed.push((title(file), errors));
            }
        }
        if selected.len() == scenarios.len() {
            played.unreached.extend(unreached(&provider, &denied).into_iter().map(|part| format!("{name}: {part}")));
            if builtin.contains(&definition) {
                let scenarios: Vec<Scenario> = scenarios.iter().filter_map(|file| Scenario::read(file).ok()).collect();
                let missing = conformance::missing(&provider, &scenarios);
                played.nonconforming.extend(missing.into_iter().map(|part| format!("{name}: {part}")));
            }
        }
    }
    played
}

/// The YAML files of a directory, in order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Plays one scenario and returns its errors. Adds the listings that were denied.
fn play(provider: &Arc<Provider>, file: &Path, denied: &mut BTreeSet<String>) -> Vec<String> {
    let scenario = match Scenario::read(file) {
        Ok(scenario) => scenario,
        Err(error) => return vec![error],
    };
    match play_scenario(provider, &scenario) {
        Err(error) => vec![error],
        Ok(Collected { outcome, identified, origin, mut errors, log }) => {
            let is_denial = |reason| {
                matches!(reason, Reason::Unauthorized | Reason::Forbidden | Reason::NotFound | Reason::Internal)
            };
            let is_denied = |gaps: &[Gap]| gaps.iter().any(|gap| is_denial(gap.failure.reason));
            denied.extend(outcome.listings.iter().filter(|l| is_denied(&l.gaps)).map(|l| l.name.clone()));
            errors.extend(compare::compare(&scenario.yields, &outcome, &origin));
            errors.extend(compare::compare_identified(&scenario.yields, &identified));
            let text = format!("{identified:?} {outcome:?} {log}");
            let shown = scenario.found.iter().filter(|value| text.contains(value.as_str()));
            errors.extend(shown.map(|_| "a found value is shown".to_owned()));
            errors.extend(leaks(&outcome, &log));
            errors
        }
    }
}

/// What one collection of a scenario gave.
struct Collected {
    outcome: Outcome,
    identified: Identified,
    origin: String,
    /// Unexpected, missing and different requests.
    errors: Vec<String>,
    log: String,
}

fn play_scenario(provider: &Arc<Provider>, scenario: &Scenario) -> Result<Collected, String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish()
        .with(Targets::new().with_target("token_expiry_exporter", Level::TRACE));
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start(scenario).await;
        let source = source::connect(provider, scenario, &server.origin)?;
        let deadline = Instant::now() + Duration::from_secs(20);
        let gitlab = ValuePattern::new(&["glpat-".to_owned()], ValuePattern::DEFAULT_REST).unwrap();
        let newest = source.listings().iter().filter_map(|listing| Some((listing.clone(), scenario.newest?))).collect();
        let intake = Intake::default().after(newest).looking_for(ValuePatterns([gitlab].into()));
        let outcome = source.collect(scenario.now, deadline, &intake).await;
        let candidate = |(number, value): (usize, &String)| Candidate {
            number,
            value: Secret::new(value.as_str()),
            group: number.to_string().into(),
        };
        let candidates = scenario.found.iter().enumerate().map(candidate).collect();
        let identified = source.identify(candidates, scenario.now, deadline).await;
        let mut errors = server.errors();
        // Only what the definition's pattern recognizes is found.
        let is_recognized = |value: &String| source.pattern().is_some_and(|pattern| pattern.is_match(value));
        let unrecognized = scenario.found.iter().filter(|value| !is_recognized(value));
        errors.extend(unrecognized.map(|value| format!("`identify` does not recognize the found {value}")));
        Ok(Collected { outcome, identified, errors, origin: server.origin, log: log.text() })
    })
}

fn leaks(outcome: &Outcome, log: &str) -> Vec<String> {
    let outcome = format!("{outcome:?}");
    let texts = [("the outcome", outcome.as_str()), ("the log", log)];
    let leak = |(name, text): (&str, &str)| {
        let found = SECRETS.iter().filter(|secret| text.contains(**secret));
        found.map(|secret| format!("{name} contains {secret}")).collect::<Vec<_>>()
    };
    texts.into_iter().flat_map(leak).collect()
}

/// The parts of a definition that no scenario reached.
fn unreached(provider: &Provider, denied: &BTreeSet<String>) -> Vec<String> {
    let all = &provider.expressions;
    // A step that several listings begin with is requested once, by one of them.
    let is_step = |expression: &Expression| expression.path().contains(".for_each");
    let is_reached = |expression: &Expression| {
        let is_twin = |other: &&Expression| is_step(other) && other.code() == expression.code() && other.has_yielded();
        // A kind of token that never expires.
        let is_constant = expression.code() == "null";
        is_constant || expression.has_yielded() || (is_step(expression) && all.iter().any(|other| is_twin(&other)))
    };
    let silent = all.iter().filter(|expression| !is_reached(expression));
    let mut unreached: Vec<String> = silent.map(|expression| format!("{}: no value", expression.path())).collect();
    for (path, request) in requests(provider) {
        let unmet = request.none.iter().enumerate().filter(|(_, empty)| !coverage::is_reached(*empty));
        unreached.extend(unmet.map(|(number, empty)| format!("{path}.none[{number}] ({}): no match", empty.status)));
    }
    let granted = provider.listings.iter().filter(|listing| !denied.contains(&listing.name));
    unreached.extend(granted.map(|listing| format!("listings.{}: never denied", listing.name)));
    unreached
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
    let ways = provider.identify.iter().enumerate();
    all.extend(ways.filter_map(|(number, way)| Some((format!("identify[{number}]"), way.request()?))));
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

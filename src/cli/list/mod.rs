//! `list`: one collection of all sources, for people, scripts, cron and CI.

mod format;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::args::{ListArgs, Output};
use super::print::{self, Progress};
use crate::app::setup::Setup;
use crate::app::{RunError, Shard};
use crate::collector::collect;
use crate::core::clock::Clock;
use crate::core::inventory::{Inventory, TokenView};
use crate::core::outcome::Outcome;
use crate::core::token::State;
use crate::exposition;
use crate::pages::humanize::relative;
use crate::schema::diagnostic::{Diagnostic, did_you_mean};

/// Not everything could be had.
const INCOMPLETE: u8 = 3;
/// Complaints about one source; a fan-out may have thousands.
const MOST_COMPLAINTS: usize = 20;
/// A token ends soon, or has ended.
const ENDS: u8 = 1;

pub(super) async fn run(args: ListArgs) -> Result<u8, RunError> {
    let clock: Clock = Arc::new(Utc::now);
    let mut setup = super::load(args.files, Shard::WHOLE, &clock).await?;
    choose(&mut setup, &args.sources)?;
    let labels = setup.labels;
    let (inventory, complete) = inventory(setup, &clock).await;
    let now = clock();
    print::output(&match args.output {
        Output::Table => format::table(&inventory, labels, now),
        Output::Json => format::json(&inventory, labels, now),
        Output::Csv => format::csv(&inventory, labels, now),
        Output::Prom => exposition::render(&inventory, labels, now),
    });
    let ending = args.fail_within.map_or_else(Vec::new, |within| ending(&inventory, within, now));
    for line in &ending {
        print::note(line);
    }
    Ok(match (ending.is_empty(), complete) {
        (false, _) => ENDS,
        (true, false) => INCOMPLETE,
        (true, true) => 0,
    })
}

/// Leaves out the sources that were not asked for.
fn choose(setup: &mut Setup, names: &[String]) -> Result<(), RunError> {
    for name in names {
        if !setup.policies.contains_key(name) {
            let hint = did_you_mean(name, setup.policies.keys().map(String::as_str));
            return Err(RunError::Diagnostics(
                Diagnostic::in_file("--source", format!("no source `{name}`{hint}")).into(),
            ));
        }
    }
    if !names.is_empty() {
        setup.orders.retain(|order| names.contains(&order.name));
        setup.policies.retain(|name, _| names.contains(name));
    }
    Ok(())
}

/// Collects everything once. Also whether that is everything.
async fn inventory(setup: Setup, clock: &Clock) -> (Inventory, bool) {
    let mut inventory = Inventory::default();
    inventory.set_policy(setup.policies, setup.rules);
    let progress = Progress::new();
    let all = setup.orders.len();
    let mut collected: FuturesUnordered<_> =
        setup.orders.iter().map(|order| async move { (order.name.as_str(), collect(order, clock).await) }).collect();
    progress.say(&format!("collecting {all} sources"));
    let (mut done, mut failures) = (0, BTreeMap::new());
    while let Some((name, attempt)) = collected.next().await {
        done += 1;
        progress.say(&format!("{done} of {all} sources collected"));
        failures.insert(name, complaints(name, &attempt.outcome));
        inventory.record(name, attempt.outcome, attempt.started, attempt.ended);
    }
    progress.done();
    let failures: Vec<String> = failures.into_values().flatten().collect();
    for failure in &failures {
        print::note(failure);
    }
    (inventory, failures.is_empty())
}

/// What of an outcome is missing, a line each; not more lines than a person reads.
fn complaints(source: &str, outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for listing in &outcome.listings {
        let name = &listing.name;
        for gap in &listing.gaps {
            let reason = gap.failure.reason;
            lines.push(format!("{source}: {name}: {reason}: {}", crate::collector::sentence(gap)));
        }
        let odd = listing.scopes.iter().flat_map(|scope| &scope.malformed);
        lines.extend(odd.map(|row| {
            let id = row.id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            format!("{source}: {name}: row {}{id} cannot be read: {}", row.position, row.field)
        }));
    }
    lines.extend(outcome.failures.iter().map(|failure| format!("{source}: {}: {failure}", failure.reason)));
    if let Some(more) = lines.len().checked_sub(MOST_COMPLAINTS).filter(|more| *more > 0) {
        lines.truncate(MOST_COMPLAINTS);
        lines.push(format!("{source}: and {more} more"));
    }
    lines
}

/// Active tokens that end within the time, and those that have ended, a line each.
fn ending(inventory: &Inventory, within: TimeDelta, now: DateTime<Utc>) -> Vec<String> {
    let limit = now.checked_add_signed(within).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let ends = |view: &TokenView<'_>| match (view.state, view.expires.timestamp()) {
        (State::Active, Some(end)) => end <= limit,
        (state, _) => state == State::Expired,
    };
    let line = |view: TokenView<'_>| {
        let end = view.expires.timestamp()?;
        let ends = if end <= now { "has ended" } else { "ends" };
        let name = if view.token.name.is_empty() { &view.token.id } else { &view.token.name };
        Some(format!("{}: {} {name} {ends} {}", view.source, view.token.kind, relative(end, now)))
    };
    inventory.tokens(now).filter(ends).filter_map(line).collect()
}

//! `list`: one collection of all sources, for terminals, scripts, cron and CI.

mod format;
pub(super) mod table;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::args::{ListArgs, Output};
use super::exit::{Exit, Failure, invalid};
use super::print::{self, Progress};
use super::report;
use super::terminal::Terminal;
use crate::app::setup::Setup;
use crate::app::{self, Shard};
use crate::collector::{Attempt, Identifiers, SourceJob, collect, describe};
use crate::core::clock::Clock;
use crate::core::intake::Intake;
use crate::core::inventory::{Inventory, TokenView};
use crate::core::listing_report;
use crate::core::outcome::Outcome;
use crate::core::token::{Expiry, State};
use crate::exposition;
use crate::pages::display::display_name;
use crate::pages::filter;
use crate::pages::humanize::{duration, relative};
use crate::schema::diagnostic::did_you_mean;

/// Problems printed per source; a fan-out may have thousands.
const MAX_PROBLEMS: usize = 20;

pub(super) async fn run(args: ListArgs) -> Result<Exit, Failure> {
    let clock: Clock = Arc::new(Utc::now);
    let filter = args.filter.filter(&args.sources)?;
    let (sort, window) = args.order.order()?;
    if args.output == Output::Prom && (args.filter.is_set() || args.order.is_set()) {
        return Err(invalid("--output=prom", "has every token; omit the filters and the order"));
    }
    let mut setup = app::load(&args.files.into(), Shard::WHOLE, &clock).await?;
    select(&mut setup, &args.sources)?;
    let exposure = setup.exposure.clone();
    let labels = exposure.labels;
    let (inventory, complete) = collect_all(setup, &clock).await;
    let now = clock();
    let found = filter::select(&inventory, &filter, sort, labels, now);
    let views = window.of(&found);
    match args.output {
        // Its cells are sanitized; the colours are its own.
        Output::Table => print::styled_output(&table::table(views, labels, Terminal::of_stdout(args.color), now)),
        Output::Json => print::output(&format::json(views, found.len(), labels, now)),
        Output::Csv => print::output(&format::csv(views, labels)),
        Output::Prom => print::output(&exposition::render(&inventory, exposure, now)),
    }?;
    let expiring = args.fail_within.is_some_and(|within| report_expiring(&found, within, args.all, now));
    Ok(match (expiring, complete) {
        (true, _) => Exit::Failed,
        (false, false) => Exit::Incomplete,
        (false, true) => Exit::Success,
    })
}

/// Keeps only the sources with these names; all if there are none.
pub(super) fn select(setup: &mut Setup, names: &[String]) -> Result<(), Failure> {
    if let Some(name) = names.iter().find(|name| !setup.policies.contains_key(*name)) {
        let hint = did_you_mean(name, setup.policies.keys().map(String::as_str));
        return Err(invalid("--source", format!("unknown source `{name}`{hint}")));
    }
    if !names.is_empty() {
        setup.jobs.retain(|job| names.contains(&job.name));
        setup.policies.retain(|name, _| names.contains(name));
    }
    Ok(())
}

/// Collects every source once; a line on the terminal counts them.
pub(super) async fn attempts<'s>(jobs: &'s [SourceJob], clock: &Clock) -> Vec<(&'s str, Attempt)> {
    let progress = Progress::start("collected", jobs.len());
    let identifiers = Identifiers::of(jobs);
    let collections = jobs.iter().map(async |job| {
        let attempt = collect(job, Intake::default(), identifiers.clone(), clock).await;
        progress.step();
        (job.name.as_str(), attempt)
    });
    join_all(collections).await
}

/// Collects every source once and prints the problems. Whether there were none.
async fn collect_all(setup: Setup, clock: &Clock) -> (Inventory, bool) {
    let attempts = attempts(&setup.jobs, clock).await;
    let mut inventory = Inventory::default();
    inventory.set_policy(setup.policies, setup.rules);
    let mut complete = true;
    for (source, attempt) in attempts {
        for problem in problems(source, &attempt.outcome) {
            print::note(problem);
            complete = false;
        }
        let reports = listing_report::report(&attempt.outcome, attempt.finished);
        inventory.record(source, attempt.outcome, attempt.started, attempt.finished);
        for report in report::with_inventory(reports, &inventory, source, attempt.finished) {
            report::notes(source, &report).iter().for_each(print::note);
        }
    }
    (inventory, complete)
}

/// What the outcome lacks, one line each.
pub(super) fn problems(source: &str, outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for listing in &outcome.listings {
        let name = &listing.name;
        lines.extend(
            listing.gaps.iter().map(|gap| format!("{source}: {name}: {}: {}", gap.failure.reason, describe(gap))),
        );
        lines.extend(listing.scopes.iter().flat_map(|scope| &scope.malformed).map(|row| {
            let id = row.id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            format!("{source}: {name}: malformed row {}{id}: {}", row.position, row.field)
        }));
    }
    lines.extend(outcome.failures.iter().map(|failure| format!("{source}: {}: {failure}", failure.reason)));
    if let Some(more) = lines.len().checked_sub(MAX_PROBLEMS).filter(|more| *more > 0) {
        lines.truncate(MAX_PROBLEMS);
        lines.push(format!("{source}: and {more} more"));
    }
    lines
}

/// Prints the selected tokens that have expired or expire within the duration, one line each. Returns whether there are any.
///
/// As the alerts do, it counts only tokens in a band, unless `all` is set.
fn report_expiring(views: &[TokenView<'_>], within: TimeDelta, all: bool, now: DateTime<Utc>) -> bool {
    let limit = now.checked_add_signed(within).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let works_or_expired = |view: &TokenView<'_>| matches!(view.state, State::Active | State::Expired);
    let in_time = |view: &TokenView<'_>| view.expires.timestamp().is_some_and(|expiry| expiry <= limit);
    let found = views.iter().filter(|view| works_or_expired(view) && in_time(view));
    let (counted, others): (Vec<_>, Vec<_>) = found.partition(|view| all || view.band.is_some());
    for view in counted.iter().copied() {
        print::note(format!(
            "{}: {} {} {}",
            view.source,
            view.token.kind,
            display_name(view),
            expiry_text(view.expires, now)
        ));
    }
    if !others.is_empty() {
        print::note(format!(
            "not counted: {} that {} within {}, in no alert band (see alert_lead, min_lifetime, expired_retention); count with --all",
            if others.len() == 1 { "1 token".to_owned() } else { format!("{} tokens", others.len()) },
            if others.len() == 1 { "has expired or expires" } else { "have expired or expire" },
            duration(within),
        ));
    }
    !counted.is_empty()
}

/// `expires in 3 days`, `expired 2 hours ago`, `is due for rotation in 3 days`.
pub(super) fn expiry_text(expires: Expiry, now: DateTime<Utc>) -> String {
    match expires {
        Expiry::At(at) if at <= now => format!("expired {}", relative(at, now)),
        Expiry::At(at) => format!("expires {}", relative(at, now)),
        Expiry::Policy(at) if at <= now => format!("is due for rotation, {} overdue", duration(now - at)),
        Expiry::Policy(at) => format!("is due for rotation {}", relative(at, now)),
        Expiry::Never => "never expires".to_owned(),
        Expiry::Unknown => "has an unknown expiry".to_owned(),
    }
}

//! `check`: validates the configuration and, with `--online`, queries the providers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::args::CheckArgs;
use super::exit::{Exit, Failure};
use super::print::{self, Progress};
use super::report;
use super::validate;
use crate::app::setup::Setup;
use crate::collector::SourceJob;
use crate::core::clock::Clock;
use crate::core::intake::Intake;
use crate::core::inventory::Inventory;
use crate::core::listing_report;
use crate::core::outcome::Outcome;

/// Sources that are queried concurrently.
const CONCURRENCY: usize = 16;

pub(super) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let clock: Clock = Arc::new(Utc::now);
    let valid = validate::run(&args, &clock).await?;
    let Some(setup) = valid.setup.filter(|_| args.online) else {
        print::output(&valid.summary)?;
        return Ok(Exit::Success);
    };
    Ok(if check_online(setup, &clock).await? { Exit::Success } else { Exit::Failed })
}

/// Collects a sample of every source, and prints what each listing did. Whether none failed.
async fn check_online(setup: Setup, clock: &Clock) -> Result<bool, Failure> {
    let samples = query(&setup.jobs, clock()).await;
    let mut inventory = Inventory::default();
    inventory.set_policy(setup.policies, setup.rules);
    let (mut listings, mut failed) = (0, 0);
    for ((source, outcome), job) in samples.into_iter().zip(&setup.jobs) {
        let (now, unknowable) = (clock(), job.source.unknowable());
        let reports = listing_report::report(&outcome, now);
        inventory.record(source, outcome.clone(), now, now);
        let reports = report::with_inventory(reports, &inventory, source, now);
        for (listed, listing) in outcome.listings.iter().zip(&reports) {
            listings += 1;
            failed += usize::from(!listed.gaps.is_empty());
            let is_unknowable = unknowable.contains(&listed.name);
            print::output(&report::paragraph(source, listed, listing, is_unknowable))?;
        }
        for failure in &outcome.failures {
            print::output(&format!("{source}: warning: {}: {failure}\n", failure.reason))?;
        }
        print::output(&report::not_listed(source, setup.not_listed.get(source).map_or(&[], Vec::as_slice)))?;
    }
    if failed > 0 {
        print::note(format!("{failed} of {listings} listings failed"));
    }
    Ok(failed == 0)
}

/// The samples, in the order of the configuration.
async fn query(sources: &[SourceJob], now: DateTime<Utc>) -> Vec<(&str, Outcome)> {
    let progress = Progress::start("checked", sources.len());
    let queries = sources.iter().map(|job| async {
        let outcome = job.source.sample(now, Instant::now() + job.timeout, &Intake::default()).await;
        progress.step();
        (job.name.as_str(), outcome)
    });
    stream::iter(queries).buffered(CONCURRENCY).collect().await
}

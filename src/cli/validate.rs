//! Validation of the files that `check` is given, all errors at once, and the warnings.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::Utc;
use tokio::time::Instant;

use super::args::{CONFIG_FILE, CheckArgs};
use super::exit::{Failure, invalid};
use super::print;
use crate::app::setup::{ConfigPaths, Setup, catalogue, definitions};
use crate::app::{self, Shard};
use crate::core::clock::Clock;
use crate::core::intake::Intake;
use crate::schema::diagnostic::Diagnostics;
use crate::server::access::AccessControl;

/// The result of a validation without errors.
pub(super) struct Valid {
    /// None if no configuration was to be validated.
    pub(super) setup: Option<Setup>,
    /// A line for each valid file.
    pub(super) summary: String,
}

/// Validates the files and prints the warnings.
pub(super) async fn run(args: &CheckArgs, clock: &Clock) -> Result<Valid, Failure> {
    let mut errors = Diagnostics::default();
    let (mut setup, mut summary) = (None, String::new());
    let config = config(args)?;
    if let Some(config) = &config {
        let paths = ConfigPaths { config: config.clone(), providers: args.providers.clone() };
        setup = errors.collect(app::load(&paths, Shard::WHOLE, clock).await);
        let sources = setup.as_ref().map_or(0, |setup| setup.jobs.len());
        let _ = writeln!(summary, "{}: valid, {}", config.display(), count(sources, "source"));
    } else if args.providers.is_some() {
        errors.collect(catalogue(args.providers.as_deref()));
    }
    if let Some(directory) = &args.providers {
        let number = definitions(Some(directory)).len();
        let _ = writeln!(summary, "{}: valid, {}", directory.display(), count(number, "definition"));
    }
    if let Some(file) = &args.web_config {
        errors.collect(AccessControl::open(file).map(drop));
        let _ = writeln!(summary, "{}: valid", file.display());
    }
    errors.into_result()?;
    for warning in warnings(args, setup.as_ref()).await {
        print::note(format!("warning: {warning}"));
    }
    Ok(Valid { setup, summary })
}

/// The configuration to validate: none if only other files are given, and there is none at the default path.
fn config(args: &CheckArgs) -> Result<Option<PathBuf>, Failure> {
    let has_other = args.providers.is_some() || args.web_config.is_some();
    match &args.config {
        Some(config) => Ok(Some(config.clone())),
        None if has_other && !Path::new(CONFIG_FILE).exists() => {
            if args.online {
                Err(invalid("--online", "needs a configuration; set `--config.file`"))
            } else {
                Ok(None)
            }
        }
        None => Ok(Some(CONFIG_FILE.into())),
    }
}

async fn warnings(args: &CheckArgs, setup: Option<&Setup>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(setup) = setup {
        warnings.extend(setup.warnings.iter().map(ToString::to_string));
        if !args.online {
            warnings.extend(unreadable(setup).await);
        }
    }
    if let Some(directory) = args.providers.as_ref().filter(|directory| definitions(Some(directory)).is_empty()) {
        warnings.push(format!("{}: no definition in this directory; their names end with .yaml", directory.display()));
    }
    warnings
}

/// What the sources that are read from this machine cannot read now, such as a missing file.
async fn unreadable(setup: &Setup) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    for job in setup.jobs.iter().filter(|job| setup.local.contains(&job.name)) {
        let outcome = job.source.collect(Utc::now(), Instant::now() + job.timeout, &Intake::default()).await;
        let gaps = outcome.listings.iter().flat_map(|listing| &listing.gaps);
        warnings.extend(gaps.map(|gap| format!("sources.{}: {}", job.name, gap.failure)));
        warnings.extend(outcome.failures.iter().map(|failure| format!("sources.{}: {failure}", job.name)));
    }
    warnings.into_iter().collect()
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

//! `explain`: everything that decides when one token alerts, and whom.

mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::args::ExplainArgs;
use super::exit::{Exit, Failure};
use super::list::{attempts, problems, select};
use super::print;
use super::terminal::Terminal;
use crate::app::setup::Setup;
use crate::app::{self, Shard};
use crate::collector::Attempt;
use crate::core::clock::Clock;
use crate::core::inventory::{Inventory, Policy, TokenView};
use crate::core::rules::Rules;
use crate::pages::display::display_name;
use crate::schema::diagnostic::did_you_mean;
use text::Subject;

/// Candidates that are listed.
const MAX_CANDIDATES: usize = 20;

pub(super) async fn run(args: ExplainArgs) -> Result<Exit, Failure> {
    let clock: Clock = Arc::new(Utc::now);
    let mut setup = app::load(&args.files.into(), Shard::WHOLE, &clock).await?;
    let mut sources = args.sources;
    // `SOURCE/ID` needs no other source.
    if let Some((source, _)) = args.token.split_once('/').filter(|(source, _)| setup.policies.contains_key(*source)) {
        sources.push(source.to_owned());
    }
    select(&mut setup, &sources)?;
    let Setup { jobs, policies, rules, exposure, rule_places, .. } = setup;
    let attempts = attempts(&jobs, &clock).await;
    let mut complete = true;
    for problem in attempts.iter().flat_map(|(source, attempt)| problems(source, &attempt.outcome)) {
        print::note(problem);
        complete = false;
    }
    let now = clock();
    // Rules may drop the token in question, so it is sought among all.
    let all = inventory(policies.clone(), Rules::default(), &attempts);
    let ruled = inventory(policies, rules, &attempts);
    let found = find(&all, &args.token, now);
    let [token] = &found[..] else {
        print::note(candidates(&all, &args.token, &found, now));
        return Ok(if found.is_empty() && !complete { Exit::Incomplete } else { Exit::Failed });
    };
    let subject = Subject { before: token, inventory: &ruled, places: &rule_places, labels: exposure.labels };
    let terminal = Terminal::of_stdout(args.color);
    print::styled_output(&subject.text(terminal, now))?;
    Ok(Exit::Success)
}

fn inventory(policies: BTreeMap<String, Policy>, rules: Rules, attempts: &[(&str, Attempt)]) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.set_policy(policies, rules);
    for (source, attempt) in attempts {
        inventory.record(source, attempt.outcome.clone(), attempt.started, attempt.finished);
    }
    inventory
}

/// The tokens that the argument names: by source and id, else by id, else by name, whatever its case.
fn find<'i>(inventory: &'i Inventory, wanted: &str, now: DateTime<Utc>) -> Vec<TokenView<'i>> {
    let by = |is_wanted: &dyn Fn(&TokenView<'_>) -> bool| -> Vec<TokenView<'i>> {
        inventory.tokens(now).filter(|view| is_wanted(view)).collect()
    };
    let full = |view: &TokenView<'_>| format!("{}/{}", view.source, view.token.id) == wanted;
    let id = |view: &TokenView<'_>| *view.token.id == *wanted;
    let name = |view: &TokenView<'_>| *view.token.name == *wanted;
    let similar = |view: &TokenView<'_>| view.token.name.to_lowercase() == wanted.to_lowercase();
    let ways: [&dyn Fn(&TokenView<'_>) -> bool; 4] = [&full, &id, &name, &similar];
    ways.into_iter().map(by).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Why there is nothing to explain, and what to write instead.
fn candidates(all: &Inventory, wanted: &str, found: &[TokenView<'_>], now: DateTime<Utc>) -> String {
    if found.is_empty() {
        let names: Vec<&str> = all.tokens(now).map(|view| display_name(&view)).collect();
        let hint = did_you_mean(wanted, names.iter().copied());
        return format!(
            "no token `{wanted}`{hint}; `list` shows all of them, and `list --owner NAME` those of an owner"
        );
    }
    let mut text = format!("{} tokens are called `{wanted}`; name one of them:", found.len());
    for view in found.iter().take(MAX_CANDIDATES) {
        let expiry = super::list::expiry_text(view.expires, now);
        text += &format!("\n  {}/{}  {}, {expiry}", view.source, view.token.id, view.token.kind);
    }
    if let Some(more) = found.len().checked_sub(MAX_CANDIDATES).filter(|more| *more > 0) {
        text += &format!("\n  and {more} more");
    }
    text
}

#[cfg(test)]
mod tests;

//! What is known in all: the numbers by band, the sources, and the values to filter by.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::context::Context;
use crate::core::failure::Reason;
use crate::core::inventory::{Inventory, Source, TokenView};
use crate::core::lead::Band;
use crate::core::owners::TEAM_LABEL;

/// Numbers of tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) tokens: u64,
    pub(super) bands: BTreeMap<Band, u64>,
    /// Tokens that violate a policy.
    pub(super) with_findings: u64,
}

impl Counts {
    pub(super) fn add(&mut self, view: &TokenView<'_>) {
        self.tokens += 1;
        self.with_findings += u64::from(!view.findings.is_empty());
        if let Some(band) = view.band {
            *self.bands.entry(band).or_default() += 1;
        }
    }

    pub(super) fn band(&self, band: Band) -> u64 {
        self.bands.get(&band).copied().unwrap_or_default()
    }

    /// Sort key: the most urgent first.
    pub(super) fn urgency(&self) -> [std::cmp::Reverse<u64>; 4] {
        let band = |band| std::cmp::Reverse(self.band(band));
        [band(Band::Expired), band(Band::Critical), band(Band::Warning), std::cmp::Reverse(self.tokens)]
    }
}

/// A source, as far as every page shows it.
#[derive(Clone, Debug)]
pub(super) struct SourceSummary {
    pub(super) name: String,
    pub(super) provider: String,
    pub(super) up: Option<bool>,
    pub(super) last_success: Option<DateTime<Utc>>,
    pub(super) last_attempt: Option<DateTime<Utc>>,
    pub(super) counts: Counts,
    /// Failed scopes of the last collection, by reason, without zeros.
    pub(super) failed: BTreeMap<Reason, u64>,
}

impl SourceSummary {
    fn of(name: &str, source: &Source, counts: Counts) -> Self {
        let mut failed = BTreeMap::new();
        for (reason, count) in source.listings.values().flat_map(|health| &health.gaps).filter(|(_, count)| **count > 0)
        {
            *failed.entry(*reason).or_default() += count;
        }
        Self {
            name: name.to_owned(),
            provider: source.policy.provider.clone(),
            up: source.up,
            last_success: source.last_success,
            last_attempt: source.last_attempt,
            counts,
            failed,
        }
    }

    /// Whether its tokens may be out of date: the last collection was incomplete, or there was none.
    pub(super) fn needs_attention(&self) -> bool {
        self.up != Some(true)
    }
}

/// Every value that occurs, with the number of its tokens.
pub(super) type Values = BTreeMap<String, u64>;

/// The values to filter by.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    pub(super) providers: Values,
    pub(super) sources: Values,
    pub(super) kinds: Values,
    pub(super) owners: Values,
    pub(super) teams: Values,
}

pub(super) struct Overview {
    pub(super) counts: Counts,
    pub(super) sources: Vec<SourceSummary>,
    pub(super) choices: Choices,
}

impl Overview {
    pub(super) fn of(context: &Context<'_>, inventory: &Inventory) -> Self {
        let (mut counts, mut choices) = (Counts::default(), Choices::default());
        let mut by_source: BTreeMap<&str, Counts> = BTreeMap::new();
        for view in inventory.tokens(context.now) {
            counts.add(&view);
            by_source.entry(view.source).or_default().add(&view);
            add(&mut choices.kinds, &view.token.kind);
            if let Some(owner) = context.labels.owner_name(&view).filter(|owner| !owner.is_empty()) {
                add(&mut choices.owners, &owner);
            }
            if let Some(team) = view.labels.get(TEAM_LABEL) {
                add(&mut choices.teams, team);
            }
        }
        let sources: Vec<SourceSummary> = inventory
            .sources()
            .map(|(name, source)| SourceSummary::of(name, source, by_source.remove(name).unwrap_or_default()))
            .collect();
        for source in &sources {
            *choices.providers.entry(source.provider.clone()).or_default() += source.counts.tokens;
            choices.sources.insert(source.name.clone(), source.counts.tokens);
        }
        Self { counts, sources, choices }
    }
}

fn add(values: &mut Values, value: &str) {
    match values.get_mut(value) {
        Some(count) => *count += 1,
        None => drop(values.insert(value.to_owned(), 1)),
    }
}

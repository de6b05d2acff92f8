//! Which tokens are selected.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::parameters::{Parameters, one_of};
use super::search::{Search, contains};
use crate::core::inventory::{Finding, TokenView};
use crate::core::lead::Band;
use crate::core::owners::TEAM_LABEL;
use crate::core::time::parse_duration;
use crate::core::token::State;
use crate::exposition::Labels;

/// The selected tokens; by default all. A repeated parameter matches any of its values; different parameters must all match.
///
/// The values of each are sorted and unique, so that equal selections are written equally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub sources: Vec<String>,
    pub providers: Vec<String>,
    pub kinds: Vec<String>,
    /// In lower case: the name, id or address of the owner, as far as they are exposed.
    pub owners: Vec<String>,
    /// In lower case: the label `team`, which is that of the token or of its owner.
    pub teams: Vec<String>,
    pub states: Vec<State>,
    pub bands: Vec<Band>,
    pub findings: Vec<Finding>,
    /// Expires within this time, or has expired.
    pub within: Option<TimeDelta>,
    searches: Vec<Search>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The texts that are searched for.
    pub fn searches(&self) -> impl Iterator<Item = &str> {
        self.searches.iter().map(Search::text)
    }

    /// Whether a token is selected. What `labels` do not expose cannot be searched for.
    pub fn matches(&self, view: &TokenView<'_>, labels: Labels, now: DateTime<Utc>) -> bool {
        any(&self.sources, |source| source == view.source)
            && any(&self.providers, |provider| provider == view.provider)
            && any(&self.kinds, |kind| **kind == *view.token.kind)
            && any(&self.bands, |band| Some(*band) == view.band)
            && any(&self.states, |state| *state == view.state)
            && any(&self.findings, |finding| view.findings.contains(*finding))
            && any(&self.teams, |team| view.labels.get(TEAM_LABEL).is_some_and(|label| label.to_lowercase() == *team))
            && any(&self.owners, |owner| owner_texts(view, labels).any(|text| text.to_lowercase() == *owner))
            && self.within.is_none_or(|within| expires_within(view, within, now))
            && any(&self.searches, |search| search.matches(|word| is_found(view, labels, word)))
    }
}

fn any<T>(wanted: &[T], matches: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(matches)
}

fn expires_within(view: &TokenView<'_>, within: TimeDelta, now: DateTime<Utc>) -> bool {
    let limit = now.checked_add_signed(within).unwrap_or(DateTime::<Utc>::MAX_UTC);
    view.expires.timestamp().is_some_and(|at| at <= limit)
}

/// The exposed names of the owner.
fn owner_texts<'a>(view: &TokenView<'a>, labels: Labels) -> impl Iterator<Item = Cow<'a, str>> {
    let name = labels.owner_text(view.owner.and_then(|owner| owner.name.as_deref()));
    let id = labels.owner_text(view.owner.and_then(|owner| owner.id.as_deref()));
    [name, id, labels.owner_email(view).map(Cow::Borrowed)].into_iter().flatten()
}

/// Whether a word, in lower case, is found in any text of a token.
fn is_found(view: &TokenView<'_>, labels: Labels, word: &str) -> bool {
    let token = view.token;
    let texts = [&*token.name, &token.id, &token.kind, view.source, view.provider];
    texts.into_iter().any(|text| contains(text, word))
        || owner_texts(view, labels).any(|text| contains(&text, word))
        || view.labels.values().any(|text| contains(text, word))
        || token.scopes.iter().any(|text| contains(text, word))
        || view.locations.iter().any(|location| contains(&location.to_string(), word))
}

/// The parameters of a filter.
const NAMES: [&str; 10] = ["source", "provider", "kind", "owner", "team", "state", "band", "finding", "within", "q"];

impl Parameters for Filter {
    fn names(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        match name {
            "source" => insert(&mut self.sources, value.to_owned()),
            "provider" => insert(&mut self.providers, value.to_owned()),
            "kind" => insert(&mut self.kinds, value.to_owned()),
            "owner" => insert(&mut self.owners, value.to_lowercase()),
            "team" => insert(&mut self.teams, value.to_lowercase()),
            "state" => insert(&mut self.states, one_of(value, &State::ALL, State::label)?),
            "band" => insert(&mut self.bands, one_of(value, &Band::ALL, Band::label)?),
            "finding" => insert(&mut self.findings, one_of(value, &Finding::ALL, Finding::label)?),
            "within" => {
                let within = parse_duration(value)
                    .ok_or_else(|| format!("`{value}` is not a duration; expected one such as 7d, 12h or 1d12h"))?;
                self.within = self.within.max(Some(within));
            }
            _ => Search::parse(value).into_iter().for_each(|search| insert(&mut self.searches, search)),
        }
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("source", &self.sources),
            ("provider", &self.providers),
            ("kind", &self.kinds),
            ("owner", &self.owners),
            ("team", &self.teams),
        ];
        let texts = texts.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
        let states = self.states.iter().map(|state| ("state", state.label().to_owned()));
        let bands = self.bands.iter().map(|band| ("band", band.label().to_owned()));
        let findings = self.findings.iter().map(|finding| ("finding", finding.label().to_owned()));
        let within = self.within.map(|within| ("within", duration_text(within)));
        let searches = self.searches().map(|text| ("q", text.to_owned()));
        texts.chain(states).chain(bands).chain(findings).chain(within).chain(searches).collect()
    }
}

/// Adds a value in its place, once.
fn insert<T: Ord>(values: &mut Vec<T>, value: T) {
    if let Err(at) = values.binary_search(&value) {
        values.insert(at, value);
    }
}

/// A duration in the largest unit of which it is a multiple, as [`parse_duration`] reads it.
fn duration_text(duration: TimeDelta) -> String {
    const UNITS: [(i64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let milliseconds = duration.num_milliseconds();
    let unit = UNITS.into_iter().find(|(size, _)| milliseconds % size == 0);
    unit.map_or_else(String::new, |(size, name)| format!("{}{name}", milliseconds / size))
}

#[cfg(test)]
mod tests;

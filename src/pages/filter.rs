//! Query parameters that select tokens, for the API and the calendar.
//!
//! A repeated parameter matches any of its values; different parameters must all match.

use std::borrow::Cow;

use crate::core::inventory::{Finding, TokenView};
use crate::core::lead::Band;
use crate::core::token::State;
use crate::exposition::Labels;
use crate::schema::diagnostic::did_you_mean;

/// The parameters of every filter.
const NAMES: [&str; 7] = ["source", "provider", "kind", "band", "state", "finding", "owner"];

/// The selected tokens; by default all.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    sources: Vec<String>,
    providers: Vec<String>,
    kinds: Vec<String>,
    owners: Vec<String>,
    bands: Vec<Band>,
    states: Vec<State>,
    findings: Vec<Finding>,
}

impl Filter {
    /// Parses a query. The parameters named in `others` are passed to `other`.
    ///
    /// # Errors
    /// A sentence if a parameter or its value is unknown: a typo must not select more tokens.
    pub fn parse(
        query: &str,
        others: &[&str],
        mut other: impl FnMut(&str, &str) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let (name, value) = (&*name, &*value);
            match name {
                "source" => filter.sources.push(value.to_owned()),
                "provider" => filter.providers.push(value.to_owned()),
                "kind" => filter.kinds.push(value.to_owned()),
                "owner" => filter.owners.push(value.to_lowercase()),
                "band" => filter.bands.push(one_of(name, value, &Band::ALL, Band::label)?),
                "state" => filter.states.push(one_of(name, value, &State::ALL, State::label)?),
                "finding" => filter.findings.push(one_of(name, value, &Finding::ALL, Finding::label)?),
                _ if others.contains(&name) => other(name, value)?,
                _ => {
                    let known = NAMES.iter().chain(others).copied();
                    let hint = did_you_mean(name, known);
                    return Err(format!("unknown parameter `{name}`{hint}"));
                }
            }
        }
        Ok(filter)
    }

    /// Whether a token is selected. An owner matches by name, id or address, as far as `labels` expose them.
    pub fn matches(&self, view: &TokenView<'_>, labels: Labels) -> bool {
        any(&self.sources, |source| source == view.source)
            && any(&self.providers, |provider| provider == view.provider)
            && any(&self.kinds, |kind| **kind == *view.token.kind)
            && any(&self.bands, |band| Some(*band) == view.band)
            && any(&self.states, |state| *state == view.state)
            && any(&self.findings, |finding| view.findings.contains(*finding))
            && any(&self.owners, |owner| is_owner(view, owner, labels))
    }
}

fn any<T>(wanted: &[T], matches: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(matches)
}

fn is_owner(view: &TokenView<'_>, wanted: &str, labels: Labels) -> bool {
    let Some(owner) = view.owner else { return false };
    let exposed = [
        labels.owner_text(owner.name.as_deref()),
        labels.owner_text(owner.id.as_deref()),
        labels.owner_email(view).map(Cow::Borrowed),
    ];
    exposed.into_iter().flatten().any(|name| name.to_lowercase() == wanted)
}

fn one_of<T: Copy>(name: &str, value: &str, all: &[T], label: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|candidate| label(*candidate) == value).ok_or_else(|| {
        let known = all.iter().map(|candidate| format!("`{}`", label(*candidate))).collect::<Vec<_>>().join(", ");
        format!("{name}: unknown value `{value}`; expected one of {known}")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::unwrap_used)]

    use super::*;

    #[test]
    fn parse_rejects_unknown_parameters_and_values() {
        let error = |query| Filter::parse(query, &["limit"], |_, _| Ok(())).unwrap_err();
        assert_eq!(error("bnad=critical"), "unknown parameter `bnad`; did you mean `band`?");
        assert_eq!(error("limt=1"), "unknown parameter `limt`; did you mean `limit`?");
        assert_eq!(error("band=red"), "band: unknown value `red`; expected one of `warning`, `critical`, `expired`");
        assert!(Filter::parse("source=a&source=b&owner=J%C3%A4ne&limit=3", &["limit"], |_, _| Ok(())).is_ok());
    }
}

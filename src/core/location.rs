//! Places where a token is used or stored.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::label_values::label_values;
use super::sanitize::{sanitize, truncate};

label_values! {
    /// What a place is.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum LocationKind {
        /// A Kubernetes Secret: `CLUSTER/NAMESPACE/NAME`.
        Secret = "secret",
        /// A file, by its path.
        File = "file",
        /// A variable of a CI system.
        Variable = "variable",
        /// An IP address in an audit log. It changes by the hour and names people's homes: it is never a metric label.
        Address = "address",
        /// Written by hand: `used_in` of a rule.
        Noted = "noted",
    }
}

/// A place where a token is used or stored. Text for people: `Display` says it in words, such as `Secret prod/ci/renovate`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    pub kind: LocationKind,
    /// Sanitized, at most 200 characters.
    place: Box<str>,
    /// When the token was seen there; `None` for a place that each collection searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<DateTime<Utc>>,
}

impl Location {
    /// `None` if the place is empty.
    pub fn new(kind: LocationKind, place: &str, last_seen: Option<DateTime<Utc>>) -> Option<Self> {
        let mut place = truncate(place.trim());
        sanitize(&mut place);
        (!place.is_empty()).then(|| Self { kind, place: place.into(), last_seen })
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether it may be the value of a metric label.
    pub fn is_stable(&self) -> bool {
        self.kind != LocationKind::Address
    }
}

impl fmt::Display for Location {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.kind {
            LocationKind::Secret => "Secret ",
            LocationKind::File => "file ",
            LocationKind::Variable => "CI variable ",
            LocationKind::Address => "seen from ",
            LocationKind::Noted => "",
        };
        write!(to, "{words}{}", self.place)?;
        // The day of another place would make it a new one each day.
        let last_seen = self.last_seen.filter(|_| !self.is_stable());
        last_seen.map_or(Ok(()), |at| write!(to, " on {}", at.format("%Y-%m-%d")))
    }
}

/// The locations of a token: those that were found, and those that a rule notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locations<'a> {
    pub(super) found: &'a [Location],
    pub(super) noted: &'a [Location],
}

impl<'a> Locations<'a> {
    /// Found ones first, by kind and place; addresses come last, the most recent one first.
    pub fn iter(self) -> impl Iterator<Item = &'a Location> {
        self.found.iter().chain(self.noted)
    }

    pub fn is_empty(self) -> bool {
        self.found.is_empty() && self.noted.is_empty()
    }

    pub fn len(self) -> usize {
        self.found.len() + self.noted.len()
    }
}

/// A credential in use that a source recognises, but that none of its listings lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnlistedCredential<'a> {
    /// The source whose provider issued it.
    pub source: &'a str,
    pub provider: &'a str,
    /// Its id, if the provider reports one.
    pub token_id: Option<&'a str>,
    /// The source that found it.
    pub found_by: &'a str,
    pub location: &'a Location,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn location_says_where_in_words() {
        let at = DateTime::from_timestamp(1_796_000_000, 0);
        let cases = [
            (LocationKind::Secret, "prod/ci/renovate", None, "Secret prod/ci/renovate"),
            (LocationKind::File, "/etc/x.env", None, "file /etc/x.env"),
            (
                LocationKind::Variable,
                "gitlab.com/ops/TOKEN (environment a)",
                None,
                "CI variable gitlab.com/ops/TOKEN (environment a)",
            ),
            (LocationKind::Address, "203.0.113.7", at, "seen from 203.0.113.7 on 2026-11-30"),
            (LocationKind::Address, "2001:db8::1", None, "seen from 2001:db8::1"),
            (LocationKind::Noted, " the laptop of\u{202e} Jane ", None, "the laptop of Jane"),
        ];
        for (kind, place, last_seen, words) in cases {
            let location = Location::new(kind, place, last_seen).unwrap();
            assert_eq!((location.to_string().as_str(), location.is_stable()), (words, kind != LocationKind::Address));
        }
    }

    #[test]
    fn location_is_none_without_a_place() {
        for (kind, place) in [(LocationKind::File, " "), (LocationKind::Address, "")] {
            assert_eq!(Location::new(kind, place, None), None, "{place}");
        }
    }
}

//! Says which token a credential is by the part of it that a listing shows, such as its last eight characters.
//!
//! Nothing of the credential is sent. What the provider shows is kept in memory, and is neither stored nor shared.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use crate::core::secret::Secret;
use crate::core::value_pattern::ValuePattern;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::Listing;
use crate::providers::language::value;
use crate::providers::{Candidate, Identified, KnownToken};

/// Fewer characters besides the published prefix are in too many credentials.
const MIN_LEN: usize = 6;

/// After this the listing is requested again, unless a collection has read it since.
const TTL: TimeDelta = TimeDelta::hours(1);

/// How a definition finds the hints of a listing.
#[derive(Clone, Copy)]
pub(super) struct HintMap<'e> {
    pub(super) listing: &'e str,
    pub(super) hint: &'e Expression,
    pub(super) pattern: &'e ValuePattern,
}

/// The beginning and the end of a listed token, as the provider shows them.
#[derive(Clone, Debug)]
pub(super) struct Hint {
    id: Box<str>,
    begin: Secret,
    end: Secret,
}

impl HintMap<'_> {
    /// The hint of a token, if its listing has hints.
    pub(super) fn of_token(&self, listing: &Listing, variables: &Variables, row: &Val, id: &str) -> Option<Hint> {
        if self.listing == listing.name { self.read(variables, row, id) } else { None }
    }

    /// The hint in a row; `None` if there is none, or if it is too short.
    fn read(&self, variables: &Variables, row: &Val, id: &str) -> Option<Hint> {
        let parts = self.hint.run(variables, row.clone()).ok()?;
        let parts: Vec<String> = parts.iter().map(value::text).collect::<Option<_>>()?;
        let (begin, end) = match &parts[..] {
            [begin] => (begin.as_str(), ""),
            [begin, end] => (begin.as_str(), end.as_str()),
            _ => return None,
        };
        let shown = begin.chars().count() - self.pattern.prefix_len(begin) + end.chars().count();
        let hint = || Hint { id: id.into(), begin: Secret::new(begin), end: Secret::new(end) };
        (shown >= MIN_LEN).then(hint)
    }
}

/// The hints of a complete listing, by the end of the credential.
#[derive(Default)]
pub(super) struct Hints {
    by_end: HashMap<String, Vec<Hint>>,
    /// The lengths of the ends in bytes.
    lens: BTreeSet<usize>,
}

impl Hints {
    pub(super) fn new(hints: Vec<Hint>) -> Self {
        let mut all = Self::default();
        for hint in hints {
            all.lens.insert(hint.end.expose().len());
            all.by_end.entry(hint.end.expose().to_owned()).or_default().push(hint);
        }
        all
    }

    /// The ids of the tokens that a credential can be.
    fn find(&self, credential: &str) -> BTreeSet<&str> {
        let ends = self.lens.iter().filter_map(|len| credential.get(credential.len().checked_sub(*len)?..));
        let hints = ends.filter_map(|end| self.by_end.get(end)).flatten();
        let is_of = |hint: &&Hint| {
            let (begin, end) = (hint.begin.expose(), hint.end.expose());
            credential.starts_with(begin) && credential.len() >= begin.len() + end.len()
        };
        hints.filter(is_of).map(|hint| &*hint.id).collect()
    }

    /// A credential that can be several tokens is skipped. One that can be none is a token that the listing does not list.
    pub(super) fn identify(&self, candidates: Vec<Candidate>) -> Identified {
        let mut identified = Identified::default();
        for Candidate { number, value, .. } in candidates {
            let mut ids = self.find(value.expose()).into_iter();
            match (ids.next(), ids.next()) {
                (_, Some(_)) => identified.counts.skipped += 1,
                (id, None) => {
                    let token = KnownToken { id: id.map(Into::into), is_id_inside: false };
                    identified.tokens.push((number, token));
                }
            }
        }
        identified
    }
}

/// The hints of the last complete collection.
#[derive(Default)]
pub(super) struct HintCache(Mutex<Option<(DateTime<Utc>, Arc<Hints>)>>);

impl HintCache {
    pub(super) fn get(&self, now: DateTime<Utc>) -> Option<Arc<Hints>> {
        let known = self.0.lock();
        let (_, hints) = known.as_ref().filter(|(at, _)| (now - *at).abs() < TTL)?;
        Some(Arc::clone(hints))
    }

    pub(super) fn set(&self, hints: Vec<Hint>, now: DateTime<Utc>) -> Arc<Hints> {
        let hints = Arc::new(Hints::new(hints));
        *self.0.lock() = Some((now, Arc::clone(&hints)));
        hints
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn hint(id: &str, begin: &str, end: &str) -> Hint {
        Hint { id: id.into(), begin: Secret::new(begin), end: Secret::new(end) }
    }

    fn identified(hints: Vec<Hint>, values: &[&str]) -> (Vec<(usize, Option<String>)>, u64) {
        let candidate =
            |(number, value): (usize, &&str)| Candidate { number, value: Secret::new(*value), group: Box::default() };
        let found = Hints::new(hints).identify(values.iter().enumerate().map(candidate).collect());
        let tokens = found.tokens.into_iter().map(|(number, token)| (number, token.id.map(Into::into))).collect();
        (tokens, found.counts.skipped)
    }

    #[test]
    fn credential_is_the_token_whose_beginning_and_end_it_has() {
        let hints = || {
            vec![
                hint("a", "ghp_", "71c3fc11"),
                hint("b", "ghp_", "12345678"),
                hint("c", "sk-aB3", "wxyz"),
                hint("d", "npm_abcdef", ""),
                hint("e", "xx_0123456", "456789"),
            ]
        };
        for (value, id) in [
            ("ghp_0123456789012345678901234567890171c3fc11", Some("a")),
            ("ghp_0123456789012345678901234567890112345678", Some("b")),
            ("gho_0123456789012345678901234567890112345678", None),
            ("ghp_012345678901234567890123456789012345678x", None),
            ("sk-aB3-------wxyz", Some("c")),
            ("sk-aB4-------wxyz", None),
            ("npm_abcdef123", Some("d")),
            // Beginning and end do not overlap.
            ("xx_0123456789", None),
            ("é", None),
        ] {
            assert_eq!(identified(hints(), &[value]), (vec![(0, id.map(str::to_owned))], 0), "{value}");
        }
    }

    #[test]
    fn credential_that_can_be_two_tokens_is_skipped() {
        let hints = vec![hint("a", "ghp_", "71c3fc11"), hint("b", "ghp_", "71c3fc11"), hint("c", "ghp_", "12345678")];
        let values = ["ghp_0000000000000071c3fc11", "ghp_0000000000000012345678"];
        assert_eq!(identified(hints, &values), (vec![(1, Some("c".to_owned()))], 1));
        let rows_of_one = vec![hint("a", "ghp_", "71c3fc11"), hint("a", "ghp_", "71c3fc11")];
        assert_eq!(identified(rows_of_one, &values[..1]), (vec![(0, Some("a".to_owned()))], 0));
    }

    #[test]
    fn hints_are_used_for_an_hour() {
        let (cache, now) = (HintCache::default(), DateTime::UNIX_EPOCH);
        assert!(cache.get(now).is_none());
        cache.set(vec![hint("a", "ghp_", "71c3fc11")], now);
        for (minutes, is_known) in [(0, true), (59, true), (60, false), (-59, true), (-60, false)] {
            assert_eq!(cache.get(now + TimeDelta::minutes(minutes)).is_some(), is_known, "{minutes}");
        }
    }

    #[test]
    fn hint_is_not_shown_by_debug() {
        let text = format!("{:?}", hint("a", "ghp_", "71c3fc11"));
        assert!(text.contains("\"a\"") && !text.contains("71c3"), "{text}");
    }
}

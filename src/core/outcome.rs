//! What one collection of one source has brought: complete scopes, gaps, and what it cost.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Reason};
use super::token::{Expiry, Token};

/// The path of requests that leads to a scope: the values and requests of the listing's fan-out, then the last request.
///
/// A gap at a step is a prefix of the path of everything under it. The empty path is the whole listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Path(Arc<str>);

/// What separates the steps of a path; requests and values are cleaned of it.
const STEP: char = '\n';

impl Path {
    /// The whole listing.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The path one step further down.
    pub fn join(&self, step: &str) -> Self {
        let step = step.replace(STEP, " ");
        if self.0.is_empty() { Self(Arc::from(step)) } else { Self(Arc::from(format!("{}{STEP}{step}", self.0))) }
    }

    /// Whether `other` is this path or lies under it.
    pub fn covers(&self, other: &Self) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => self.0.is_empty() || rest.is_empty() || rest.starts_with(STEP),
            None => false,
        }
    }

    /// The paths that cover this one, from the whole listing down to itself.
    pub(crate) fn covering(&self) -> impl Iterator<Item = &str> {
        let steps = self.0.match_indices(STEP).map(|(at, _)| &self.0[..at]);
        iter::once("").chain(steps).chain(iter::once(&*self.0))
    }
}

/// So that a set of paths can be asked for one of `covering`.
impl Borrow<str> for Path {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What one collection of a source has brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Every listing that the source runs, in the definition's order, even where nothing of it could be had.
    pub listings: Vec<ListingResult>,
    /// When the credential that the exporter itself used ends.
    pub own: CredentialExpiry,
    /// How many requests were sent, by status; those without an answer under 0.
    pub requests: BTreeMap<u16, u64>,
    /// What the provider last said of its rate limit.
    pub rate_limit: Option<RateLimit>,
    /// What has failed and is not in a gap: a map of owners, the look at the own credential.
    pub failures: Vec<Failure>,
    /// Fields other than id and expiry that could not be read, and so were left out.
    pub unread_fields: u64,
}

impl Outcome {
    /// An outcome in which each of these listings has failed as a whole: a panic, a time-out, a missing credential.
    pub fn failed(listings: &[String], failure: &Failure) -> Self {
        let listings = listings
            .iter()
            .map(|name| ListingResult {
                name: name.clone(),
                scopes: Vec::new(),
                gaps: vec![Gap { path: Path::root(), scope: "all".into(), failure: failure.clone(), needs: None }],
            })
            .collect();
        Self { listings, ..Self::default() }
    }

    /// Whether every scope of every listing was answered to its last page.
    pub fn is_complete(&self) -> bool {
        self.listings.iter().all(|listing| listing.gaps.is_empty())
    }

    /// How often each reason occurred: gaps, odd rows, and failures beside the listings.
    pub fn reasons(&self) -> BTreeMap<Reason, u64> {
        let mut counts = BTreeMap::new();
        let gaps = self.listings.iter().flat_map(|listing| &listing.gaps).map(|gap| gap.failure.reason);
        for reason in gaps.chain(self.failures.iter().map(|failure| failure.reason)) {
            *counts.entry(reason).or_insert(0) += 1;
        }
        let odd: u64 =
            self.listings.iter().flat_map(|listing| &listing.scopes).map(|scope| scope.odd.len() as u64).sum();
        if odd > 0 {
            *counts.entry(Reason::Mapping).or_insert(0) += odd;
        }
        counts
    }
}

/// What one listing has brought.
#[derive(Clone, Debug, PartialEq)]
pub struct ListingResult {
    /// The listing's name.
    pub name: String,
    /// The scopes, and steps, whose answers were complete.
    pub scopes: Vec<ScopeResult>,
    /// The scopes, and steps, that failed.
    pub gaps: Vec<Gap>,
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeResult {
    /// Where it stands.
    pub path: Path,
    /// Its tokens. A step has none.
    pub tokens: Vec<Token>,
    /// Rows that could not be read. Where there are any, nothing at or under this path is removed on this answer's word.
    pub odd: Vec<MalformedRow>,
    /// Whether it is a scope proper, or only a step with odd rows.
    pub is_step: bool,
}

/// A row that the definition could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedRow {
    /// Its number in the answer, from 1, over all pages.
    pub position: u64,
    /// Its identifier, if that much could be read.
    pub id: Option<String>,
    /// The field that could not be read, or `take`.
    pub field: &'static str,
}

/// A scope, or a step with all that lies under it, whose answer was a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Where it stands. Everything under it is kept as it was.
    pub path: Path,
    /// What it is called, such as `/api/v4/projects/124/access_tokens`.
    pub scope: String,
    /// What went wrong.
    pub failure: Failure,
    /// The permission that a refusal lacks.
    pub needs: Option<String>,
}

/// When the credential that the exporter itself used ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialExpiry {
    /// The provider does not tell, or the look failed: what was known before stays.
    #[default]
    NotReported,
    /// It ends so.
    Reported(Expiry),
}

/// A provider's rate limit, in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Requests allowed in the provider's window, if told.
    pub limit: Option<u64>,
    /// Requests left in it.
    pub remaining: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Failure, Gap, ListingResult, MalformedRow, Outcome, Path, Reason, ScopeResult};

    fn path(steps: &[&str]) -> Path {
        steps.iter().fold(Path::root(), |path, step| path.join(step))
    }

    #[test]
    fn a_gap_at_a_step_covers_what_lies_under_it() {
        let cases: [(&[&str], &[&str], bool); 7] = [
            (&[], &[], true),
            (&[], &["a", "b"], true),
            (&["a"], &["a"], true),
            (&["a"], &["a", "b"], true),
            (&["a"], &["ab"], false),
            (&["a", "b"], &["a"], false),
            (&["a\nb"], &["a", "b"], false),
        ];
        for (gap, scope, covers) in cases {
            let (gap, scope) = (path(gap), path(scope));
            assert_eq!(gap.covers(&scope), covers, "{gap:?} {scope:?}");
            let set = std::collections::HashSet::from([gap]);
            assert_eq!(scope.covering().any(|above| set.contains(above)), covers, "{set:?} {scope:?}");
        }
    }

    #[test]
    fn every_gap_odd_row_and_further_failure_is_counted_under_its_reason() {
        let gap = |reason| Gap {
            path: Path::root(),
            scope: "all".into(),
            failure: Failure::new(reason, "GET /tokens: 403"),
            needs: None,
        };
        let odd = |position| MalformedRow { position, id: None, field: "expires_at" };
        let scope = ScopeResult { path: path(&["a"]), tokens: Vec::new(), odd: vec![odd(1), odd(7)], is_step: false };
        let listed = ListingResult {
            name: "tokens".into(),
            scopes: vec![scope],
            gaps: vec![gap(Reason::Forbidden), gap(Reason::Forbidden), gap(Reason::Timeout)],
        };
        let outcome = Outcome {
            listings: vec![listed],
            failures: vec![Failure::new(Reason::Timeout, "GET /me: no answer")],
            ..Outcome::default()
        };
        assert!(!outcome.is_complete());
        let counts: Vec<_> = outcome.reasons().into_iter().collect();
        assert_eq!(counts, [(Reason::Forbidden, 2), (Reason::Timeout, 2), (Reason::Mapping, 2)]);
    }

    #[test]
    fn a_failed_collection_is_a_gap_in_every_listing() {
        let outcome = Outcome::failed(&["a".into(), "b".into()], &Failure::new(Reason::Credential, "no such file"));
        assert!(!outcome.is_complete());
        assert_eq!(outcome.reasons().get(&Reason::Credential), Some(&2));
        assert!(outcome.listings.iter().all(|listed| listed.gaps[0].path == Path::root()));
    }
}

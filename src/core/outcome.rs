//! The result of one collection of one source: complete scopes, failed ones (gaps), and the requests that it took.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Reason};
use super::intake::Tokens;
use super::location_report::{FoundCredential, LocationReport};
use super::refusal::Refusal;
use super::token::Expiry;

/// Identifies a scope: the values and requests of the listing's fan-out, then the last request.
///
/// A gap at a step of the fan-out has a prefix of the paths below it. The empty path is the whole listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Path(Arc<str>);

/// Separates the steps of a path; replaced by a space within a step.
const STEP: char = '\n';

impl Path {
    /// The whole listing.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The path with one more step.
    pub fn join(&self, step: &str) -> Self {
        let step = step.replace(STEP, " ");
        if self.0.is_empty() { Self(Arc::from(step)) } else { Self(Arc::from(format!("{}{STEP}{step}", self.0))) }
    }

    /// Whether `other` is this path or below it.
    pub fn covers(&self, other: &Self) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => self.0.is_empty() || rest.is_empty() || rest.starts_with(STEP),
            None => false,
        }
    }

    /// The paths that cover this one, from the root down to itself.
    pub(crate) fn covering(&self) -> impl Iterator<Item = &str> {
        let steps = self.0.match_indices(STEP).map(|(at, _)| &self.0[..at]);
        iter::once("").chain(steps).chain(iter::once(&*self.0))
    }
}

/// Lets a set of paths be searched for the items of `covering`.
impl Borrow<str> for Path {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The result of one collection of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Every listing of the source, in the definition's order, also if it failed.
    pub listings: Vec<ListingResult>,
    /// The expiry of the exporter's own credential.
    pub credential_expiry: CredentialExpiry,
    /// Requests sent, by response status; 0 without a response.
    pub requests: BTreeMap<u16, u64>,
    /// The rate limit, as last reported.
    pub rate_limit: Option<RateLimit>,
    /// Failures outside the listings: of a look-up table, or of the request for the expiry of the exporter's credential.
    pub failures: Vec<Failure>,
    /// Fields, other than id and expiry, that were omitted because they are unreadable.
    pub unread_fields: u64,
    /// The refusal of the source's secret, while nothing is requested on its account.
    pub refusal: Option<Refusal>,
    /// What was seen of credentials, before it is known whose they are.
    pub found: FoundInUse,
    /// Whose they are; `None` if the source does not report locations.
    pub locations: Option<LocationReport>,
}

/// What a collection saw of the use of credentials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundInUse {
    pub credentials: Vec<FoundCredential>,
    /// The time of the newest entry that was read of each log.
    pub newest: BTreeMap<String, DateTime<Utc>>,
    /// Logs that were not read back to their last known entry, and credentials over a limit.
    pub cut: u64,
    /// Places whose value the provider does not return.
    pub hidden: u64,
    /// The number of credentials of each group.
    groups: BTreeMap<Box<str>, usize>,
}

/// The most credentials of one group, and of a collection: a user who can create a Secret must neither fill the memory nor
/// displace the credentials of others.
const MAX_OF_GROUP: usize = 2_000;
const MAX_FOUND: usize = 50_000;

impl FoundInUse {
    /// Adds a credential, unless there are too many.
    pub fn push(&mut self, found: FoundCredential) {
        let of_group = self.groups.entry(found.group.clone()).or_default();
        if *of_group < MAX_OF_GROUP && self.credentials.len() < MAX_FOUND {
            *of_group += 1;
            self.credentials.push(found);
        } else {
            self.cut += 1;
        }
    }

    pub fn add(&mut self, other: Self) {
        other.credentials.into_iter().for_each(|found| self.push(found));
        for (log, at) in other.newest {
            let newest = self.newest.entry(log).or_insert(at);
            *newest = at.max(*newest);
        }
        self.cut += other.cut;
        self.hidden += other.hidden;
    }
}

impl Outcome {
    /// The outcome of a collection that failed as a whole: a panic, a timeout, a missing credential.
    pub fn failed(listings: &[String], failure: &Failure) -> Self {
        let gaps = || vec![Gap::all(failure.clone())];
        let listings = listings.iter().map(|name| ListingResult { gaps: gaps(), ..ListingResult::new(name) });
        Self { listings: listings.collect(), ..Self::default() }
    }

    /// Whether no scope failed.
    pub fn is_complete(&self) -> bool {
        self.listings.iter().all(|listing| listing.gaps.is_empty())
    }

    /// Failures by reason: gaps, malformed rows, and failures outside the listings.
    pub fn reasons(&self) -> BTreeMap<Reason, u64> {
        let mut counts = BTreeMap::new();
        let gaps = self.listings.iter().flat_map(|listing| &listing.gaps).map(|gap| gap.failure.reason);
        for reason in gaps.chain(self.failures.iter().map(|failure| failure.reason)) {
            *counts.entry(reason).or_insert(0) += 1;
        }
        let scopes = self.listings.iter().flat_map(|listing| &listing.scopes);
        let malformed: u64 = scopes.map(|scope| scope.malformed.len() as u64).sum();
        if malformed > 0 {
            *counts.entry(Reason::Mapping).or_insert(0) += malformed;
        }
        counts
    }
}

/// The result of one listing.
#[derive(Clone, Debug, PartialEq)]
pub struct ListingResult {
    pub name: String,
    /// Complete scopes, and fan-out steps with malformed rows.
    pub scopes: Vec<ScopeResult>,
    /// Failed scopes, and failed fan-out steps.
    pub gaps: Vec<Gap>,
    /// What a definition made of the rows; `None` for a source without a definition.
    pub rows: Option<RowCounts>,
}

/// What a definition made of the rows of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows in the responses.
    pub read: u64,
    /// Rows after `take`.
    pub taken: u64,
    /// The fields that the definition maps, in the tokens.
    pub fields: BTreeMap<&'static str, FieldCounts>,
    /// Whether there are more pages or scopes, which are not in the sample.
    pub is_sample: bool,
    /// The page size of a request whose only page is full, although no next page was found.
    pub single_full_page: Option<u64>,
    /// The length of the longest other list in a response without rows.
    pub unused_list: Option<u64>,
    /// Tokens that are omitted because another token of the source is the same credential.
    pub listed_as_another: u64,
}

/// One field of the tokens of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldCounts {
    /// Tokens with a value.
    pub values: u64,
    /// Tokens whose value is unreadable.
    pub unreadable: u64,
}

impl RowCounts {
    /// Counts a field that the definition maps.
    pub fn count_field(&mut self, name: &'static str, has_value: bool, is_unreadable: bool) {
        let field = self.fields.entry(name).or_default();
        field.values += u64::from(has_value);
        field.unreadable += u64::from(is_unreadable);
    }

    /// Adds the counts of another scope.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.taken += other.taken;
        for (name, counts) in &other.fields {
            let field = self.fields.entry(name).or_default();
            field.values += counts.values;
            field.unreadable += counts.unreadable;
        }
        self.is_sample |= other.is_sample;
        self.listed_as_another += other.listed_as_another;
        self.single_full_page = self.single_full_page.max(other.single_full_page);
        self.unused_list = self.unused_list.max(other.unused_list);
    }
}

impl ListingResult {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), scopes: Vec::new(), gaps: Vec::new(), rows: None }
    }
}

/// A complete scope.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeResult {
    pub path: Path,
    /// Empty for a step.
    pub tokens: Tokens,
    /// Rows that were skipped. If there are any, a missing token at or below this path does not count as missing.
    pub malformed: Vec<MalformedRow>,
    /// Whether it is a fan-out step with malformed rows instead of a scope.
    pub is_step: bool,
}

/// A row without a readable id or expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedRow {
    /// Its number in the scope, from 1, over all pages.
    pub position: u64,
    /// Its identifier, if that is readable.
    pub id: Option<String>,
    /// The unreadable field, or `take`.
    pub field: &'static str,
}

/// A scope that failed, or a fan-out step with everything below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Tokens at and below this path stay as they are.
    pub path: Path,
    /// Its name, such as `/api/v4/projects/124/access_tokens`.
    pub scope: String,
    pub failure: Failure,
    /// The permission that the credential lacks, if the provider rejected it.
    pub required_permission: Option<String>,
}

impl Gap {
    /// A gap that lacks no permission.
    pub fn new(path: Path, scope: impl Into<String>, failure: Failure) -> Self {
        Self { path, scope: scope.into(), failure, required_permission: None }
    }

    /// A gap for the whole listing.
    pub fn all(failure: Failure) -> Self {
        Self::new(Path::root(), "all", failure)
    }
}

/// The expiry of the exporter's own credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialExpiry {
    /// Not reported, or the request failed: the previous value stays.
    #[default]
    NotReported,
    /// Neither the provider nor the credential states it: a previous value, of another credential, does not count.
    Unstated,
    Reported(Expiry),
}

/// A provider's rate limit, in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Requests allowed per window, if reported.
    pub limit: Option<u64>,
    /// Requests remaining in the window.
    pub remaining: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Failure, Gap, ListingResult, MalformedRow, Outcome, Path, Reason, ScopeResult, Tokens};

    fn path(steps: &[&str]) -> Path {
        steps.iter().fold(Path::root(), |path, step| path.join(step))
    }

    #[test]
    fn path_covers_itself_and_everything_below() {
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
    fn reasons_count_gaps_malformed_rows_and_other_failures() {
        let gap = |reason| Gap {
            path: Path::root(),
            scope: "all".into(),
            failure: Failure::new(reason, "GET /tokens: 403"),
            required_permission: None,
        };
        let malformed = |position| MalformedRow { position, id: None, field: "expires_at" };
        let scope = ScopeResult {
            path: path(&["a"]),
            tokens: Tokens::default(),
            malformed: vec![malformed(1), malformed(7)],
            is_step: false,
        };
        let listed = ListingResult {
            scopes: vec![scope],
            gaps: vec![gap(Reason::Forbidden), gap(Reason::Forbidden), gap(Reason::Timeout)],
            ..ListingResult::new("tokens")
        };
        let outcome = Outcome {
            listings: vec![listed],
            failures: vec![Failure::new(Reason::Timeout, "GET /me: no response")],
            ..Outcome::default()
        };
        assert!(!outcome.is_complete());
        let counts: Vec<_> = outcome.reasons().into_iter().collect();
        assert_eq!(counts, [(Reason::Forbidden, 2), (Reason::Timeout, 2), (Reason::Mapping, 2)]);
    }

    #[test]
    fn failed_outcome_has_a_gap_in_every_listing() {
        let outcome = Outcome::failed(&["a".into(), "b".into()], &Failure::new(Reason::Credential, "no such file"));
        assert!(!outcome.is_complete());
        assert_eq!(outcome.reasons().get(&Reason::Credential), Some(&2));
        assert!(outcome.listings.iter().all(|listed| listed.gaps[0].path == Path::root()));
    }
}

//! What a source found out about the use of credentials: of its own tokens, or of those of other sources.
//!
//! It contains ids and places, never a credential or anything that is derived from one.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::location::{Location, LocationKind};
use super::secret::Secret;

/// The most locations of a source. About 200 bytes each are stored with its state.
const MAX_LOCATIONS: usize = 2000;

/// The most places of one token, so that copies of it do not displace the places of others.
const MAX_PLACES: usize = 20;

/// The most addresses of one token. The most recent ones stay.
const MAX_ADDRESSES: usize = 5;

/// How long an address stays. Atlassian keeps its audit log for as long.
const ADDRESS_RETENTION: TimeDelta = TimeDelta::days(180);

/// How long a place stays whose credential could not be identified again.
const SKIPPED_RETENTION: TimeDelta = TimeDelta::days(7);

/// A credential that a collection found, before it is known whose it is. It exists only in memory, for as long as it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundCredential {
    pub token: FoundToken,
    pub location: Location,
    /// Who can write to this place, such as a namespace: those within one group share a limit.
    pub group: Box<str>,
    /// The token of the same source that is this credential.
    pub own_id: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FoundToken {
    /// A token of the same source.
    Id(Box<str>),
    /// A credential that other sources can identify.
    Value(Secret),
}

/// Whose a credential is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatedToken {
    /// The source that identified it.
    pub source: Box<str>,
    /// Absent if the provider reports no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    pub location: Location,
    /// The token of the source that found it which is this credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_id: Option<Box<str>>,
    /// When it was last identified.
    pub found_at: DateTime<Utc>,
    /// Whether the id was read from the value. Then it is kept only if a listing publishes it.
    #[serde(skip)]
    pub is_id_inside: bool,
}

impl LocatedToken {
    fn key(&self) -> (&str, Option<&str>, LocationKind, &str) {
        (&self.source, self.id.as_deref(), self.location.kind, self.location.place())
    }
}

/// Credentials that a source recognised and that are not tokens of it as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialCounts {
    /// The provider does not accept them.
    pub rejected: u64,
    /// No request was sent for them, or the request failed, or several tokens match.
    pub skipped: u64,
}

/// What the collections of a source found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationReport {
    /// Ordered by token.
    #[serde(default)]
    pub located: Vec<LocatedToken>,
    /// By the source that recognised them.
    #[serde(default)]
    pub counts: BTreeMap<Box<str>, CredentialCounts>,
    /// The time of the newest entry that was read of each log.
    #[serde(default)]
    pub newest: BTreeMap<String, DateTime<Utc>>,
    /// Locations over a limit, and logs that were not read back to their last known entry.
    #[serde(default)]
    pub cut: u64,
    /// Places whose value the provider does not return.
    #[serde(default)]
    pub hidden: u64,
    /// Whether the last collection was complete.
    #[serde(default)]
    pub is_complete: bool,
}

impl LocationReport {
    /// Whether every place was read, so that a token which is not in the report is in none of them.
    pub fn is_exhaustive(&self) -> bool {
        self.is_complete && self.hidden == 0
    }

    /// The report of a collection, with what stays of the previous one.
    pub(super) fn over(mut self, previous: Option<Self>, now: DateTime<Utc>) -> Self {
        let previous = previous.unwrap_or_default();
        let skipped = |source: &str| self.counts.get(source).is_some_and(|counts| counts.skipped > 0);
        let stays = |known: &LocatedToken| match known.location.last_seen {
            Some(at) => now - at < ADDRESS_RETENTION,
            None => !self.is_complete || skipped(&known.source) && now - known.found_at < SKIPPED_RETENTION,
        };
        let kept: Vec<_> = previous.located.into_iter().filter(stays).collect();
        self.located.extend(kept);
        // Of equal ones the one that was seen last comes first.
        self.located.sort_by(|one, other| {
            let latest = |located: &LocatedToken| std::cmp::Reverse((located.location.last_seen, located.found_at));
            one.key().cmp(&other.key()).then_with(|| latest(one).cmp(&latest(other)))
        });
        self.located.dedup_by(|later, first| later.key() == first.key());
        self.limit();
        for (listing, at) in previous.newest {
            let newest = self.newest.entry(listing).or_insert(at);
            *newest = at.max(*newest);
        }
        self
    }

    fn limit(&mut self) {
        let before = self.located.len();
        let by_token = self.located.chunk_by(|one, other| (&one.source, &one.id) == (&other.source, &other.id));
        let mut kept = Vec::with_capacity(before);
        for places in by_token {
            let (mut addresses, others): (Vec<_>, Vec<_>) =
                places.iter().partition(|place| place.location.kind == LocationKind::Address);
            addresses.sort_by_key(|place| std::cmp::Reverse(place.location.last_seen));
            // Credentials without an id are not known to be one and the same.
            let limit = if places.iter().any(|place| place.id.is_some()) { MAX_PLACES } else { usize::MAX };
            let others = others.into_iter().take(limit);
            kept.extend(others.chain(addresses.into_iter().take(MAX_ADDRESSES)).cloned());
        }
        // Older addresses are no loss: that a token was seen at all is what counts.
        let addresses =
            |all: &[LocatedToken]| all.iter().filter(|place| place.location.kind == LocationKind::Address).count();
        let lost_addresses = addresses(&self.located) - addresses(&kept);
        kept.truncate(MAX_LOCATIONS);
        self.cut += (before - kept.len()).saturating_sub(lost_addresses) as u64;
        self.located = kept;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn located(id: &str, kind: LocationKind, place: &str, days_ago: i64) -> LocatedToken {
        let at = now() - TimeDelta::days(days_ago);
        let last_seen = (kind == LocationKind::Address).then_some(at);
        let location = Location::new(kind, place, last_seen).unwrap();
        let id = (!id.is_empty()).then(|| id.into());
        LocatedToken { source: "gitlab".into(), id, location, own_id: None, found_at: at, is_id_inside: false }
    }

    fn report(is_complete: bool, located: Vec<LocatedToken>) -> LocationReport {
        LocationReport { located, is_complete, ..LocationReport::default() }
    }

    fn places(report: &LocationReport) -> Vec<&str> {
        report.located.iter().map(|located| located.location.place()).collect()
    }

    #[test]
    fn complete_report_replaces_places_and_an_incomplete_one_keeps_them() {
        let secret = |name: &str, days| located("7", LocationKind::Secret, name, days);
        let previous = || Some(report(true, vec![secret("a/old", 30), secret("a/new", 1)]));
        let new = |is_complete| report(is_complete, vec![secret("a/new", 0)]);
        assert_eq!(places(&new(true).over(previous(), now())), ["a/new"]);
        assert_eq!(places(&new(false).over(previous(), now())), ["a/new", "a/old"]);
    }

    #[test]
    fn place_whose_credential_was_skipped_stays_for_a_week() {
        let secret = |name: &str, days| located("7", LocationKind::Secret, name, days);
        let previous = Some(report(true, vec![secret("a/six", 6), secret("a/eight", 8)]));
        let mut new = report(true, Vec::new());
        new.counts.insert("gitlab".into(), CredentialCounts { skipped: 1, ..CredentialCounts::default() });
        assert_eq!(places(&new.over(previous, now())), ["a/six"]);
    }

    #[test]
    fn addresses_accumulate_with_their_last_time() {
        let seen = |address: &str, days| located("7", LocationKind::Address, address, days);
        let known = (1..=6).map(|host| seen(&format!("192.0.2.{host}"), host)).chain([seen("192.0.2.200", 181)]);
        let report = report(true, vec![seen("192.0.2.6", 0)]).over(Some(report(true, known.collect())), now());
        assert_eq!(places(&report), ["192.0.2.6", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
        assert_eq!(report.located[0].location.last_seen, Some(now()));
        assert_eq!(report.cut, 0, "an older address is not counted as a loss");
    }

    #[test]
    fn places_are_limited_and_the_rest_is_counted() {
        let copies = (0..50).map(|copy| located("7", LocationKind::Secret, &format!("evil/{copy:02}"), 0));
        let others = (0..2500).map(|token| located(&format!("t{token:04}"), LocationKind::Secret, "ci/x", 0));
        let report = report(true, copies.chain(others).collect()).over(None, now());
        assert_eq!((report.located.len(), report.cut), (MAX_LOCATIONS, 550));
        let of_one = report.located.iter().filter(|located| located.id.as_deref() == Some("7")).count();
        assert_eq!(of_one, MAX_PLACES);
    }

    #[test]
    fn newest_entry_of_a_log_never_goes_back() {
        let newest = |days: i64| BTreeMap::from([("audit".to_owned(), now() - TimeDelta::days(days))]);
        let previous = LocationReport { newest: newest(1), ..LocationReport::default() };
        for (days, expected) in [(0, 0), (2, 1)] {
            let new = LocationReport { newest: newest(days), ..LocationReport::default() };
            assert_eq!(new.over(Some(previous.clone()), now()).newest, newest(expected));
        }
        assert_eq!(LocationReport::default().over(Some(previous), now()).newest, newest(1));
    }
}

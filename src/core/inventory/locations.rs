//! Joins locations with tokens by source and id: a source finds credentials, and they may be the tokens of any other.

use std::collections::BTreeMap;

use super::joined::{FoundResult, Joined};
use super::record::SourceState;
use super::{Inventory, Revision};
use crate::core::location::{Location, LocationKind, UnlistedCredential};
use crate::core::location_report::LocatedToken;

impl Inventory {
    /// Joins all locations again. Call it when a source's tokens or its report changed.
    pub(super) fn update_locations(&mut self) {
        let is_unused = |state: &SourceState| state.located.is_none() && state.joined == Joined::default();
        if self.sources.values().all(is_unused) {
            return;
        }
        let mut joined = self.join_locations();
        for (name, state) in &mut self.sources {
            let new = joined.remove(name).unwrap_or_default();
            if state.joined != new {
                state.source.found_credentials.clone_from(&new.counts);
                state.joined = new;
                self.changes += 1;
                state.revision = Revision { tokens: self.changes, status: self.changes };
            }
        }
    }

    fn join_locations(&self) -> BTreeMap<String, Joined> {
        let mut joined: BTreeMap<String, Joined> = BTreeMap::new();
        let finders: Vec<_> = self.sources.values().filter(|state| state.source.policy.finds_credentials).collect();
        let are_complete =
            finders.iter().all(|state| state.located.as_ref().is_some_and(|report| report.is_exhaustive()));
        for (name, state) in &self.sources {
            let counts = finders.iter().filter_map(|finder| finder.located.as_ref()?.counts.get(name.as_str()));
            let (rejected, skipped) =
                counts.fold((0, 0), |sum, counts| (sum.0 + counts.rejected, sum.1 + counts.skipped));
            let found = joined.entry(name.clone()).or_default();
            found.is_searched = !finders.is_empty() && are_complete && skipped == 0;
            if state.source.policy.identifies && !finders.is_empty() {
                found.counts = FoundResult::ALL.map(|result| (result, 0)).into();
                found.counts.extend([(FoundResult::Rejected, rejected), (FoundResult::Skipped, skipped)]);
            }
        }
        let mut unlisted: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, located, is_listed) in self.located_tokens() {
            let (Some(id), true) = (&located.id, is_listed) else {
                *unlisted.entry(&located.source).or_default() += u64::from(is_credential(located));
                continue;
            };
            if let Some(found) = joined.get_mut(&*located.source) {
                found.locations.entry(id.clone()).or_default().push(located.location.clone());
            }
            // A credential that is a token of two sources is one token, in the place of the other.
            if let (Some(own), Some(finder)) = (&located.own_id, joined.get_mut(name))
                && *name != *located.source
            {
                finder.merged.insert(own.clone());
            }
        }
        for (name, found) in &mut joined {
            for locations in found.locations.values_mut() {
                sort(locations);
            }
            if !found.counts.is_empty() {
                let are_credentials = |places: &&Vec<Location>| places.iter().any(Location::is_stable);
                let listed = found.locations.values().filter(are_credentials).count();
                found.counts.insert(FoundResult::Listed, listed as u64);
                let unlisted = unlisted.get(name.as_str()).copied().unwrap_or_default();
                found.counts.insert(FoundResult::Unlisted, unlisted);
            }
        }
        joined
    }

    /// Every located token with the source that found it, and whether it is listed.
    fn located_tokens(&self) -> impl Iterator<Item = (&str, &LocatedToken, bool)> {
        let reports = self.sources.iter().filter_map(|(name, state)| Some((name.as_str(), state.located.as_ref()?)));
        reports.flat_map(move |(name, report)| {
            report.located.iter().map(move |located| {
                let state = self.sources.get(&*located.source);
                (name, located, state.is_some_and(|state| state.lists(located.id.as_deref())))
            })
        })
    }

    /// Credentials in use that a source recognises, but that none of its listings lists; by the source that found them.
    pub fn unlisted_credentials(&self) -> impl Iterator<Item = UnlistedCredential<'_>> {
        let unlisted = self.located_tokens().filter(|(_, located, is_listed)| !is_listed && is_credential(located));
        unlisted.filter_map(|(found_by, located, _)| {
            let (source, state) = self.sources.get_key_value(&*located.source)?;
            Some(UnlistedCredential {
                source,
                provider: &state.source.policy.provider,
                token_id: located.id.as_deref(),
                found_by,
                location: &located.location,
            })
        })
    }
}

/// Whether it was found as a credential, and not only mentioned in a log: a token in a log may be revoked since.
fn is_credential(located: &LocatedToken) -> bool {
    located.location.kind != LocationKind::Address
}

fn sort(locations: &mut Vec<Location>) {
    let is_address = |location: &Location| location.kind == LocationKind::Address;
    locations.sort_by(|one, other| {
        let recent_first = other.last_seen.cmp(&one.last_seen);
        let order = if is_address(one) && is_address(other) { recent_first } else { one.cmp(other) };
        is_address(one).cmp(&is_address(other)).then(order)
    });
    locations.dedup();
}

impl SourceState {
    pub(super) fn lists(&self, id: Option<&str>) -> bool {
        id.is_some_and(|id| self.entries.binary_search_by(|entry| entry.id().cmp(id)).is_ok())
    }
}

//! Maps a row to locations: of a token of the source, or of the credentials that it contains.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::yield_now;

use super::context::CollectContext;
use super::pages::YIELD_EVERY;
use super::scope_cache::CachedScope;
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Intake;
use crate::core::location::{Location, LocationKind};
use crate::core::location_report::{FoundCredential, FoundToken};
use crate::core::outcome::{FoundInUse, MalformedRow};
use crate::core::secret::Secret;
use crate::core::time::TimeFormat;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Listing, LocationMap, LocationOf};
use crate::providers::language::value;

/// What rows are mapped with.
pub(super) struct LocationRows<'a> {
    pub(super) map: &'a LocationMap,
    pub(super) times: &'a TimeFormat,
    pub(super) variables: &'a Variables,
    pub(super) intake: &'a Intake,
    pub(super) now: DateTime<Utc>,
}

impl LocationRows<'_> {
    /// Adds the locations of a row. Returns its time, if it has one.
    ///
    /// # Errors
    /// A malformed row. It names the field, never its content.
    pub(super) fn add(
        &self,
        row: &Val,
        position: u64,
        to: &mut FoundInUse,
    ) -> Result<Option<DateTime<Utc>>, MalformedRow> {
        let malformed = |field| MalformedRow { position, id: None, field };
        let last_seen = match &self.map.last_seen {
            None => None,
            Some(expression) => {
                let time = self.value(expression, row).map_err(|()| malformed("last_seen"))?;
                let time =
                    self.times.timestamp(&value::to_json(&time), self.now).map_err(|()| malformed("last_seen"))?;
                Some(time.ok_or_else(|| malformed("last_seen"))?)
            }
        };
        let place = self.value(&self.map.place, row).map_err(|()| malformed("place"))?;
        let place = value::text(&place).filter(|place| !place.is_empty());
        let Some(place) = place else { return Ok(last_seen) };
        let location = || location(self.map.kind, &place, last_seen).ok_or_else(|| malformed("place"));
        match &self.map.of {
            LocationOf::Token(token) => {
                let id = self.value(token, row).map_err(|()| malformed("token"))?;
                if let Some(id) = value::text(&id).filter(|id| !id.is_empty()) {
                    let token = FoundToken::Id(id.into());
                    to.push(FoundCredential { token, location: location()?, group: Box::default(), own_id: None });
                }
            }
            LocationOf::Values { hidden: Some(hidden), .. } if hidden.truth(self.variables, row.clone()) => {
                to.hidden += 1;
            }
            LocationOf::Values { values, group, own, .. } => {
                let texts = self.texts(values, row).map_err(|()| malformed("values"))?;
                let text = |expression: &Option<Expression>| {
                    let value = expression.as_ref().and_then(|expression| self.value(expression, row).ok());
                    value.as_ref().and_then(value::text)
                };
                let found = texts.iter().flat_map(|text| self.intake.patterns().find(text));
                let (mut group, own_id) = (text(group), text(own));
                let group = group.get_or_insert_with(|| place.clone());
                for credential in found {
                    let secret = Secret::new(credential);
                    if secret.is_shown_by(&place) {
                        to.cut += 1;
                        continue;
                    }
                    let (group, own_id) = (group.as_str().into(), own_id.as_deref().map(Into::into));
                    to.push(FoundCredential { token: FoundToken::Value(secret), location: location()?, group, own_id });
                }
            }
        }
        Ok(last_seen)
    }

    fn value(&self, expression: &Expression, row: &Val) -> Result<Val, ()> {
        Ok(expression.first(self.variables, row.clone()).map_err(|_| ())?.unwrap_or_default())
    }

    /// A text, which may be empty, or the texts of a list. Binary data contains no credential that a definition describes.
    fn texts(&self, expression: &Expression, row: &Val) -> Result<Vec<String>, ()> {
        match self.value(expression, row)? {
            Val::Arr(list) => Ok(list.iter().filter_map(value::text).collect()),
            Val::Null => Ok(Vec::new()),
            one => value::scalar(&one).map(|text| vec![text]).ok_or(()),
        }
    }
}

/// `None` if the place is empty, or must be an IP address and is not.
fn location(kind: LocationKind, place: &str, last_seen: Option<DateTime<Utc>>) -> Option<Location> {
    let is_valid = kind != LocationKind::Address || place.trim().parse::<IpAddr>().is_ok();
    is_valid.then(|| Location::new(kind, place, last_seen))?
}

/// Entries of a log may arrive this late.
const LOG_OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// Maps rows to locations. Whether they are entries of a log that were read before.
///
/// # Errors
/// Reason `credential`, if the definition would publish the credential.
pub(super) async fn map_locations(
    context: &CollectContext<'_>,
    listing: &Listing,
    rows: &LocationRows<'_>,
    items: Vec<(u64, Val)>,
    scope: &mut CachedScope,
) -> Result<bool, Failure> {
    let known = context.intake.newest(&listing.name).map(|at| at - LOG_OVERLAP);
    let back = rows.map.log.and_then(|back| rows.now.checked_sub_signed(TimeDelta::from_std(back).ok()?));
    let until = back.filter(|_| rows.map.log.is_some()).map(|back| known.map_or(back, |known| known.max(back)));
    // Entries may be a little out of order: only a page without any new one is older than all others.
    let (mut has_entries, mut has_new_entry) = (false, false);
    for (number, (position, row)) in items.into_iter().enumerate() {
        let first = scope.found.credentials.len();
        match rows.add(&row, position, &mut scope.found) {
            Ok(seen) => {
                if let (Some(seen), Some(until)) = (seen, until) {
                    has_entries = true;
                    has_new_entry |= seen > until;
                    let newest = scope.found.newest.entry(listing.name.clone()).or_insert(seen);
                    *newest = seen.max(*newest);
                }
            }
            Err(malformed) => scope.malformed.push(malformed),
        }
        let shown = scope.found.credentials.iter().skip(first).find(|found| {
            let id = match &found.token {
                FoundToken::Id(id) => id,
                FoundToken::Value(_) => "",
            };
            [found.location.place(), id].into_iter().any(|text| context.session.secrets.are_shown_by(text))
        });
        if shown.is_some() {
            let what = format!("`location` of row {position} shows the credential; correct the definition");
            return Err(Failure::new(Reason::Credential, what));
        }
        if number % YIELD_EVERY == YIELD_EVERY - 1 {
            yield_now().await;
        }
    }
    Ok(has_entries && !has_new_entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_of_an_address_is_an_ip_address() {
        for (place, expected) in [
            ("203.0.113.7", true),
            (" 2001:db8::1 ", true),
            ("unknown", false),
            ("203.0.113.7:443", false),
            ("", false),
        ] {
            assert_eq!(location(LocationKind::Address, place, None).is_some(), expected, "{place}");
        }
        assert!(location(LocationKind::Variable, "unknown", None).is_some());
    }
}

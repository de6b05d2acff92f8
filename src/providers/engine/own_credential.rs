//! When the credential that the exporter itself uses ends.

use super::context::CollectContext;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome;
use crate::core::token::Expiry;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{Listing, OwnCredential};
use crate::providers::language::value;

impl CollectContext<'_> {
    /// Asks for the own credential's end, where the provider can be asked.
    ///
    /// # Errors
    /// Where there is no answer, or none that the definition can read.
    pub(super) async fn ask_own(&self) -> Result<outcome::CredentialExpiry, Failure> {
        let Some(OwnCredential::Request { request, expires_at, .. }) = self.own else {
            return Ok(outcome::CredentialExpiry::NotReported);
        };
        let Some(page) = self.answer(request, self.names()).await? else {
            return Ok(outcome::CredentialExpiry::NotReported);
        };
        let end = expires_at
            .first(&page.variables, page.body)
            .map_err(|_| Failure::new(Reason::Mapping, "when the own credential ends cannot be read in the answer"))?;
        let end = value::to_json(&end.unwrap_or_default());
        Ok(outcome::CredentialExpiry::Reported(request.times.expiry(&end, self.instant())))
    }

    /// Whether what a listing lists could be the own credential.
    pub(super) fn is_own(&self, listing: &Listing, variables: &Variables, row: &Val) -> bool {
        let Some(OwnCredential::Listing { listing: name, is, hint, .. }) = self.own else { return false };
        if *name != listing.name || is.as_ref().is_some_and(|is| !is.truth(variables, row.clone())) {
            return false;
        }
        let Some(hint) = hint else { return true };
        let Ok(hints) = hint.run(variables, row.clone()) else { return false };
        let hints: Vec<Option<String>> = hints.iter().map(value::text).collect();
        match &hints[..] {
            [Some(beginning)] => self.session.is_like(beginning, ""),
            [Some(beginning), Some(end)] => self.session.is_like(beginning, end),
            _ => false,
        }
    }
}

/// The end to fear, of those that could be the own credential's: the soonest.
pub(super) fn soonest(ends: &[Expiry]) -> outcome::CredentialExpiry {
    let order = |end: &Expiry| match end.timestamp() {
        Some(at) => (0, Some(at)),
        None if *end == Expiry::Unknown => (1, None),
        None => (2, None),
    };
    ends.iter()
        .copied()
        .min_by_key(order)
        .map_or(outcome::CredentialExpiry::NotReported, outcome::CredentialExpiry::Reported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_end_counts_and_never_only_where_there_is_no_other() {
        let at = |seconds| Expiry::At(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds));
        assert_eq!(soonest(&[]), outcome::CredentialExpiry::NotReported);
        assert_eq!(
            soonest(&[Expiry::Never, at(9), at(5), Expiry::Unknown]),
            outcome::CredentialExpiry::Reported(at(5))
        );
        assert_eq!(soonest(&[Expiry::Never, Expiry::Unknown]), outcome::CredentialExpiry::Reported(Expiry::Unknown));
        assert_eq!(soonest(&[Expiry::Never]), outcome::CredentialExpiry::Reported(Expiry::Never));
    }
}

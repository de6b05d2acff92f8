//! What the log says of a collection: each gap once, odd rows by their position, and no more of either than a person reads.

use crate::core::outcome::Outcome;

/// The most lines of a kind in one collection.
const MOST: usize = 20;

/// Tells what a collection of a source could not have.
pub(super) fn tell(source: &str, outcome: &Outcome) {
    gaps(source, outcome);
    odd_rows(source, outcome);
    for failure in outcome.failures.iter().take(MOST) {
        let says = failure.says.as_deref();
        tracing::warn!(source, reason = failure.reason.label(), what = failure.what, says, "failed beside the listings");
    }
    if outcome.unread_fields > 0 {
        tracing::debug!(source, fields = outcome.unread_fields, "fields that could not be read were left out");
    }
}

fn gaps(source: &str, outcome: &Outcome) {
    let all = outcome.listings.iter().flat_map(|listed| listed.gaps.iter().map(move |gap| (&listed.name, gap)));
    for (listing, gap) in all.clone().take(MOST) {
        tracing::warn!(
            source,
            listing,
            scope = gap.scope,
            reason = gap.failure.reason.label(),
            what = gap.failure.what,
            says = gap.failure.says.as_deref(),
            needs = gap.needs.as_deref(),
            "not listed"
        );
    }
    let more = all.count().saturating_sub(MOST);
    if more > 0 {
        tracing::warn!(source, more, "further scopes could not be listed");
    }
}

fn odd_rows(source: &str, outcome: &Outcome) {
    let scopes = outcome.listings.iter().flat_map(|listed| listed.scopes.iter().map(move |scope| (&listed.name, scope)));
    let all = scopes.flat_map(|(listing, scope)| scope.odd.iter().map(move |odd| (listing, odd)));
    for (listing, odd) in all.clone().take(MOST) {
        tracing::warn!(
            source,
            listing,
            row = odd.position,
            id = odd.id.as_deref(),
            field = odd.field,
            "a row cannot be read, and does not count"
        );
    }
    let more = all.count().saturating_sub(MOST);
    if more > 0 {
        tracing::warn!(source, more, "further rows cannot be read");
    }
}

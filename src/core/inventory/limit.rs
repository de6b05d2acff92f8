//! The `token_limit` of a source.

use chrono::{DateTime, Utc};

use super::entries::Entries;
use super::entry::Entry;
use super::source::Policy;
use crate::core::token::Expiry;

/// Drops tokens over the limit and returns their number. Keeps those that expire soonest, then those with an unknown expiry,
/// then those that never expire, and last those that are past their retention. Does not change the order.
pub(super) fn enforce(entries: &mut Entries, policy: &Policy, now: DateTime<Utc>) -> u64 {
    let excess = entries.len().saturating_sub(policy.token_limit);
    if excess == 0 {
        return 0;
    }
    let rank = |entry: &Entry| match entry.expires() {
        Expiry::At(at) => {
            let is_over = at.checked_add_signed(policy.expired_retention).is_some_and(|over| over <= now);
            (if is_over { 3 } else { 0 }, at)
        }
        // A token that is due for rotation still works.
        Expiry::Policy(at) => (0, at),
        Expiry::Unknown => (1, now),
        Expiry::Never => (2, now),
    };
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // Entries are ordered by id; among equals the position decides, so that every collection keeps the same ones.
    let by_rank = |a: &usize, b: &usize| rank(&entries[*a]).cmp(&rank(&entries[*b])).then(a.cmp(b));
    if policy.token_limit > 0 {
        order.select_nth_unstable_by(policy.token_limit - 1, by_rank);
    }
    let mut kept = vec![false; entries.len()];
    for position in &order[..policy.token_limit] {
        kept[*position] = true;
    }
    let mut kept = kept.into_iter();
    entries.retain(|_| kept.next().unwrap_or_default());
    excess as u64
}

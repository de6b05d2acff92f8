//! Which tokens are kept of a source that has more than its limit.

use chrono::{DateTime, Utc};

use super::entry::Entry;
use super::source::Policy;
use crate::core::token::Expiry;

/// Keeps the soonest to end, then those whose end is unknown, then those that never end, and last those that ended so long
/// ago that nobody is told of them. Says how many were left out. The order of the entries stays.
pub(super) fn keep(entries: &mut Vec<Entry>, policy: &Policy, now: DateTime<Utc>) -> u64 {
    let excess = entries.len().saturating_sub(policy.token_limit);
    if excess == 0 {
        return 0;
    }
    let rank = |entry: &Entry| match entry.expires() {
        Expiry::At(end) | Expiry::Policy(end) => {
            let over = end.checked_add_signed(policy.expired_retention).is_some_and(|over| over <= now);
            (if over { 3 } else { 0 }, end)
        }
        Expiry::Unknown => (1, now),
        Expiry::Never => (2, now),
    };
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // Entries stand in the order of their ids, so among equals the place decides, and the same ones are kept each time.
    let by_rank = |a: &usize, b: &usize| rank(&entries[*a]).cmp(&rank(&entries[*b])).then(a.cmp(b));
    if policy.token_limit > 0 {
        order.select_nth_unstable_by(policy.token_limit - 1, by_rank);
    }
    let mut kept = vec![false; entries.len()];
    for place in &order[..policy.token_limit] {
        kept[*place] = true;
    }
    let mut kept = kept.into_iter();
    entries.retain(|_| kept.next().unwrap_or_default());
    excess as u64
}

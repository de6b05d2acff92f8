//! Scopes that are collected less often, for listings that cost one request per token (`recheck`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use super::hint::Hint;
use super::same_token::SameToken;
use crate::core::cache_ttl::refresh_at;
use crate::core::intake::Tokens;
use crate::core::outcome::{FoundInUse, ListingResult, MalformedRow, Path, RowCounts};
use crate::core::token::Expiry;

/// A complete scope.
#[derive(Clone, Debug, Default)]
pub(super) struct CachedScope {
    pub(super) tokens: Tokens,
    pub(super) malformed: Vec<MalformedRow>,
    /// The expiries of those tokens that could be the exporter's own credential.
    pub(super) own_expiries: Vec<Expiry>,
    /// The parts of its tokens that the listing shows.
    pub(super) hints: Vec<Hint>,
    /// Which of its tokens are the same credential as another one.
    pub(super) same: Vec<SameToken>,
    /// Shared by scopes with equal counts: most scopes of a listing with one request per token have one row.
    pub(super) rows: Arc<RowCounts>,
    /// Of a listing of locations, which is not cached.
    pub(super) found: FoundInUse,
}

struct CacheEntry {
    scope: CachedScope,
    /// Start of validity. A `now` before this means that the clock was set back; then `until` could be years away.
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// The cached scopes of one listing.
#[derive(Default)]
pub(super) struct ScopeCache(Mutex<CachedScopes>);

#[derive(Default)]
struct CachedScopes {
    entries: HashMap<Path, CacheEntry>,
    /// The counts of the last scope that had others than the one before.
    rows: Arc<RowCounts>,
}

impl ScopeCache {
    pub(super) fn get(&self, scope: &Path, now: DateTime<Utc>) -> Option<CachedScope> {
        let is_valid = |entry: &&CacheEntry| (entry.from..entry.until).contains(&now);
        self.0.lock().entries.get(scope).filter(is_valid).map(|entry| entry.scope.clone())
    }

    /// Caches a scope for `recheck`, or until half of the time to its first expiry is over. One with malformed rows is
    /// collected every time.
    pub(super) fn insert(&self, path: &Path, scope: &CachedScope, now: DateTime<Utc>, recheck: Duration) {
        if !scope.malformed.is_empty() {
            self.0.lock().entries.remove(path);
            return;
        }
        let recheck = TimeDelta::from_std(recheck).unwrap_or(TimeDelta::MAX);
        let expiries = scope.tokens.iter().map(|token| token.expires).chain([Expiry::Never]);
        let until = expiries.map(|expires| refresh_at(now, expires, recheck)).min().unwrap_or(now);
        let mut scope = scope.clone();
        let CachedScopes { entries, rows } = &mut *self.0.lock();
        if *rows != scope.rows {
            rows.clone_from(&scope.rows);
        }
        scope.rows.clone_from(rows);
        entries.insert(path.clone(), CacheEntry { scope, from: now, until });
    }

    /// Removes the scopes that this result no longer has, and no gap of it covers.
    pub(super) fn retain(&self, listed: &ListingResult) {
        let scopes: HashSet<&Path> = listed.scopes.iter().map(|scope| &scope.path).collect();
        let is_listed = |path: &Path| scopes.contains(path) || listed.gaps.iter().any(|gap| gap.path.covers(path));
        self.0.lock().entries.retain(|path, _| is_listed(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_with_equal_counts_share_them() {
        let cache = ScopeCache::default();
        let now = DateTime::UNIX_EPOCH;
        let hour = Duration::from_secs(3600);
        let paths = ["a", "b", "c", "d"].map(|step| Path::root().join(step));
        for (path, read) in paths.iter().zip([1, 1, 2, 2]) {
            let rows = Arc::new(RowCounts { read, ..RowCounts::default() });
            cache.insert(path, &CachedScope { rows, ..CachedScope::default() }, now, hour);
        }
        let found: Vec<_> = paths.iter().filter_map(|path| cache.get(path, now)).map(|scope| scope.rows).collect();
        assert_eq!(found.iter().map(|rows| rows.read).collect::<Vec<_>>(), [1, 1, 2, 2]);
        assert!(Arc::ptr_eq(&found[0], &found[1]) && Arc::ptr_eq(&found[2], &found[3]));
    }

    #[test]
    fn scope_is_cached_for_recheck_and_not_after_the_clock_was_set_back() {
        let cache = ScopeCache::default();
        let inserted = DateTime::UNIX_EPOCH + TimeDelta::days(40_000);
        cache.insert(&Path::root(), &CachedScope::default(), inserted, Duration::from_secs(24 * 3600));
        for (hours, is_cached) in [(0, true), (23, true), (24, false), (-1, false), (-90_000, false)] {
            let now = inserted + TimeDelta::hours(hours);
            assert_eq!(cache.get(&Path::root(), now).is_some(), is_cached, "{hours} h later");
        }
    }
}

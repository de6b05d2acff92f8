//! Answers that are used again, for listings that cost a request for each token.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, MutexGuard};

use crate::core::cache_ttl::refresh_at;
use crate::core::outcome::{ListingResult, MalformedRow, Path};
use crate::core::token::{Expiry, Token};

/// A scope's complete answer.
#[derive(Clone, Debug, Default)]
pub(super) struct CachedScope {
    pub(super) tokens: Vec<Token>,
    pub(super) odd: Vec<MalformedRow>,
    /// The ends of those that could be the own credential.
    pub(super) own: Vec<Expiry>,
}

/// An answer, and when it may be used.
struct CacheEntry {
    answer: CachedScope,
    /// Not before it was had: then the clock was set back, and `until` may be years away.
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A listing's answers by their scope.
#[derive(Default)]
pub(super) struct ScopeCache(Mutex<HashMap<Path, CacheEntry>>);

impl ScopeCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Path, CacheEntry>> {
        self.0.lock()
    }

    /// An answer that need not be asked for again yet.
    pub(super) fn get(&self, scope: &Path, now: DateTime<Utc>) -> Option<CachedScope> {
        let holds = |kept: &&CacheEntry| (kept.from..kept.until).contains(&now);
        self.lock().get(scope).filter(holds).map(|kept| kept.answer.clone())
    }

    /// Keeps an answer until it is time to ask again. One with odd rows is asked for each time.
    pub(super) fn keep(&self, scope: &Path, answer: &CachedScope, now: DateTime<Utc>, recheck: Duration) {
        if !answer.odd.is_empty() {
            self.lock().remove(scope);
            return;
        }
        let recheck = TimeDelta::from_std(recheck).unwrap_or(TimeDelta::MAX);
        let ends = answer.tokens.iter().map(|token| token.expires).chain([Expiry::Never]);
        let until = ends.map(|end| refresh_at(now, end, recheck)).min().unwrap_or(now);
        self.lock().insert(scope.clone(), CacheEntry { answer: answer.clone(), from: now, until });
    }

    /// Drops the answers of scopes that are no more.
    pub(super) fn retain(&self, listed: &ListingResult) {
        let scopes: HashSet<&Path> = listed.scopes.iter().map(|scope| &scope.path).collect();
        let is_there = |path: &Path| scopes.contains(path) || listed.gaps.iter().any(|gap| gap.path.covers(path));
        self.lock().retain(|path, _| is_there(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_used_again_for_its_time_and_not_after_the_clock_was_set_back() {
        let answers = ScopeCache::default();
        let had = DateTime::UNIX_EPOCH + TimeDelta::days(40_000);
        answers.keep(&Path::root(), &CachedScope::default(), had, Duration::from_secs(24 * 3600));
        for (hours, is_used) in [(0, true), (23, true), (24, false), (-1, false), (-90_000, false)] {
            let now = had + TimeDelta::hours(hours);
            assert_eq!(answers.get(&Path::root(), now).is_some(), is_used, "{hours} h later");
        }
    }
}

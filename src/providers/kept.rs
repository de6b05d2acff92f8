//! Answers that are used again, for listings that cost a request for each token.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::outcome::{Listed, OddRow, Path};
use crate::core::recheck::again_at;
use crate::core::token::{Expiry, Token};

/// A scope's complete answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) tokens: Vec<Token>,
    pub(super) odd: Vec<OddRow>,
    /// The ends of those that could be the own credential.
    pub(super) own: Vec<Expiry>,
}

/// A listing's answers by their scope.
#[derive(Default)]
pub(super) struct Answers(Mutex<HashMap<Path, (Answer, DateTime<Utc>)>>);

impl Answers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Path, (Answer, DateTime<Utc>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that need not be asked for again yet.
    pub(super) fn get(&self, scope: &Path, now: DateTime<Utc>) -> Option<Answer> {
        self.lock().get(scope).filter(|(_, again)| now < *again).map(|(answer, _)| answer.clone())
    }

    /// Keeps an answer until it is time to ask again. One with odd rows is asked for each time.
    pub(super) fn keep(&self, scope: &Path, answer: &Answer, now: DateTime<Utc>, recheck: Duration) {
        if !answer.odd.is_empty() {
            self.lock().remove(scope);
            return;
        }
        let recheck = TimeDelta::from_std(recheck).unwrap_or(TimeDelta::MAX);
        let ends = answer.tokens.iter().map(|token| token.expires).chain([Expiry::Never]);
        let again = ends.map(|end| again_at(now, end, recheck)).min().unwrap_or(now);
        self.lock().insert(scope.clone(), (answer.clone(), again));
    }

    /// Drops the answers of scopes that are no more.
    pub(super) fn retain(&self, listed: &Listed) {
        let scopes: HashSet<&Path> = listed.scopes.iter().map(|scope| &scope.path).collect();
        let is_there = |path: &Path| scopes.contains(path) || listed.gaps.iter().any(|gap| gap.path.covers(path));
        self.lock().retain(|path, _| is_there(path));
    }
}

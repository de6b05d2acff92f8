//! What a replica knows of its fleet.

use std::time::Duration;

use super::Times;
use super::entry::Entry;
use super::members::{self, Members};
use super::observer::Observer;
use super::seen::Lost;

#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) times: Times,
    pub(super) observer: Observer,
    pub(super) members: Members,
    /// When this process last put its member.
    pub(super) beat: Option<Duration>,
    /// Whether everything that the first look found was read.
    pub(super) is_complete: bool,
}

impl Fleet {
    pub(super) fn new(times: Times) -> Self {
        Self { observer: Observer::new(times.poll), members: Members::default(), beat: None, is_complete: false, times }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.observer.has_looked() && self.observer.failing_for() >= self.times.ttl
    }

    /// While the store is lost: since when, and what others may have done before.
    pub(super) fn lost(&self) -> Option<Lost> {
        let since = self.observer.failing_since().filter(|_| self.is_lost())?;
        let dead_at = self.beat.map_or(Duration::ZERO, |beat| beat + self.times.ttl);
        Some(Lost { since, dead_at, fallback: self.times.fallback })
    }

    /// The observed time. While the store is lost, that of the last look: all replicas then had the same view, and nobody seems dead
    /// because nothing can be seen.
    pub(super) fn observed(&self, now: Duration) -> Duration {
        if self.is_lost() { self.observer.last() } else { self.observer.time(now) }
    }

    pub(super) fn prefers(&self, me: &str, entry: &Entry, observed: Duration) -> bool {
        let failed = entry.turn().map_or(0, |turn| turn.failed_collections);
        let mut others = self.members.alive(self.times.ttl, observed).peekable();
        if entry.awaits_repair && others.peek().is_some() {
            return false;
        }
        let replicas = others.chain([me]);
        members::preferred(replicas, &entry.plan.name, failed) == Some(me)
    }
}

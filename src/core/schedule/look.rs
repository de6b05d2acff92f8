//! Looks at the store: what was listed and read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::entry::{Activity, Entry, Read};
use super::fleet::Fleet;
use super::members::Sighted;
use super::seen::Content;
use super::version::Version;
use super::{Schedule, UNKNOWN_RETENTION};

/// A member that has not changed for this many TTLs is deleted.
const DEAD_MEMBER_TTLS: u32 = 10;

/// What to do after a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The sources whose state must be read; report each by [`Schedule::read`] or [`Schedule::read_failed`].
    pub read: Vec<String>,
    /// Members to delete.
    pub dead: Vec<String>,
    /// Sources in the store that are not configured here and unwritten for a long time: candidates to delete.
    pub abandoned: Vec<String>,
}

impl Schedule {
    /// Whether the member of this process must be put, at the next look.
    pub fn is_beat_due(&self, now: Duration) -> bool {
        let due = |fleet: &Fleet| fleet.beat.is_none_or(|beat| now.saturating_sub(beat) >= fleet.times.ttl / 3);
        !self.is_stopping && self.fleet.as_ref().is_some_and(due)
    }

    /// The member was put at this time.
    pub fn beat(&mut self, now: Duration) {
        if let Some(fleet) = &mut self.fleet {
            fleet.beat = Some(now);
        }
    }

    /// A look that began at `started` could not list the store.
    pub fn look_failed(&mut self, started: Duration, now: Duration) {
        if let Some(fleet) = &mut self.fleet {
            fleet.observer.failed(started, now);
        }
    }

    /// A look that began at `started` listed the store.
    pub fn looked(&mut self, members: &[Sighted], sources: &[Sighted], started: Duration) -> Look {
        let Some(fleet) = &mut self.fleet else { return Look::default() };
        let ends_outage = fleet.observer.looked(started);
        let observed = fleet.observer.time(started);
        fleet.members.listed(&self.replica, members.iter(), observed);
        if ends_outage {
            fleet.members.excuse(observed);
            self.entries.values_mut().for_each(|entry| entry.excuse(observed));
        }
        let mut look = Look::default();
        let dead = fleet.members.unchanged(DEAD_MEMBER_TTLS * fleet.times.ttl, observed);
        look.dead.extend(dead.map(str::to_owned));
        let mut missing: BTreeSet<&str> = self.entries.keys().map(String::as_str).collect();
        let mut read = Vec::new();
        for sighted in sources {
            missing.remove(sighted.name.as_str());
            match self.entries.get(&sighted.name) {
                Some(entry) if entry.must_read(sighted, started) => read.push(sighted),
                Some(_) => {}
                None if sighted.age.is_some_and(|age| age >= UNKNOWN_RETENTION) => {
                    look.abandoned.push(sighted.name.clone());
                }
                None => {}
            }
        }
        let missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
        for name in missing {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.not_listed(started);
            }
        }
        for entry in self.entries.values_mut() {
            entry.is_stale = false;
        }
        for sighted in read {
            if let Some(entry) = self.entries.get_mut(&sighted.name) {
                entry.reading(sighted.clone(), started, observed);
                look.read.push(sighted.name.clone());
            }
        }
        self.check_complete();
        look
    }

    /// When the next look begins, after this one. `jitter` is from 0 to 1.
    pub fn look_after(&self, has_failed: bool, jitter: f64) -> Duration {
        let poll = self.fleet.as_ref().map_or(Duration::MAX, |fleet| fleet.times.poll);
        // Replicas must see each other again soon after an outage.
        if has_failed { poll / 4 } else { poll.mul_f64(0.9 + 0.2 * jitter) }
    }

    /// The state of a source was read, with its tokens. Whether they replace those that this process serves.
    pub fn read(&mut self, source: &str, version: Version, content: Content, now: Duration) -> bool {
        let Some(entry) = self.entries.get_mut(source) else { return false };
        let observed = self.fleet.as_ref().map_or(Duration::ZERO, |fleet| fleet.observer.time(now));
        let is_readable = matches!(content, Content::Turn(_));
        let read = entry.read(&self.replica, version, content, now, observed);
        self.counts.unreadable += u64::from(!is_readable && read != Read::Known);
        self.counts.fenced += u64::from(read == Read::Fenced);
        self.check_complete();
        is_readable && read != Read::Known
    }

    /// The state of a source could not be read; the next look tries it again.
    pub fn read_failed(&mut self, source: &str) {
        if let Some(entry) = self.entries.get_mut(source)
            && entry.activity == Activity::Reading
        {
            entry.activity = Activity::Idle;
            entry.is_stale = true;
        }
    }

    fn check_complete(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        if fleet.observer.has_looked() && self.entries.values().all(Entry::was_read) {
            fleet.is_complete = true;
        }
    }
}

//! When to collect which source, and whether this process or another replica does it: pure decisions without I/O and clock. The
//! collector carries them out.
//!
//! [`Schedule`] receives what happened (a look at the store, an object that was read, the end of a collection) and says what to do
//! next. Times are durations since the start of the process, from a clock that is never set back.
//!
//! Without a store, a source is due a while after its last collection. With one, the same holds for the last collection by any
//! replica, and a collection begins with a claim. **Who may write is decided by the conditional put alone. Members, hash and clocks
//! only decide who tries first:** a wrong hint costs time, never correctness.

pub mod delay;
mod entry;
mod members;
mod observer;
mod plan;
#[cfg(test)]
mod tests;
mod turn;
pub mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use entry::Content;
use entry::{Activity, Entry, Pending, Read};
use members::Members;
pub use members::Sighted;
use observer::Observer;
pub use plan::Plan;
pub use turn::{Claim, Completed, Turn};
use version::Version;

/// How long the state of a source that no replica knows is kept, by the store's clock.
pub const UNKNOWN_RETENTION: Duration = Duration::from_hours(7 * 24);

/// A member that has not changed for this many TTLs is deleted.
const DEAD_MEMBER_TTLS: u32 = 10;

/// The times of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Between two looks at the store; a tenth more or less.
    pub poll: Duration,
    /// Of members and claims. Both are renewed three times as often.
    pub ttl: Duration,
    /// After this time a source that is due is collected by any replica, although another one is preferred.
    pub fallback: Duration,
    /// Whether nothing is collected while the store is lost.
    pub hold_when_lost: bool,
}

impl Times {
    /// A replica that has failed is replaced after 5.5 polls.
    pub fn new(poll: Duration, hold_when_lost: bool) -> Self {
        Self { poll, ttl: poll * 9 / 2, fallback: 3 * poll, hold_when_lost }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new(Duration::from_secs(10), false)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Collect the source. With a claim, put it first, and collect only if that succeeds. Report the end by [`Schedule::finish`].
    Collect { source: String, over: Option<Turn>, claim: Option<Put> },
    /// Put the result of a collection that is complete, and report it by [`Schedule::finish`].
    Publish { source: String, put: Put },
}

/// A conditional put of the state of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The version that it replaces; `None`: there is no object.
    pub over: Option<Version>,
    pub turn: Turn,
}

/// How a collection or a put ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The store has the result, or the released claim.
    Published { turn: Turn, version: Version },
    /// The result is known here only: there is no store, or the put has no response. It is put once the store is available, over the
    /// claim, or over the last known version if there was no claim.
    Kept { turn: Turn, claim: Option<Version> },
    /// Another replica has the claim. Nothing was requested.
    ClaimLost,
    /// A put after the claim was refused: another replica has taken over. The result, if there is one, is discarded.
    Fenced,
    /// It was stopped without a result, or the claim has no response.
    Stopped,
}

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

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub claims_lost: u64,
    pub fenced: u64,
    pub unreadable: u64,
}

/// The schedule of all sources.
#[derive(Debug)]
pub struct Schedule {
    /// The name of this process among its replicas.
    replica: String,
    fleet: Option<Fleet>,
    entries: BTreeMap<String, Entry>,
    counts: Counts,
    is_stopping: bool,
}

#[derive(Debug)]
struct Fleet {
    times: Times,
    observer: Observer,
    members: Members,
    /// When this process last put its member.
    beat: Option<Duration>,
    /// Whether everything that the first look found was read.
    is_complete: bool,
}

impl Schedule {
    /// Without a store.
    pub fn alone() -> Self {
        Self {
            replica: String::new(),
            fleet: None,
            entries: BTreeMap::new(),
            counts: Counts::default(),
            is_stopping: false,
        }
    }

    /// With a store, under a name that no other process has.
    pub fn shared(replica: String, times: Times) -> Self {
        let fleet = Fleet {
            observer: Observer::new(times.poll),
            members: Members::default(),
            beat: None,
            is_complete: false,
            times,
        };
        Self { replica, fleet: Some(fleet), ..Self::alone() }
    }

    /// Applies a configuration. `first_delay` spreads the collections of new sources. Returns the sources that are collecting with
    /// settings that no longer hold, or are not configured: their collections must be stopped and reported as usual.
    pub fn configure(
        &mut self,
        plans: Vec<Plan>,
        now: Duration,
        mut first_delay: impl FnMut(&Plan) -> Duration,
    ) -> Vec<String> {
        let mut previous = std::mem::take(&mut self.entries);
        let mut stopped = Vec::new();
        for plan in plans {
            let known = previous.remove(&plan.name);
            let entry = match known {
                Some(entry) if entry.plan == plan => entry,
                known => {
                    let is_collecting = known.as_ref().is_some_and(|known| known.activity == Activity::Collecting);
                    stopped.extend(is_collecting.then(|| plan.name.clone()));
                    let first_due = now + first_delay(&plan);
                    match known {
                        // What the store has is still true. Without a store, the source is collected soon.
                        Some(known) if self.fleet.is_some() => known.reconfigured(plan.clone(), first_due),
                        _ => Entry::new(plan.clone(), first_due),
                    }
                }
            };
            self.entries.insert(plan.name, entry);
        }
        let is_collecting = |(_, entry): &(String, Entry)| entry.activity == Activity::Collecting;
        stopped.extend(previous.into_iter().filter(is_collecting).map(|(name, _)| name));
        stopped
    }

    /// Nothing is begun from now on.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

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

    /// A look could not list the store.
    pub fn look_failed(&mut self, now: Duration) {
        if let Some(fleet) = &mut self.fleet {
            fleet.observer.failed(now);
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

    /// What to do now. `random` yields nonces.
    pub fn next(&mut self, now: Duration, mut random: impl FnMut() -> u64) -> Vec<Action> {
        if self.is_stopping {
            return Vec::new();
        }
        let Some(fleet) = &self.fleet else {
            let due = self.entries.iter_mut().filter(|(_, entry)| entry.is_idle() && entry.due_alone() <= now);
            return due.map(|(name, entry)| entry.collect(name, None)).collect();
        };
        let is_lost = fleet.is_lost();
        if is_lost && fleet.times.hold_when_lost || !is_lost && !fleet.observer.is_fresh(now) {
            return Vec::new();
        }
        let observed = fleet.observer.time(now);
        let mut actions = Vec::new();
        for (name, entry) in &mut self.entries {
            // While the store is lost, what it has does not matter.
            if !entry.is_idle() || entry.is_stale && !is_lost {
                continue;
            }
            if let Some(put) = entry.pending_put(now).filter(|_| !is_lost) {
                entry.activity = Activity::Collecting;
                actions.push(Action::Publish { source: name.clone(), put });
                continue;
            }
            if !entry.is_due(&self.replica, fleet.times.ttl, (now, observed), is_lost) {
                entry.due_since = None;
                continue;
            }
            // After an outage, the preferred replica first publishes what it has collected.
            let due_since = *entry.due_since.get_or_insert(observed);
            let is_overdue = !is_lost && observed.saturating_sub(due_since) >= fleet.times.fallback;
            if is_lost {
                entry.due_since = None;
            }
            if is_overdue || fleet.prefers(&self.replica, entry, observed) {
                let claim = (!is_lost).then(|| entry.claim(&self.replica, random()));
                actions.push(entry.collect(name, claim));
            }
        }
        actions
    }

    /// A put was refused because of this object. Whether this process has written it, by an earlier put without a response: then the
    /// put is repeated over it.
    pub fn is_own(&mut self, source: &str, turn: &Turn, version: &Version) -> bool {
        let is_own = turn.writer == self.replica;
        if let Some(entry) = self.entries.get_mut(source).filter(|_| is_own) {
            entry.found_own(turn, version.clone());
        }
        is_own
    }

    /// When [`Self::next`] may have something to do, if nothing happens before; only without a store.
    pub fn wake_at(&self) -> Option<Duration> {
        self.entries.values().filter(|entry| entry.is_idle()).map(Entry::due_alone).min()
    }

    /// The end of a collection or a put.
    pub fn finish(&mut self, source: &str, finish: Finish, now: Duration) {
        match finish {
            Finish::ClaimLost => self.counts.claims_lost += 1,
            Finish::Fenced => self.counts.fenced += 1,
            Finish::Published { .. } | Finish::Kept { .. } | Finish::Stopped => {}
        }
        let observed = self.fleet.as_ref().map_or(Duration::ZERO, |fleet| fleet.observer.time(now));
        let is_shared = self.fleet.is_some();
        // A source that was configured again without a store has a new entry.
        let entry = self.entries.get_mut(source).filter(|entry| entry.activity == Activity::Collecting);
        let Some(entry) = entry else { return };
        entry.activity = Activity::Idle;
        entry.changed_at = now;
        entry.due_since = None;
        // Until the next look, what the store has is unknown.
        entry.is_stale = is_shared && !matches!(finish, Finish::Published { .. });
        match finish {
            Finish::Published { turn, version } => {
                entry.pending = None;
                entry.put(turn, Some(version), now, observed);
            }
            Finish::Kept { turn, claim } => {
                let over = claim.or_else(|| entry.version().cloned());
                entry.pending = is_shared.then(|| Pending { turn: turn.clone(), over: over.clone(), since: now });
                entry.put(turn, over, now, observed);
            }
            // A bug: without a store, nothing else stops a collection that goes on to be due.
            Finish::Stopped if !is_shared => entry.put_off(now),
            Finish::ClaimLost | Finish::Fenced | Finish::Stopped => {}
        }
    }

    /// Whether looks have failed for a TTL: sources are collected by the last view of the store.
    pub fn is_lost(&self) -> bool {
        self.fleet.as_ref().is_some_and(Fleet::is_lost)
    }

    /// Whether the last look failed. Until then a claim that was not renewed in time has been taken over; afterwards nobody can.
    pub fn is_failing(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| fleet.observer.is_failing())
    }

    /// The times of the protocol, if there is a store.
    pub fn times(&self) -> Option<Times> {
        self.fleet.as_ref().map(|fleet| fleet.times)
    }

    /// The claim of a collection that began while the store was lost, once it can be read again.
    pub fn late_claim(&self, source: &str, now: Duration, nonce: u64) -> Option<Put> {
        let fleet = self.fleet.as_ref().filter(|fleet| fleet.observer.is_fresh(now))?;
        (!fleet.is_lost()).then(|| self.entries.get(source).map(|entry| entry.claim(&self.replica, nonce)))?
    }

    /// Whether everything in the store that concerns this configuration was read once. Always, without a store.
    pub fn is_complete(&self) -> bool {
        self.fleet.as_ref().is_none_or(|fleet| fleet.is_complete)
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The replicas that are alive, with this one.
    pub fn members(&self, now: Duration) -> Vec<String> {
        let Some(fleet) = &self.fleet else { return Vec::new() };
        let alive = fleet.members.alive(fleet.times.ttl, fleet.observer.time(now));
        let mut members: Vec<String> = alive.map(str::to_owned).chain([self.replica.clone()]).collect();
        members.sort();
        members
    }

    /// The sources that this replica should collect.
    pub fn preferred_sources(&self, now: Duration) -> usize {
        let Some(fleet) = &self.fleet else { return 0 };
        let observed = fleet.observer.time(now);
        self.entries.values().filter(|entry| fleet.prefers(&self.replica, entry, observed)).count()
    }

    /// The replica that last collected a source, or is collecting it.
    pub fn holder(&self, source: &str) -> Option<&str> {
        self.entries.get(source)?.turn().map(|turn| turn.writer.as_str())
    }

    /// The last known schedule of a source.
    pub fn turn(&self, source: &str) -> Option<&Turn> {
        self.entries.get(source)?.turn()
    }
}

impl Fleet {
    fn is_lost(&self) -> bool {
        self.observer.has_looked() && self.observer.failing_for() >= self.times.ttl
    }

    fn prefers(&self, me: &str, entry: &Entry, observed: Duration) -> bool {
        let failed = entry.turn().map_or(0, |turn| turn.failed_collections);
        let replicas = self.members.alive(self.times.ttl, observed).chain([me]);
        members::preferred(replicas, &entry.plan.affinity, failed) == Some(me)
    }
}

//! When to collect which source, and whether this process or another replica does it: pure decisions without I/O and clock. The
//! collector carries them out.
//!
//! [`Schedule`] receives what happened (a look at the store, an object that was read, the end of a collection) and says what to do
//! next. Times are durations since the start of the process, from a clock that is never set back.
//!
//! Without a store, a source is due a while after its last collection. With one, the same holds for the last collection by any
//! replica, and a collection begins with a claim. **Who may write is decided by the conditional put alone. Members, hash and clocks
//! only decide who tries first:** a wrong hint costs time, never correctness.

mod action;
pub mod delay;
mod entry;
mod fleet;
mod look;
mod members;
mod observer;
mod plan;
mod seen;
#[cfg(test)]
mod tests;
mod times;
mod turn;
pub mod version;

use std::collections::BTreeMap;
use std::time::Duration;

pub use action::{Action, Counts, Finish, Put};
use entry::{Activity, Entry};
use fleet::Fleet;
pub use look::Look;
pub use members::Sighted;
pub use plan::Plan;
pub use seen::Content;
use seen::Pending;
pub use times::Times;
pub use turn::{Claim, Completed, Turn};
use version::Version;

/// How long the state of a source that no replica knows is kept, by the store's clock.
pub const UNKNOWN_RETENTION: Duration = Duration::from_hours(7 * 24);

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
        Self { replica, fleet: Some(Fleet::new(times)), ..Self::alone() }
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

    /// What to do now. `random` yields nonces.
    pub fn next(&mut self, now: Duration, mut random: impl FnMut() -> u64) -> Vec<Action> {
        if self.is_stopping {
            return Vec::new();
        }
        let Some(fleet) = &self.fleet else {
            let due = self.entries.iter_mut().filter(|(_, entry)| entry.is_idle() && entry.due_alone() <= now);
            return due.map(|(name, entry)| entry.collect(name, None)).collect();
        };
        let lost = fleet.lost();
        let is_lost = lost.is_some();
        if is_lost && fleet.times.hold_when_lost || !is_lost && !fleet.observer.is_fresh(now) {
            return Vec::new();
        }
        let observed = fleet.observed(now);
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
            if !entry.is_due(&self.replica, fleet.times.ttl, (now, observed), lost) {
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
            Finish::Fenced if self.entries.get(source).is_none_or(|entry| entry.pending.is_none()) => {
                self.counts.fenced += 1;
            }
            // What the store has is read first: only another result replaces a pending one, and is counted then.
            Finish::Fenced => {}
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
            Finish::Published { turn, version, since } => {
                entry.pending = None;
                entry.put(turn, Some(version), since, observed);
            }
            Finish::Kept { turn, claim, since } => {
                let over = claim.or_else(|| entry.version().cloned());
                entry.pending = is_shared.then(|| Pending { turn: turn.clone(), over: over.clone(), since });
                entry.put(turn, over, since, observed);
            }
            Finish::ClaimLost | Finish::Fenced => entry.taken_at = Some(now),
            // A bug: without a store, nothing else stops a collection that goes on to be due.
            Finish::Stopped if !is_shared => entry.put_off(now),
            Finish::Stopped => {}
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
        let alive = fleet.members.alive(fleet.times.ttl, fleet.observed(now));
        let mut members: Vec<String> = alive.map(str::to_owned).chain([self.replica.clone()]).collect();
        members.sort();
        members
    }

    /// The sources that this replica should collect.
    pub fn preferred_sources(&self, now: Duration) -> usize {
        let Some(fleet) = &self.fleet else { return 0 };
        let observed = fleet.observed(now);
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

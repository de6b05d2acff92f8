//! What is known about the schedule of one source.

use std::time::Duration;

use super::members::Sighted;
use super::plan::Plan;
use super::seen::{Content, Listed, Lost, Pending, Seen};
use super::turn::Turn;
use super::version::Version;
use super::{Action, Put};

/// What a state that was read means for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Its own, or known already.
    Known,
    New,
    /// New, and a pending result is discarded.
    Fenced,
}

/// What this process does with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Idle,
    Reading,
    /// Or claiming, or publishing.
    Collecting,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) plan: Plan,
    /// When a source is due that nobody has collected.
    first_due: Duration,
    pub(super) activity: Activity,
    pub(super) seen: Option<Seen>,
    listed: Option<Listed>,
    pub(super) pending: Option<Pending>,
    /// Since when it is due, by the observer's clock.
    pub(super) due_since: Option<Duration>,
    /// A put was refused or has no response, so what is known is not what the store has.
    pub(super) is_stale: bool,
    /// When this process last changed the object: earlier listings do not show it.
    pub(super) changed_at: Duration,
    /// Whether this process has not yet seen, or made, a collection with its settings.
    is_unconfirmed: bool,
    /// Whether this process has had tokens of the source.
    has_tokens: bool,
    /// The tokens in the store are damaged and this process has none: another replica that has them should collect the source, as the
    /// provider may not report all of them.
    pub(super) awaits_repair: bool,
    /// When the store refused a put because another replica had claimed the source, if nothing was read or collected since.
    pub(super) taken_at: Option<Duration>,
    /// The highest revision that was seen.
    revision: u64,
}

impl Entry {
    pub(super) fn new(plan: Plan, first_due: Duration) -> Self {
        Self {
            plan,
            first_due,
            activity: Activity::Idle,
            seen: None,
            listed: None,
            pending: None,
            due_since: None,
            is_stale: false,
            changed_at: Duration::ZERO,
            is_unconfirmed: true,
            has_tokens: false,
            awaits_repair: false,
            taken_at: None,
            revision: 0,
        }
    }

    /// The same source with other settings. A collection that is running ends later.
    pub(super) fn reconfigured(self, plan: Plan, first_due: Duration) -> Self {
        let mut entry = Self { plan, first_due, is_unconfirmed: true, due_since: None, ..self };
        entry.confirm();
        entry
    }

    pub(super) fn turn(&self) -> Option<&Turn> {
        match &self.seen.as_ref()?.content {
            Content::Turn(turn) => Some(turn),
            Content::Damaged | Content::Newer | Content::Foreign => None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.activity == Activity::Idle
    }

    /// Whether a state that was listed was also read.
    pub(super) fn was_read(&self) -> bool {
        (self.listed.is_none() || self.seen.is_some()) && !self.awaits_repair
    }

    pub(super) fn version(&self) -> Option<&Version> {
        self.seen.as_ref()?.version.as_ref()
    }

    /// Whether the listed object is another than the known one.
    pub(super) fn must_read(&self, sighted: &Sighted, started: Duration) -> bool {
        let is_known = self.version().is_some_and(|version| version.etag == sighted.etag);
        self.activity == Activity::Idle && !is_known && self.changed_at <= started
    }

    pub(super) fn reading(&mut self, sighted: Sighted, at: Duration, observed: Duration) {
        self.activity = Activity::Reading;
        self.listed = Some(Listed { sighted, at, observed });
    }

    /// The object is gone: the next put creates it. What is known is still true.
    pub(super) fn not_listed(&mut self, started: Duration) {
        if self.activity == Activity::Idle && self.changed_at <= started {
            if let Some(seen) = &mut self.seen {
                seen.version = None;
            }
            if let Some(pending) = &mut self.pending {
                pending.over = None;
            }
        }
    }

    /// Nothing could be put during an outage: a claim has the full time again, and others wait again for the preferred replica.
    pub(super) fn excuse(&mut self, observed: Duration) {
        self.due_since = None;
        if let Some(seen) =
            self.seen.as_mut().filter(|seen| matches!(&seen.content, Content::Turn(turn) if turn.collecting))
        {
            (seen.observed, seen.age) = (observed, Duration::ZERO);
        }
    }

    /// A put was refused because of an object that this process has written, by an earlier put without a response.
    pub(super) fn found_own(&mut self, turn: &Turn, version: Version) {
        self.revision = self.revision.max(turn.revision);
        if let Some(seen) = &mut self.seen {
            seen.version = Some(version);
        } else {
            self.seen = Some(Seen::now(Some(version), Content::Turn(turn.clone()), Duration::ZERO, Duration::ZERO));
        }
    }

    /// Takes over a state that was read, and its age.
    pub(super) fn read(
        &mut self,
        me: &str,
        version: Version,
        content: Content,
        now: Duration,
        observed: Duration,
    ) -> Read {
        if self.activity == Activity::Reading {
            self.activity = Activity::Idle;
        }
        if self.version() == Some(&version) {
            return Read::Known;
        }
        let mut read = Read::New;
        if let (Some(pending), Some(seen)) = (&mut self.pending, &mut self.seen) {
            match &content {
                // The put has arrived, although it had no response.
                Content::Turn(turn) if turn.nonce == pending.turn.nonce => {
                    self.pending = None;
                    seen.version = Some(version);
                    return Read::Known;
                }
                // An earlier put of this process, such as the claim of the result.
                Content::Turn(turn) if turn.writer == me => {
                    self.revision = self.revision.max(turn.revision);
                    pending.over = Some(version.clone());
                    seen.version = Some(version);
                    return Read::Known;
                }
                // A claim that arrived late: the source is not due, and the claim's revision shows that it was neither renewed nor preceded
                // by another result.
                Content::Turn(turn)
                    if turn.collecting
                        && turn.revision == pending.turn.revision
                        && now.saturating_sub(pending.since) < pending.turn.next_in() =>
                {
                    self.revision = self.revision.max(turn.revision);
                    pending.over = Some(version.clone());
                    seen.version = Some(version);
                    return Read::Known;
                }
                _ => {
                    self.pending = None;
                    read = Read::Fenced;
                }
            }
        }
        match &content {
            Content::Turn(turn) => self.has_tokens |= turn.blob.is_some(),
            Content::Damaged => self.awaits_repair = !self.has_tokens,
            Content::Newer | Content::Foreign => {}
        }
        self.awaits_repair &= !self.has_tokens;
        let mut seen = Seen::now(Some(version), content, now, observed);
        if let Some(Listed { sighted, at, observed }) = &self.listed
            && seen.version.as_ref().is_some_and(|version| version.etag == sighted.etag)
        {
            // Of later changes only the time of the look is known.
            let age = if self.seen.is_none() { sighted.age.unwrap_or_default() } else { Duration::ZERO };
            seen = Seen { at: *at, observed: *observed, age, ..seen };
        }
        self.seen = Some(seen);
        self.due_since = None;
        self.taken_at = None;
        self.confirm();
        read
    }

    /// This process put a result, or keeps it until it can.
    pub(super) fn put(&mut self, turn: Turn, version: Option<Version>, now: Duration, observed: Duration) {
        self.is_unconfirmed = false;
        (self.has_tokens, self.awaits_repair) = (true, false);
        self.taken_at = None;
        self.revision = self.revision.max(turn.revision);
        self.seen = Some(Seen::now(version, Content::Turn(turn), now, observed));
    }

    /// Takes note of a state: its revision, and whether its settings are those of this process.
    fn confirm(&mut self) {
        let Some((fingerprint, revision)) = self.turn().map(|turn| (&turn.fingerprint, turn.revision)) else { return };
        self.is_unconfirmed &= *fingerprint != self.plan.fingerprint;
        self.revision = self.revision.max(revision);
    }

    /// Without a store: due after an interval.
    pub(super) fn put_off(&mut self, now: Duration) {
        (self.seen, self.first_due) = (None, now + self.plan.interval);
    }

    /// When it is due without a store.
    pub(super) fn due_alone(&self) -> Duration {
        match (&self.seen, self.turn()) {
            (Some(seen), Some(turn)) => seen.at + turn.next_in(),
            _ => self.first_due,
        }
    }

    /// Whether it is due with a store. `times`: now, and by the observer's clock.
    pub(super) fn is_due(&self, me: &str, ttl: Duration, times: (Duration, Duration), lost: Option<Lost>) -> bool {
        let (now, observed) = times;
        let taken_over = |due| lost.is_some_and(|lost| now < self.collected_by_others(due, lost) + self.plan.interval);
        let Some(seen) = &self.seen else { return self.first_due <= now && !taken_over(self.first_due) };
        let age = seen.age + now.saturating_sub(seen.at);
        match &seen.content {
            Content::Turn(turn) if turn.collecting => {
                // A claim of this process whose put had no response.
                turn.writer == me
                    || seen.age + observed.saturating_sub(seen.observed) >= ttl
                    // Nobody can see whether its holder is alive, but this replica does not see its result either.
                    || lost.is_some() && age >= self.plan.interval
            }
            Content::Turn(turn) => {
                let is_due = age >= turn.next_in() && !taken_over((seen.at + turn.next_in()).saturating_sub(seen.age));
                is_due || self.is_unconfirmed && turn.fingerprint != self.plan.fingerprint
            }
            Content::Damaged => true,
            Content::Newer => age >= self.plan.interval + ttl,
            Content::Foreign => false,
        }
    }

    /// When another replica may have collected a source, due at this time, without this one seeing it; zero if none has.
    fn collected_by_others(&self, due: Duration, lost: Lost) -> Duration {
        let open_at = (due + lost.fallback).min(lost.dead_at.max(due));
        let unseen = if open_at <= lost.since { lost.since } else { Duration::ZERO };
        unseen.max(self.taken_at.unwrap_or_default())
    }

    /// A pending result, with what is left of its time.
    pub(super) fn pending_put(&self, now: Duration) -> Option<Put> {
        let Pending { turn, over, since } = self.pending.as_ref()?;
        let revision = turn.revision.max(self.revision.saturating_add(1));
        Some(Put { over: over.clone(), turn: turn.postponed(now.saturating_sub(*since), revision) })
    }

    pub(super) fn claim(&self, me: &str, nonce: u64) -> Put {
        let turn = Turn::claim(self.turn(), me, nonce);
        let revision = turn.revision.max(self.revision.saturating_add(1));
        let over = self.version().cloned();
        // An emptied store has no tokens either.
        let blob = turn.blob.filter(|_| over.is_some());
        Put { over, turn: Turn { revision, blob, ..turn } }
    }

    /// Begins a collection.
    pub(super) fn collect(&mut self, source: &str, claim: Option<Put>) -> Action {
        self.activity = Activity::Collecting;
        Action::Collect { source: source.to_owned(), over: self.turn().cloned(), claim }
    }
}

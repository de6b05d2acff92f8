//! What replicas share about the schedule of a source: whose turn it is, or when the next one is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delay;
use super::plan::Plan;
use super::version::Version;
use crate::core::outcome::Outcome;

/// The schedule of a source, as it is in the store. Each put replaces it and increments its revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub revision: u64,
    /// The replica that wrote it.
    pub writer: String,
    /// Random, so that no two puts have the same bytes, and so the same ETag.
    pub nonce: u64,
    /// Whether the writer is collecting the source.
    pub collecting: bool,
    /// From this put to the next collection, if nobody is collecting. A duration: clocks of different machines are not compared.
    pub next_in_milliseconds: u64,
    /// The settings with which the tokens were collected.
    pub fingerprint: String,
    /// Consecutive failures that a retry may resolve.
    pub retries: u32,
    /// Consecutive collections in which every scope failed. After two of them, another replica is preferred.
    pub failed_collections: u32,
    /// The object with the tokens.
    pub blob: Option<String>,
    /// The one before, which some replica may still be reading.
    pub previous_blob: Option<String>,
}

/// The result of a collection, as far as it concerns the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    pub next_in: Duration,
    pub fingerprint: String,
    pub retries: u32,
    pub failed_collections: u32,
}

impl Completed {
    /// `over`: the schedule before the collection. `jitter` is from 0 to 1.
    pub fn new(outcome: &Outcome, over: Option<&Turn>, plan: &Plan, jitter: f64) -> Self {
        let is_retryable = delay::classify(outcome) == delay::RetryClass::Retryable;
        let retries = if is_retryable { over.map_or(0, |over| over.retries).saturating_add(1) } else { 0 };
        let has_failed = !outcome.is_complete() && outcome.listings.iter().all(|listing| listing.scopes.is_empty());
        let failed = over.map_or(0, |over| over.failed_collections).saturating_add(1);
        Self {
            next_in: delay::next_delay(retries, plan.interval, jitter),
            fingerprint: plan.fingerprint.clone(),
            retries,
            failed_collections: if has_failed { failed } else { 0 },
        }
    }
}

impl Turn {
    pub fn next_in(&self) -> Duration {
        Duration::from_millis(self.next_in_milliseconds)
    }

    /// The claim of a collection, over what was read.
    pub(super) fn claim(over: Option<&Self>, writer: &str, nonce: u64) -> Self {
        Self { collecting: true, next_in_milliseconds: 0, ..Self::over(over, writer, nonce) }
    }

    /// The result of a collection, over the claim, or over what was last read or collected.
    pub fn completed(over: Option<&Self>, writer: &str, nonce: u64, result: Completed) -> Self {
        let Completed { next_in, fingerprint, retries, failed_collections } = result;
        Self {
            collecting: false,
            next_in_milliseconds: milliseconds(next_in),
            fingerprint,
            retries,
            failed_collections,
            ..Self::over(over, writer, nonce)
        }
    }

    /// With these tokens. The object of the previous ones is named until the next collection.
    #[must_use]
    pub fn with_blob(self, blob: String) -> Self {
        let previous_blob = self.blob.filter(|previous| *previous != blob);
        Self { previous_blob, blob: Some(blob), ..self }
    }

    /// The same without its tokens, which are damaged: due at once.
    #[must_use]
    pub fn without_tokens(self, writer: &str, nonce: u64) -> Self {
        Self { next_in_milliseconds: 0, blob: None, previous_blob: None, ..Self::over(Some(&self), writer, nonce) }
    }

    /// The same result `after` it was complete, with the time that is left, over a newer revision.
    pub fn postponed(&self, after: Duration, revision: u64) -> Self {
        Self { revision, next_in_milliseconds: milliseconds(self.next_in().saturating_sub(after)), ..self.clone() }
    }

    fn over(over: Option<&Self>, writer: &str, nonce: u64) -> Self {
        let (revision, writer) = (over.map_or(1, |over| over.revision.saturating_add(1)), writer.to_owned());
        match over {
            Some(over) => Self { revision, writer, nonce, ..over.clone() },
            None => Self {
                revision,
                writer,
                nonce,
                collecting: false,
                next_in_milliseconds: 0,
                fingerprint: String::new(),
                retries: 0,
                failed_collections: 0,
                blob: None,
                previous_blob: None,
            },
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    // Rounded up: never before it is due.
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// The right to collect a source, held by the collection itself. It must be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    turn: Turn,
    version: Version,
    /// When it was last put, at the latest.
    put_at: Duration,
}

impl Claim {
    /// `put_at`: when the put began.
    pub fn new(turn: Turn, version: Version, put_at: Duration) -> Self {
        Self { turn, version, put_at }
    }

    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    pub fn version(&self) -> &Version {
        &self.version
    }

    /// When to renew it: two renewals may fail before it expires.
    pub fn renew_at(&self, ttl: Duration) -> Duration {
        self.put_at + ttl / 3
    }

    /// Whether others may have taken over: the collection must stop.
    pub fn is_expired(&self, ttl: Duration, now: Duration) -> bool {
        now.saturating_sub(self.put_at) >= ttl
    }

    /// The next put of the same claim.
    pub fn renewal(&self, nonce: u64) -> Turn {
        Turn::claim(Some(&self.turn), &self.turn.writer, nonce)
    }

    /// The end of a claim without a result: the source is due at once, for any replica.
    pub fn release(&self, nonce: u64) -> Turn {
        Turn { collecting: false, ..self.renewal(nonce) }
    }

    /// A put was refused because of this object. If this process wrote it, by an earlier put without a response, the claim continues
    /// over it; whether it does.
    pub fn continues_over(&mut self, turn: &Turn, version: &Version) -> bool {
        let is_own = turn.collecting && turn.writer == self.turn.writer && turn.revision > self.turn.revision;
        if is_own {
            (self.turn, self.version) = (turn.clone(), version.clone());
        }
        is_own
    }
}

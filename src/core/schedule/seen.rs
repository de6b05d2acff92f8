//! What was last read, listed or collected of one source.

use std::time::Duration;

use super::members::Sighted;
use super::turn::Turn;
use super::version::Version;

/// The content of the state of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Turn(Turn),
    /// The state or its tokens cannot be read: it is replaced at once.
    Damaged,
    /// A format that this version does not know: a newer replica renews it, so it is replaced only when that does not happen.
    Newer,
    /// It belongs to another installation: it is never replaced.
    Foreign,
}

/// A state that was read or put.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `None`: there is no object any more.
    pub(super) version: Option<Version>,
    pub(super) content: Content,
    pub(super) at: Duration,
    /// `at`, by the observer's clock.
    pub(super) observed: Duration,
    /// How old it was then.
    pub(super) age: Duration,
}

impl Seen {
    pub(super) fn now(version: Option<Version>, content: Content, now: Duration, observed: Duration) -> Self {
        Self { version, content, at: now, observed, age: Duration::ZERO }
    }
}

/// A result that is not in the store.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) turn: Turn,
    /// The version that the collection was based on: over another one the result is discarded.
    pub(super) over: Option<Version>,
    pub(super) since: Duration,
}

/// A listing that leads to a read.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) sighted: Sighted,
    pub(super) at: Duration,
    pub(super) observed: Duration,
}

/// The store does not respond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    /// Until then it may have responded to others.
    pub(super) since: Duration,
    /// From then on others may have thought that this replica was dead.
    pub(super) dead_at: Duration,
    /// When others collect a source that is due.
    pub(super) fallback: Duration,
}

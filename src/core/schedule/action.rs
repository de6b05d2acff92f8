//! What the collector is to do, and how it ended.

use std::time::Duration;

use super::turn::Turn;
use super::version::Version;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Collect the source. With a claim, put it first, and collect only if that succeeds. Report the end by [`Schedule::finish`](super::Schedule::finish).
    Collect { source: String, over: Option<Turn>, claim: Option<Put> },
    /// Put the result of a collection that is complete, and report it by [`Schedule::finish`](super::Schedule::finish).
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
    /// The store has the result, or the released claim. The time to the next collection runs from `since`.
    Published { turn: Turn, version: Version, since: Duration },
    /// The result is known here only: there is no store, or the put has no response. It is put once the store is available, over the
    /// claim, or over the last known version if there was no claim. The time to the next collection runs from `since`.
    Kept { turn: Turn, claim: Option<Version>, since: Duration },
    /// Another replica has the claim. Nothing was requested.
    ClaimLost,
    /// A put after the claim was refused: another replica has taken over. The result, if there is one, is discarded.
    Fenced,
    /// It was stopped without a result, or the claim has no response.
    Stopped,
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub claims_lost: u64,
    pub fenced: u64,
    pub unreadable: u64,
}

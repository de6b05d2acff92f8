//! What goes wrong, where, and what must come of it.

use std::sync::Arc;

use super::certificates::Kind;
use super::provider::{Answer, Paging};

/// What goes wrong at a provider.
#[derive(Clone)]
pub(super) enum Fault {
    /// Nobody listens.
    Refused,
    /// The machine does not answer: no more connections fit in the queue of those that nobody takes.
    Full,
    /// TLS with another certificate.
    Certificate(Kind),
    /// No TLS where TLS is due.
    NoTls,
    /// HTTP/2: the stream is reset.
    StreamReset,
    /// HTTP/2: the connection is given up.
    GoAway,
    /// The request is read, and the connection reset.
    Reset,
    /// The request is read, and nothing comes.
    Silent,
    /// These bytes, and then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, and then one of these every 50 ms, for ever.
    Trickle(Vec<u8>, u8),
    /// These bytes, and then these again and again, for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// An answer, made anew for each request.
    Answer(Arc<dyn Fn() -> Answer + Send + Sync>),
    /// Pages that do not hang together.
    Pages(Paging),
}

/// Which requests it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Every request.
    All,
    /// Those for tokens.
    Tokens,
    /// Those for tokens, from the second page on.
    Further,
    /// Those for the tokens of one user of many.
    OneUser,
    /// The next request for tokens, and no other.
    Once,
}

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The source is down, for this reason and no other.
    Down(&'static str),
    /// The source stays up: what happens is no failure.
    Up,
}

impl Fault {
    /// The same answer, whenever it is asked for.
    pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let answer = Answer::new(status, headers, body);
        Self::Answer(Arc::new(move || answer.clone()))
    }

    /// JSON, or what calls itself so, with 200.
    pub(super) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::answer(200, &[("Content-Type", "application/json")], body)
    }
}

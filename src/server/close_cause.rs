//! Why the server closes a client's connection: the values of the label `cause`.

/// Why the server closes a client's connection, if the client caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseCause {
    /// Evicted at the connection limit.
    Full,
    /// The TLS handshake failed or timed out.
    Handshake,
    /// The request head timed out.
    SlowRequest,
    /// Reading the response timed out.
    SlowReader,
    /// Not HTTP, or a request head far over the limit.
    Malformed,
}

impl CloseCause {
    pub(super) const ALL: [Self; 5] =
        [Self::Full, Self::Handshake, Self::SlowRequest, Self::SlowReader, Self::Malformed];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Handshake => "handshake",
            Self::SlowRequest => "slow_request",
            Self::SlowReader => "slow_reader",
            Self::Malformed => "malformed",
        }
    }
}

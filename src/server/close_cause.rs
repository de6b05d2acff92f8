//! Why the server closes a client's connection: the values of the label `cause`.

use crate::core::label_values::label_values;

label_values! {
    /// Why the server closes a client's connection, if the client caused it.
    pub(super) enum CloseCause {
        /// Evicted at the connection limit.
        Full = "full",
        /// The TLS handshake failed or timed out.
        Handshake = "handshake",
        /// The request head timed out.
        SlowRequest = "slow_request",
        /// Reading the response timed out.
        SlowReader = "slow_reader",
        /// Not HTTP, or a request head far over the limit.
        Malformed = "malformed",
    }
}

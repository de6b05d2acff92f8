//! A fault: what goes wrong, for which requests, and the expected result.

use std::sync::Arc;

use super::certificates::CertificateKind;
use super::provider::{Paging, Response};

/// What goes wrong at a provider.
#[derive(Clone)]
pub(super) enum Fault {
    /// No process listens.
    Refused,
    /// The backlog of the listener is full, so that connecting times out.
    BacklogFull,
    /// TLS with another certificate.
    Certificate(CertificateKind),
    /// Plain HTTP instead of TLS.
    NoTls,
    /// HTTP/2: the stream is reset.
    StreamReset,
    /// HTTP/2: the connection is shut down.
    GoAway,
    /// The connection is reset after the request.
    Reset,
    /// The request is read, but there is no response.
    Silent,
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then this one every 50 ms, without end.
    Trickle(Vec<u8>, u8),
    /// These bytes, then these again and again, without end.
    Endless(Vec<u8>, Vec<u8>),
    /// A response, built for each request.
    Response(Arc<dyn Fn() -> Response + Send + Sync>),
    /// Pages in a wrong sequence.
    Pages(Paging),
}

/// The requests that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requests {
    All,
    /// Those for tokens.
    Tokens,
    /// Those for tokens, from the second page on.
    NextPages,
    /// Those for the tokens of one of many users.
    OneUser,
    /// Only the next request for tokens.
    Once,
}

/// The expected result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The source is down, for this reason only.
    Down(&'static str),
    /// The source stays up.
    Up,
}

impl Fault {
    /// The same response to every request.
    pub(super) fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let response = Response::new(status, headers, body);
        Self::Response(Arc::new(move || response.clone()))
    }

    /// Status 200 with the content type of JSON.
    pub(super) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::response(200, &[("Content-Type", "application/json")], body)
    }
}

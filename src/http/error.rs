//! What went wrong on the wire, told apart by what an operator would do about it.

use std::error::Error;
use std::io;

use super::redact;
use crate::core::failure::Reason;

/// What went wrong with one attempt, before it is told with its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransportError {
    /// Why, as a label value.
    pub(super) reason: Reason,
    /// What, without a URL, header or body.
    pub(super) what: String,
    /// Whether anything was sent at all.
    pub(super) sent: bool,
}

impl TransportError {
    /// A fault of a request that went out.
    pub(super) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), sent: true }
    }

    /// A fault of a request that never went out.
    pub(super) fn before_send(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), sent: false }
    }
}

impl From<&reqwest::Error> for TransportError {
    fn from(error: &reqwest::Error) -> Self {
        let (reason, what) = if error.is_timeout() {
            (Reason::Timeout, if error.is_connect() { "no connection in time" } else { "no answer in time" })
        } else if links(error).any(|link| link.is::<rustls::Error>()) {
            (Reason::Tls, "no trusted connection")
        } else if error.is_builder() {
            (Reason::Internal, "the request cannot be sent")
        } else if error.is_connect() {
            (Reason::Connect, "no connection")
        } else if links(error).any(is_garbled) {
            (Reason::Decode, "the answer cannot be unpacked")
        } else {
            (Reason::Connect, "the answer broke off")
        };
        if reason == Reason::Timeout {
            Self::new(reason, what)
        } else {
            Self::new(reason, format!("{what}: {}", cause(error)))
        }
    }
}

/// The first cause of an error, in its own words.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let text = links(error).last().map(ToString::to_string).unwrap_or_default();
    redact::cause(text.split(" (os error").next().unwrap_or_default())
}

/// Bytes came, and they are not what the headers say; a body that was cut has another kind.
fn is_garbled(link: &(dyn Error + 'static)) -> bool {
    link.downcast_ref::<io::Error>()
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}

/// An error and its causes. An `io::Error` hides the error that it carries from `source`, so it is asked by itself.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link| {
        let link: &'a (dyn Error + 'static) = *link;
        match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(carried) => Some(carried),
            None => link.source(),
        }
    })
}

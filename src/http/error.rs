//! The failure of one attempt, classified by what an operator would do about it.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::redact;
use crate::core::failure::Reason;

/// The failure of one attempt. [`super::message::Request::failure`] adds the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransportError {
    pub(super) reason: Reason,
    /// Without a URL, header or body.
    pub(super) what: String,
    /// Whether the request was sent.
    pub(super) sent: bool,
    /// Whether no process listens. Unlike other failures this one is known at once, and lasts for longer than a retry.
    pub(super) refused: bool,
}

impl TransportError {
    /// A failure of a request that was sent.
    pub(super) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), sent: true, refused: false }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(Reason::TooLarge, format!("response exceeds {limit} bytes"))
    }

    pub(super) fn before_send(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), sent: false, refused: false }
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        let (reason, what) = if error.is_timeout() {
            let what = if error.is_connect() { "connect timeout" } else { "response timeout" };
            return Self::new(Reason::Timeout, what);
        } else if let Some(error) = error_chain(&error).find_map(|error| error.downcast_ref::<rustls::Error>()) {
            return Self::new(Reason::Tls, format!("TLS handshake failed: {}", describe_tls(error)));
        } else if error.is_builder() {
            (Reason::Internal, "cannot build the request")
        } else if error.is_connect() {
            (Reason::Connect, "connection failed")
        } else {
            (Reason::Connect, "connection closed before the response was complete")
        };
        let refused = error.is_connect() && error_chain(&error).any(is_refused);
        Self { refused, ..Self::new(reason, format!("{what}: {}", root_cause(&error))) }
    }
}

/// The cause and, if the configuration can help, the remedy.
fn describe_tls(error: &rustls::Error) -> String {
    let remedy = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the server's certificate is signed by an unknown CA; add that CA's certificate, or the server's own, to `tls.ca_file`"
        }
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server's certificate is a CA's and not in `tls.ca_file`; add it"
        }
        error => return root_cause(error),
    };
    remedy.to_owned()
}

/// The message of the root cause, redacted.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let text = error_chain(error).last().map(ToString::to_string).unwrap_or_default();
    redact::message(text.split(" (os error").next().unwrap_or_default())
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// An error and its causes. The `source` of an `io::Error` skips the error that it wraps.
fn error_chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

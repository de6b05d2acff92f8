//! Why a listing, or one of its scopes, failed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::label_values::label_values;

label_values! {
    /// Why something failed: the values of the label `reason`. All are exposed at 0 from the start.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Reason {
        /// 401: the provider rejects the credential.
        Unauthorized = "unauthorized",
        /// 403, or the definition's check that the credential sees everything is false.
        Forbidden = "forbidden",
        /// 404 or 410.
        NotFound = "not_found",
        /// 429, or a 403 with no requests remaining.
        RateLimited = "rate_limited",
        /// 5xx.
        ServerError = "server_error",
        /// No complete response in time, or 408.
        Timeout = "timeout",
        /// Unknown host, connection refused, reset or closed early, or rejected by a proxy (407).
        Connect = "connect",
        /// The certificate is not trusted, or there is no common protocol version.
        Tls = "tls",
        /// A redirect or next page at a different origin, or too many redirects.
        Redirect = "redirect",
        /// The response exceeds a size limit.
        TooLarge = "too_large",
        /// The response is not JSON, or not of the shape that the definition expects.
        Decode = "decode",
        /// A malformed row; or all rows of a scope are malformed.
        Mapping = "mapping",
        /// Pages repeat, or there are too many.
        Paging = "paging",
        /// The credential's file or variable is missing or unreadable.
        Credential = "credential",
        /// A bug in the exporter or the definition: a panic, or a request that the provider calls malformed.
        Internal = "internal",
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.label())
    }
}

/// A failure. Its texts never quote a response body or a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    pub reason: Reason,
    /// What failed, such as `GET https://…/api-tokens: 403 after 1 attempt`.
    pub what: String,
    /// The provider's error message, as selected by the definition's `error`: the only part of a body that is shown.
    pub provider_message: Option<String>,
    /// The remedy that the definition states, with which `what` ends.
    pub remedy: Option<String>,
}

impl Failure {
    /// A failure without a provider message and without a remedy.
    pub fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), provider_message: None, remedy: None }
    }
}

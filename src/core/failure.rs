//! Why a listing, or a part of one, could not be had: a closed list, because its names are label values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason of a failure; the values of the label `reason`. Present at 0 from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// 401: the provider does not accept the credential.
    Unauthorized,
    /// 403, or a check of the definition that the credential sees everything came out false.
    Forbidden,
    /// 404 or 410.
    NotFound,
    /// 429, or a 403 that says that no requests remain.
    RateLimited,
    /// 5xx.
    ServerError,
    /// No answer, or no whole answer, in time; or 408.
    Timeout,
    /// The name is unknown, the connection refused, reset or cut, or a proxy does not let through (407).
    Connect,
    /// The certificate is not trusted, or no common protocol.
    Tls,
    /// An answer, or a next page, that leads to another origin; too many redirections.
    Redirect,
    /// An answer over the size limit.
    TooLarge,
    /// No JSON where JSON was due, or not of the shape that the definition expects.
    Decode,
    /// A row that the definition cannot read; a gap where it can read none.
    Mapping,
    /// Pages that repeat, or too many of them.
    Paging,
    /// The credential's file or variable is missing or unreadable.
    Credential,
    /// A fault of this program or of the definition: a panic, or a request that the provider calls malformed.
    Internal,
}

impl Reason {
    /// All reasons, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::ServerError,
        Self::Timeout,
        Self::Connect,
        Self::Tls,
        Self::Redirect,
        Self::TooLarge,
        Self::Decode,
        Self::Mapping,
        Self::Paging,
        Self::Credential,
        Self::Internal,
    ];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::Decode => "decode",
            Self::Mapping => "mapping",
            Self::Paging => "paging",
            Self::Credential => "credential",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.label())
    }
}

/// One failure: its reason for the machine, a sentence for people. Neither ever quotes a body or a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// Why, as a label value.
    pub reason: Reason,
    /// What was asked and what came of it, such as `GET https://…/api-tokens: 403 after 1 attempt`.
    pub what: String,
    /// The provider's own words, picked by the definition's `error`: the one part of a body that may be shown.
    pub says: Option<String>,
}

impl Failure {
    /// A failure about which the provider has said nothing.
    pub fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), says: None }
    }
}

//! What is sent and what comes back.

use std::fmt;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{quota, shown};
use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;

/// A request. Its `Debug` shows neither headers nor body.
#[derive(Clone)]
pub struct Request {
    /// GET or POST.
    pub method: http::Method,
    /// Where to.
    pub url: Url,
    /// Headers without secrets. Without an `Accept` among them, JSON is asked for.
    pub headers: Vec<(String, String)>,
    /// Headers that carry the credential.
    pub credential: Vec<(String, Secret)>,
    /// The body.
    pub body: Body,
}

/// A request's body.
#[derive(Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON. May hold a secret.
    Json(serde_json::Value),
    /// A form. May hold a secret.
    Form(Vec<(String, String)>),
}

/// A reply of any status; its body is whole and within the limit.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// Attempts it took, for messages.
    pub attempts: u32,
    /// The URL that answered.
    pub url: Url,
}

impl Reply {
    /// Why this is no answer: every status other than 200 and 206.
    pub fn refusal(&self) -> Option<Reason> {
        refusal(self.status, &self.headers)
    }
}

/// Why a reply of this status and with these headers is no answer.
fn refusal(status: u16, headers: &HeaderMap) -> Option<Reason> {
    Some(match status {
        200 | 206 => return None,
        201..=299 => Reason::Decode,
        300..=399 => Reason::Redirect,
        401 => Reason::Unauthorized,
        // GitHub answers 403 to a credential that has used up its requests:
        // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
        403 if quota::exhausted(headers) => Reason::RateLimited,
        403 => Reason::Forbidden,
        404 | 410 => Reason::NotFound,
        408 => Reason::Timeout,
        429 => Reason::RateLimited,
        500..=599 => Reason::ServerError,
        _ => Reason::Internal,
    })
}

impl Request {
    /// All headers, those that carry the credential marked as such.
    pub(super) fn header_map(&self) -> Result<HeaderMap, Failure> {
        let mut map = HeaderMap::new();
        map.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(kind) = self.body.content_type() {
            map.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in &self.headers {
            let value = HeaderValue::from_str(value).map_err(|_| self.unsendable(Reason::Internal, name))?;
            map.insert(self.header_name(name)?, value);
        }
        for (name, secret) in &self.credential {
            let mut value =
                HeaderValue::from_str(secret.expose()).map_err(|_| self.unsendable(Reason::Credential, name))?;
            value.set_sensitive(true);
            map.insert(self.header_name(name)?, value);
        }
        Ok(map)
    }

    fn header_name(&self, name: &str) -> Result<HeaderName, Failure> {
        HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| self.failure(Reason::Internal, "a header's name is no name"))
    }

    fn unsendable(&self, reason: Reason, header: &str) -> Failure {
        self.failure(reason, &format!("the value of the header {header} holds characters that no header can carry"))
    }

    /// A failure of this request: `GET https://h/p: what`.
    pub(super) fn failure(&self, reason: Reason, what: &str) -> Failure {
        Failure::new(reason, format!("{} {}: {what}", self.method, shown::url(&self.url)))
    }
}

impl Body {
    fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
        }
    }

    /// The bytes to send.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Empty => None,
            Self::Json(value) => Some(value.to_string().into_bytes()),
            Self::Form(fields) => {
                Some(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes())
            }
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &shown::url(&self.url))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Empty => "Empty",
            Self::Json(_) => "Json(…)",
            Self::Form(_) => "Form(…)",
        })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Reply")
            .field("status", &self.status)
            .field("url", &shown::url(&self.url))
            .field("attempts", &self.attempts)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

//! Requests and responses.

use std::fmt;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::error::TransportError;
use super::{quota, redact, retry};
use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;

#[derive(Clone)]
pub struct Request {
    pub method: http::Method,
    pub url: Url,
    /// Headers without secrets. The default of `Accept` is JSON.
    pub headers: Vec<(String, String)>,
    /// Headers with the credential.
    pub credential: Vec<(String, Secret)>,
    pub body: Body,
    /// Further statuses that are retried, in addition to 408, 429 and 5xx.
    pub retry: Vec<u16>,
}

/// The body of a request. May contain a secret.
#[derive(Clone)]
pub enum Body {
    Empty,
    Json(serde_json::Value),
    Form(Vec<(String, String)>),
}

/// A complete response of any status.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    /// Decompressed.
    pub body: Vec<u8>,
    /// Whether the request names the status as one that is retried.
    pub is_temporary: bool,
    /// Why it is a failure, if its content says so.
    pub stated_reason: Option<Reason>,
    /// The attempts that it took.
    pub attempts: u32,
    /// The URL after redirects.
    pub url: Url,
}

impl Response {
    /// Why the request failed, if its content says so or the status is not 200 or 206.
    pub fn failure_reason(&self) -> Option<Reason> {
        match self.stated_reason {
            None if self.is_temporary => Some(Reason::ServerError),
            None => failure_reason(self.status, &self.headers),
            stated => stated,
        }
    }

    /// `403 after 2 attempts`.
    pub(crate) fn summary(&self) -> String {
        format!("{} after {}", self.status, retry::attempts(self.attempts))
    }
}

fn failure_reason(status: u16, headers: &HeaderMap) -> Option<Reason> {
    Some(match status {
        200 | 206 => return None,
        201..=299 => Reason::Decode,
        300..=399 => Reason::Redirect,
        401 => Reason::Unauthorized,
        // Jira returns 403 when it does not even read the password:
        // https://developer.atlassian.com/server/jira/platform/basic-authentication/
        403 if headers.contains_key("x-authentication-denied-reason") => Reason::Unauthorized,
        // GitHub returns 403 when a credential has no requests left:
        // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
        403 if quota::is_exhausted(headers) => Reason::RateLimited,
        403 => Reason::Forbidden,
        404 | 410 => Reason::NotFound,
        // From a proxy, not the provider. For HTTPS the same proxy closes the connection.
        407 => Reason::Connect,
        408 => Reason::Timeout,
        429 => Reason::RateLimited,
        500..=599 => Reason::ServerError,
        _ => Reason::Internal,
    })
}

impl Request {
    /// All headers; those with the credential are marked as sensitive.
    pub(super) fn header_map(&self) -> Result<HeaderMap, Failure> {
        let mut map = HeaderMap::new();
        map.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(kind) = self.body.content_type() {
            map.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in &self.headers {
            let value =
                HeaderValue::from_str(value).map_err(|_| self.failure(Reason::Internal, &invalid_value(name)))?;
            map.insert(self.header_name(name)?, value);
        }
        with_secrets(&map, &self.credential).map_err(|error| self.failure(error.reason, &error.what))
    }

    fn header_name(&self, name: &str) -> Result<HeaderName, Failure> {
        header_name(name).map_err(|error| self.failure(error.reason, &error.what))
    }

    /// A failure of this request: `GET https://h/p: what`.
    pub(super) fn failure(&self, reason: Reason, what: &str) -> Failure {
        Failure::new(reason, format!("{} {}: {what}", self.method, redact::url(&self.url)))
    }
}

/// These headers and those, which are marked as sensitive.
///
/// # Errors
/// Reason `credential` if a value is not a header's; it is not quoted.
pub(super) fn with_secrets(headers: &HeaderMap, secrets: &[(String, Secret)]) -> Result<HeaderMap, TransportError> {
    let mut map = headers.clone();
    for (name, secret) in secrets {
        let invalid = |_| TransportError::before_send(Reason::Credential, invalid_value(name));
        let mut value = HeaderValue::from_str(secret.expose()).map_err(invalid)?;
        value.set_sensitive(true);
        map.insert(header_name(name)?, value);
    }
    Ok(map)
}

fn header_name(name: &str) -> Result<HeaderName, TransportError> {
    let invalid = |_| TransportError::before_send(Reason::Internal, "invalid header name");
    HeaderName::from_bytes(name.as_bytes()).map_err(invalid)
}

fn invalid_value(header: &str) -> String {
    format!("header {header}: value contains invalid characters")
}

impl Body {
    pub(crate) fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
        }
    }

    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Empty => None,
            Self::Json(value) => Some(value.to_string().into_bytes()),
            Self::Form(fields) => {
                Some(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes())
            }
        }
    }
}

/// Shows neither headers nor body.
impl fmt::Debug for Request {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &redact::url(&self.url))
            .finish_non_exhaustive()
    }
}

/// Shows neither headers nor body.
impl fmt::Debug for Response {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &redact::url(&self.url))
            .field("attempts", &self.attempts)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    #[test]
    fn every_status_but_200_and_206_is_a_failure() {
        let cases: [(u16, Headers, Option<Reason>); 25] = [
            (200, &[], None),
            (206, &[], None),
            (200, &[("retry-after", "1"), ("x-ratelimit-remaining", "0")], None),
            (201, &[], Some(Reason::Decode)),
            (202, &[], Some(Reason::Decode)),
            (204, &[], Some(Reason::Decode)),
            (301, &[], Some(Reason::Redirect)),
            (304, &[], Some(Reason::Redirect)),
            (400, &[], Some(Reason::Internal)),
            (401, &[], Some(Reason::Unauthorized)),
            (401, &[("x-ratelimit-remaining", "0")], Some(Reason::Unauthorized)),
            (403, &[], Some(Reason::Forbidden)),
            (403, &[("x-authentication-denied-reason", "CAPTCHA_CHALLENGE")], Some(Reason::Unauthorized)),
            (403, &[("x-ratelimit-remaining", "12")], Some(Reason::Forbidden)),
            (403, &[("x-ratelimit-remaining", "0")], Some(Reason::RateLimited)),
            (403, &[("retry-after", "60")], Some(Reason::RateLimited)),
            (404, &[], Some(Reason::NotFound)),
            (407, &[], Some(Reason::Connect)),
            (408, &[], Some(Reason::Timeout)),
            (410, &[], Some(Reason::NotFound)),
            (422, &[], Some(Reason::Internal)),
            (429, &[], Some(Reason::RateLimited)),
            (500, &[], Some(Reason::ServerError)),
            (503, &[("retry-after", "60")], Some(Reason::ServerError)),
            (599, &[], Some(Reason::ServerError)),
        ];
        for (status, headers, want) in cases {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(failure_reason(status, &headers), want, "{status} {headers:?}");
        }
    }

    fn request(headers: &[(&str, &str)], credential: &[(&str, &str)], body: Body) -> Request {
        Request {
            method: http::Method::POST,
            url: Url::parse("https://h.example/p").unwrap(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            credential: credential.iter().map(|(name, value)| (name.to_string(), Secret::new(*value))).collect(),
            body,
            retry: Vec::new(),
        }
    }

    #[test]
    fn headers_have_defaults_and_the_credential_is_sensitive() {
        let json = Body::Json(serde_json::json!({}));
        let map = request(&[("X-Version", "3")], &[("X-Key", "hunter2")], json.clone()).header_map().unwrap();
        assert_eq!(
            (&map["accept"], &map["content-type"]),
            (&"application/json".parse().unwrap(), &"application/json".parse().unwrap())
        );
        assert_eq!(map["x-version"], "3");
        assert!(map["x-key"].is_sensitive() && !map["x-version"].is_sensitive());
        assert!(!format!("{map:?}").contains("hunter2"));

        let own = [("accept", "application/vnd.x+json"), ("Content-Type", "application/vnd.api+json")];
        let map = request(&own, &[], json).header_map().unwrap();
        assert_eq!(
            (map["accept"].as_bytes(), map["content-type"].as_bytes()),
            (own[0].1.as_bytes(), own[1].1.as_bytes())
        );
    }

    #[test]
    fn invalid_header_is_named_but_not_quoted() {
        let failure = request(&[], &[("Authorization", "Bearer hun\nter2")], Body::Empty).header_map().unwrap_err();
        assert_eq!(failure.reason, Reason::Credential);
        assert_eq!(failure.what, "POST https://h.example/p: header Authorization: value contains invalid characters");
        let failure = request(&[("X-A", "hun\nter2")], &[], Body::Empty).header_map().unwrap_err();
        assert_eq!((failure.reason, failure.what.contains("ter2")), (Reason::Internal, false));
        let failure = request(&[("X A", "1")], &[], Body::Empty).header_map().unwrap_err();
        assert_eq!(failure.reason, Reason::Internal);
    }
}

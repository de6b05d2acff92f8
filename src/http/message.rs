//! What is sent and what comes back.

use std::fmt;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{quota, redact};
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

    /// `403 after 2 attempts`.
    pub(crate) fn summary(&self) -> String {
        format!("{} after {}", self.status, redact::attempts(self.attempts))
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
        // A proxy's word, not the provider's: behind HTTPS the same proxy ends the connection.
        407 => Reason::Connect,
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
        Failure::new(reason, format!("{} {}: {what}", self.method, redact::url(&self.url)))
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
            .field("url", &redact::url(&self.url))
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
    fn every_status_is_an_answer_or_has_its_reason() {
        let cases: [(u16, Headers, Option<Reason>); 24] = [
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
            assert_eq!(refusal(status, &headers), want, "{status} {headers:?}");
        }
    }

    fn request(headers: &[(&str, &str)], credential: &[(&str, &str)], body: Body) -> Request {
        Request {
            method: http::Method::POST,
            url: Url::parse("https://h.example/p").unwrap(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            credential: credential.iter().map(|(name, value)| (name.to_string(), Secret::new(*value))).collect(),
            body,
        }
    }

    #[test]
    fn headers_have_defaults_and_the_credential_is_marked() {
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
    fn what_no_header_can_carry_is_named_and_not_quoted() {
        let broken = request(&[], &[("Authorization", "Bearer hun\nter2")], Body::Empty).header_map().unwrap_err();
        assert_eq!(broken.reason, Reason::Credential);
        assert_eq!(
            broken.what,
            "POST https://h.example/p: the value of the header Authorization holds characters that no header can carry"
        );
        let broken = request(&[("X-A", "hun\nter2")], &[], Body::Empty).header_map().unwrap_err();
        assert_eq!((broken.reason, broken.what.contains("ter2")), (Reason::Internal, false));
        let broken = request(&[("X A", "1")], &[], Body::Empty).header_map().unwrap_err();
        assert_eq!(broken.reason, Reason::Internal);
    }
}

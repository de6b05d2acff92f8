//! Headers that forbid a browser to load, run, keep or embed anything.

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest;

use super::status::STYLE;

/// Names and owners of tokens are confidential: no cache, no frame, no referrer, no page of another origin.
const STATIC: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "deny"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Headers for every response, so that none is forgotten. Only the style of the status page is allowed.
pub fn security_headers() -> HeaderMap {
    let mut headers: HeaderMap =
        STATIC.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    let style = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Base64 is valid in a header.
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers
}

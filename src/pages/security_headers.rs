//! Headers that forbid a browser to load, run, keep or embed anything.

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest;

use super::html::{SCRIPT, STYLE};

/// Names and owners of tokens are confidential: no cache, no frame, no referrer, no page of another origin.
const STATIC: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "deny"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Headers for every response, so that none is forgotten. Only the style and the script of the pages are allowed, a form that leads
/// to a page, and requests of the script for one.
pub fn security_headers() -> HeaderMap {
    let mut headers: HeaderMap =
        STATIC.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    let hash = |text: &str| BASE64_STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    // Base64 is valid in a header.
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers
}

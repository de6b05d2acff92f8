//! What every answer tells a browser: to load and run nothing, to keep nothing, and to show it in no other page.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest;

use super::status::STYLE;

/// Nothing may be loaded or run but the status page's one style. It holds for every answer, so that none is forgotten.
static CONTENT: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Tokens' names and owners are nobody else's business: no cache, no frame, no referrer, no page of another origin.
const ALWAYS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "deny"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Sets the headers. The web configuration may replace those that its format knows.
pub(super) fn apply(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(content) = HeaderValue::from_str(&CONTENT) {
        headers.insert(CONTENT_SECURITY_POLICY, content);
    }
}

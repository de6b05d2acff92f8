//! `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY};
use axum::response::{IntoResponse, Response};

use super::body::{ChunkedBody, StreamedBody};
use super::render_limit::internal_error;
use super::state::AppState;
use crate::exposition::text::Format;

/// What a client that does not accept gzip holds while it reads, in KiB: the decompressor's window and one chunk.
const PLAIN: u32 = 128;

/// Serves the cached page; for a client that does not accept gzip it is decompressed chunk by chunk.
pub(super) async fn get(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Result<Response, Response> {
    let format = Format::accepted(&joined(&headers, &ACCEPT));
    let common = [(CONTENT_TYPE, format.content_type()), (VARY, "Accept, Accept-Encoding")];
    if accepts_gzip(&joined(&headers, &ACCEPT_ENCODING)) {
        let parts = state.page.compressed(format).map_err(|error| internal_error("metrics", &error))?;
        return Ok((common, [(CONTENT_ENCODING, "gzip")], ChunkedBody::body(parts, None)).into_response());
    }
    let permit = state.render_limit.hold(PLAIN).await?;
    let (size, chunks) = state.page.plain(format);
    Ok((common, StreamedBody::body(size, chunks, permit)).into_response())
}

/// All values of a header, as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// Whether `Accept-Encoding` allows gzip. Without this header nothing is compressed.
fn accepts_gzip(accept: &str) -> bool {
    let weight = |wanted: &str| {
        accept.split(',').find_map(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some(quality.is_none_or(|q| q.parse().is_ok_and(|q: f32| q > 0.0)))
        })
    };
    weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_gzip_follows_codings_and_weights() {
        for (accept, gzip) in [
            ("", false),
            ("gzip", true),
            ("GZIP;q=0.5, br", true),
            ("br, deflate", false),
            ("identity, gzip;q=0", false),
            ("*", true),
            ("*, gzip;q=0.0", false),
            ("gzip;q=x", false),
        ] {
            assert_eq!(accepts_gzip(accept), gzip, "{accept}");
        }
    }
}

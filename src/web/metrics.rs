//! `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY};
use axum::response::{IntoResponse, Response};

use super::Surface;
use super::body::Ready;
use super::routes::fault;
use crate::exposition::text::Format;

/// Hands out the page as it lies there; only a client that cannot read gzip has to wait.
pub(super) async fn answer(State(surface): State<Arc<Surface>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(&joined(&headers, &ACCEPT));
    let gzip = accepts_gzip(&joined(&headers, &ACCEPT_ENCODING));
    let body = if gzip {
        surface
            .page
            .compressed(format)
            .map(|pieces| Ready::body(pieces, None))
            .map_err(|error| fault("the metrics could not be written", &error))
    } else {
        let page = Arc::clone(&surface.page);
        surface.desk.write("the metrics", move || page.plain(format)).await
    };
    let mut response = match body {
        Ok(body) => ([(CONTENT_TYPE, format.content_type()), (VARY, "Accept, Accept-Encoding")], body).into_response(),
        Err(refusal) => return refusal,
    };
    if gzip {
        response.headers_mut().insert(CONTENT_ENCODING, axum::http::HeaderValue::from_static("gzip"));
    }
    response
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// Whether a header `Accept-Encoding` allows gzip. Without one, nothing is compressed.
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
    fn gzip_is_for_who_asks_for_it() {
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

//! The parts that all lists of the API have in common: parameters, JSON or CSV, links to the other parts, and a tag by which a
//! client recognises an unchanged list.

use std::io;
use std::sync::Arc;

use axum::http::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, LINK, VARY,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::filter::{self, Parameters, Window};
use super::humanize::rfc3339;
use super::state::AppState;
use crate::core::label_values::label_values;

label_values! {
    /// The format of a list.
    #[derive(Default)]
    pub(super) enum Format {
        #[default]
        Json = "json",
        Csv = "csv",
    }
}

impl Format {
    /// The default of `limit`, and its maximum. A person who downloads a table expects all of it.
    const fn limits(self) -> (usize, usize) {
        match self {
            Self::Json => (1_000, 10_000),
            Self::Csv => (100_000, 100_000),
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The format that a client prefers, JSON if it does not matter.
    fn accepted(accept: &str) -> Self {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next()? {
                "text/csv" | "text/*" => Self::Csv,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => return None,
            };
            let quality =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            (quality > 0.0).then_some((format, quality))
        });
        // Of equal ones, the first.
        ranges.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(Self::Json, |(format, _)| format)
    }
}

/// `format=csv`, which counts more than the header Accept.
struct FormatParameter(Option<Format>);

impl Parameters for FormatParameter {
    fn names(&self) -> &'static [&'static str] {
        &["format"]
    }

    fn set(&mut self, _: &str, value: &str) -> Result<(), String> {
        if !value.is_empty() {
            self.0 = Some(filter::one_of(value, &Format::ALL, Format::label)?);
        }
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        self.0.map(|format| ("format", format.label().to_owned())).into_iter().collect()
    }
}

/// A request for a list.
pub(super) struct Request {
    format: Format,
    window: Window,
    /// The tag of the current list, and whether the client has it.
    tag: Option<(String, bool)>,
    /// The parameters other than the window.
    pairs: Vec<(&'static str, String)>,
}

/// Which changes a list shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depends {
    Tokens,
    Status,
}

impl Request {
    /// Parses the parameters of a list, and those of `parts`, which only this list has.
    ///
    /// # Errors
    /// A sentence if a parameter or its value is unknown.
    pub(super) fn parse(
        state: &AppState,
        headers: &HeaderMap,
        query: &str,
        parts: &mut [&mut dyn Parameters],
        depends: Depends,
    ) -> Result<Self, String> {
        let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let explicit = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "format").last();
        let explicit = explicit.and_then(|(_, value)| Format::ALL.into_iter().find(|format| format.label() == value));
        let format = explicit.unwrap_or_else(|| Format::accepted(&accept.join(",")));
        let (default, max) = format.limits();
        let (mut format_parameter, mut window) = (FormatParameter(None), Window::new(default, max));
        let mut all: Vec<&mut dyn Parameters> =
            parts.iter_mut().map(|part| &mut **part as &mut dyn Parameters).collect();
        all.extend([&mut window as &mut dyn Parameters, &mut format_parameter]);
        filter::parse(query, &mut all)?;
        let pairs: Vec<_> = parts.iter().flat_map(|part| part.pairs()).chain(format_parameter.pairs()).collect();
        // Which tokens expire within a time changes with every second.
        let is_timed = pairs.iter().any(|(name, _)| *name == "within");
        let tag = (!is_timed).then(|| {
            let (labels, now) = (state.page.labels(), (state.clock)());
            let parameters = format!("{format:?} {window:?} {pairs:?}");
            let tag = state.tags.tag(&state.inventory.read(), labels, depends == Depends::Status, &parameters, now);
            let is_known = is_known(headers, &tag);
            (tag, is_known)
        });
        Ok(Self { format, window, tag, pairs })
    }

    /// The response with the list that `render` makes, if the client does not have it.
    ///
    /// # Errors
    /// The response to send instead: the server is busy.
    pub(super) async fn respond(
        self,
        state: Arc<AppState>,
        name: &'static str,
        render: impl FnOnce(&AppState, Format, Window) -> Page + Send + 'static,
    ) -> Result<Response, Response> {
        let Self { format, window, tag, pairs } = self;
        let mut headers = HeaderMap::from_iter([(VARY, HeaderValue::from_static("Accept"))]);
        if let Some((tag, is_known)) = tag {
            insert(&mut headers, ETAG, &tag);
            if is_known {
                return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
            }
        }
        let (sender, total) = tokio::sync::oneshot::channel();
        let page = move |state: &AppState| -> io::Result<Vec<u8>> {
            let Page { total, body } = render(state, format, window);
            let _ = sender.send(total);
            Ok(body)
        };
        let body = state.render(name, page).await?;
        let total = total.await.unwrap_or_default();
        insert(&mut headers, LINK, &links(window, total, &pairs));
        insert(&mut headers, CONTENT_TYPE, format.content_type());
        insert(&mut headers, HeaderName::from_static("x-total-count"), &total.to_string());
        if format == Format::Csv {
            insert(&mut headers, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}.csv\""));
        }
        Ok((headers, body).into_response())
    }
}

/// A part of a list, and the number of elements of the whole list.
pub(super) struct Page {
    pub(super) total: usize,
    pub(super) body: Vec<u8>,
}

impl Page {
    /// A list in JSON, under its name.
    pub(super) fn json(state: &AppState, name: &str, total: usize, window: Window, elements: Vec<Value>) -> Self {
        let now = rfc3339((state.clock)());
        let list = json!({"now": now, "total": total, "offset": window.offset, "limit": window.limit, name: elements});
        Self { total, body: format!("{list}\n").into_bytes() }
    }
}

/// The response to an unknown parameter or value.
pub(super) fn bad_request(why: &str) -> Response {
    let body = format!("{}\n", json!({"error": why}));
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // The values are in ASCII.
    headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
}

/// Links to the other parts, relative to the request, so that they hold behind any proxy.
fn links(window: Window, total: usize, pairs: &[(&'static str, String)]) -> String {
    let link = |relation: &str, window: Window| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs).extend_pairs(window.pairs());
        format!("<?{}>; rel=\"{relation}\"", query.finish())
    };
    let parts = [
        ("first", Some(window.at(0))),
        ("prev", window.previous(total)),
        ("next", window.next(total)),
        ("last", Some(window.last(total))),
    ];
    let links = parts.into_iter().filter_map(|(relation, window)| window.map(|window| link(relation, window)));
    links.collect::<Vec<_>>().join(", ")
}

/// Whether `If-None-Match` has this tag. RFC 9110, 13.1.2: weak comparison.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let strong = tag.trim_start_matches("W/");
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == strong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn format_follows_the_preference_of_the_client() {
        for (accept, expected) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/csv", Format::Csv),
            ("text/csv, application/json;q=0.5", Format::Csv),
            ("text/csv;q=0.4, application/json;q=0.5", Format::Json),
            ("text/html, text/csv;q=0", Format::Json),
            ("text/csv;q=x", Format::Json),
            ("image/png", Format::Json),
        ] {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn links_keep_the_parameters() {
        let pairs = [("q", "a&b".to_owned())];
        let window = Window::new(2, 10);
        assert_eq!(
            links(window.at(2), 5, &pairs),
            "<?q=a%26b>; rel=\"first\", <?q=a%26b>; rel=\"prev\", <?q=a%26b&offset=4>; rel=\"next\", <?q=a%26b&offset=4>; rel=\"last\""
        );
        assert_eq!(links(window, 0, &[]), "<?>; rel=\"first\", <?>; rel=\"last\"");
    }

    #[test]
    fn tag_is_compared_weakly() {
        let known = |value: &str| {
            is_known(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())]), "W/\"a\"")
        };
        for (value, expected) in
            [("W/\"a\"", true), ("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("", false)]
        {
            assert_eq!(known(value), expected, "{value}");
        }
    }
}

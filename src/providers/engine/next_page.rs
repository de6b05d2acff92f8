//! The request for the next page, from the response to the current one; and whether a list without one is complete.

use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::build_request::set_query_param;
use super::more_pages::{MorePages, more_pages, numbered_page_after};
use crate::core::failure::{Failure, Reason};
use crate::core::web_url::is_http;
use crate::http::client::{Body, Request};
use crate::http::page_guard;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Pagination, ParamLocation, Request as Listed, Rows};
use crate::providers::language::value;

/// A page's response, as far as the next request depends on it.
pub(super) struct PageResponse<'a> {
    /// The configured base URL of the request.
    pub(super) base: &'a Url,
    /// The URL that responded, after redirects.
    pub(super) url: &'a Url,
    pub(super) headers: &'a http::HeaderMap,
    pub(super) body: &'a Val,
    pub(super) variables: &'a Variables,
    /// The number of its rows.
    pub(super) rows: u64,
}

/// The position in a sequence of pages.
#[derive(Clone, Debug, Default)]
pub(super) struct PageState {
    pages: u64,
    rows: u64,
    /// The rows of the first page.
    first_rows: u64,
    /// The URL of the previous page.
    previous: Option<Url>,
    /// The lowest number of rows that a page counted for the whole list.
    total: Option<u64>,
}

/// A further page.
pub(super) struct NextPage {
    pub(super) request: Request,
    /// Whether it is only requested in case that the list does not end here.
    pub(super) is_probe: bool,
}

/// The first page's request: page numbers and offsets are sent from the start.
pub(super) fn first_request(pagination: Option<&Pagination>, mut request: Request) -> Request {
    match pagination {
        Some(Pagination::Page { parameter, from, at, .. }) => set_param(&mut request, *at, parameter, (*from).into()),
        Some(Pagination::Offset { parameter, at, .. }) => set_param(&mut request, *at, parameter, 0.into()),
        Some(Pagination::Link | Pagination::Url(_) | Pagination::Cursor { .. }) | None => {}
    }
    request
}

impl PageState {
    /// The page after this one; `None` after the last.
    ///
    /// # Errors
    /// Reason `redirect` if it is not at the configured server; `decode` if it is unreadable; `paging` if the response shows that
    /// there are more rows, but not where.
    pub(super) fn next_page(
        &mut self,
        listed: &Listed,
        first: &Request,
        page: &PageResponse<'_>,
    ) -> Result<Option<NextPage>, Failure> {
        self.pages += 1;
        self.rows += page.rows;
        if self.pages == 1 {
            self.first_rows = page.rows;
        }
        let total = listed.total.as_ref().and_then(|total| number(total, page));
        self.total = self.total.into_iter().chain(total).min();
        let more = more(listed, page);
        let request = self.next_request(listed.next.as_ref(), first, page, more.as_ref())?;
        #[cfg(test)]
        if let Some(next) = &listed.next {
            crate::providers::tests::coverage::record(next, request.is_some());
        }
        let next = match request {
            Some(request) => Some(NextPage { request, is_probe: false }),
            None => self.check_end(listed, first, page, more.as_ref())?,
        };
        self.previous = Some(page.url.clone());
        Ok(next)
    }

    /// The next request by the definition's `next`.
    fn next_request(
        &self,
        pagination: Option<&Pagination>,
        first: &Request,
        page: &PageResponse<'_>,
        more: Option<&MorePages>,
    ) -> Result<Option<Request>, Failure> {
        let with = |at: &ParamLocation, parameter: &str, value: Value| {
            let mut request = first.clone();
            set_param(&mut request, *at, parameter, value);
            Some(request)
        };
        // A page can be empty in the middle of a list, if its rows are filtered.
        let is_last = |last: &Option<Expression>| {
            (page.rows == 0 && more.is_none())
                || last.as_ref().is_some_and(|last| last.truth(page.variables, page.body.clone()))
        };
        Ok(match pagination {
            None => None,
            Some(Pagination::Link) => match page_guard::next_link(page.headers, page.url) {
                Some(url) => {
                    Some(Request { url: page_guard::next_page_url(page.base, page.url, &url)?, ..first.clone() })
                }
                None => more
                    .and_then(|more| more.page)
                    .and_then(|number| with(&ParamLocation::Query, "page", number.into())),
            },
            Some(Pagination::Url(url)) => match evaluate(url, page)? {
                Some(Value::String(url)) => {
                    let url = page_guard::next_page_url(page.base, page.url, &url)?;
                    Some(Request { method: http::Method::GET, url, body: Body::Empty, ..first.clone() })
                }
                Some(_) => return Err(unreadable()),
                None => None,
            },
            Some(Pagination::Cursor { cursor, parameter, at }) => match evaluate(cursor, page)? {
                Some(cursor) => with(at, parameter, cursor_in_url(cursor, parameter)),
                None => None,
            },
            Some(Pagination::Page { last, .. } | Pagination::Offset { last, .. }) if is_last(last) => None,
            Some(Pagination::Page { parameter, from, at, .. }) => with(at, parameter, (from + self.pages).into()),
            Some(Pagination::Offset { parameter, at, .. }) => with(at, parameter, self.rows.into()),
        })
    }

    /// The end of the list: nothing contradicts it, or one more page is requested to be sure.
    fn check_end(
        &self,
        listed: &Listed,
        first: &Request,
        page: &PageResponse<'_>,
        more: Option<&MorePages>,
    ) -> Result<Option<NextPage>, Failure> {
        if let Some(more) = more {
            return Err(Failure::new(Reason::Paging, more.to_string()));
        }
        match self.total {
            // The lowest count of all pages, because rows can be added behind a cursor, and removed before it. By numbers or
            // offsets the rows up to the last page are always as many as that page counts.
            Some(total) if self.rows < total => {
                let what = format!("the provider counts {total} rows, but {} were read", self.rows);
                Err(Failure::new(Reason::Paging, what))
            }
            Some(_) => Ok(None),
            None => Ok(self.probe(listed, first, page)),
        }
    }

    /// The page after a full one whose `Link` header may be lost.
    fn probe(&self, listed: &Listed, first: &Request, page: &PageResponse<'_>) -> Option<NextPage> {
        let says_it_is_last = ["link", "x-next-page"].iter().any(|name| page.headers.contains_key(*name));
        if !matches!(listed.next, Some(Pagination::Link)) || says_it_is_last || listed.more.is_some() {
            return None;
        }
        let size = match self.previous {
            Some(_) => self.first_rows,
            None => page.url.query_pairs().find(|(name, _)| name == "per_page")?.1.parse().ok()?,
        };
        if page.rows == 0 || page.rows < size {
            return None;
        }
        let (parameter, number) = numbered_page_after(self.previous.as_ref(), page.url)?;
        let mut request = Request { url: page.url.clone(), ..first.clone() };
        set_param(&mut request, ParamLocation::Query, &parameter, number.into());
        Some(NextPage { request, is_probe: true })
    }
}

/// The sign of more pages in a list: by the definition, or a usual one.
fn more(listed: &Listed, page: &PageResponse<'_>) -> Option<MorePages> {
    match (&listed.rows, &listed.more) {
        (Rows::List(_), None) => {
            let follows_links = matches!(listed.next, Some(Pagination::Link));
            more_pages(page.headers, page.body, page.url, follows_links)
        }
        (Rows::List(_), Some(more)) if more.truth(page.variables, page.body.clone()) => {
            Some(MorePages::by_definition())
        }
        _ => None,
    }
}

/// A number, also as a string: a header. `None` if the response has none, as GitLab above 10,000 rows.
fn number(expression: &Expression, page: &PageResponse<'_>) -> Option<u64> {
    let value = expression.first(page.variables, page.body.clone()).ok()??;
    value::text(&value)?.trim().parse().ok()
}

/// The next page by this expression; `None` if there is none. An error is a failure: half of a listing must not count as all
/// of it.
fn evaluate(next: &Expression, page: &PageResponse<'_>) -> Result<Option<Value>, Failure> {
    let next = next.first(page.variables, page.body.clone()).map_err(|_| unreadable())?;
    Ok(next.filter(|next| !value::is_blank(next)).map(|next| value::to_json(&next)))
}

fn unreadable() -> Failure {
    Failure::new(Reason::Decode, "cannot read the next page in the response")
}

/// The cursor in a next page's URL. Atlassian's documentation of `links.next` does not say whether it is a cursor or a URL:
/// <https://developer.atlassian.com/cloud/admin/api-access/rest/intro/>.
fn cursor_in_url(cursor: Value, parameter: &str) -> Value {
    let url = cursor.as_str().filter(|text| is_http(text));
    let inner = url.and_then(|url| Url::parse(url).ok()).and_then(|url| {
        url.query_pairs().find(|(name, _)| name == parameter).map(|(_, value)| Value::from(value.into_owned()))
    });
    inner.unwrap_or(cursor)
}

/// Sets a pagination parameter, in place of one that the request has already.
fn set_param(request: &mut Request, at: ParamLocation, parameter: &str, value: Value) {
    let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match at {
        ParamLocation::Query => set_query_param(&mut request.url, parameter, &text()),
        ParamLocation::Header => {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(parameter));
            request.headers.push((parameter.to_owned(), text()));
        }
        ParamLocation::Body => {
            let mut body = match std::mem::replace(&mut request.body, Body::Empty) {
                Body::Json(body) => body,
                Body::Empty => Value::Null,
                Body::Form(mut fields) => {
                    fields.retain(|(name, _)| name != parameter);
                    fields.push((parameter.to_owned(), text()));
                    request.body = Body::Form(fields);
                    return;
                }
            };
            set_at_path(&mut body, parameter, value);
            request.body = Body::Json(body);
        }
    }
}

/// Sets the value at a dotted path, and creates the objects on the way.
fn set_at_path(body: &mut Value, path: &str, value: Value) {
    let mut at = body;
    for name in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        at = &mut at[name];
    }
    *at = value;
}

/// What distinguishes this request from the others of its sequence of pages.
pub(super) fn page_key(request: &Request, pagination: Option<&Pagination>) -> String {
    let header = match pagination {
        Some(Pagination::Cursor { parameter, at: ParamLocation::Header, .. }) => {
            request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(parameter)).map(|(_, value)| &**value)
        }
        _ => None,
    };
    let body = match &request.body {
        Body::Json(body) => body.to_string(),
        Body::Empty => String::new(),
        Body::Form(fields) => Serializer::new(String::new()).extend_pairs(fields).finish(),
    };
    format!("{}\n{}\n{body}", request.url, header.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn request(url: &str, body: Body) -> Request {
        Request {
            method: http::Method::POST,
            url: Url::parse(url).unwrap(),
            headers: vec![("range".into(), "id ..".into())],
            credential: Vec::new(),
            body,
            retry: Vec::new(),
        }
    }

    #[test]
    fn set_param_replaces_one_of_the_same_name() {
        let mut sent = request("https://h/p?limit=5&start=0&q=a%20b&q=c", Body::Empty);
        set_param(&mut sent, ParamLocation::Query, "start", json!(5));
        assert_eq!(sent.url.as_str(), "https://h/p?limit=5&q=a%20b&q=c&start=5");
        set_param(&mut sent, ParamLocation::Header, "Range", json!("id ]x.."));
        assert_eq!(sent.headers, [("Range".to_owned(), "id ]x..".to_owned())]);
    }

    #[test]
    fn set_param_sets_a_body_value_by_its_path() {
        let mut sent =
            request("https://h/p", Body::Json(json!({"query": "…", "variables": {"after": null, "first": 5}})));
        set_param(&mut sent, ParamLocation::Body, "variables.after", json!("c1"));
        let Body::Json(body) = &sent.body else { panic!() };
        assert_eq!(*body, json!({"query": "…", "variables": {"after": "c1", "first": 5}}));
        let mut sent = request("https://h/p", Body::Empty);
        set_param(&mut sent, ParamLocation::Body, "a.b", json!([17, "x"]));
        let Body::Json(body) = &sent.body else { panic!() };
        assert_eq!(*body, json!({"a": {"b": [17, "x"]}}));
    }

    #[test]
    fn set_param_sets_a_field_of_a_form_which_distinguishes_the_page() {
        let mut sent =
            request("https://h/p", Body::Form(vec![("Marker".into(), "a".into()), ("Action".into(), "b c".into())]));
        let first = page_key(&sent, None);
        set_param(&mut sent, ParamLocation::Body, "Marker", json!("c1"));
        let Body::Form(fields) = &sent.body else { panic!() };
        assert_eq!(*fields, [("Action".to_owned(), "b c".to_owned()), ("Marker".to_owned(), "c1".to_owned())]);
        assert!(page_key(&sent, None) != first && page_key(&sent, None).ends_with("Action=b+c&Marker=c1"));
    }

    #[test]
    fn cursor_in_url_extracts_the_cursor() {
        let cases = [
            (json!("c1=="), json!("c1==")),
            (json!("https://h/p?pageSize=5&cursor=a%3D%3D"), json!("a==")),
            (json!("https://h/p?pageSize=5"), json!("https://h/p?pageSize=5")),
            (json!(["x", 1]), json!(["x", 1])),
        ];
        for (cursor, expected) in cases {
            assert_eq!(cursor_in_url(cursor, "cursor"), expected);
        }
    }
}

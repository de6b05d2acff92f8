//! From one page's answer to the request for the next.

use serde_json::Value;
use url::Url;

use super::build_request;
use crate::core::failure::{Failure, Reason};
use crate::http::client::{Body, Request};
use crate::http::page_guard;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{Pagination, ParamLocation};
use crate::providers::language::value;

/// An answer, as the next page is made from it.
pub(super) struct PageResponse<'a> {
    /// The URL that answered.
    pub(super) url: &'a Url,
    /// Its headers.
    pub(super) headers: &'a http::HeaderMap,
    /// The whole answer.
    pub(super) body: &'a Val,
    /// What expressions see of it.
    pub(super) variables: &'a Variables,
    /// How many rows it has.
    pub(super) rows: u64,
}

/// How far a walk through pages has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageState {
    /// Pages that were answered.
    pages: u64,
    /// Rows that they had.
    rows: u64,
}

/// The first page's request: where pages or rows are counted, it says so from the beginning.
pub(super) fn first(next: Option<&Pagination>, request: &Request) -> Request {
    let mut request = request.clone();
    match next {
        Some(Pagination::Page { parameter, from, at, .. }) => put(&mut request, *at, parameter, &Value::from(*from)),
        Some(Pagination::Offset { parameter, at, .. }) => put(&mut request, *at, parameter, &Value::from(0)),
        Some(Pagination::Link | Pagination::Url(_) | Pagination::Cursor { .. }) | None => {}
    }
    request
}

impl PageState {
    /// The request for the page after this one, made from that for the first; none after the last.
    ///
    /// # Errors
    /// Reason `redirect` where it is at another origin; `decode` where it cannot be read.
    pub(super) fn onward(
        &mut self,
        next: Option<&Pagination>,
        first: &Request,
        page: &PageResponse<'_>,
    ) -> Result<Option<Request>, Failure> {
        self.pages += 1;
        self.rows += page.rows;
        match next {
            None => Ok(None),
            Some(Pagination::Link) => match page_guard::next_link(page.headers, page.url) {
                Some(url) => Ok(Some(Request { url: page_guard::same_origin(page.url, &url)?, ..first.clone() })),
                None => Ok(None),
            },
            Some(Pagination::Url(url)) => match read(url.first(page.variables, page.body.clone()))? {
                Some(Value::String(url)) => {
                    let url = page_guard::same_origin(page.url, &url)?;
                    Ok(Some(Request { method: http::Method::GET, url, body: Body::Empty, ..first.clone() }))
                }
                Some(_) => Err(unreadable()),
                None => Ok(None),
            },
            Some(Pagination::Cursor { cursor, parameter, at }) => {
                let cursor = read(cursor.first(page.variables, page.body.clone()))?;
                Ok(cursor.map(|cursor| with(first, *at, parameter, &within_url(cursor, parameter))))
            }
            Some(Pagination::Page { parameter, from, last, at }) => {
                let is_last = page.rows == 0 || is_true(last.as_ref(), page);
                Ok((!is_last).then(|| with(first, *at, parameter, &Value::from(from + self.pages))))
            }
            Some(Pagination::Offset { parameter, last, at }) => {
                let is_last = page.rows == 0 || is_true(last.as_ref(), page);
                Ok((!is_last).then(|| with(first, *at, parameter, &Value::from(self.rows))))
            }
        }
    }
}

fn is_true(last: Option<&crate::providers::language::expression::Expression>, page: &PageResponse<'_>) -> bool {
    last.is_some_and(|last| last.truth(page.variables, page.body.clone()))
}

/// What an expression says of the next page; none where it says that there is none.
///
/// One that cannot be read is a failure: half an answer must not pass for a whole one.
fn read<E>(result: Result<Option<Val>, E>) -> Result<Option<Value>, Failure> {
    match result {
        Ok(value) => Ok(value.filter(|value| !value::is_blank(value)).map(|value| value::to_json(&value))),
        Err(_) => Err(unreadable()),
    }
}

fn unreadable() -> Failure {
    Failure::new(Reason::Decode, "where the next page is cannot be read")
}

/// A cursor may come as the next page's URL: then it is that URL's parameter of the same name.
///
/// Atlassian's documentation of `links.next` leaves open which of the two it is:
/// <https://developer.atlassian.com/cloud/admin/api-access/rest/intro/>.
fn within_url(cursor: Value, parameter: &str) -> Value {
    let url = cursor.as_str().filter(|text| text.starts_with("http://") || text.starts_with("https://"));
    let inner = url.and_then(|url| Url::parse(url).ok()).and_then(|url| {
        url.query_pairs().find(|(name, _)| name == parameter).map(|(_, value)| Value::from(value.into_owned()))
    });
    inner.unwrap_or(cursor)
}

fn with(first: &Request, at: ParamLocation, parameter: &str, value: &Value) -> Request {
    let mut request = first.clone();
    put(&mut request, at, parameter, value);
    request
}

/// Sets a paging parameter, whether or not the request has it already.
fn put(request: &mut Request, at: ParamLocation, parameter: &str, value: &Value) {
    let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match at {
        ParamLocation::Query => build_request::replace(&mut request.url, parameter, &text()),
        ParamLocation::Header => {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(parameter));
            request.headers.push((parameter.to_owned(), text()));
        }
        ParamLocation::Body => {
            let mut body = match std::mem::replace(&mut request.body, Body::Empty) {
                Body::Json(body) => body,
                Body::Empty | Body::Form(_) => Value::Null, // a form pages nowhere: it is for logins only
            };
            put_under(&mut body, parameter, value.clone());
            request.body = Body::Json(body);
        }
    }
}

/// Sets the value under a dotted path, and makes the objects that it leads through.
fn put_under(body: &mut Value, path: &str, value: Value) {
    if !body.is_object() {
        *body = Value::Object(serde_json::Map::new());
    }
    let Some(object) = body.as_object_mut() else { return };
    match path.split_once('.') {
        Some((head, rest)) => put_under(object.entry(head).or_insert(Value::Null), rest, value),
        None => {
            object.insert(path.to_owned(), value);
        }
    }
}

/// What makes this request different from the others of the same walk.
pub(crate) fn identity(request: &Request, next: Option<&Pagination>) -> String {
    let header = match next {
        Some(Pagination::Cursor { parameter, at: ParamLocation::Header, .. }) => request
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(parameter))
            .map(|(_, value)| value.as_str()),
        _ => None,
    };
    let body = match &request.body {
        Body::Json(body) => body.to_string(),
        Body::Empty | Body::Form(_) => String::new(),
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
        }
    }

    #[test]
    fn a_parameter_replaces_one_of_the_same_name_and_keeps_the_others() {
        let mut sent = request("https://h/p?limit=5&start=0&q=a%20b&q=c", Body::Empty);
        put(&mut sent, ParamLocation::Query, "start", &json!(5));
        assert_eq!(sent.url.as_str(), "https://h/p?limit=5&q=a%20b&q=c&start=5");
        put(&mut sent, ParamLocation::Header, "Range", &json!("id ]x.."));
        assert_eq!(sent.headers, [("Range".to_owned(), "id ]x..".to_owned())]);
    }

    #[test]
    fn a_parameter_goes_into_a_body_by_its_path_and_keeps_its_type() {
        let mut sent =
            request("https://h/p", Body::Json(json!({"query": "…", "variables": {"after": null, "first": 5}})));
        put(&mut sent, ParamLocation::Body, "variables.after", &json!("c1"));
        let Body::Json(body) = &sent.body else { panic!() };
        assert_eq!(*body, json!({"query": "…", "variables": {"after": "c1", "first": 5}}));
        let mut sent = request("https://h/p", Body::Empty);
        put(&mut sent, ParamLocation::Body, "a.b", &json!([17, "x"]));
        let Body::Json(body) = &sent.body else { panic!() };
        assert_eq!(*body, json!({"a": {"b": [17, "x"]}}));
    }

    #[test]
    fn a_cursor_is_taken_out_of_a_url_that_has_it() {
        let cases = [
            (json!("c1=="), json!("c1==")),
            (json!("https://h/p?pageSize=5&cursor=a%3D%3D"), json!("a==")),
            (json!("https://h/p?pageSize=5"), json!("https://h/p?pageSize=5")),
            (json!(["x", 1]), json!(["x", 1])),
        ];
        for (cursor, expected) in cases {
            assert_eq!(within_url(cursor, "cursor"), expected);
        }
    }
}

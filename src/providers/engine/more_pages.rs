//! Signs in a response that there are more pages, whatever the definition's `next` says.
//!
//! Only signs with one meaning count. Counts do not: `total`, `count` and `size` are the rows of all pages at one vendor, of this
//! page at another, and include rows that the credential cannot see at a third. A definition declares them with `total`.

use std::fmt;

use http::HeaderMap;
use url::Url;

use crate::http::page_guard;
use crate::providers::language::expression::Val;
use crate::providers::language::value;

/// A sign that there are more pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MorePages {
    /// Its name: a header or a field.
    name: String,
    /// The number of the next page, if it says so.
    pub(super) page: Option<u64>,
}

impl MorePages {
    /// The definition's `more` holds.
    pub(super) fn by_definition() -> Self {
        Self { name: "more".to_owned(), page: None }
    }
}

impl fmt::Display for MorePages {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "the response has more pages (`{}`), but no next page was found", self.name)
    }
}

/// True if there are more pages.
const TRUE_IF_MORE: [&str; 12] = [
    "has_more",
    "hasMore",
    "has_more_items",
    "hasMoreItems",
    "has_next",
    "hasNext",
    "has_next_page",
    "hasNextPage",
    "is_truncated",
    "isTruncated",
    "IsTruncated",
    "incomplete_results",
];

/// The same, but common enough as fields of other things to count only at the top and next to other paging fields.
const TRUE_IF_MORE_IN_PAGER: [&str; 3] = ["more", "truncated", "more_results"];

/// False if there are more pages.
const FALSE_IF_MORE: [&str; 6] = ["isLastPage", "is_last_page", "isLast", "is_last", "lastPage", "IsLastPage"];

/// The next page, unless null, false, 0 or "".
const NEXT: [&str; 22] = [
    "next_page_token",
    "nextPageToken",
    "NextPageToken",
    "next_token",
    "nextToken",
    "NextToken",
    "next_cursor",
    "nextCursor",
    "next_marker",
    "nextMarker",
    "NextMarker",
    "continuation_token",
    "continuationToken",
    "NextContinuationToken",
    "next_page_url",
    "nextPageUrl",
    "next_link",
    "nextLink",
    "@odata.nextLink",
    "odata.nextLink",
    "nextPageStart",
    "next_page_start",
];

/// The same, at the top and next to other paging fields.
const NEXT_IN_PAGER: [&str; 4] = ["next", "next_page", "nextPage", "continue"];

/// The fields of responses with paging fields.
const PAGERS: [&str; 14] = [
    "meta",
    "metadata",
    "_metadata",
    "pagination",
    "paging",
    "paginator",
    "page",
    "page_info",
    "pageInfo",
    "links",
    "_links",
    "cursors",
    "response_metadata",
    "result_info",
];

/// Headers with the next page, unless empty, 0 or false.
const NEXT_HEADERS: [&str; 7] = [
    "x-has-more",
    "x-next-cursor",
    "x-next-page-token",
    "x-continuation-token",
    "x-ms-continuationtoken",
    "x-ms-continuation",
    "next-range",
];

/// How deep paging fields are searched: `data.viewer.tokens.pageInfo` of GraphQL. Lists are rows, and are not searched.
const MAX_DEPTH: usize = 5;

/// The first sign in the headers or the body. `follows_links`: the definition follows the header `Link` itself.
pub(super) fn more_pages(headers: &HeaderMap, body: &Val, url: &Url, follows_links: bool) -> Option<MorePages> {
    header_sign(headers, url, follows_links).or_else(|| body_sign(body))
}

fn header_sign(headers: &HeaderMap, url: &Url, follows_links: bool) -> Option<MorePages> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let sign = |name: &str, page| Some(MorePages { name: name.to_owned(), page });
    if let Some(next) = text("x-next-page").filter(|next| is_next_text(next)) {
        return sign("x-next-page", next.parse().ok());
    }
    if let (Some(page), Some(pages)) = (number("x-page"), number("x-total-pages"))
        && page < pages
    {
        return sign("x-total-pages", Some(page + 1));
    }
    if !follows_links && page_guard::next_link(headers, url).is_some() {
        return sign("link", None);
    }
    // RFC 9110, section 14.4: `items 0-99/205`.
    let range =
        text("content-range").and_then(|range| range.split_once(' ')).and_then(|(_, range)| range.split_once('/'));
    if let Some((read, total)) = range
        && let Some((_, last)) = read.split_once('-')
        && let (Ok(last), Ok(total)) = (last.parse::<u64>(), total.parse::<u64>())
        && last.saturating_add(1) < total
    {
        return sign("content-range", None);
    }
    NEXT_HEADERS.iter().find(|name| text(name).is_some_and(is_next_text)).and_then(|name| sign(name, None))
}

fn is_next_text(text: &str) -> bool {
    !matches!(text, "" | "0" | "-1" | "false" | "null")
}

#[derive(Default)]
struct BodySigns {
    more: Option<String>,
    next: Option<String>,
    /// A flag says that this is the last page.
    is_last: bool,
}

fn body_sign(body: &Val) -> Option<MorePages> {
    let mut signs = BodySigns::default();
    search(body, "", true, 0, &mut signs);
    // Some APIs return a cursor with the last page too, for a later call.
    let name = signs.more.or(signs.next.filter(|_| !signs.is_last))?;
    Some(MorePages { name, page: None })
}

fn search(value: &Val, path: &str, is_pager: bool, depth: usize, signs: &mut BodySigns) {
    let Val::Obj(object) = value else { return };
    // Spring's page of a list: https://docs.spring.io/spring-data/commons/reference/repositories/core-extensions.html
    let is_spring = is_pager && value::field(value, "totalPages").is_some() && value::field(value, "number").is_some();
    for (key, child) in object.iter() {
        let Some(key) = value::scalar(key) else { continue };
        let (key, named) = (key.as_str(), || format!("{path}{key}"));
        let is_more_if_true = TRUE_IF_MORE.contains(&key) || (is_pager && TRUE_IF_MORE_IN_PAGER.contains(&key));
        let is_more_if_false = FALSE_IF_MORE.contains(&key) || (is_spring && key == "last");
        match child {
            Val::Bool(flag) if is_more_if_true || is_more_if_false => {
                if *flag == is_more_if_true {
                    signs.more.get_or_insert_with(named);
                } else {
                    signs.is_last = true;
                }
            }
            _ if (NEXT.contains(&key) || (is_pager && NEXT_IN_PAGER.contains(&key))) && is_next(child) => {
                signs.next.get_or_insert_with(named);
            }
            Val::Obj(_) if depth < MAX_DEPTH => {
                search(child, &format!("{path}{key}."), PAGERS.contains(&key), depth + 1, signs);
            }
            _ => {}
        }
    }
}

/// Whether a field holds a cursor, a page number or a URL, also as `{href: …}`.
fn is_next(value: &Val) -> bool {
    match value {
        Val::Obj(_) => value::field(value, "href").is_some_and(is_next),
        Val::Bool(_) => false,
        _ => value::scalar(value).is_some_and(|text| is_next_text(&text)),
    }
}

/// A number in a URL that counts pages or rows.
const NUMBERED: [&str; 12] = [
    "page",
    "p",
    "page_number",
    "pageNumber",
    "page_no",
    "page[number]",
    "offset",
    "start",
    "startIndex",
    "startAt",
    "start_index",
    "skip",
];

/// The page after a full one that has no `Link` header, by the numbers in the URLs of this page and of the one before it.
///
/// The header can get lost between server and exporter. The page after the last one is empty, so that nothing is lost if the list
/// really ends with a full page. `None` if the URLs have no number that grows.
pub(super) fn numbered_page_after(previous: Option<&Url>, current: &Url) -> Option<(String, u64)> {
    let number = |url: &Url, wanted: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.parse::<u64>().ok())
    };
    let Some(previous) = previous else {
        // `per_page` and `page` always come together. Keyset pagination ignores page numbers.
        let is_numbered =
            number(current, "per_page").is_some() && number(current, "page").is_none_or(|page| page == Some(1));
        return (is_numbered && number(current, "pagination").is_none()).then(|| ("page".to_owned(), 2));
    };
    NUMBERED.iter().find_map(|name| {
        let now = number(current, name)??;
        let before = match number(previous, name) {
            Some(before) => before?,
            None => u64::from(name.starts_with('p') && now == 2),
        };
        let step = now.checked_sub(before).filter(|step| *step > 0)?;
        Some(((*name).to_owned(), now.checked_add(step)?))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];
    type Found<'a> = Option<(&'a str, Option<u64>)>;

    fn sign(headers: Headers<'_>, body: &str) -> Option<(String, Option<u64>)> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = headers.collect::<Vec<(http::HeaderName, http::HeaderValue)>>().into_iter().collect();
        let body = value::decode(body.as_bytes()).unwrap();
        let url = Url::parse("https://h.example/t").unwrap();
        more_pages(&headers, &body, &url, false).map(|more| (more.name, more.page))
    }

    #[test]
    fn more_pages_finds_headers() {
        let cases: [(Headers<'_>, Found<'_>); 15] = [
            (&[], None),
            (&[("x-next-page", "2")], Some(("x-next-page", Some(2)))),
            (&[("x-next-page", "")], None),
            (&[("x-next-page", "abc")], Some(("x-next-page", None))),
            (&[("x-page", "1"), ("x-total-pages", "2")], Some(("x-total-pages", Some(2)))),
            (&[("x-page", "2"), ("x-total-pages", "2")], None),
            (&[("link", "</t?page=2>; rel=next")], Some(("link", None))),
            (&[("link", "</t?page=1>; rel=prev")], None),
            (&[("content-range", "items 0-99/205")], Some(("content-range", None))),
            (&[("content-range", "items 200-204/205")], None),
            (&[("content-range", "items 0-99/*")], None),
            (&[("next-range", "id ]x..; max=200")], Some(("next-range", None))),
            (&[("x-ms-continuationtoken", "abc")], Some(("x-ms-continuationtoken", None))),
            (&[("x-has-more", "false")], None),
            (&[("x-total", "205"), ("x-total-count", "205")], None),
        ];
        for (headers, expected) in cases {
            let expected = expected.map(|(name, page)| (name.to_owned(), page));
            assert_eq!(sign(headers, "[]"), expected, "{headers:?}");
        }
    }

    #[test]
    fn more_pages_finds_fields() {
        let cases = [
            ("[]", None),
            (r#"{"has_more": true, "data": []}"#, Some("has_more")),
            (r#"{"has_more": false, "next_cursor": "c"}"#, None),
            (r#"{"isLastPage": false, "values": []}"#, Some("isLastPage")),
            (r#"{"isLastPage": true, "nextPageStart": null}"#, None),
            (r#"{"kind": "List", "metadata": {"continue": "abc"}, "items": []}"#, Some("metadata.continue")),
            (r#"{"metadata": {"continue": ""}}"#, None),
            (
                r#"{"data": {"viewer": {"tokens": {"pageInfo": {"hasNextPage": true}}}}}"#,
                Some("data.viewer.tokens.pageInfo.hasNextPage"),
            ),
            (r#"{"next": "https://h.example/t?page=2", "results": []}"#, Some("next")),
            (r#"{"next": null}"#, None),
            (r#"{"_links": {"next": {"href": "/t?cursor=2"}}}"#, Some("_links.next")),
            (r#"{"links": {"next": ""}}"#, None),
            (r#"{"nextPageToken": "t"}"#, Some("nextPageToken")),
            (r#"{"response_metadata": {"next_cursor": ""}}"#, None),
            (r#"{"response_metadata": {"next_cursor": "dXNlcg=="}}"#, Some("response_metadata.next_cursor")),
            (r#"{"@odata.nextLink": "https://graph.example/x"}"#, Some("@odata.nextLink")),
            (r#"{"IsTruncated": true, "Marker": "m"}"#, Some("IsTruncated")),
            (r#"{"more": true}"#, Some("more")),
            (r#"{"content": [], "last": false, "number": 0, "totalPages": 3}"#, Some("last")),
            (r#"{"content": [], "last": true, "number": 2, "totalPages": 3}"#, None),
            (r#"{"next_page": 0}"#, None),
            // Not of the list: counts, fields of rows, and fields of other things.
            (r#"{"total": 205, "count": 205, "size": 100}"#, None),
            (r#"{"data": [{"has_more": true, "next": "x"}]}"#, None),
            (r#"{"keys": {"k1": {"next": "2027-01-01", "more": true}}}"#, None),
        ];
        for (body, expected) in cases {
            assert_eq!(sign(&[], body).map(|(name, _)| name).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn numbered_page_after_continues_the_numbers() {
        let cases = [
            (Some("/t?per_page=2"), "/t?per_page=2&page=2", Some(("page", 3))),
            (Some("/t?page=2"), "/t?page=3", Some(("page", 4))),
            (Some("/t?limit=50"), "/t?limit=50&offset=50", Some(("offset", 100))),
            (Some("/t?offset=50"), "/t?offset=100", Some(("offset", 150))),
            (Some("/t?page=2"), "/t?page=2", None),
            (Some("/t"), "/t?cursor=100", None),
            (Some("/t"), "/t?page=eyJ", None),
            (None, "/t?per_page=100", Some(("page", 2))),
            (None, "/t?per_page=100&pagination=keyset", None),
            (None, "/t?limit=100", None),
        ];
        let url = |path: &str| Url::parse("https://h.example").unwrap().join(path).unwrap();
        for (previous, current, expected) in cases {
            let got = numbered_page_after(previous.map(url).as_ref(), &url(current));
            assert_eq!(got, expected.map(|(name, number)| (name.to_owned(), number)), "{previous:?} {current}");
        }
    }
}

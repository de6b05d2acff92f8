//! Lists of several pages, and lists that are cut off.

use super::*;

/// Path and query, a header, and the body.
type Page = (&'static str, Option<(&'static str, &'static str)>, &'static str);

/// The result of a list with this `next`, and the requests that it took. The responses are given by their path and query.
async fn collect_list(keys: &str, responses: &'static [Page]) -> (Outcome, Vec<String>) {
    let (origin, requests) = serve_responses(move |request| {
        let path = request.split(' ').nth(1).unwrap();
        let found = responses.iter().find(|(wanted, ..)| *wanted == path);
        let (_, header, body) = found.unwrap_or(&("", None, "{}"));
        let status = if found.is_some() { 200 } else { 404 };
        let response = Response::builder().status(status).header("content-type", "application/json");
        (header.iter().fold(response, |response, (name, value)| response.header(*name, *value)), (*body).to_owned())
    })
    .await;
    let definition = format!(
        "auth: bearer\nlistings:\n  - {{name: t, kind: t, get: /t, rows: .rows, {keys}, token: {{id: .i, expires_at: .e}}}}\n"
    );
    let outcome = collect(&*source(&definition, &origin, Changing::new("c")), noon()).await;
    let requests = requests.take();
    (outcome, requests.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect())
}

fn paging_failure(outcome: &Outcome) -> &str {
    let gaps = &outcome.listings[0].gaps;
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert_eq!((gap.failure.reason, ids(outcome).len()), (Reason::Paging, 0), "{}", gap.failure.what);
    gap.failure.what.split_once("/t").unwrap().1.split_once(": ").unwrap().1
}

#[tokio::test]
async fn list_that_says_there_is_more_is_a_paging_failure() {
    let link = Some(("link", "</t?page=2>; rel=next"));
    let cases = [
        ("more: null", None, r#"{"rows": [{"i": 1}], "has_more": true}"#, "has_more"),
        ("more: null", link, r#"{"rows": [{"i": 1}]}"#, "link"),
        (
            "next: {cursor: .next, param: c}",
            None,
            r#"{"rows": [{"i": 1}], "has_more": true, "next": null}"#,
            "has_more",
        ),
        ("next: {cursor: .cursor, param: c}", None, r#"{"rows": [{"i": 1}], "isLastPage": false}"#, "isLastPage"),
        ("next: {cursor: .c, param: c}", None, r#"{"rows": [], "metadata": {"continue": "x"}}"#, "metadata.continue"),
        ("next: {page: page, last: .rows}", link, r#"{"rows": [{"i": 1}]}"#, "link"),
        ("next: {url: .url}", None, r#"{"rows": [{"i": 1}], "nextLink": "/t?page=2"}"#, "nextLink"),
        ("more: .left > 0", None, r#"{"rows": [{"i": 1}], "left": 5}"#, "more"),
    ];
    for (keys, header, body, sign) in cases {
        let keys = keys.replace("more: null", "headers: {}");
        let responses = Box::leak(Box::new([("/t", header, body), ("/t?page=1", header, body)]));
        let (outcome, _) = collect_list(&keys, responses).await;
        let expected = format!("the response has more pages (`{sign}`), but no next page was found");
        assert_eq!(paging_failure(&outcome), expected, "{keys} {body}");
    }
}

#[tokio::test]
async fn definition_can_override_the_signs_of_more() {
    let (outcome, _) =
        collect_list("more: 'false'", &[("/t", None, r#"{"rows": [{"i": 1}], "has_more": true}"#)]).await;
    assert_eq!((ids(&outcome), outcome.is_complete()), (vec!["1"], true));
}

#[tokio::test]
async fn empty_page_that_is_not_the_last_is_passed() {
    let (outcome, requests) = collect_list(
        "next: {page: page}",
        &[
            ("/t?page=1", None, r#"{"rows": [{"i": 1}], "has_more": true}"#),
            ("/t?page=2", None, r#"{"rows": [], "has_more": true}"#),
            ("/t?page=3", None, r#"{"rows": [{"i": 3}], "has_more": false}"#),
            ("/t?page=4", None, r#"{"rows": [], "has_more": false}"#),
        ],
    )
    .await;
    assert_eq!((ids(&outcome), requests.len(), outcome.is_complete()), (vec!["1", "3"], 4, true));
}

#[tokio::test]
async fn total_is_compared_with_the_rows_of_all_pages() {
    let cases: [(&str, &str, Option<&str>); 6] = [
        // The total of the first and of the second page.
        ("3", "3", None),
        ("4", "4", Some("the provider counts 4 rows, but 3 were read")),
        // A row was added behind the cursor, or a row that was read is removed.
        ("3", "4", None),
        ("4", "3", None),
        ("2", "2", None),
        ("null", "\"many\"", None),
    ];
    for (first, second, expected) in cases {
        let first = format!(r#"{{"rows": [{{"i": 1}}, {{"i": 2}}], "total": {first}, "next": "2"}}"#);
        let second = format!(r#"{{"rows": [{{"i": 3}}], "total": {second}, "next": ""}}"#);
        let responses: &[_] = Box::leak(Box::new([
            ("/t", None, &*Box::leak(first.into_boxed_str())),
            ("/t?c=2", None, &*Box::leak(second.into_boxed_str())),
        ]));
        let (outcome, _) = collect_list("total: .total, next: {cursor: .next, param: c}", responses).await;
        match expected {
            Some(expected) => assert_eq!(paging_failure(&outcome), expected),
            None => assert_eq!((ids(&outcome), outcome.is_complete()), (vec!["1", "2", "3"], true), "{responses:?}"),
        }
    }
}

#[tokio::test]
async fn total_without_declaration_does_not_count() {
    let (outcome, _) =
        collect_list("headers: {}", &[("/t", None, r#"{"rows": [{"i": 1}], "total": 205, "size": 9}"#)]).await;
    assert_eq!((ids(&outcome), outcome.is_complete()), (vec!["1"], true));
}

#[tokio::test]
async fn full_page_without_link_is_followed_by_its_number() {
    const TWO: &str = r#"{"rows": [{"i": 3}, {"i": 4}]}"#;
    let first = ("/t", Some(("link", "</t?page=2>; rel=next")), r#"{"rows": [{"i": 1}, {"i": 2}]}"#);
    // The list goes on, ends with an empty page, with an error, or with the last page again.
    let cases: [(&'static [_], &[&str]); 4] = [
        (
            Box::leak(Box::new([first, ("/t?page=2", None, TWO), ("/t?page=3", None, r#"{"rows": [{"i": 5}]}"#)])),
            &["1", "2", "3", "4", "5"],
        ),
        (
            Box::leak(Box::new([first, ("/t?page=2", None, TWO), ("/t?page=3", None, r#"{"rows": []}"#)])),
            &["1", "2", "3", "4"],
        ),
        (Box::leak(Box::new([first, ("/t?page=2", None, TWO)])), &["1", "2", "3", "4"]),
        (Box::leak(Box::new([first, ("/t?page=2", None, TWO), ("/t?page=3", None, TWO)])), &["1", "2", "3", "4"]),
    ];
    for (responses, expected) in cases {
        let (outcome, requests) = collect_list("next: link", responses).await;
        assert_eq!((ids(&outcome).as_slice(), outcome.is_complete()), (expected, true), "{responses:?}");
        assert_eq!(requests.last().map(String::as_str), Some("/t?page=3"));
    }
    // A `Link` header without a next page means that there is none.
    let last = ("/t?page=2", Some(("link", "</t>; rel=first")), TWO);
    let (outcome, requests) = collect_list("next: link", Box::leak(Box::new([first, last]))).await;
    assert_eq!((ids(&outcome).len(), requests.len(), outcome.is_complete()), (4, 2, true));
}

#[tokio::test]
async fn full_first_page_without_any_header_is_followed_by_its_number() {
    let (outcome, requests) = collect_list(
        "query: {per_page: 2}, next: link",
        &[
            ("/t?per_page=2", None, r#"{"rows": [{"i": 1}, {"i": 2}]}"#),
            ("/t?per_page=2&page=2", None, r#"{"rows": [{"i": 3}]}"#),
        ],
    )
    .await;
    assert_eq!((ids(&outcome), requests.len(), outcome.is_complete()), (vec!["1", "2", "3"], 2, true));
}

#[tokio::test]
async fn same_page_again_fails_at_once() {
    let page = r#"{"rows": [{"i": 1}, {"i": 2}]}"#;
    let (outcome, requests) = collect_list(
        "next: {page: page}",
        Box::leak(Box::new([("/t?page=1", None, page), ("/t?page=2", None, page), ("/t?page=3", None, page)])),
    )
    .await;
    assert_eq!(
        paging_failure(&outcome),
        "page 2 repeats the rows of page 1: the server ignores the paging parameter; correct `next`"
    );
    assert_eq!(requests.len(), 2);
}

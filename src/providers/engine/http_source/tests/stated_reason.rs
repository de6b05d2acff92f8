//! Responses that are a failure by their content, some of which are repeated.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// The gaps and the number of requests of a source whose first response is this one, and whose second is successful.
async fn collect_after(first: (u16, String)) -> (Vec<String>, usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let (origin, requests) = serve(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => first.clone(),
        _ => (200, r#"[{"id": 1, "ends": null}]"#.into()),
    })
    .await;
    let definition = "auth: bearer
failed:
  - {if: '.code? == \"limit\"', reason: rate_limited}
  - {if: '.code? == \"later\"', reason: server_error}
  - {if: '.code? == \"denied\"', reason: forbidden}
  - {if: .error?}
listings:
  - {name: a, kind: key, get: /a, none: {status: 422, if: '.none?'}, rows: ., token: {id: .id, expires_at: .ends}}
";
    let around = (Arc::default(), Arc::default());
    let source = connect_source(definition, &origin, Changing::new("c"), around, (1, Arc::new(noon)));
    (gaps(&collect(&*source, noon()).await), requests.take().len())
}

#[tokio::test]
async fn response_with_a_temporary_reason_is_repeated() {
    let large = |body: &str| body.replace('}', &format!(r#", "text": "{}"}}"#, "x".repeat(70_000)));
    let cases: [(u16, String, &[&str], usize); 12] = [
        (400, r#"{"code": "limit"}"#.into(), &[], 2),
        (422, r#"{"code": "later"}"#.into(), &[], 2),
        (200, r#"{"code": "limit"}"#.into(), &[], 2),
        (200, r#"{"code": "later"}"#.into(), &[], 2),
        (400, r#"{"code": "denied"}"#.into(), &["/a: forbidden"], 1),
        (200, r#"{"error": true, "code": "denied"}"#.into(), &["/a: forbidden"], 1),
        (200, r#"{"error": true}"#.into(), &["/a: decode"], 1),
        (400, r#"{"error": true}"#.into(), &["/a: internal"], 1),
        (400, "limit".into(), &["/a: internal"], 1),
        // A status that states a reason itself counts.
        (403, r#"{"code": "limit"}"#.into(), &["/a: forbidden"], 1),
        // "Complete and empty" is not a failure.
        (422, r#"{"none": true, "code": "limit"}"#.into(), &[], 1),
        (400, large(r#"{"code": "limit"}"#), &["/a: rate_limited"], 1),
    ];
    for (status, body, expected, sent) in cases {
        let shown = format!("{status} {:.40}", body);
        let (gaps, requests) = collect_after((status, body)).await;
        assert_eq!(
            (gaps.iter().map(String::as_str).collect::<Vec<_>>(), requests),
            (expected.to_vec(), sent),
            "{shown}"
        );
    }
}

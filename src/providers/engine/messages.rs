//! How errors name a request, and what they quote of a response.

use crate::core::sanitize::{is_unsafe_char, truncate};
use crate::http::client::Request;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::value;

/// `GET https://host/path`. Without the query: it can be long, and the definition shows it.
pub(super) fn describe(request: &Request) -> String {
    format!("{} {}{}", request.method, request.url.origin().ascii_serialization(), truncate(request.url.path()))
}

/// The provider's message if the definition's `error` yields a string: on one line, cut to the length limit.
pub(super) fn provider_message(error: Option<&Expression>, variables: &Variables) -> Option<String> {
    let Val::TStr(bytes) = error?.first(variables, variables.body.clone()).ok()?? else { return None };
    let text = String::from_utf8_lossy(&bytes).replace(is_unsafe_char, " ");
    let line = without_null(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    Some(truncate(&line)).filter(|line| !line.is_empty())
}

/// The message without the parts that jq writes for fields that the response does not have: `null: not allowed`.
fn without_null(line: &str) -> String {
    let is_null = |part: &str| part.split(|c: char| !c.is_alphanumeric()).all(|word| word.is_empty() || word == "null");
    line.split(": ").filter(|part| !is_null(part)).collect::<Vec<_>>().join(": ")
}

/// Why a response cannot be decoded.
pub(super) fn undecodable(is_aws_query: bool, headers: &http::HeaderMap) -> String {
    if is_aws_query { "response is not XML of AWS's query protocol".to_owned() } else { not_json(headers) }
}

/// What a response is that cannot be parsed as JSON, by its `Content-Type`.
fn not_json(headers: &http::HeaderMap) -> String {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "" => "response is not JSON".to_owned(),
        "text/html" => "response is text/html, not JSON (a login page?)".to_owned(),
        json if json.ends_with("json") => "response contains invalid JSON".to_owned(),
        other => format!("response is {other}, not JSON"),
    }
}

/// The response headers as an object; a repeated header becomes one.
pub(super) fn headers_object(headers: &http::HeaderMap) -> Val {
    value::object(headers.keys().map(|name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (value::val(name.as_str()), value::val(&values.join(", ")))
    }))
}

//! The further headers of a source's requests: plain values from the file, secret ones read at each collection.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::credential::{self, CredentialSource, Part};
use super::environment::FileEnvironment;
use super::secrets::{HEADERS, has_password, is_secret_header, looks_like_secret};
use crate::core::extra_headers::ExtraHeaders;
use crate::schema::diagnostic::Span;
use crate::schema::reader::{Reader, join, written};
use crate::schema::record::Record;
use crate::schema::yaml::{Key, Kind, Node};

/// Headers of the connection and of the body, which the HTTP client sets
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>).
const OF_CLIENT: [&str; 17] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Headers with which a provider returns another response: a part of it, none, or that to another method.
const OF_RESPONSE: [&str; 9] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

const ORIGINS: &str = "`{file: PATH}` or `{env: NAME}`";

/// What was read.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) extra: ExtraHeaders,
    pub(super) names: Vec<(String, Span)>,
    pub(super) secrets: Option<Arc<CredentialSource>>,
}

/// Reads a source's `headers`. Those in which something is invalid, which is reported, are omitted.
pub(super) fn read(reader: &mut Reader, environment: &FileEnvironment, values: &Record<'_>) -> Headers {
    let (Some(node), parent) = (values.node(HEADERS), values.path_of(HEADERS)) else {
        return Headers::default();
    };
    if !matches!(node.kind, Kind::Map(_)) {
        let message = format!("{parent}: expected a map, such as `{{X-Team: platform, X-Api-Key: {{file: PATH}}}}`");
        reader.secret(node.at, message);
    }
    let (mut headers, mut secrets) = (Headers::default(), Vec::<Part>::new());
    for (number, (key, value)) in node.entries().iter().enumerate() {
        let path = join(&parent, shown(&key.name));
        if let Some(problem) = name_problem(reader, &key.name, &node.entries()[..number]) {
            // A name that is not one may be the secret.
            reader.secret(key.at, format!("{path}: {problem}"));
            continue;
        }
        match &value.kind {
            // The name may be the secret: `{SECRET}` is a key without a value.
            Kind::Null => {
                reader.secret(key.at, format!("{parent}: a header has no value; write a text, {ORIGINS}"));
                continue;
            }
            Kind::Map(_) => secrets.extend(credential::part(reader, environment, value, &path, &key.name)),
            _ => headers.extra.plain.extend(plain(reader, value, &path, &key.name)),
        }
        headers.names.push((key.name.clone(), key.at));
    }
    if !secrets.is_empty() {
        let secrets = credential::of_headers(environment, secrets);
        headers.extra.secret = secrets.clone();
        headers.secrets = Some(secrets);
    }
    headers
}

/// The name for a message.
fn shown(name: &str) -> &str {
    let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok() && name.len() <= 64;
    if is_name && !looks_like_secret(name) { name } else { "***" }
}

fn name_problem(reader: &Reader, name: &str, before: &[(Key, Node)]) -> Option<String> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some("not the name of a header; write letters, digits and hyphens, such as `X-Team`".to_owned());
    }
    if let Some((first, _)) = before.iter().find(|(first, _)| first.name.eq_ignore_ascii_case(name)) {
        let line = reader.text.line_number(first.at.start);
        return Some(format!("the same header as in line {line}, since case does not count; remove one of them"));
    }
    if looks_like_secret(name) {
        return Some("this looks like a secret, which is the value of a header, not its name".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if OF_CLIENT.contains(&&*lower) {
        return Some("the exporter sets this header itself; remove it".to_owned());
    }
    let is_of_response = OF_RESPONSE.contains(&&*lower);
    is_of_response.then(|| "with this header the provider returns another response; remove it".to_owned())
}

/// A value that is not secret.
fn plain(reader: &mut Reader, node: &Node, path: &str, name: &str) -> Option<(String, String)> {
    let Some(text) = written(&reader.text, node).map(|text| text.trim().to_owned()) else {
        let found = node.describe();
        reader.secret(node.at, format!("{path}: expected a text, {ORIGINS}, found {found}"));
        return None;
    };
    let begins_with = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let is_login = ["bearer ", "basic ", "token "].into_iter().any(begins_with);
    if text.is_empty() {
        reader.error(node.at, format!("{path}: must not be empty; write a value or remove it"));
    } else if is_secret_header(name) || is_login || looks_like_secret(&text) || has_password(&text) {
        let message = format!("{path}: secrets are not allowed in the configuration; write {ORIGINS}");
        reader.secret(node.at, message);
    } else if HeaderValue::from_str(&text).is_err() {
        reader.error(
            node.at,
            format!("{path}: contains a line break or another control character; write it on one line"),
        );
    } else {
        return Some((name.to_owned(), text));
    }
    None
}

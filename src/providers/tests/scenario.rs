//! A scenario as it is written.

use std::path::Path;

use crate::core::time::parse_timestamp;
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml;
use crate::schema::yaml::{Kind, Node};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Object;

/// The configuration of the source, the expected requests with their responses, and the expected result.
#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) text: SourceText,
    pub(super) now: DateTime<Utc>,
    /// Attempts after the first; none by default.
    pub(super) retries: u32,
    pub(super) source: Node,
    pub(super) exchanges: Vec<Exchange>,
    /// Credentials of which the source shall say which of its tokens they are.
    pub(super) found: Vec<String>,
    /// The time of the newest entry that is known of every log.
    pub(super) newest: Option<DateTime<Utc>>,
    pub(super) yields: Object,
}

/// One request and its response.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) method: &'static str,
    /// Path and query.
    pub(super) target: String,
    /// Expected request headers.
    pub(super) headers: Vec<(String, String)>,
    /// The expected request body.
    pub(super) sends: Option<Value>,
    pub(super) status: u16,
    pub(super) response_headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Whether the request may be repeated.
    pub(super) again: bool,
    /// Whether the request has no credential, such as that for the token of a machine.
    pub(super) is_anonymous: bool,
}

impl Scenario {
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let content = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let text = SourceText::new(super::file_name(file), content);
        let root = yaml::parse(&text).map_err(|error| error.to_string())?;
        let Kind::Map(entries) = &root.kind else { return Err("a scenario must be a map".into()) };
        let known = ["scenario", "now", "source", "retries", "found", "newest", "exchanges", "yields"];
        if let Some((key, _)) = entries.iter().find(|(key, _)| !known.contains(&key.name.as_str())) {
            return Err(format!("unknown key `{}`", key.name));
        }
        let node = |name: &str| entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        let json = |name: &str| node(name).map(Node::to_json).unwrap_or_default();
        let now = json("now").as_str().and_then(parse_timestamp).ok_or("`now` must be a timestamp")?;
        let exchanges = json("exchanges").as_array().cloned().unwrap_or_default();
        let directory = file.parent().expect("a file is in a directory");
        Ok(Self {
            text: text.clone(),
            now,
            retries: json("retries").as_u64().map_or(0, |retries| u32::try_from(retries).expect("few")),
            source: node("source").cloned().unwrap_or(Node { at: root.at, kind: Kind::Map(Vec::new()) }),
            exchanges: exchanges
                .iter()
                .map(|exchange| Exchange::read(exchange, directory))
                .collect::<Result<_, _>>()?,
            found: serde_json::from_value(json("found")).unwrap_or_default(),
            newest: json("newest").as_str().and_then(parse_timestamp),
            yields: object(&json("yields"))?,
        })
    }
}

impl Scenario {
    /// The same, with one request refused as often as it is sent.
    pub(super) fn refusing(&self, number: usize, status: u16) -> Self {
        let mut refusing = self.clone();
        let refused = &mut refusing.exchanges[number];
        (refused.status, refused.body, refused.again) = (status, "{}".to_owned(), true);
        refused.response_headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        refusing
    }
}

impl Exchange {
    fn read(exchange: &Value, directory: &Path) -> Result<Self, String> {
        let mut exchange = object(exchange)?;
        let get = exchange.remove("get").map(|target| ("GET", target));
        let (method, target) = get
            .or_else(|| exchange.remove("post").map(|target| ("POST", target)))
            .ok_or("an exchange needs `get` or `post`")?;
        let target = target.as_str().ok_or("`get` and `post` must be strings")?.to_owned();
        let headers = texts(&exchange.remove("headers").unwrap_or_default())?;
        let sends = exchange.remove("sends");
        let is_anonymous = exchange.remove("anonymous").is_some();
        let mut response = object(&exchange.remove("response").unwrap_or_default())?;
        if let Some(key) = exchange.keys().next() {
            return Err(format!("{target}: unknown key `{key}`"));
        }
        let status = response.remove("status").map_or(200, |status| status.as_u64().unwrap_or_default());
        let mut response_headers = texts(&response.remove("headers").unwrap_or_default())?;
        let json = response.remove("body").map(|body| body.to_string());
        let file = match response.remove("file") {
            Some(name) => Some(content(&directory.join(name.as_str().unwrap_or_default()), response.remove("line"))?),
            None => None,
        };
        let text = response.remove("text").map(|text| text.as_str().unwrap_or_default().to_owned());
        if let Some(key) = response.keys().next() {
            return Err(format!("{target}: unknown key `{key}` in the response"));
        }
        let has_type = response_headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if text.is_none() && !has_type {
            response_headers.push(("Content-Type".into(), "application/json".into()));
        }
        let status = u16::try_from(status).map_err(|_| "invalid status")?;
        let body = json.or(file).or(text).unwrap_or_default();
        Ok(Self { method, target, headers, sends, status, response_headers, body, again: false, is_anonymous })
    }
}

fn content(file: &Path, line: Option<Value>) -> Result<String, String> {
    let content = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match line.and_then(|line| line.as_u64()) {
        None => Ok(content),
        Some(line) => {
            let line = usize::try_from(line).expect("a line's number") - 1;
            content.lines().nth(line).map(str::to_owned).ok_or_else(|| format!("{}: no such line", file.display()))
        }
    }
}

pub(super) fn object(value: &Value) -> Result<Object, String> {
    match value {
        Value::Object(object) => Ok(object.clone().into_iter().collect()),
        Value::Null => Ok(Object::new()),
        other => Err(format!("expected a map, found {other}")),
    }
}

fn texts(value: &Value) -> Result<Vec<(String, String)>, String> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(object(value)?.into_iter().map(|(name, value)| (name, text(value))).collect())
}

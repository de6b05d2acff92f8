//! A scenario as it is written.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::Value;
use token_expiry_exporter::core::time::parse_instant;
use token_expiry_exporter::schema::diagnostic::SourceText;
use token_expiry_exporter::schema::yaml;
use token_expiry_exporter::schema::yaml::{Kind, Node};

use super::Object;

/// What is configured, what is asked and answered, and what must come of it.
pub(crate) struct Scenario {
    pub(crate) text: SourceText,
    pub(crate) now: DateTime<Utc>,
    /// Attempts beyond the first; else none, so that a refusal is asked for once.
    pub(crate) retries: u32,
    pub(crate) source: Node,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) yields: Object,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    /// Headers that must be sent, with these values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body that must be sent.
    pub(crate) sends: Option<Value>,
    pub(crate) status: u16,
    pub(crate) answer_headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Scenario {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let content = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let text = SourceText::new(super::file_name(file), content);
        let root = yaml::parse(&text).map_err(|mistake| mistake.to_string())?;
        let Kind::Map(entries) = &root.kind else { return Err("a scenario is a map".into()) };
        let known = ["scenario", "now", "source", "retries", "exchanges", "yields"];
        if let Some((key, _)) = entries.iter().find(|(key, _)| !known.contains(&key.name.as_str())) {
            return Err(format!("unknown key `{}`", key.name));
        }
        let node = |name: &str| entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        let json = |name: &str| node(name).map(Node::to_json).unwrap_or_default();
        let now = json("now").as_str().and_then(parse_instant).ok_or("`now` is an instant")?;
        let exchanges = json("exchanges").as_array().cloned().unwrap_or_default();
        let folder = file.parent().expect("a file is in a folder");
        Ok(Self {
            text: text.clone(),
            now,
            retries: json("retries").as_u64().map_or(0, |retries| u32::try_from(retries).expect("few")),
            source: node("source").cloned().unwrap_or(Node { at: root.at, kind: Kind::Map(Vec::new()) }),
            exchanges: exchanges.iter().map(|exchange| Exchange::read(exchange, folder)).collect::<Result<_, _>>()?,
            yields: object(&json("yields"))?,
        })
    }
}

impl Exchange {
    fn read(exchange: &Value, folder: &Path) -> Result<Self, String> {
        let mut exchange = object(exchange)?;
        let get = exchange.remove("get").map(|target| ("GET", target));
        let (method, target) = get
            .or_else(|| exchange.remove("post").map(|target| ("POST", target)))
            .ok_or("an exchange is `get` or `post`")?;
        let target = target.as_str().ok_or("`get` and `post` are texts")?.to_owned();
        let headers = texts(&exchange.remove("headers").unwrap_or_default())?;
        let sends = exchange.remove("sends");
        let mut answer = object(&exchange.remove("answer").unwrap_or_default())?;
        if let Some(key) = exchange.keys().next() {
            return Err(format!("{target}: unknown key `{key}`"));
        }
        let status = answer.remove("status").map_or(200, |status| status.as_u64().unwrap_or_default());
        let mut answer_headers = texts(&answer.remove("headers").unwrap_or_default())?;
        let json = answer.remove("body").map(|body| body.to_string());
        let file = match answer.remove("file") {
            Some(name) => Some(content(&folder.join(name.as_str().unwrap_or_default()), answer.remove("line"))?),
            None => None,
        };
        let text = answer.remove("text").map(|text| text.as_str().unwrap_or_default().to_owned());
        if let Some(key) = answer.keys().next() {
            return Err(format!("{target}: unknown key `{key}` in the answer"));
        }
        let is_typed = answer_headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if text.is_none() && !is_typed {
            answer_headers.push(("Content-Type".into(), "application/json".into()));
        }
        let status = u16::try_from(status).map_err(|_| "no status")?;
        let body = json.or(file).or(text).unwrap_or_default();
        Ok(Self { method, target, headers, sends, status, answer_headers, body })
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

pub(crate) fn object(value: &Value) -> Result<Object, String> {
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

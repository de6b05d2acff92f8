//! Where a source's secrets come from: files and variables, read anew at each collection.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::config_reader::ConfigReader;
use super::environment::Environment;
use super::keys::ORIGIN;
use super::secrets;
use super::values::under;
use crate::core::failure::{Failure, Reason};
use crate::core::secret::{Credential, Credentials, Secret};
use crate::schema::diagnostic::{Span, did_you_mean};
use crate::schema::yaml::{Key, Kind, Node};

/// The secrets of one source.
pub(super) struct Origins {
    parts: Vec<Part>,
    surroundings: Arc<dyn Environment>,
}

/// One secret; the name of a single one is empty.
#[derive(Debug)]
struct Part {
    name: String,
    /// What messages call it: `sources.vault.credential.file`.
    what: String,
    at: Span,
    origin: Origin,
}

/// Where a secret comes from.
#[derive(Debug)]
enum Origin {
    File(PathBuf),
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(to, "the file {}", path.display()),
            Self::Variable(name) => write!(to, "the variable {name}"),
        }
    }
}

impl Origin {
    /// Reads the secret.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the origin.
    fn read(&self, surroundings: &dyn Environment) -> Result<Secret, String> {
        let text = match self {
            Self::File(path) => {
                let content = surroundings.read_file(path).map_err(|error| format!("cannot be read: {error}"))?;
                String::from_utf8(content).map_err(|_| "is no UTF-8 text".to_owned())?
            }
            Self::Variable(name) => surroundings.env(name).ok_or("is not set")?,
        };
        // Editors of one system begin a file with this mark, which no header can carry.
        let secret = Secret::new(text.trim_start_matches('\u{feff}'));
        if secret.expose().trim().is_empty() {
            return Err("is empty".into());
        }
        Ok(secret)
    }

    /// The way out of a mistake.
    fn way_out(&self) -> &'static str {
        match self {
            Self::File(_) => "write the secret into it, and let the exporter's user read it",
            Self::Variable(_) => "set it in the environment of the exporter",
        }
    }
}

impl Credentials for Origins {
    fn read(&self) -> Result<Credential, Failure> {
        let read = |part: &Part| match part.origin.read(&*self.surroundings) {
            Ok(secret) => Ok((part.name.clone(), secret)),
            Err(problem) => {
                let name = if part.name.is_empty() { "credential".into() } else { under("credential", &part.name) };
                Err(Failure::new(Reason::Credential, format!("{name}: {} {problem}", part.origin)))
            }
        };
        self.parts.iter().map(read).collect::<Result<_, _>>().map(Credential)
    }

    fn parts(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.name.clone()).collect()
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_list().entries(&self.parts).finish()
    }
}

impl Origins {
    /// What cannot be read now: the place, and a sentence with the way out.
    pub(super) fn problems(&self) -> Vec<(Span, String)> {
        let problem = |part: &Part| {
            let problem = part.origin.read(&*self.surroundings).err()?;
            Some((part.at, format!("{}: {} {problem}; {}", part.what, part.origin, part.origin.way_out())))
        };
        self.parts.iter().filter_map(problem).collect()
    }
}

/// Reads what stands under `credential`.
pub(super) fn read(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<Arc<Origins>> {
    let entries = match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => entries,
        Kind::Map(_) => {
            reading.error(node.at, format!("{what}: it names neither a file nor a variable"));
            return None;
        }
        _ => {
            reading
                .secret(node.at, format!("{what}: a secret never stands in the configuration; {}", secrets::WAY_OUT));
            return None;
        }
    };
    let is_single = entries.iter().any(|(key, value)| is_origin(key) && !matches!(value.kind, Kind::Map(_)));
    if is_itself(reading, entries, what) {
        return None;
    }
    let parts: Vec<_> = if is_single {
        vec![part(reading, node, what, "")]
    } else {
        entries.iter().map(|(key, value)| part(reading, value, &under(what, shown(key)), &key.name)).collect()
    };
    let parts = parts.into_iter().collect::<Option<_>>()?;
    Some(Arc::new(Origins { parts, surroundings: reading.surroundings().clone() }))
}

/// The name of a part for a message; where it is no plain word it may be the secret itself, with a `:` behind it.
fn shown(key: &Key) -> &str {
    let is_word =
        |name: &str| name.len() <= 24 && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
    if is_word(&key.name) { &key.name } else { "***" }
}

fn is_origin(key: &Key) -> bool {
    ORIGIN.iter().any(|origin| origin.name == key.name)
}

/// Whether what stands in braces is the secret: what a person means by `{SECRET}` is a key without a value in YAML.
fn is_itself(reading: &mut ConfigReader, entries: &[(Key, Node)], what: &str) -> bool {
    let Some((key, _)) = entries.iter().find(|(key, value)| value.is_null() && !is_origin(key)) else { return false };
    reading.secret(key.at, format!("{what}: expected {{file: PATH}} or {{env: NAME}}, never the secret itself"));
    true
}

/// Reads one secret's `{file: PATH}` or `{env: NAME}`. Whatever else stands here may be the secret itself.
fn part(reading: &mut ConfigReader, node: &Node, what: &str, name: &str) -> Option<Part> {
    let Kind::Map(entries) = &node.kind else {
        let hint = did_you_mean(name, ORIGIN.iter().map(|key| key.name));
        let message = format!("{what}: expected {{file: PATH}} or {{env: NAME}}, never the secret itself{hint}");
        reading.secret(node.at, message);
        return None;
    };
    if is_itself(reading, entries, what) {
        return None;
    }
    for (key, value) in entries.iter().filter(|(key, _)| !is_origin(key)) {
        let hint = did_you_mean(&key.name, ORIGIN.iter().map(|key| key.name));
        reading.secret(value.at, format!("{}: expected only `file` or `env`{hint}", under(what, shown(key))));
    }
    match &entries[..] {
        [(key, value)] if is_origin(key) => {
            let what = under(what, &key.name);
            let origin = origin(reading, &key.name, value, &what)?;
            Some(Part { name: name.to_owned(), what, at: value.at, origin })
        }
        [] => {
            reading.error(node.at, format!("{what}: it names neither a file nor a variable"));
            None
        }
        _ => {
            if entries.iter().all(|(key, _)| is_origin(key)) {
                reading.error(node.at, format!("{what}: a secret comes from `file` or from `env`, not from both"));
            }
            None
        }
    }
}

/// Reads a path or the name of a variable.
fn origin(reading: &mut ConfigReader, key: &str, node: &Node, what: &str) -> Option<Origin> {
    let Some(text) = node.as_text().map(str::trim).filter(|text| !text.is_empty()) else {
        let expected = if key == "file" { "a path" } else { "the name of a variable" };
        reading.secret(node.at, format!("{what}: expected {expected}, found {}", node.describe()));
        return None;
    };
    if text.contains('\n') || secrets::looks_like_one(text) {
        reading.secret(node.at, format!("{what}: the secret itself stands here; {}", secrets::WAY_OUT));
        return None;
    }
    if key == "file" {
        return Some(Origin::File(reading.path(text)));
    }
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        reading.secret(
            node.at,
            format!("{what}: a variable's name has only letters, digits and `_`, such as VAULT_TOKEN"),
        );
        return None;
    }
    Some(Origin::Variable(text.to_owned()))
}

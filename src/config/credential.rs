//! The secrets of a source: files and variables, which are read at each collection.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;

use super::environment::FileEnvironment;
use super::secrets::{HEADERS, REMEDY, looks_like_secret};
use super::value_types::ORIGIN;
use crate::core::failure::{Failure, Reason};
use crate::core::secret::{Credential, Credentials, Secret};
use crate::schema::diagnostic::{Span, did_you_mean};
use crate::schema::reader::{Reader, join};
use crate::schema::yaml::{Key, Kind, Node};

/// Where the secrets of one source come from.
pub(super) struct CredentialSource {
    /// The key of the source that has them.
    key: &'static str,
    parts: Vec<Part>,
    environment: FileEnvironment,
}

/// One secret; the name of a single one is empty.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    /// Its path for messages: `sources.vault.credential.file`.
    path: String,
    at: Span,
    origin: Origin,
    /// Whether the exporter starts without it. Its source fails until it is there.
    is_optional: bool,
}

#[derive(Debug)]
enum Origin {
    File(PathBuf),
    Variable(String),
}

impl Origin {
    /// What to do if there is no secret.
    fn remedy(&self) -> &'static str {
        match self {
            Self::File(_) => "write the secret into it, and let the exporter's user read it",
            Self::Variable(_) => "set it in the environment of the exporter",
        }
    }
}

/// Why a secret cannot be used, with the name of the file or variable.
struct Unusable {
    problem: String,
    remedy: &'static str,
}

impl CredentialSource {
    /// # Errors
    /// If the secret cannot be read, or is not the value of a header although it should be.
    fn read_part(&self, part: &Part) -> Result<Secret, Unusable> {
        let unusable = |problem| Unusable { problem, remedy: part.origin.remedy() };
        let (name, text) = match &part.origin {
            Origin::File(path) => (path.display().to_string(), self.environment.read_text(path).map_err(unusable)?),
            Origin::Variable(name) => {
                let text = self.environment.env(name);
                let text = text.ok_or_else(|| unusable(format!("the variable {name} is not set")))?;
                (format!("the variable {name}"), text)
            }
        };
        // Some editors begin a file with this mark, which no header can carry.
        let secret = Secret::new(text.trim_start_matches('\u{feff}'));
        if secret.expose().trim().is_empty() {
            Err(unusable(format!("{name} is empty")))
        } else if self.key == HEADERS && HeaderValue::from_str(secret.expose()).is_err() {
            let problem = format!("{name} contains a line break or another control character");
            Err(Unusable { problem, remedy: "write only the header's value, on one line" })
        } else {
            Ok(secret)
        }
    }

    /// Signs that a secret is not alone in its file or variable, or is optional and missing: the position and the message.
    pub(super) fn hints(&self) -> impl Iterator<Item = (Span, String)> {
        self.parts.iter().filter_map(|part| {
            let hint = match self.read_part(part) {
                // The definition does not add the scheme to a header, and its value may contain blanks.
                Ok(_) if self.key == HEADERS => return None,
                Ok(secret) => format!("the secret {}", secret.hint()?),
                Err(Unusable { problem, .. }) if part.is_optional => {
                    format!("{problem}; until then the source fails with the reason credential")
                }
                Err(_) => return None,
            };
            Some((part.at, format!("{}: {hint}", part.path)))
        })
    }

    /// What cannot be read now and is not optional: the position and the message.
    pub(super) fn problems(&self) -> impl Iterator<Item = (Span, String)> {
        self.parts.iter().filter(|part| !part.is_optional).filter_map(|part| {
            let Unusable { problem, remedy } = self.read_part(part).err()?;
            Some((part.at, format!("{}: {problem}; {remedy}", part.path)))
        })
    }
}

impl Credentials for CredentialSource {
    fn read(&self) -> Result<Credential, Failure> {
        let read = |part: &Part| match self.read_part(part) {
            Ok(secret) => Ok((part.name.clone(), secret)),
            Err(Unusable { problem, .. }) => {
                let name = if part.name.is_empty() { self.key.into() } else { join(self.key, &part.name) };
                Err(Failure::new(Reason::Credential, format!("{name}: {problem}")))
            }
        };
        self.parts.iter().map(read).collect::<Result<_, _>>().map(Credential)
    }

    fn parts(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.name.clone()).collect()
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_list().entries(&self.parts).finish()
    }
}

/// Reads the value of `credential`: one secret, or several by name. Whatever is wrong in it may be the secret itself.
pub(super) fn read(
    reader: &mut Reader,
    environment: &FileEnvironment,
    node: &Node,
    path: &str,
) -> Option<Arc<CredentialSource>> {
    let entries = node.entries();
    let is_single =
        |(key, value): &(Key, Node)| (is_origin(key) || key.name == OPTIONAL) && !matches!(value.kind, Kind::Map(_));
    let parts: Vec<_> = if entries.is_empty() || entries.iter().any(is_single) {
        vec![part(reader, environment, node, path, "")]
    } else if has_secret_as_key(reader, entries, path) {
        return None;
    } else {
        let part = |(key, value): &(Key, Node)| part(reader, environment, value, &join(path, shown(key)), &key.name);
        entries.iter().map(part).collect()
    };
    let parts = parts.into_iter().collect::<Option<_>>()?;
    Some(Arc::new(CredentialSource { key: "credential", parts, environment: environment.clone() }))
}

/// The secret values of headers, each of which [`part`] has read.
pub(super) fn of_headers(environment: &FileEnvironment, parts: Vec<Part>) -> Arc<CredentialSource> {
    Arc::new(CredentialSource { key: HEADERS, parts, environment: environment.clone() })
}

/// The name of a part for a message. One that is not a plain word may be the secret itself, followed by a `:`.
fn shown(key: &Key) -> &str {
    let is_word =
        |name: &str| name.len() <= 24 && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
    if is_word(&key.name) { &key.name } else { "***" }
}

/// The key of `{file: PATH, optional: true}`.
const OPTIONAL: &str = "optional";

fn is_origin(key: &Key) -> bool {
    key.name != OPTIONAL && ORIGIN.names().any(|name| name == key.name)
}

const EXPECTED: &str = "expected {file: PATH} or {env: NAME}, never the secret itself";

/// Reports `{SECRET}`, which YAML reads as a key without a value.
fn has_secret_as_key(reader: &mut Reader, entries: &[(Key, Node)], path: &str) -> bool {
    let key = entries.iter().find(|(key, value)| value.is_null() && !is_origin(key)).map(|(key, _)| key);
    key.inspect(|key| reader.secret(key.at, format!("{path}: {EXPECTED}"))).is_some()
}

/// Reads one secret's `{file: PATH}` or `{env: NAME}`.
pub(super) fn part(
    reader: &mut Reader,
    environment: &FileEnvironment,
    node: &Node,
    path: &str,
    name: &str,
) -> Option<Part> {
    let Kind::Map(entries) = &node.kind else {
        let hint = did_you_mean(name, ORIGIN.names());
        reader.secret(node.at, format!("{path}: {EXPECTED}{hint}"));
        return None;
    };
    if has_secret_as_key(reader, entries, path) {
        return None;
    }
    let (optional, origins): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key.name == OPTIONAL);
    let is_optional = match optional.first() {
        Some((_, Node { kind: Kind::Flag(is_optional), .. })) => *is_optional,
        Some((key, value)) => {
            reader.secret(value.at, format!("{}: expected true or false", join(path, &key.name)));
            return None;
        }
        None => false,
    };
    match &origins[..] {
        [(key, value)] if is_origin(key) => {
            let path = join(path, &key.name);
            let origin = origin(reader, environment, &key.name, value, &path)?;
            return Some(Part { name: name.to_owned(), path, at: value.at, origin, is_optional });
        }
        [] => reader.error(node.at, format!("{path}: expected `file` or `env`")),
        origins if origins.iter().all(|(key, _)| is_origin(key)) => {
            reader.error(node.at, format!("{path}: set either `file` or `env`, not both"));
        }
        origins => {
            for (key, value) in origins.iter().filter(|(key, _)| !is_origin(key)) {
                let hint = did_you_mean(&key.name, ORIGIN.names());
                reader.secret(value.at, format!("{}: expected only `file` or `env`{hint}", join(path, shown(key))));
            }
        }
    }
    None
}

fn origin(reader: &mut Reader, environment: &FileEnvironment, key: &str, node: &Node, path: &str) -> Option<Origin> {
    let text = node.as_text().map(str::trim).unwrap_or_default();
    let is_variable = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let problem = match key {
        _ if text.is_empty() && key == "file" => format!("expected a path, found {}", node.describe()),
        _ if text.is_empty() => format!("expected a variable name, found {}", node.describe()),
        _ if text.contains('\n') || looks_like_secret(text) => format!("this looks like the secret itself; {REMEDY}"),
        "file" => return Some(Origin::File(environment.path(text))),
        _ if is_variable => return Some(Origin::Variable(text.to_owned())),
        _ => "a variable name has only letters, digits and `_`, such as VAULT_TOKEN".to_owned(),
    };
    reader.secret(node.at, format!("{path}: {problem}"));
    None
}

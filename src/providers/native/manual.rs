//! `manual`: tokens that no API lists, written in the configuration or in a separate file.

mod entry;
mod ids;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use self::ids::NamedToken;
use super::local_source;
use super::local_source::{Local, LocalReader, LocalSource, read_file, reject_extra_keys, relative_to};
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Intake;
use crate::core::outcome::{Gap, MalformedRow, Path, ScopeResult};
use crate::core::renewal::Renewal;
use crate::core::token::Token;
use crate::providers::provider_info::{ListingInfo, ProviderInfo, Setting, SettingType};
use crate::providers::{Source, SourceSpec};
use crate::schema::csv::RefusedRow;
use crate::schema::diagnostic::{Diagnostics, SourceText, Span};
use crate::schema::reader::{Reader, element_paths};
use crate::schema::table::ValueType::{Any, List, Text};
use crate::schema::table::{Key, Table};
use crate::schema::yaml::{Kind, Node, parse};

const LISTING: &str = "token";

static SETTINGS: Table =
    Table::new(&[Key::optional("tokens", List(0, &Any), "the tokens"), Key::optional("file", Text, "a file of them")]);

/// The most malformed entries of a file that are logged in one collection.
const MAX_LOGGED: usize = 20;

pub(super) fn info() -> ProviderInfo {
    let setting = |name: &str, setting_type, help: &str| Setting {
        name: name.to_owned(),
        setting_type,
        default: Some(serde_json::Value::Null),
        help: help.to_owned(),
    };
    let tokens = "the tokens: name, expires, and optionally kind, owner, id, created, manage_url, renew, labels";
    let file = "a YAML or CSV file with the same fields, read again at each collection";
    let settings = vec![setting("tokens", SettingType::List, tokens), setting("file", SettingType::Text, file)];
    let listing = ListingInfo {
        name: LISTING.to_owned(),
        help: Some("tokens in the configuration or a file".to_owned()),
        kind: entry::DEFAULT_KIND.to_owned(),
        ..ListingInfo::default()
    };
    let expiry = "as written; a date expires at 00:00 UTC";
    let place = "at the service that issued it; then write the new date into the entry";
    let steps = Renewal::new("the owner", Some(place), None, None);
    let renewals = [("*".to_owned(), steps)].into_iter().collect();
    let guide =
        ("tokens:\n  - {name: deploy token, expires: 2027-02-01}", ["tokens that no entry declares"].as_slice());
    local_source::info("manual", "Manual", expiry, settings, listing, renewals, guide)
}

struct Manual {
    tokens: Vec<Token>,
    file: Option<PathBuf>,
}

pub(super) fn connect(mut spec: SourceSpec) -> Result<Box<dyn Source>, Diagnostics> {
    let mut reader = Reader::new(spec.text.clone());
    let settings = Node { at: spec.at, kind: Kind::Map(std::mem::take(&mut spec.settings)) };
    let settings = reader.read(&settings, &format!("sources.{}", spec.name), &SETTINGS);
    if !settings.is_given("tokens") && !settings.is_given("file") && !settings.has_unknown {
        reader.error(spec.at, format!("{}: `tokens` or `file` is missing", settings.path));
    }
    reject_extra_keys(&mut reader, &spec, LISTING);
    let tokens_path = settings.path_of("tokens");
    let tokens = settings.node("tokens").into_iter().flat_map(|node| element_paths(node, &tokens_path, |_| false));
    let manual = Manual {
        tokens: configured_tokens(&mut reader, tokens),
        file: settings.text("file").map(|file| relative_to(&spec.text, &file)),
    };
    reader.diagnostics.into_result()?;
    // Two entries are two tokens: only their author knows whether one replaces the other.
    Ok(Box::new(LocalSource::new(LISTING, manual).without_replacement()))
}

/// The tokens of the configuration.
fn configured_tokens<'n>(reader: &mut Reader, entries: impl Iterator<Item = (String, &'n Node)>) -> Vec<Token> {
    let (mut read, mut places) = (Vec::new(), Vec::new());
    for (path, node) in entries {
        if let Ok(token) = entry::token(reader, node, &path) {
            read.push(NamedToken { token, has_id: entry::has_id(node) });
            places.push((path, node.at));
        }
    }
    for (position, earlier) in ids::distinguish(&mut read, &HashSet::new()) {
        let line = reader.text.line_number(places[earlier].1.start);
        let (path, at) = &places[position];
        reader.error(*at, duplicate(path, line));
    }
    read.into_iter().map(|entry| entry.token).collect()
}

fn duplicate(path: &str, line: usize) -> String {
    format!("{path}: same id, or same name and expiry, as the entry in line {line}; add an `id` to one of them")
}

impl LocalReader for Manual {
    async fn read(&self, _now: DateTime<Utc>, intake: &Intake, to: &mut Local) {
        let listed = &mut to.listed;
        if !self.tokens.is_empty() || self.file.is_none() {
            let path = Path::root().join("configuration");
            listed.scopes.push(ScopeResult {
                path,
                tokens: intake.tokens(self.tokens.iter().cloned()),
                malformed: Vec::new(),
                is_step: false,
            });
        }
        if let Some(file) = &self.file {
            let scope = file.display().to_string();
            let path = Path::root().join(&scope);
            let taken = self.tokens.iter().map(|token| &*token.id).collect();
            match read_tokens(file, &taken).await {
                Ok((tokens, malformed)) => {
                    let tokens = intake.tokens(tokens);
                    listed.scopes.push(ScopeResult { path, tokens, malformed, is_step: false });
                }
                Err(failure) => listed.gaps.push(Gap::new(path, scope, failure)),
            }
        }
    }
}

/// The tokens of a file, and its malformed entries.
async fn read_tokens(
    file: &std::path::Path,
    taken: &HashSet<&str>,
) -> Result<(Vec<Token>, Vec<MalformedRow>), Failure> {
    let name = file.display().to_string();
    let content = String::from_utf8(read_file(file).await?)
        .map_err(|_| Failure::new(Reason::Decode, format!("{name}: is not valid UTF-8; save it as UTF-8")))?;
    let text = SourceText::new(name, content);
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let entries = if is_csv { table::rows(&text)? } else { entries(&text)?.into_iter().map(Ok).collect() };
    let (mut tokens, mut malformed) = (Vec::new(), Vec::new());
    for (position, entry) in (1..).zip(&entries) {
        let node = match entry {
            Ok(node) => node,
            Err(RefusedRow { line, columns, expected, .. }) => {
                if malformed.len() < MAX_LOGGED {
                    tracing::warn!(file = text.name(), line, columns, expected, "malformed entry skipped");
                }
                malformed.push(MalformedRow { position, id: Some(format!("line {line}")), field: "columns" });
                continue;
            }
        };
        let mut reader = Reader::new(text.clone());
        match entry::token(&mut reader, node, &format!("entry {position}")) {
            Ok(token) => tokens.push((position, node.at, NamedToken { token, has_id: entry::has_id(node) })),
            Err(field) => {
                for error in reader.diagnostics.iter().filter(|_| malformed.len() < MAX_LOGGED) {
                    tracing::warn!(error = %error.clone().hide_line(), "malformed entry skipped");
                }
                malformed.push(MalformedRow { position, id: entry::id(node), field });
            }
        }
    }
    Ok((without_duplicates(&text, tokens, taken, &mut malformed), malformed))
}

/// The tokens of a file with distinct ids; the entries that cannot be distinguished are malformed.
fn without_duplicates(
    text: &SourceText,
    entries: Vec<(u64, Span, NamedToken)>,
    taken: &HashSet<&str>,
    malformed: &mut Vec<MalformedRow>,
) -> Vec<Token> {
    let (places, mut tokens): (Vec<_>, Vec<_>) =
        entries.into_iter().map(|(position, at, token)| ((position, at), token)).unzip();
    let duplicates = ids::distinguish(&mut tokens, taken);
    for (index, earlier) in &duplicates {
        let ((position, at), (_, first)) = (places[*index], places[*earlier]);
        if malformed.len() < MAX_LOGGED {
            let problem = duplicate(&format!("entry {position}"), text.line_number(first.start));
            tracing::warn!(error = %text.error(at, problem).hide_line(), "malformed entry skipped");
        }
        malformed.push(MalformedRow { position, id: Some(tokens[*index].token.id.to_string()), field: "id" });
    }
    let skipped: HashSet<usize> = duplicates.into_iter().map(|(index, _)| index).collect();
    let kept = tokens.into_iter().enumerate().filter(|(index, _)| !skipped.contains(index));
    kept.map(|(_, entry)| entry.token).collect()
}

/// The entries of a YAML file: a list, or a list under `tokens`.
fn entries(text: &SourceText) -> Result<Vec<Node>, Failure> {
    let failure = |what: String| Failure::new(Reason::Decode, what);
    let root = parse(text).map_err(|error| failure(error.hide_line().to_string()))?;
    let list = match root.kind {
        Kind::Map(entries) => entries.into_iter().find(|(key, _)| key.name == "tokens").map(|(_, node)| node.kind),
        kind => Some(kind),
    };
    match list {
        Some(Kind::List(list)) => Ok(list),
        Some(Kind::Null) => Ok(Vec::new()),
        _ => Err(failure(format!("{}: expected a list of tokens, or `tokens:` with a list", text.name()))),
    }
}

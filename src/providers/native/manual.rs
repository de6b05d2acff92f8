//! `manual`: tokens that no API lists, written down by people in the configuration or in a file of their own.

mod entry;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::local::{LocalReader, LocalSource, Native, beside, read_file};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, ListingResult, MalformedRow, Path, ScopeResult};
use crate::core::token::Token;
use crate::providers::language::provider::{Setting, SettingType};
use crate::providers::{Source, SourceSpec};
use crate::schema::diagnostic::{Diagnostics, SourceText, did_you_mean};
use crate::schema::read::{Reader, element_paths};
use crate::schema::table::ValueType;
use crate::schema::yaml::{Kind, Node, parse};
use entry::token;

const LISTING: &str = "token";

/// The kind of a token that names none.
const KIND: &str = "manual";

/// The most entries of a file whose mistakes are told in one collection.
const MOST_TOLD: usize = 20;

/// What is known of it.
pub(super) fn native() -> Native {
    let setting = |name: &str, shape, help: &str| Setting {
        name: name.to_owned(),
        shape,
        default: Some(serde_json::Value::Null),
        help: help.to_owned(),
    };
    Native {
        name: "manual",
        title: "Written by hand",
        docs: "docs/providers/manual.md",
        expiry: "as it is written; a date is the start of that day in UTC",
        interval: None,
        settings: vec![
            setting(
                "tokens",
                SettingType::List,
                "the tokens: name, expires, and if known kind, owner, id, created, manage_url, labels",
            ),
            setting(
                "file",
                SettingType::Text,
                "a YAML or CSV file with the same fields, read again at each collection",
            ),
        ],
        listing: (LISTING, KIND, "tokens that are written down"),
        connect,
    }
}

struct Manual {
    tokens: Vec<Token>,
    file: Option<PathBuf>,
}

fn connect(wanted: SourceSpec) -> Result<Box<dyn Source>, Diagnostics> {
    let mut reader = Reader::new(wanted.text.clone());
    let mut manual = Manual { tokens: Vec::new(), file: None };
    for (key, node) in &wanted.settings {
        match key.name.as_str() {
            "tokens" => {
                let is_list = reader.check(node, "tokens", &ValueType::List(0, &ValueType::Any));
                for (path, node) in element_paths(node, "tokens", |_| false).filter(|_| is_list) {
                    manual.tokens.extend(token(&mut reader, node, &path).ok());
                }
            }
            "file" => manual.file = reader.string(node, "file").map(|file| beside(&wanted.text, &file)),
            other => {
                let hint = did_you_mean(other, ["tokens", "file"]);
                reader.error(key.at, format!("unknown key `{other}`{hint}"));
            }
        }
    }
    crate::providers::native::local::no_more(&mut reader, &wanted, LISTING);
    if wanted.settings.is_empty() {
        reader.error(wanted.at, "a manual source needs `tokens`, or a `file` of them");
    }
    reader.diagnostics.into_result()?;
    Ok(Box::new(LocalSource { listings: [LISTING.to_owned()], local: manual }))
}

impl LocalReader for Manual {
    fn read(&self, _now: DateTime<Utc>) -> BoxFuture<'_, ListingResult> {
        async move {
            let mut listed = ListingResult { name: LISTING.to_owned(), scopes: Vec::new(), gaps: Vec::new() };
            if !self.tokens.is_empty() || self.file.is_none() {
                let path = Path::root().join("configuration");
                listed.scopes.push(ScopeResult {
                    path,
                    tokens: self.tokens.clone(),
                    malformed: Vec::new(),
                    is_step: false,
                });
            }
            if let Some(file) = &self.file {
                let scope = file.display().to_string();
                let path = Path::root().join(&scope);
                match read(file).await {
                    Ok((tokens, odd)) => {
                        listed.scopes.push(ScopeResult { path, tokens, malformed: odd, is_step: false })
                    }
                    Err(failure) => listed.gaps.push(Gap { path, scope, failure, required_permission: None }),
                }
            }
            listed
        }
        .boxed()
    }
}

/// The tokens of a file, and the entries that cannot be read.
async fn read(file: &std::path::Path) -> Result<(Vec<Token>, Vec<MalformedRow>), Failure> {
    let name = file.display().to_string();
    let content = String::from_utf8(read_file(file).await?)
        .map_err(|_| Failure::new(Reason::Decode, format!("{name}: this is no UTF-8 text")))?;
    let text = SourceText::new(name, content);
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let entries = if is_csv { table::rows(&text)? } else { entries(&text)? };
    let (mut tokens, mut odd) = (Vec::new(), Vec::new());
    for (position, node) in (1..).zip(&entries) {
        let mut reader = Reader::new(text.clone());
        match token(&mut reader, node, &format!("entry {position}")) {
            Ok(token) => tokens.push(token),
            Err(field) => {
                for mistake in reader.diagnostics.iter().filter(|_| odd.len() < MOST_TOLD) {
                    tracing::warn!(mistake = %mistake.clone().hide_line(), "an entry cannot be read");
                }
                odd.push(MalformedRow { position, id: entry::id(node), field });
            }
        }
    }
    Ok((tokens, odd))
}

/// The entries of a YAML file: a list, or a list under `tokens`.
fn entries(text: &SourceText) -> Result<Vec<Node>, Failure> {
    let refused = |mistake: String| Failure::new(Reason::Decode, mistake);
    let root = parse(text).map_err(|mistake| refused(mistake.hide_line().to_string()))?;
    let list = match root.kind {
        Kind::Map(entries) => entries.into_iter().find(|(key, _)| key.name == "tokens").map(|(_, node)| node.kind),
        kind => Some(kind),
    };
    match list {
        Some(Kind::List(list)) => Ok(list),
        Some(Kind::Null) => Ok(Vec::new()),
        _ => Err(refused(format!("{}: expected a list of tokens, or `tokens:` and a list", text.name()))),
    }
}

//! `files`: credentials in local files that contain their own expiry: certificates, JSON Web Tokens, kubeconfigs, netrc and
//! Docker's configuration.

pub mod content;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::local_source;
use super::local_source::{LocalReader, LocalSource, io_failure, read_file, reject_extra_keys, relative_to};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, ListingResult, MalformedRow, Path, ScopeResult};
use crate::core::token::{Owner, Token};
use crate::providers::provider_info::{ListingInfo, ProviderInfo, Setting, SettingType};
use crate::providers::{Source, SourceSpec};
use crate::schema::diagnostic::Diagnostics;
use crate::schema::reader::Reader;
use crate::schema::table::ValueType::{OneOrList, Text};
use crate::schema::table::{Key, Table};
use crate::schema::yaml::{Kind, Node};
use content::Credential;

const LISTING: &str = "file";

static SETTINGS: Table = Table::new(&[Key::required("paths", OneOrList(1, &Text), "/etc/ssl/*.pem", "glob patterns")]);

pub(super) fn info() -> ProviderInfo {
    let paths = Setting {
        name: "paths".to_owned(),
        setting_type: SettingType::List,
        default: None,
        help: "glob patterns, such as /etc/ssl/private/*.pem".to_owned(),
    };
    let listing = ListingInfo {
        name: LISTING.to_owned(),
        help: Some("certificates, JSON Web Tokens, kubeconfigs, netrc and Docker's config.json".to_owned()),
        kind: "file".to_owned(),
        ..ListingInfo::default()
    };
    let expiry = "a timestamp in the certificate or token; unknown for a secret without one";
    local_source::info("files", "Files", expiry, vec![paths], listing)
}

struct Files {
    patterns: Vec<String>,
}

pub(super) fn connect(mut spec: SourceSpec) -> Result<Box<dyn Source>, Diagnostics> {
    let mut reader = Reader::new(spec.text.clone());
    let settings = Node { at: spec.at, kind: Kind::Map(std::mem::take(&mut spec.settings)) };
    let settings = reader.read(&settings, &format!("sources.{}", spec.name), &SETTINGS);
    let mut patterns = Vec::new();
    for (pattern, at) in settings.texts("paths").into_iter().flatten() {
        let pattern = relative_to(&spec.text, &pattern).to_string_lossy().into_owned();
        match glob::Pattern::new(&pattern) {
            Ok(_) => patterns.push(pattern),
            Err(error) => {
                reader.error(at, format!("{}: invalid glob pattern: {}", settings.path_of("paths"), error.msg))
            }
        }
    }
    reject_extra_keys(&mut reader, &spec, LISTING);
    reader.diagnostics.into_result()?;
    Ok(Box::new(LocalSource::new(LISTING, Files { patterns })))
}

impl LocalReader for Files {
    async fn read(&self, now: DateTime<Utc>, listed: &mut ListingResult) {
        for pattern in &self.patterns {
            read_pattern(pattern, now, listed).await;
        }
    }
}

/// Reads the files of a pattern. Each is a scope; an unreadable directory is a gap for the whole pattern.
async fn read_pattern(pattern: &str, now: DateTime<Utc>, listed: &mut ListingResult) {
    let parent = Path::root().join(pattern);
    let (files, failures) = expand(pattern).await;
    for failure in failures {
        let scope = format!("all scopes under {pattern}");
        listed.gaps.push(Gap::new(parent.clone(), scope, failure));
    }
    for file in files {
        let scope = file.display().to_string();
        let path = parent.join(&scope);
        match read_file(&file).await {
            Ok(bytes) => {
                let (tokens, malformed) = match content::parse(&bytes, now) {
                    Ok(found) => (found.into_iter().map(|credential| token(&scope, credential)).collect(), Vec::new()),
                    Err(field) => (Vec::new(), vec![MalformedRow { position: 1, id: Some(scope), field }]),
                };
                listed.scopes.push(ScopeResult { path, tokens, malformed, is_step: false });
            }
            Err(failure) => listed.gaps.push(Gap::new(path, scope, failure)),
        }
    }
}

/// The matching files, in order, and the failures on the way.
async fn expand(pattern: &str) -> (Vec<PathBuf>, Vec<Failure>) {
    let pattern = pattern.to_owned();
    let expanded = tokio::task::spawn_blocking(move || {
        let (mut files, mut failures) = (Vec::new(), Vec::new());
        for found in glob::glob(&pattern).into_iter().flatten() {
            match found {
                Ok(path) if path.is_dir() => {}
                Ok(path) => files.push(path),
                Err(error) => failures.push(io_failure(error.path(), error.error())),
            }
        }
        // A path without wildcards names a file that must exist.
        if files.is_empty() && failures.is_empty() && !pattern.contains(['*', '?', '[']) {
            let path = PathBuf::from(&pattern);
            let failure = match std::fs::metadata(&path) {
                Ok(_) => Failure::new(Reason::Internal, format!("{pattern}: is a directory; write {pattern}/*")),
                Err(error) => io_failure(&path, &error),
            };
            failures.push(failure);
        }
        (files, failures)
    });
    expanded.await.unwrap_or_else(|_| (Vec::new(), vec![Failure::new(Reason::Internal, "cannot list the files")]))
}

/// The token of a credential. Its id is the file and the part of it.
fn token(file: &str, credential: Credential) -> Token {
    let base = file.rsplit('/').next().unwrap_or(file);
    let part = credential.part.map(|part| format!("#{part}")).unwrap_or_default();
    Token {
        name: credential.name.unwrap_or_else(|| format!("{base}{part}")),
        owner: credential.owner.map(|owner| Owner { name: Some(owner), ..Owner::default() }),
        created_at: credential.created_at,
        labels: credential.issuer.map(|issuer| ("issuer".to_owned(), issuer)).into_iter().collect(),
        ..Token::new(format!("{file}{part}"), credential.kind, credential.expires)
    }
}

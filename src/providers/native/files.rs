//! `files`: credentials that lie in files on this machine and tell their own end: certificates, JSON Web Tokens,
//! kubeconfigs, netrc and Docker's configuration.

pub mod content;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::local::{LocalReader, LocalSource, Native, beside, io_failure, no_more, read_file};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, ListingResult, MalformedRow, Path, ScopeResult};
use crate::core::token::{LastUse, Owner, Token};
use crate::providers::language::provider::{Setting, SettingType};
use crate::providers::{Source, SourceSpec};
use crate::schema::diagnostic::{Diagnostics, did_you_mean};
use crate::schema::read::Reader;
use content::Credential;

const LISTING: &str = "file";

/// What is known of it.
pub(super) fn native() -> Native {
    Native {
        name: "files",
        title: "Files",
        docs: "docs/providers/files.md",
        expiry: "an instant, as the certificate or token itself says; a secret that says none is unknown",
        interval: None,
        settings: vec![Setting {
            name: "paths".to_owned(),
            shape: SettingType::List,
            default: None,
            help: "patterns of files, such as /etc/ssl/private/*.pem".to_owned(),
        }],
        listing: (LISTING, "file", "certificates, JSON Web Tokens, kubeconfigs, netrc and Docker's config.json"),
        connect,
    }
}

struct Files {
    patterns: Vec<String>,
}

fn connect(wanted: SourceSpec) -> Result<Box<dyn Source>, Diagnostics> {
    let mut reader = Reader::new(wanted.text.clone());
    let mut patterns = Vec::new();
    for (key, node) in &wanted.settings {
        if key.name != "paths" {
            let hint = did_you_mean(&key.name, ["paths"]);
            reader.error(key.at, format!("unknown key `{}`{hint}", key.name));
            continue;
        }
        for node in node.elements() {
            let Some(pattern) = reader.string(node, "paths") else { continue };
            let pattern = beside(&wanted.text, &pattern).to_string_lossy().into_owned();
            match glob::Pattern::new(&pattern) {
                Ok(_) => patterns.push(pattern),
                Err(error) => reader.error(node.at, format!("no pattern of files: {}", error.msg)),
            }
        }
    }
    no_more(&mut reader, &wanted, LISTING);
    if wanted.settings.is_empty() {
        reader.error(wanted.at, "a source of files needs `paths`");
    }
    reader.diagnostics.into_result()?;
    Ok(Box::new(LocalSource { listings: [LISTING.to_owned()], local: Files { patterns } }))
}

impl LocalReader for Files {
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, ListingResult> {
        async move {
            let mut listed = ListingResult { name: LISTING.to_owned(), scopes: Vec::new(), gaps: Vec::new() };
            for pattern in &self.patterns {
                under(pattern, now, &mut listed).await;
            }
            listed
        }
        .boxed()
    }
}

/// The files of one pattern. Each is a scope; a directory that cannot be read is a gap that keeps all of the pattern.
async fn under(pattern: &str, now: DateTime<Utc>, listed: &mut ListingResult) {
    let above = Path::root().join(pattern);
    let (files, failures) = expand(pattern).await;
    for failure in failures {
        let scope = format!("everything under {pattern}");
        listed.gaps.push(Gap { path: above.clone(), scope, failure, required_permission: None });
    }
    for file in files {
        let shown = file.display().to_string();
        let path = above.join(&shown);
        match read_file(&file).await {
            Ok(bytes) => {
                let (tokens, odd) = match content::read(&bytes, now) {
                    Ok(found) => (found.into_iter().map(|credential| token(&shown, credential)).collect(), Vec::new()),
                    Err(field) => (Vec::new(), vec![MalformedRow { position: 1, id: Some(shown), field }]),
                };
                listed.scopes.push(ScopeResult { path, tokens, malformed: odd, is_step: false });
            }
            Err(failure) => listed.gaps.push(Gap { path, scope: shown, failure, required_permission: None }),
        }
    }
}

/// The files that match, in order, and what could not be looked into.
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
        // A path without a pattern in it names a file that must be there.
        if files.is_empty() && failures.is_empty() && !pattern.contains(['*', '?', '[']) {
            let path = PathBuf::from(&pattern);
            let failure = match std::fs::metadata(&path) {
                Ok(_) => Failure::new(Reason::Internal, format!("{pattern}: this is a directory; write {pattern}/*")),
                Err(error) => io_failure(&path, &error),
            };
            failures.push(failure);
        }
        (files, failures)
    });
    expanded
        .await
        .unwrap_or_else(|_| (Vec::new(), vec![Failure::new(Reason::Internal, "the files could not be listed")]))
}

/// A credential of a file as a token. Its id is the file, and where in it.
fn token(file: &str, credential: Credential) -> Token {
    let base = file.rsplit('/').next().unwrap_or(file);
    let part = credential.part.map(|part| format!("#{part}")).unwrap_or_default();
    Token {
        id: format!("{file}{part}"),
        name: credential.name.unwrap_or_else(|| format!("{base}{part}")),
        kind: credential.kind.to_owned(),
        owner: credential.owner.map(|owner| Owner { name: Some(owner), ..Owner::default() }),
        created_at: credential.created_at,
        expires: credential.expires,
        last_used: LastUse::NotReported,
        scopes: Vec::new(),
        disabled: false,
        lifetime: None,
        manage_url: None,
        labels: credential.issuer.map(|issuer| ("issuer".to_owned(), issuer)).into_iter().collect(),
        approximate: false,
    }
}

//! `files`: credentials in local files that contain their own expiry: certificates, JSON Web Tokens, kubeconfigs, netrc and
//! Docker's configuration.

pub mod content;
mod paths;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::local_source;
use super::local_source::{Local, LocalReader, LocalSource, read_file, reject_extra_keys, relative_to};
use crate::core::failure::{Failure, Reason};
use crate::core::intake::{Intake, Tokens};
use crate::core::location::{Location, LocationKind};
use crate::core::location_report::{FoundCredential, FoundToken};
use crate::core::outcome::{FoundInUse, Gap, ListingResult, MalformedRow, Path, ScopeResult};
use crate::core::renewal::{Renewal, Renewals};
use crate::core::secret::Secret;
use crate::core::token::{Owner, Token};
use crate::providers::provider_info::{ListingInfo, ProviderInfo, Setting, SettingType};
use crate::providers::{Source, SourceSpec};
use crate::schema::diagnostic::Diagnostics;
use crate::schema::reader::Reader;
use crate::schema::table::ValueType::{Flag, OneOrList, Text};
use crate::schema::table::{Key, Table};
use crate::schema::yaml::{Kind, Node};
use content::Credential;
use paths::Matches;

const LISTING: &str = "file";

static SETTINGS: Table = Table::new(&[
    Key::required("paths", OneOrList(1, &Text), "/etc/ssl/*.pem", "glob patterns"),
    Key::or("locations", Flag, "false", "look for credentials of other sources"),
]);

pub(super) fn info() -> ProviderInfo {
    let paths = Setting {
        name: "paths".to_owned(),
        setting_type: SettingType::List,
        default: None,
        help: "glob patterns, such as /etc/ssl/private/*.pem".to_owned(),
    };
    let locations = Setting {
        name: "locations".to_owned(),
        setting_type: SettingType::Flag,
        default: Some(false.into()),
        help: "look in these files for credentials of the sources with `identify: true` too; then a file without a \
               credential is not an error"
            .to_owned(),
    };
    let listing = ListingInfo {
        name: LISTING.to_owned(),
        help: Some("certificates, JSON Web Tokens, kubeconfigs, netrc and Docker's config.json".to_owned()),
        kind: "file".to_owned(),
        ..ListingInfo::default()
    };
    let expiry = "a timestamp in the certificate or token; unknown for a secret without one";
    let not_listed = ["files that no pattern of `paths` matches", "the expiry of opaque tokens and private keys"];
    let guide = ("paths: [/etc/credentials/*.jwt]", not_listed.as_slice());
    local_source::info("files", "Files", expiry, vec![paths, locations], listing, renewals(), guide)
}

fn renewals() -> Renewals {
    let steps = |kind: &str, who: &str, place: &str| (kind.to_owned(), Renewal::new(who, Some(place), None, None));
    let issuer = "the owner of the file, and the operator of the service that issued it";
    let certificate = "request a new certificate from its issuer (label issuer) and replace the file";
    let token = "request a new token from its issuer (label issuer) and replace the file";
    let other = "create a new credential where this one was created, and replace the file";
    [
        steps(
            "certificate",
            "the owner of the file, and the operator of its certificate authority or ACME client",
            certificate,
        ),
        steps("jwt", issuer, token),
        steps("*", issuer, other),
    ]
    .into_iter()
    .collect()
}

struct Files {
    patterns: Vec<String>,
    /// Whether credentials of other sources are looked for.
    locations: bool,
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
    let locations = settings.flag("locations").unwrap_or_default();
    Ok(Box::new(LocalSource::new(LISTING, Files { patterns, locations })))
}

impl LocalReader for Files {
    fn finds_credentials(&self) -> bool {
        self.locations
    }

    async fn read(&self, now: DateTime<Utc>, intake: &Intake, to: &mut Local) {
        let patterns = self.patterns.clone();
        let expanded = tokio::task::spawn_blocking(move || paths::expand(patterns)).await;
        let Ok(expanded) = expanded else {
            let failure = Failure::new(Reason::Internal, "cannot list the files");
            return to.listed.gaps.push(Gap::all(failure));
        };
        for (pattern, Matches { files, failures }) in expanded {
            let parent = Path::root().join(&pattern);
            let has_wildcard = paths::has_wildcard(&pattern);
            for failure in failures {
                // An unreadable directory is a gap for the whole pattern.
                to.listed.gaps.push(Gap::new(parent.clone(), format!("all scopes under {pattern}"), failure));
            }
            for file in files {
                let is_expected = |bytes: &[u8]| self.locations || has_wildcard && content::is_unrelated(bytes);
                read_credentials(&file, &parent, is_expected, now, intake, to).await;
            }
        }
    }
}

/// Reads one file, which is a scope, and the files that it names, each of which is a scope below it.
async fn read_credentials(
    file: &std::path::Path,
    parent: &Path,
    is_expected: impl Fn(&[u8]) -> bool,
    now: DateTime<Utc>,
    intake: &Intake,
    to: &mut Local,
) {
    let Local { listed, found: found_in_use } = to;
    let scope = file.display().to_string();
    let path = parent.join(&scope);
    let bytes = match read_file(file).await {
        Ok(bytes) => bytes,
        Err(failure) => return listed.gaps.push(Gap::new(path, scope, failure)),
    };
    let parsed = content::parse(&bytes, now);
    let own = parsed.as_ref().map(Vec::as_slice).unwrap_or_default();
    find_in_use(file, &bytes, own, intake, found_in_use);
    let (inline, named): (Vec<_>, Vec<_>) = match parsed {
        Ok(found) => found.into_iter().partition(|credential| credential.named_file.is_none()),
        Err(field) => {
            let malformed = vec![MalformedRow { position: 1, id: Some(scope), field }];
            let malformed = if is_expected(&bytes) { Vec::new() } else { malformed };
            return listed.scopes.push(ScopeResult { path, tokens: Tokens::default(), malformed, is_step: false });
        }
    };
    for credential in named {
        read_named_file(file, &path, credential, now, intake, listed).await;
    }
    let tokens = intake.tokens(inline.into_iter().map(|credential| token(&scope, credential)));
    listed.scopes.push(ScopeResult { path, tokens, malformed: Vec::new(), is_step: false });
}

/// Finds the credentials of other sources in a file. One that is a credential of its own is the same token.
fn find_in_use(file: &std::path::Path, bytes: &[u8], own: &[Credential], intake: &Intake, to: &mut FoundInUse) {
    let (Ok(text), name) = (std::str::from_utf8(bytes), file.display().to_string()) else { return };
    let group: Box<str> = file.parent().unwrap_or(file).display().to_string().into();
    for value in intake.patterns().find(text) {
        let secret = Secret::new(value);
        let location = Location::new(LocationKind::File, &name, None).filter(|_| !secret.is_shown_by(&name));
        let Some(location) = location else {
            to.cut += 1;
            continue;
        };
        // A file of one line, such as JSON, is one word with more than the credential in it.
        let is_of = |own: &&Credential| own.value.as_ref().is_some_and(|own| own.expose().contains(value));
        let own = own.iter().find(is_of);
        let own_id = own.map(|own| token(&name, own.clone()).id);
        to.push(FoundCredential { token: FoundToken::Value(secret), location, group: group.clone(), own_id });
    }
}

/// Reads the file that contains this credential of `file`.
async fn read_named_file(
    file: &std::path::Path,
    parent: &Path,
    named: Credential,
    now: DateTime<Utc>,
    intake: &Intake,
    listed: &mut ListingResult,
) {
    let Some(name) = &named.named_file else { return };
    let target = file.parent().unwrap_or(file).join(name);
    let path = parent.join(named.part.as_deref().unwrap_or_default());
    let scope = format!("{}, named by {}", target.display(), file.display());
    let bytes = match read_file(&target).await {
        Ok(bytes) => bytes,
        Err(failure) => return listed.gaps.push(Gap::new(path, scope, failure)),
    };
    let first = content::parse(&bytes, now).and_then(|found| found.into_iter().next().ok_or("credential"));
    let (tokens, malformed) = match first {
        Ok(first) => {
            let credential = Credential { part: named.part, ..first };
            (intake.tokens([token(&file.display().to_string(), credential)]), Vec::new())
        }
        Err(field) => (Tokens::default(), vec![MalformedRow { position: 1, id: Some(scope), field }]),
    };
    listed.scopes.push(ScopeResult { path, tokens, malformed, is_step: false });
}

/// The token of a credential. Its id is the file and the part of it.
fn token(file: &str, credential: Credential) -> Token {
    let base = file.rsplit('/').next().unwrap_or(file);
    let part = credential.part.map(|part| format!("#{part}")).unwrap_or_default();
    Token {
        name: credential.name.unwrap_or_else(|| format!("{base}{part}")).into(),
        owner: credential.owner.map(|owner| Owner { name: Some(owner.into()), ..Owner::default() }.into()),
        created_at: credential.created_at,
        labels: Arc::new(credential.issuer.map(|issuer| ("issuer".to_owned(), issuer)).into_iter().collect()),
        ..Token::new(format!("{file}{part}"), credential.kind, credential.expires)
    }
}

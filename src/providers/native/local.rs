//! Providers that are no HTTP API, and so are written in Rust instead of as a definition.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::{files, manual};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, ListingResult, Outcome, Path};
use crate::providers::language::provider::Setting;
use crate::providers::{Probe, ProbeResult, Source, SourceSpec};
use crate::schema::diagnostic::{Diagnostics, SourceText};

/// What is known of such a provider: as much as a definition says.
pub struct Native {
    /// Its name: the value of the label `provider`.
    pub name: &'static str,
    /// Its name as people write it.
    pub title: &'static str,
    /// The project's own page on it.
    pub docs: &'static str,
    /// What its ends mean, in words.
    pub expiry: &'static str,
    /// How often a source is collected unless the configuration says so.
    pub interval: Option<Duration>,
    /// What a source may set.
    pub settings: Vec<Setting>,
    /// Its one listing: its name, the kind of its tokens, what it lists.
    pub listing: (&'static str, &'static str, &'static str),
    /// Makes a source of what the configuration says.
    pub(crate) connect: fn(SourceSpec) -> Result<Box<dyn Source>, Diagnostics>,
}

/// All of them.
pub(crate) fn all() -> Vec<Native> {
    vec![manual::native(), files::native()]
}

/// A source of one listing that is read from this machine.
pub(crate) trait LocalReader: Send + Sync {
    /// Reads everything. What cannot be read is a gap or an odd row.
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, ListingResult>;
}

/// Such a source, as the collector sees it.
pub(crate) struct LocalSource<L> {
    pub(crate) listings: [String; 1],
    pub(crate) local: L,
}

impl<L: LocalReader> LocalSource<L> {
    async fn read(&self, now: DateTime<Utc>, deadline: Instant) -> Outcome {
        match timeout_at(deadline, self.local.read(now)).await {
            Ok(listed) => Outcome { listings: vec![listed], ..Outcome::default() },
            Err(_) => {
                let late =
                    Failure::new(Reason::Timeout, "not read within the time that a collection of this source may take");
                Outcome::failed(&self.listings, &late)
            }
        }
    }
}

impl<L: LocalReader> Source for LocalSource<L> {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        Vec::new()
    }

    fn collect(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Outcome> {
        self.read(now, deadline).boxed()
    }

    fn probe(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Vec<Probe>> {
        async move {
            let outcome = self.read(now, deadline).await;
            let probe = |listed: ListingResult| Probe { result: probed(&listed), listing: listed.name };
            outcome.listings.into_iter().map(probe).collect()
        }
        .boxed()
    }
}

fn probed(listed: &ListingResult) -> Result<ProbeResult, Gap> {
    if let Some(gap) = listed.gaps.first() {
        return Err(gap.clone());
    }
    let tokens: u64 = listed.scopes.iter().map(|scope| scope.tokens.len() as u64).sum();
    let odd: u64 = listed.scopes.iter().map(|scope| scope.malformed.len() as u64).sum();
    match (tokens, odd) {
        (0, 0) => Ok(ProbeResult::Empty),
        (0, odd) => {
            let failure = Failure::new(Reason::Mapping, format!("none of {odd} entries can be read"));
            Err(Gap { path: Path::root(), scope: "all".into(), failure, required_permission: None })
        }
        (tokens, _) => Ok(ProbeResult::Rows(tokens)),
    }
}

/// A path that a configuration names: a relative one is meant beside the configuration's file.
pub(crate) fn beside(configuration: &SourceText, path: &str) -> PathBuf {
    std::path::Path::new(configuration.name()).parent().unwrap_or(std::path::Path::new("")).join(path)
}

/// A file's text, or why it cannot be had. No token file is larger than this many bytes.
const LARGEST: u64 = 8 << 20;

/// Reads a file whole.
///
/// # Errors
/// A failure that names the file and the cause.
pub(crate) async fn read_file(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: &std::io::Error| io_failure(path, error);
    let size = tokio::fs::metadata(path).await.map_err(|error| failed(&error))?.len();
    if size > LARGEST {
        let what = format!("{}: larger than {} MiB", path.display(), LARGEST >> 20);
        return Err(Failure::new(Reason::TooLarge, what));
    }
    tokio::fs::read(path).await.map_err(|error| failed(&error))
}

/// Why a file or directory cannot be read.
pub(crate) fn io_failure(path: &std::path::Path, error: &std::io::Error) -> Failure {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => Reason::NotFound,
        std::io::ErrorKind::PermissionDenied => Reason::Forbidden,
        _ => Reason::Internal,
    };
    Failure::new(reason, format!("{}: {error}", path.display()))
}

/// Notes what such a source cannot have: a way to authenticate, or listings other than its one.
pub(crate) fn no_more(reader: &mut crate::schema::read::Reader, wanted: &SourceSpec, listing: &str) {
    if let Some((_, at)) = &wanted.auth {
        reader.error(*at, "this provider has no ways to authenticate");
    }
    if let Some(at) = wanted.credential_at {
        reader.error(at, "this provider needs no credential");
    }
    for (name, at) in wanted.listings.iter().flatten() {
        if name != listing {
            reader.error(*at, format!("no listing `{name}`; this provider has `{listing}`"));
        }
    }
}

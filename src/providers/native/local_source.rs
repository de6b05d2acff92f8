//! A source of one listing that is read from this machine.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use crate::core::failure::{Failure, Reason};
use crate::core::intake::Intake;
use crate::core::outcome::{FoundInUse, ListingResult, Outcome};
use crate::core::renewal::Renewals;
use crate::providers::provider_info::{Guide, ListingInfo, ProviderInfo, Setting};
use crate::providers::{Source, SourceSpec};
use crate::schema::diagnostic::SourceText;
use crate::schema::reader::Reader;

/// The largest file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 8 << 20;

/// What a native provider reads.
pub(super) trait LocalReader: Send + Sync {
    /// Reads everything. What cannot be read becomes a gap or a malformed row.
    fn read(&self, now: DateTime<Utc>, intake: &Intake, to: &mut Local) -> impl Future<Output = ()> + Send;

    /// Whether it looks for credentials of other sources too.
    fn finds_credentials(&self) -> bool {
        false
    }
}

/// What was read.
pub(super) struct Local {
    pub(super) listed: ListingResult,
    pub(super) found: FoundInUse,
}

pub(super) struct LocalSource<L> {
    listings: [String; 1],
    /// Whether a newer token replaces an older one with the same name.
    replaces: bool,
    reader: L,
}

impl<L: LocalReader> LocalSource<L> {
    pub(super) fn new(listing: &str, reader: L) -> Self {
        Self { listings: [listing.to_owned()], replaces: true, reader }
    }

    /// No token replaces another.
    pub(super) fn without_replacement(self) -> Self {
        Self { replaces: false, ..self }
    }
}

impl<L: LocalReader> Source for LocalSource<L> {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        if self.replaces { Vec::new() } else { self.listings.to_vec() }
    }

    /// The author of the file or of the configuration names the owner.
    fn owner_logins(&self) -> Vec<String> {
        self.listings.to_vec()
    }

    fn finds_credentials(&self) -> bool {
        self.reader.finds_credentials()
    }

    fn collect<'c>(&'c self, now: DateTime<Utc>, deadline: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome> {
        async move {
            let mut local = Local { listed: ListingResult::new(&self.listings[0]), found: FoundInUse::default() };
            match timeout_at(deadline, self.reader.read(now, intake, &mut local)).await {
                Ok(()) => Outcome { listings: vec![local.listed], found: local.found, ..Outcome::default() },
                Err(_) => {
                    let late = Failure::new(Reason::Timeout, "not read before the source's timeout");
                    Outcome::failed(&self.listings, &late)
                }
            }
        }
        .boxed()
    }
}

/// The guide of a provider that reads local data, without credential and requests.
fn guide(example: &str, not_listed: &[&str]) -> Guide {
    let none = Some("none".to_owned());
    Guide {
        group: "local".to_owned(),
        credential: none.clone(),
        example: Some(example.to_owned()),
        cost: none,
        not_listed: not_listed.iter().map(|&text| text.to_owned()).collect(),
        tested_against: None,
    }
}

/// What all native providers have in common.
pub(super) fn info(
    name: &str,
    title: &str,
    expiry: &str,
    settings: Vec<Setting>,
    listing: ListingInfo,
    renewals: Renewals,
    (example, not_listed): (&str, &[&str]),
) -> ProviderInfo {
    ProviderInfo {
        name: name.to_owned(),
        aliases: Vec::new(),
        title: title.to_owned(),
        docs: format!("docs/providers/{name}.md"),
        expiry: expiry.to_owned(),
        permission: None,
        guide: guide(example, not_listed),
        interval: None,
        settings,
        reads_kubeconfig: false,
        schemes: Vec::new(),
        listings: vec![listing],
        renewals: Arc::new(renewals),
        identify: Vec::new(),
        native: true,
    }
}

/// Reports the keys of a source that a native provider does not use.
pub(super) fn reject_extra_keys(reader: &mut Reader, spec: &SourceSpec, listing: &str) {
    if let Some((_, at)) = &spec.auth {
        reader.error(*at, format!("{}: has no effect with this provider; remove it", spec.path_of("auth")));
    }
    if let Some((at, _)) = spec.kubeconfig {
        reader.error(at, format!("{}: has no effect with this provider; remove it", spec.path_of("kubeconfig")));
    }
    if let Some(at) = spec.credential_at {
        reader.error(at, format!("{}: has no effect with this provider; remove it", spec.path_of("credential")));
    }
    for (name, at) in &spec.header_names {
        let path = spec.path_of(&format!("headers.{name}"));
        reader.error(*at, format!("{path}: has no effect with this provider, which sends no requests; remove it"));
    }
    if let Some(at) = spec.identify {
        let message = "this provider cannot say which token a credential is; remove it";
        reader.error(at, format!("{}: {message}", spec.path_of("identify")));
    }
    for (name, at) in spec.listings.iter().flatten().filter(|(name, _)| name != listing) {
        reader.error(*at, format!("{}: unknown listing `{name}`; expected `{listing}`", spec.path_of("listings")));
    }
}

/// A path in the configuration, which may be relative to the configuration file.
pub(super) fn relative_to(configuration: &SourceText, path: &str) -> PathBuf {
    Path::new(configuration.name()).parent().unwrap_or(Path::new("")).join(path)
}

/// # Errors
/// A failure that names the file and the cause; reason `too_large` over 8 MiB.
pub(super) async fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: Error| io_failure(path, &error);
    if tokio::fs::metadata(path).await.map_err(failure)?.len() > MAX_FILE_SIZE {
        let what = format!("{}: exceeds {} MiB", path.display(), MAX_FILE_SIZE >> 20);
        return Err(Failure::new(Reason::TooLarge, what));
    }
    tokio::fs::read(path).await.map_err(failure)
}

/// Why a file or directory is unreadable.
pub(super) fn io_failure(path: &Path, error: &Error) -> Failure {
    let reason = match error.kind() {
        ErrorKind::NotFound => Reason::NotFound,
        ErrorKind::PermissionDenied => Reason::Forbidden,
        _ => Reason::Internal,
    };
    Failure::new(reason, format!("{}: {error}", path.display()))
}

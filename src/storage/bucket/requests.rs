//! The requests: list, get, conditional put, put, delete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout};

use super::environment;
use super::error::{Operation, is_missing_object, store_error};
use super::limits::{LARGE, LARGE_SIZE, Limits, SMALL};
use super::location::{Location, Service};
use super::lock::DirectoryLock;
use super::open;
use crate::core::schedule::version::Version;
use crate::storage::shared::{Conditional, Listed, Object, Precondition, SharedStore, StoreError};

/// The maximum number of objects in a list, so that a wrong prefix does not fill the memory.
const MAX_LISTED: usize = 200_000;

/// A store.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) location: Location,
    prefix: Path,
    small: Arc<dyn ObjectStore>,
    large: Arc<dyn ObjectStore>,
    lock: Option<DirectoryLock>,
    /// Whether `If-Match` is sent without quotes. Old versions of Ceph compare the quotes too.
    pub(super) unquoted: AtomicBool,
}

impl Bucket {
    /// # Errors
    /// If the environment variables of the service are incomplete.
    pub(super) fn open(
        location: &Location,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, String> {
        let variables = environment::select(location.service, environment)?;
        let is_directory = location.service == Service::Directory;
        let prefix = if is_directory { Path::ROOT } else { Path::from(location.prefix.as_str()) };
        Ok(Self {
            small: open::open(location, variables.clone(), SMALL)?,
            large: open::open(location, variables, LARGE)?,
            lock: is_directory.then(|| DirectoryLock::next_to(location.directory())),
            location: location.clone(),
            prefix,
            unquoted: AtomicBool::new(false),
        })
    }

    fn client(&self, size: u64) -> (&dyn ObjectStore, Limits) {
        if size < LARGE_SIZE { (&*self.small, SMALL) } else { (&*self.large, LARGE) }
    }

    /// The object with a name below the prefix. Its parts are encoded once more where a service or file system needs it.
    fn path(&self, name: &str) -> Path {
        name.split('/').filter(|part| !part.is_empty()).fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// The name below the prefix.
    fn name(&self, path: &Path) -> Option<String> {
        let parts = path.prefix_match(&self.prefix)?;
        let decoded: Option<Vec<String>> =
            parts.map(|part| Some(percent_decode_str(part.as_ref()).decode_utf8().ok()?.into_owned())).collect();
        decoded.map(|parts| parts.join("/"))
    }

    /// Limits the time of an operation and explains its error.
    async fn bounded<T>(
        &self,
        operation: Operation,
        limits: Limits,
        run: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Result<T, Failed> {
        match timeout(limits.total, run).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                Err(Failed { explained: store_error(&self.location, operation, &error), error: Some(error) })
            }
            Err(_) => {
                let text = format!("{}: no response within {:?}; check the network", self.location, limits.total);
                Err(Failed { explained: StoreError::Unavailable(text), error: None })
            }
        }
    }

    async fn list_all(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let at = self.path(prefix);
        let pages = async {
            let stream = self.small.list(Some(&at)).take(MAX_LISTED + 1);
            stream.try_collect::<Vec<ObjectMeta>>().await
        };
        let objects = self.bounded(Operation::List, SMALL, pages).await?;
        if objects.len() > MAX_LISTED {
            let problem = format!("{}: more than {MAX_LISTED} objects; use a prefix of its own", self.location);
            return Err(StoreError::Refused(problem));
        }
        Ok(objects.into_iter().filter_map(|object| self.listed(object)).collect())
    }

    /// `None` for an object whose name this program does not give.
    fn listed(&self, object: ObjectMeta) -> Option<Listed> {
        Some(Listed {
            name: self.name(&object.location)?,
            etag: unquote(object.e_tag.as_deref().unwrap_or_default()).to_owned(),
            size: object.size,
            last_modified: object.last_modified,
        })
    }

    async fn read(&self, name: &str, limit: u64) -> Result<Option<Object>, StoreError> {
        let (client, limits) = self.client(limit);
        let path = self.path(name);
        let too_large = |size| StoreError::TooLarge { name: name.to_owned(), size, limit };
        let run = async {
            let found = client.get(&path).await?;
            let meta = found.meta.clone();
            if meta.size > limit {
                return Ok(Err(meta.size));
            }
            let mut bytes = BytesMut::new();
            let mut chunks = found.into_stream();
            while let Some(chunk) = chunks.next().await {
                bytes.extend_from_slice(&chunk?);
                // The size that the store reports may be wrong.
                if bytes.len() as u64 > limit {
                    return Ok(Err(bytes.len() as u64));
                }
            }
            Ok(Ok((meta, bytes.freeze())))
        };
        match self.bounded(Operation::Get, limits, run).await {
            Ok(Ok((meta, bytes))) => {
                let version = version(meta.e_tag, meta.version);
                Ok(Some(Object { bytes, version, last_modified: meta.last_modified }))
            }
            Ok(Err(size)) => Err(too_large(size)),
            Err(Failed { error: Some(error), .. }) if is_missing_object(&error) => Ok(None),
            Err(failed) => Err(failed.explained),
        }
    }

    async fn write_if(&self, name: &str, bytes: Bytes, over: Precondition<'_>) -> Result<Conditional, StoreError> {
        let (client, limits) = self.client(bytes.len() as u64);
        let path = self.path(name);
        let held = match &self.lock {
            Some(lock) => Some(lock.acquire(Instant::now() + limits.total).await.map_err(|error| {
                StoreError::Unavailable(format!("{}: cannot lock the directory: {error}", self.location))
            })?),
            None => None,
        };
        let run = async {
            let mode = match over {
                Precondition::Missing => PutMode::Create,
                Precondition::Unchanged(version) if held.is_some() => {
                    let found = client.head(&path).await?;
                    if unquote(found.e_tag.as_deref().unwrap_or_default()) != version.etag {
                        return Ok(None);
                    }
                    PutMode::Overwrite
                }
                Precondition::Unchanged(version) => PutMode::Update(self.update(version)),
            };
            client.put_opts(&path, bytes.into(), PutOptions::from(mode)).await.map(Some)
        };
        match self.bounded(Operation::Put, limits, run).await {
            Ok(Some(put)) => Ok(Conditional::Written(version(put.e_tag, put.version))),
            Ok(None) => Ok(Conditional::Refused),
            Err(Failed { error: Some(error), .. }) if is_refused_condition(&error) => Ok(Conditional::Refused),
            Err(failed) => Err(failed.explained),
        }
    }

    fn update(&self, version: &Version) -> UpdateVersion {
        // A weak ETag has its quotes inside.
        let bare = self.unquoted.load(Ordering::Relaxed) || version.etag.ends_with('"');
        let e_tag = if bare { version.etag.clone() } else { format!("\"{}\"", version.etag) };
        UpdateVersion { e_tag: Some(e_tag), version: version.generation.clone() }
    }

    async fn write(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let (client, limits) = self.client(bytes.len() as u64);
        let path = self.path(name);
        let run = client.put_opts(&path, bytes.into(), PutOptions::from(PutMode::Overwrite));
        self.bounded(Operation::Put, limits, run).await?;
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.bounded(Operation::Delete, SMALL, self.small.delete(&self.path(name))).await {
            Err(Failed { error: Some(error), .. }) if is_missing_object(&error) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// A failed operation. `error` is `None` after a timeout.
struct Failed {
    explained: StoreError,
    error: Option<Error>,
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        failed.explained
    }
}

/// Whether the object is not the expected one: 412, 409, or 404 for an update.
fn is_refused_condition(error: &Error) -> bool {
    match error {
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => true,
        missing => is_missing_object(missing),
    }
}

fn version(e_tag: Option<String>, generation: Option<String>) -> Version {
    Version { etag: unquote(e_tag.as_deref().unwrap_or_default()).to_owned(), generation }
}

/// An ETag without quotes: azurite lists it so, and returns it quoted elsewhere.
fn unquote(etag: &str) -> &str {
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

impl SharedStore for Bucket {
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.list_all(prefix).boxed()
    }

    fn get<'a>(&'a self, name: &'a str, limit: u64) -> BoxFuture<'a, Result<Option<Object>, StoreError>> {
        self.read(name, limit).boxed()
    }

    fn put_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        precondition: Precondition<'a>,
    ) -> BoxFuture<'a, Result<Conditional, StoreError>> {
        self.write_if(name, bytes, precondition).boxed()
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        self.write(name, bytes).boxed()
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.remove(name).boxed()
    }

    fn probe<'a>(&'a self, replica: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.check_conditional_puts(replica).boxed()
    }
}

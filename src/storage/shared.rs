//! The store that the replicas of an installation share: objects below one prefix, with conditional puts.
//!
//! Who may write is decided by [`SharedStore::put_if`] alone. [`put_if_read_back`] is what the collector calls.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::core::schedule::version::Version;

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name below the prefix, such as `live/sources/vault`.
    pub name: String,
    /// Without quotes, so that it can be compared with that of a GET or PUT.
    pub etag: String,
    pub size: u64,
    /// By the store's clock.
    pub last_modified: DateTime<Utc>,
}

/// An object that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub bytes: Bytes,
    pub version: Version,
    /// By the store's clock.
    pub last_modified: DateTime<Utc>,
}

/// When a conditional put writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition<'a> {
    /// There is no object with the name.
    Missing,
    /// The object is still this version.
    Unchanged(&'a Version),
}

/// The response to one conditional put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditional {
    Written(Version),
    /// The object is another version (412, or 409 after retries). It may be this put's own, if a retry followed a lost response.
    Refused,
}

/// The result of a conditional put, after the object was read back.
#[derive(Debug)]
pub enum PutOutcome {
    Done(Version),
    /// The object is someone else's.
    Lost,
    /// Neither is known: the store did not respond. The put may still take effect.
    Unknown(StoreError),
}

/// A failed request to the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An object is larger than the caller accepts; it was not read to its end.
    #[error("{name}: {size} bytes are more than the limit of {limit}")]
    TooLarge { name: String, size: u64, limit: u64 },
    /// The store refused the request (permissions, no such bucket).
    #[error("{0}")]
    Refused(String),
    /// No response in time, no connection, or a temporary error.
    #[error("{0}")]
    Unavailable(String),
}

/// An object store. One request, with the retries inside, ends within a few seconds; every name is below the prefix.
pub trait SharedStore: Send + Sync {
    /// Every object whose name begins with `prefix`, which ends with `/`; all pages.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// Reads an object of at most `limit` bytes; `None` if there is none.
    fn get<'a>(&'a self, name: &'a str, limit: u64) -> BoxFuture<'a, Result<Option<Object>, StoreError>>;

    /// Writes if the precondition holds. Does not read back.
    fn put_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        precondition: Precondition<'a>,
    ) -> BoxFuture<'a, Result<Conditional, StoreError>>;

    /// Writes in any case.
    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Deletes. A missing object is not an error.
    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Checks with an object of its own that the store keeps conditional puts, without which two replicas could collect the same
    /// source. It must succeed before the first use. `replica` is unique among the replicas.
    ///
    /// `Refused` if the store cannot be used or does not permit a request, `Unavailable` if it does not respond.
    fn probe<'a>(&'a self, replica: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Writes if the precondition holds, and recognises its own put after a lost response: the bytes are then those that it wrote. They
/// must contain a random number, because equal bytes have equal ETags.
pub async fn put_if_read_back(
    store: &dyn SharedStore,
    name: &str,
    bytes: Bytes,
    precondition: Precondition<'_>,
) -> PutOutcome {
    let failed = match store.put_if(name, bytes.clone(), precondition).await {
        Ok(Conditional::Written(version)) => return PutOutcome::Done(version),
        Ok(Conditional::Refused) => None,
        Err(error) => Some(error),
    };
    match (store.get(name, bytes.len() as u64).await, failed) {
        (Ok(Some(object)), _) if object.bytes == bytes => PutOutcome::Done(object.version),
        // A put without a response may still arrive.
        (Ok(_) | Err(_), Some(error)) | (Err(error @ (StoreError::Refused(_) | StoreError::Unavailable(_))), None) => {
            PutOutcome::Unknown(error)
        }
        // Another size is another object.
        (Ok(_) | Err(StoreError::TooLarge { .. }), None) => PutOutcome::Lost,
    }
}

/// The object that says whose prefix it is.
const INSTALLATION: &str = "installation";

/// Its maximum size.
const MAX_OWNER: u64 = 4096;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    installation: String,
}

/// Checks a store before its first use, and takes its prefix for an installation if nobody has.
///
/// # Errors
/// As [`SharedStore::probe`], and `Refused` if the prefix belongs to another installation.
pub async fn prepare(store: &dyn SharedStore, replica: &str, installation: &str) -> Result<(), StoreError> {
    store.probe(replica).await?;
    let owner = Owner { installation: installation.to_owned() };
    let bytes = serde_json::to_vec(&owner).map_err(|error| StoreError::Refused(error.to_string()))?;
    match put_if_read_back(store, INSTALLATION, bytes.into(), Precondition::Missing).await {
        PutOutcome::Done(_) => return Ok(()),
        PutOutcome::Unknown(error) => return Err(error),
        PutOutcome::Lost => {}
    }
    let Some(object) = store.get(INSTALLATION, MAX_OWNER).await? else {
        return Err(StoreError::Unavailable(format!("the object `{INSTALLATION}` was deleted just now")));
    };
    match serde_json::from_slice::<Owner>(&object.bytes) {
        Ok(known) if known == owner => Ok(()),
        Ok(Owner { installation: other }) => Err(StoreError::Refused(format!(
            "the prefix belongs to the installation `{other}`, and this is `{installation}`; give each installation a prefix of its \
             own, or, if it is the same, set --storage.installation={other}"
        ))),
        Err(_) => Err(StoreError::Refused(format!("the object `{INSTALLATION}` is damaged; delete it"))),
    }
}

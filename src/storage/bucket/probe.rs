//! The start probe: a store that accepts what it must refuse would let two replicas collect the same source.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use tracing::info;

use super::requests::Bucket;
use crate::core::schedule::version::Version;
use crate::storage::shared::{Conditional, Precondition, SharedStore as _, StoreError};

impl Bucket {
    /// [`SharedStore::probe`](crate::storage::shared::SharedStore::probe).
    pub(super) async fn check_conditional_puts(&self, replica: &str) -> Result<(), StoreError> {
        let name = format!("probe/{replica}");
        let checked = self.check(&name).await;
        let deleted = self.delete(&name).await;
        checked.and(deleted)
    }

    async fn check(&self, name: &str) -> Result<(), StoreError> {
        let body = |text: &str| Bytes::from(format!("{text} {name}\n"));
        let first = self.written(name, body("1"), Precondition::Missing, "If-None-Match").await?;
        if self.put_if(name, body("2"), Precondition::Missing).await? != Conditional::Refused {
            return Err(self.unusable("overwrites an object although the request has `If-None-Match: *`"));
        }
        let second = self.replace(name, body("3"), &first).await?;
        if self.put_if(name, body("4"), Precondition::Unchanged(&first)).await? != Conditional::Refused {
            return Err(self.unusable("replaces an object although `If-Match` names another version"));
        }
        let listed = self.list("probe/").await?;
        if !listed.iter().any(|object| object.name == name && object.etag == second.etag) {
            return Err(self.unusable("does not list an object with the ETag of its last version"));
        }
        Ok(())
    }

    /// Replaces the current version, if necessary with an `If-Match` without quotes.
    async fn replace(&self, name: &str, bytes: Bytes, version: &Version) -> Result<Version, StoreError> {
        if let Conditional::Written(written) =
            self.put_if(name, bytes.clone(), Precondition::Unchanged(version)).await?
        {
            return Ok(written);
        }
        self.unquoted.store(true, Ordering::Relaxed);
        let written = self.written(name, bytes, Precondition::Unchanged(version), "If-Match").await?;
        info!(store = %self.location, "the store compares ETags without quotes");
        Ok(written)
    }

    async fn written(
        &self,
        name: &str,
        bytes: Bytes,
        precondition: Precondition<'_>,
        header: &str,
    ) -> Result<Version, StoreError> {
        match self.put_if(name, bytes, precondition).await? {
            Conditional::Written(version) if !version.etag.is_empty() => Ok(version),
            Conditional::Written(_) => Err(self.unusable("returns no ETag for an object that it wrote")),
            Conditional::Refused => {
                Err(self.unusable(&format!("refuses an object although the condition of `{header}` holds")))
            }
        }
    }

    fn unusable(&self, what: &str) -> StoreError {
        let remedy = "two replicas could collect the same source; use a store with conditional puts";
        StoreError::Refused(format!("{}: the store {what}; {remedy}", self.location))
    }
}

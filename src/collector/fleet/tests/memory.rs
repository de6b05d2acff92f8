//! A store in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::core::schedule::version::Version;
use crate::storage::shared::{Conditional, Listed, Object, Precondition, SharedStore, StoreError};

pub(super) struct MemoryStore {
    start: Instant,
    objects: Mutex<BTreeMap<String, Object>>,
    etags: Mutex<u64>,
    is_down: AtomicBool,
    latency: Mutex<Duration>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            objects: Mutex::default(),
            etags: Mutex::default(),
            is_down: AtomicBool::new(false),
            latency: Mutex::new(Duration::from_millis(20)),
        }
    }
}

impl MemoryStore {
    pub(super) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    /// How long each request takes.
    pub(super) fn set_latency(&self, latency: Duration) {
        *self.latency.lock() = latency;
    }

    /// Damages every object with this prefix.
    pub(super) fn overwrite(&self, prefix: &str, bytes: &'static [u8]) {
        self.change(prefix, |_| Bytes::from_static(bytes));
    }

    /// Replaces a text in every state with this prefix.
    pub(super) fn replace(&self, prefix: &str, text: &str, other: &str) {
        self.change(prefix, |bytes| {
            let content = std::str::from_utf8(bytes).unwrap().replace(text, other);
            let (header, body) = content.split_once('\n').unwrap();
            let mut header: serde_json::Value = serde_json::from_str(header).unwrap();
            header["crc32"] = format!("{:08x}", crc32fast::hash(body.as_bytes())).into();
            header["length"] = body.len().into();
            format!("{header}\n{body}").into()
        });
    }

    fn change(&self, prefix: &str, change: impl Fn(&[u8]) -> Bytes) {
        let names: Vec<String> = self.objects.lock().keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        assert!(!names.is_empty());
        for name in names {
            let bytes = change(&self.objects.lock()[&name].bytes);
            self.write(&name, bytes);
        }
    }

    pub(super) fn contents(&self, prefix: &str) -> Vec<Bytes> {
        let objects = self.objects.lock();
        objects.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, object)| object.bytes.clone()).collect()
    }

    fn write(&self, name: &str, bytes: Bytes) -> Version {
        let mut etags = self.etags.lock();
        *etags += 1;
        let version = Version { etag: etags.to_string(), generation: None };
        let last_modified: DateTime<Utc> =
            DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::from_std(self.start.elapsed()).unwrap();
        self.objects.lock().insert(name.to_owned(), Object { bytes, version: version.clone(), last_modified });
        version
    }

    /// The time of a request. Whether the store responds.
    async fn respond(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::Relaxed) {
            sleep(Duration::from_secs(5)).await;
            return Err(StoreError::Unavailable("the store is down".to_owned()));
        }
        let latency = *self.latency.lock();
        sleep(latency).await;
        Ok(())
    }
}

impl SharedStore for MemoryStore {
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        async move {
            self.respond().await?;
            let objects = self.objects.lock();
            let listed = objects.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(name, object)| Listed {
                name: name.clone(),
                etag: object.version.etag.clone(),
                size: object.bytes.len() as u64,
                last_modified: object.last_modified,
            });
            Ok(listed.collect())
        }
        .boxed()
    }

    fn get<'a>(&'a self, name: &'a str, limit: u64) -> BoxFuture<'a, Result<Option<Object>, StoreError>> {
        async move {
            self.respond().await?;
            let object = self.objects.lock().get(name).cloned();
            match object {
                Some(object) if object.bytes.len() as u64 > limit => {
                    Err(StoreError::TooLarge { name: name.to_owned(), size: object.bytes.len() as u64, limit })
                }
                object => Ok(object),
            }
        }
        .boxed()
    }

    fn put_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        precondition: Precondition<'a>,
    ) -> BoxFuture<'a, Result<Conditional, StoreError>> {
        async move {
            self.respond().await?;
            let known = self.objects.lock().get(name).map(|object| object.version.clone());
            let holds = match precondition {
                Precondition::Missing => known.is_none(),
                Precondition::Unchanged(version) => known.as_ref() == Some(version),
            };
            Ok(if holds { Conditional::Written(self.write(name, bytes)) } else { Conditional::Refused })
        }
        .boxed()
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.respond().await?;
            self.write(name, bytes);
            Ok(())
        }
        .boxed()
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.respond().await?;
            self.objects.lock().remove(name);
            Ok(())
        }
        .boxed()
    }

    fn probe<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.respond().await }.boxed()
    }
}

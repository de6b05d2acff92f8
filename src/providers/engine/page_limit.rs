//! How many pages are decoded and mapped at the same time, over all sources.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A page of 1,000 rows takes some megabytes until it is mapped, so a hundred sources at a time took 50 to 100 MB. Mapping is
/// computation: with more pages than this at a time a small machine is no faster.
const MAX_PAGES: usize = 2;

pub(crate) struct PageLimit(Arc<Semaphore>);

/// A page that may be decoded and mapped until this is dropped. The task that holds one must not wait for a request, as its
/// response is a page too.
pub(super) struct PagePermit {
    /// `None` if the limit is closed, which never happens.
    _permit: Option<OwnedSemaphorePermit>,
}

impl PageLimit {
    pub(super) fn new(pages: usize) -> Self {
        Self(Arc::new(Semaphore::new(pages)))
    }

    pub(super) async fn acquire(&self) -> PagePermit {
        PagePermit { _permit: Arc::clone(&self.0).acquire_owned().await.ok() }
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self::new(MAX_PAGES)
    }
}

//! Where pages are written: a few at once, and no more than fit into memory until their readers have taken them.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::body::Ready;
use super::limits::{PATIENCE, UNSENT, WRITERS};
use super::routes::{fault, text};

/// The places for writing, and the room for what is written.
pub struct Desk {
    writers: Arc<Semaphore>,
    /// In KiB.
    unsent: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { writers: Arc::new(Semaphore::new(WRITERS)), unsent: Arc::new(Semaphore::new(UNSENT as usize)) }
    }
}

impl Desk {
    /// Has a page written when it is its turn. The refusal where that takes too long, or fails: `what` names the page.
    pub(super) async fn write<F>(&self, what: &str, page: F) -> Result<Body, Response>
    where
        F: FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    {
        let turn = timeout(PATIENCE, Arc::clone(&self.writers).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(busy()) };
        // The turn goes along: whoever gives up waiting must not let in one more while the writing still goes on.
        let written = tokio::task::spawn_blocking(move || page().map(|page| (page, turn))).await;
        let (page, turn) = match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(written) => written,
            Err(error) => return Err(fault(&format!("{what} could not be written"), &error)),
        };
        let size = u32::try_from(page.len() / 1_024 + 1).unwrap_or(UNSENT).min(UNSENT);
        let held = timeout(PATIENCE, Arc::clone(&self.unsent).acquire_many_owned(size)).await;
        drop(turn);
        let Ok(Ok(held)) = held else { return Err(busy()) };
        Ok(Ready::body(vec![page.into()], Some(held)))
    }
}

/// The answer to who comes when too much is under way.
pub(super) fn busy() -> Response {
    let mut busy = text(StatusCode::SERVICE_UNAVAILABLE, "too much is asked for at once; ask again later\n");
    busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    busy
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_keeps_the_next_from_being_written() {
        let desk = Desk::default();
        let page = || Ok(vec![0; UNSENT as usize * 512]);
        let first = desk.write("x", page).await.unwrap();
        assert_eq!(desk.write("x", page).await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(desk.write("x", || Ok(vec![0; 1_024])).await.is_ok(), "what still fits");
        drop(first);
        assert!(desk.write("x", page).await.is_ok());
        assert!(desk.write("x", || Ok(vec![0; UNSENT as usize * 2_048])).await.is_ok(), "one always fits");
    }

    #[tokio::test]
    async fn a_failure_is_told() {
        let failed = Desk::default().write("the page", || Err(io::Error::other("secret cause"))).await.unwrap_err();
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

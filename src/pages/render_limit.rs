//! Limits concurrent rendering and rendered but unsent data.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::body::ChunkedBody;

/// Pages rendered concurrently. The metrics are rendered when they change, not by a request.
const RENDERERS: usize = 2;
/// For a request to wait, for a renderer and then for memory.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// Rendered but unsent data, in KiB.
const UNSENT: u32 = 64 * 1_024;

/// The rows of the table in the documentation: limit, number, consequence.
pub fn reference() -> String {
    let seconds = QUEUE_TIMEOUT.as_secs();
    let then = format!("the request waits, at most {seconds} s, then 503; `…_http_requests_total{{code=\"503\"}}`");
    format!(
        "| pages rendered concurrently (metrics excluded) | {RENDERERS} | {then} |\n\
         | rendered but unsent data | {} MiB | {then} |\n",
        UNSENT / 1_024
    )
}

/// Permits for rendering, and for holding rendered pages.
pub struct RenderLimit {
    renderers: Arc<Semaphore>,
    /// In KiB.
    unsent: Arc<Semaphore>,
}

impl Default for RenderLimit {
    fn default() -> Self {
        Self { renderers: Arc::new(Semaphore::new(RENDERERS)), unsent: Arc::new(Semaphore::new(UNSENT as usize)) }
    }
}

impl RenderLimit {
    /// Renders a page on a blocking thread as soon as the limits allow. `what` names the page.
    ///
    /// # Errors
    /// The response to send instead: the server is busy, or rendering failed.
    pub(super) async fn render<F>(&self, what: &str, page: F) -> Result<Body, Response>
    where
        F: FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    {
        let renderer = timeout(QUEUE_TIMEOUT, Arc::clone(&self.renderers).acquire_owned()).await;
        let Ok(Ok(renderer)) = renderer else { return Err(server_busy()) };
        // Move the permit into the task: if the caller is cancelled, rendering continues and must keep its slot.
        // Without spare capacity, which a growing buffer has and `unsent` does not count.
        let rendered = spawn_blocking(move || page().map(|page| (page.into_boxed_slice(), renderer))).await;
        let (page, renderer) = rendered
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| internal_error(what, &error))?;
        let size = u32::try_from(page.len() / 1_024 + 1).unwrap_or(UNSENT).min(UNSENT);
        let permit = self.hold(size).await;
        drop(renderer);
        Ok(ChunkedBody::body(vec![page.into()], Some(permit?)))
    }

    /// A permit to hold unsent data of this size, in KiB, as soon as the limit allows.
    ///
    /// # Errors
    /// The response to send instead: the server is busy.
    pub(super) async fn hold(&self, size: u32) -> Result<OwnedSemaphorePermit, Response> {
        let permit = timeout(QUEUE_TIMEOUT, Arc::clone(&self.unsent).acquire_many_owned(size)).await;
        permit.ok().and_then(Result::ok).ok_or_else(server_busy)
    }
}

fn server_busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], "server busy; retry later\n").into_response()
}

/// The response to a request whose page could not be rendered. The cause is logged only.
pub(super) fn internal_error(what: &str, cause: &dyn Display) -> Response {
    tracing::error!(error = %cause, "cannot render the {what}");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot render the {what}; see the log\n")).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unsent_pages_block_further_rendering() {
        let limit = RenderLimit::default();
        let page = || Ok(vec![0; UNSENT as usize * 512]);
        let first = limit.render("x", page).await.unwrap();
        assert_eq!(limit.render("x", page).await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(limit.render("x", || Ok(vec![0; 1_024])).await.is_ok(), "a page that fits");
        drop(first);
        assert!(limit.render("x", page).await.is_ok());
        assert!(limit.render("x", || Ok(vec![0; UNSENT as usize * 2_048])).await.is_ok(), "a single page always fits");
    }

    #[tokio::test]
    async fn failed_rendering_is_an_internal_error() {
        let failed = RenderLimit::default().render("page", || Err(io::Error::other("secret"))).await.unwrap_err();
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

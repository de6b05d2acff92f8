//! Response bodies in chunks, so that no buffer holds a whole page once more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// The largest chunk, in bytes: TLS and HTTP/2 copy it.
const CHUNK: usize = 32 * 1_024;

/// A rendered page, and the permit to hold it until its last chunk is passed on.
pub(super) struct ChunkedBody {
    parts: VecDeque<Bytes>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl ChunkedBody {
    pub(super) fn body(parts: Vec<Bytes>, permit: Option<OwnedSemaphorePermit>) -> Body {
        let parts = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Body::new(Self { parts, _permit: permit })
    }
}

impl http_body::Body for ChunkedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(first) = self.parts.front_mut() else { return Poll::Ready(None) };
        let chunk = first.split_to(first.len().min(CHUNK));
        if first.is_empty() {
            self.parts.pop_front();
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.parts.iter().map(|part| part.len() as u64).sum())
    }
}

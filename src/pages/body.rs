//! Response bodies in chunks, so that no buffer holds a whole page once more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
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

/// A page whose chunks are made while the client reads, so that only one is in memory, and the permit to hold it.
pub(super) struct StreamedBody<I> {
    chunks: I,
    /// Bytes still to come.
    left: u64,
    _permit: OwnedSemaphorePermit,
}

impl<I: Iterator<Item = io::Result<Bytes>> + Send + Unpin + 'static> StreamedBody<I> {
    pub(super) fn body(size: u64, chunks: I, permit: OwnedSemaphorePermit) -> Body {
        Body::new(Self { chunks, left: size, _permit: permit })
    }
}

impl<I: Iterator<Item = io::Result<Bytes>> + Unpin> http_body::Body for StreamedBody<I> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = self.chunks.next();
        if let Some(Ok(chunk)) = &chunk {
            self.left = self.left.saturating_sub(chunk.len() as u64);
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body::Body as _;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn streamed_body_makes_a_chunk_only_when_it_is_read() {
        let permits = Arc::new(Semaphore::new(8));
        let permit = Arc::clone(&permits).acquire_many_owned(3).await.unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let chunks = (0..100).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from_static(&[b'a'; 10]))
        });
        let mut body = StreamedBody::body(1_000, chunks, permit);
        assert_eq!((body.size_hint().exact(), permits.available_permits()), (Some(1_000), 5));
        for read in 1..=3 {
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            assert_eq!(frame.unwrap().unwrap().into_data().unwrap().len(), 10);
            assert_eq!(made.load(Ordering::Relaxed), read);
        }
        assert_eq!(body.size_hint().exact(), Some(970));
        drop(body);
        assert_eq!(permits.available_permits(), 8, "the permit is held as long as the body");
    }
}

//! The bodies of answers: in pieces, so that no buffer ever holds a whole page once more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::pulse::Pulse;

/// What is handed to a connection at once: TLS and HTTP/2 copy it.
const PIECE: usize = 32 * 1_024;

/// What lies ready, and the permission to hold it until it is sent.
pub(super) struct Ready {
    pieces: VecDeque<Bytes>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Ready {
    pub(super) fn body(pieces: Vec<Bytes>, held: Option<OwnedSemaphorePermit>) -> Body {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Body::new(Self { pieces, _held: held })
    }
}

impl http_body::Body for Ready {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(first) = self.pieces.front_mut() else { return Poll::Ready(None) };
        let piece = first.split_to(first.len().min(PIECE));
        if first.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}

/// A request that is under way on a connection until this goes.
pub(super) struct UnderWay {
    pulse: Arc<Pulse>,
    sends: bool,
}

impl UnderWay {
    pub(super) fn new(pulse: Arc<Pulse>) -> Self {
        pulse.asked();
        Self { pulse, sends: false }
    }

    /// The answer is there, and goes out with this body.
    pub(super) fn sends(mut self, body: Body) -> Noted {
        self.pulse.sends();
        self.sends = true;
        Noted { body, _under_way: self }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.pulse.answered(self.sends);
    }
}

/// A body that says when it was handed over, or given up.
pub(super) struct Noted {
    body: Body,
    _under_way: UnderWay,
}

impl http_body::Body for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

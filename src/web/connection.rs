//! One connection: its handshake, its protocol, its limits.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::body::{Noted, UnderWay};
use super::limits::{HEAD_BYTES, HEAD_FIELDS, STREAMS};
use super::pulse::Pulse;
use super::stream;
use crate::exposition::program::CloseCause;

/// The library's own bounds of a request's head: beyond the documented ones, whose refusals are answered and counted as
/// others are, and below what would hurt.
const HARD_HEAD_BYTES: usize = 2 * HEAD_BYTES;
const HARD_HEAD_FIELDS: usize = 2 * HEAD_FIELDS;
/// What HTTP/2 holds of each answer for its client's window.
const SEND_BUFFER: usize = 64 * 1_024;

/// One connection.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// None where it speaks plainly.
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) router: Router,
    pub(super) pulse: Arc<Pulse>,
    /// Whether the program stops.
    pub(super) leaving: watch::Receiver<bool>,
}

impl Connection {
    /// Answers until the client goes, the program stops or a limit is reached. Why it was closed, where the client is to
    /// blame.
    pub(super) async fn attend(self) -> Option<CloseCause> {
        let Self { stream, tls, router, pulse, mut leaving } = self;
        let Some(tls) = tls else {
            pulse.open(false);
            let stream = stream::Noted::new(stream, Arc::clone(&pulse));
            return drive(speak_http1(stream, router, &pulse), &pulse, leaving).await;
        };
        let accepted = tokio::select! {
            accepted = TlsAcceptor::from(tls).accept(stream) => accepted,
            cause = pulse.ends() => return cause,
            _ = leaving.wait_for(|leaving| *leaving) => return None,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a client's TLS handshake failed");
                return Some(CloseCause::Handshake);
            }
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        pulse.open(is_http2);
        let stream = stream::Noted::new(stream, Arc::clone(&pulse));
        if is_http2 {
            drive(speak_http2(stream, router, &pulse), &pulse, leaving).await
        } else {
            drive(speak_http1(stream, router, &pulse), &pulse, leaving).await
        }
    }
}

/// A stream that both protocols can speak on.
trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static> Stream for S {}

fn speak_http1(
    stream: impl Stream,
    router: Router,
    pulse: &Arc<Pulse>,
) -> impl GracefulConnection<Error = hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        // The pulse has its own limits, which tell a slow head from an idle connection.
        .header_read_timeout(None)
        .max_buf_size(HARD_HEAD_BYTES)
        .max_headers(HARD_HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service_fn(answering(router, pulse)))
}

fn speak_http2(
    stream: impl Stream,
    router: Router,
    pulse: &Arc<Pulse>,
) -> impl GracefulConnection<Error = hyper::Error> {
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(HARD_HEAD_BYTES).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(stream), service_fn(answering(router, pulse)))
}

type Answered = Result<Response<Noted>, Infallible>;

/// The router, with its requests noted.
fn answering(
    router: Router,
    pulse: &Arc<Pulse>,
) -> impl Fn(Request<Incoming>) -> std::pin::Pin<Box<dyn Future<Output = Answered> + Send>> + Send + 'static {
    let (router, pulse) = (TowerToHyperService::new(router), Arc::clone(pulse));
    move |request| {
        let under_way = UnderWay::new(Arc::clone(&pulse));
        let answer = router.call(request);
        Box::pin(async move { answer.await.map(|response| response.map(|body| under_way.sends(body))) })
    }
}

/// Runs a connection to its end.
async fn drive(
    connection: impl GracefulConnection<Error = hyper::Error>,
    pulse: &Pulse,
    mut leaving: watch::Receiver<bool>,
) -> Option<CloseCause> {
    let mut connection = pin!(connection);
    let mut asked_to_end = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended.err().as_ref().and_then(blame),
            cause = pulse.ends() => return cause,
            _ = leaving.wait_for(|leaving| *leaving), if !asked_to_end => {
                if !pulse.owes() {
                    return None;
                }
                asked_to_end = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// What a client did wrong. That it went away is nothing wrong.
fn blame(error: &hyper::Error) -> Option<CloseCause> {
    match () {
        () if error.is_parse_too_large() => Some(CloseCause::TooLarge),
        () if error.is_parse() => Some(CloseCause::Malformed),
        () => None,
    }
}

//! One connection: its handshake, its protocol, its timeouts.

use std::convert::Infallible;
use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::io::{InspectReader, InspectWriter};

use super::activity::{Activity, InFlight};
use super::close_cause::CloseCause;
use super::limits::{HANDSHAKE, HEAD_BYTES, MAX_HEADERS, STREAMS};

/// hyper's own limits of a request head. They are above the documented ones, which the middleware enforces and counts.
const HARD_HEAD_BYTES: usize = 2 * HEAD_BYTES;
const HARD_MAX_HEADERS: usize = 2 * MAX_HEADERS;
/// HTTP/2's buffer for each response, in bytes.
const STREAM_SEND_BUFFER: usize = 64 * 1_024;
/// How often the deadline is read again. No new deadline is closer than ten seconds, so none is missed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Serves requests until the client leaves, the server shuts down (`draining`) or a limit is reached. Plain HTTP without
/// `tls`. Returns why the connection was closed, if the client caused it.
pub(super) async fn run(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    activity: Arc<Activity>,
    mut draining: watch::Receiver<bool>,
) -> Option<CloseCause> {
    let Some(tls) = tls else { return serve_http(stream, false, router, activity, draining).await };
    let accepted = tokio::select! {
        accepted = timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream)) => accepted,
        () = activity.evicted() => return Some(CloseCause::Full),
        _ = draining.wait_for(|draining| *draining) => return None,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serve_http(stream, is_http2, router, activity, draining).await
        }
        failed => {
            tracing::debug!(error = ?failed.map(Result::err), "TLS handshake failed");
            Some(CloseCause::Handshake)
        }
    }
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    router: Router,
    activity: Arc<Activity>,
    mut draining: watch::Receiver<bool>,
) -> Option<CloseCause> {
    activity.ready(is_http2);
    let [receiver, sender, requests] = [(); 3].map(|()| Arc::clone(&activity));
    let stream = InspectReader::new(stream, move |_| receiver.bytes_received());
    let stream = InspectWriter::new(stream, move |_| sender.bytes_sent());
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut in_flight = InFlight::new(&requests);
        let response = router.call(request);
        async move {
            let response = response.await?;
            in_flight.response_started();
            Ok::<_, Infallible>(response.map(|body| TrackedBody { body, _in_flight: in_flight }))
        }
    });
    let http = http(is_http2);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut is_draining = false;
    loop {
        let (deadline, cause) = activity.deadline();
        if deadline <= Instant::now() {
            return cause;
        }
        tokio::select! {
            biased;
            closed = connection.as_mut() => return closed.err().and_then(|error| client_error(&*error)),
            () = activity.evicted() => return Some(CloseCause::Full),
            () = sleep_until(deadline.min(Instant::now() + CHECK_INTERVAL)) => {}
            _ = draining.wait_for(|draining| *draining), if !is_draining => {
                if !activity.has_pending_response() {
                    return None;
                }
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn http(is_http2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It would close idle connections too: see `activity`.
        .header_read_timeout(None)
        .max_buf_size(HARD_HEAD_BYTES)
        .max_headers(HARD_MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(STREAM_SEND_BUFFER)
        .max_header_list_size(u32::try_from(HARD_HEAD_BYTES).unwrap_or(u32::MAX));
    if is_http2 { builder.http2_only() } else { builder.http1_only() }
}

/// The cause to count if a connection failed. A client that leaves early is not at fault.
fn client_error(error: &(dyn Error + 'static)) -> Option<CloseCause> {
    error.downcast_ref().filter(|error: &&hyper::Error| error.is_parse()).map(|_| CloseCause::Malformed)
}

/// A response body that marks its request as in flight until it is sent or dropped.
struct TrackedBody {
    body: Body,
    _in_flight: InFlight,
}

impl http_body::Body for TrackedBody {
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

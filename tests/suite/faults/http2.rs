//! The same provider over HTTP/2, for faults that only HTTP/2 has.

use h2::{Reason, server};
use tokio::io::{AsyncRead, AsyncWrite};

use super::fault::Fault;
use super::server::FaultyServer;

/// Serves until the connection is closed.
pub(super) async fn serve(server: &FaultyServer, stream: impl AsyncRead + AsyncWrite + Unpin, fault: Option<&Fault>) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let headers = request.headers().iter();
        let head: String = headers.map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect();
        server.check_credential(&head);
        match fault {
            Some(Fault::StreamReset) if server.is_hit(&target, true) => respond.send_reset(Reason::INTERNAL_ERROR),
            Some(Fault::GoAway) if server.is_hit(&target, true) => {
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM)
            }
            _ => {
                let correct = server.respond(&target, false);
                let mut response = http::Response::builder().status(correct.status);
                for (name, value) in correct.headers {
                    response = response.header(name, value);
                }
                let Ok(mut body) = respond.send_response(response.body(()).unwrap(), false) else { return };
                let _ = body.send_data(correct.body.into(), true);
            }
        }
    }
}

//! The same provider over HTTP/2, for the faults that only HTTP/2 has.

use h2::{Reason, server};
use tokio::io::{AsyncRead, AsyncWrite};

use super::door::Door;
use super::fault::Fault;

/// Answers until the connection ends.
pub(super) async fn serve(door: &Door, stream: impl AsyncRead + AsyncWrite + Unpin, fault: Option<&Fault>) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let headers = request.headers().iter();
        let head: String = headers.map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect();
        door.admit(&head);
        match fault {
            Some(Fault::StreamReset) if door.strikes(&target, true) => respond.send_reset(Reason::INTERNAL_ERROR),
            Some(Fault::GoAway) if door.strikes(&target, true) => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            _ => {
                let answer = door.well(&target, false);
                let mut response = http::Response::builder().status(answer.status);
                for (name, value) in answer.headers {
                    response = response.header(name, value);
                }
                let Ok(mut body) = respond.send_response(response.body(()).unwrap(), false) else { return };
                let _ = body.send_data(answer.body.into(), true);
            }
        }
    }
}

//! `health`: whether an exporter is running, for containers without a shell, such as the image's `HEALTHCHECK`.
//!
//! The request is always plain HTTP without a login: a 401, or the alert with which TLS rejects plain HTTP, also shows that the
//! process responds.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::args::HealthArgs;
use super::exit::{Exit, Failure};
use super::print;
use crate::pages::path::HEALTHY;

/// For the whole request. Below the default timeouts of Docker and Kubernetes probes.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The start of a TLS alert: its type and the major version (RFC 8446, section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];
/// The length of `HTTP/1.1 200`.
const STATUS_LENGTH: u64 = 12;

pub(super) async fn run(args: HealthArgs) -> Result<Exit, Failure> {
    let address = args.address;
    let problem = match timeout(TIMEOUT, request(address)).await {
        Ok(Ok(response)) => problem(&response),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no response within {} s", TIMEOUT.as_secs())),
    };
    if let Some(problem) = &problem {
        print::note(format!("unhealthy: {address}: {problem}"));
    }
    Ok(if problem.is_some() { Exit::Failed } else { Exit::Success })
}

/// The start of the response.
async fn request(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {HEALTHY} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    let read = stream.take(STATUS_LENGTH).read_to_end(&mut response).await;
    // A reset after the response does not matter.
    if response.is_empty() { read.map(|_| response) } else { Ok(response) }
}

/// Why the response does not come from a running exporter.
fn problem(response: &[u8]) -> Option<String> {
    if response.starts_with(TLS_ALERT) {
        return None;
    }
    let status =
        response.strip_prefix(b"HTTP/1.").and_then(|rest| str::from_utf8(rest.get(2..5)?).ok()?.parse::<u16>().ok());
    match status {
        Some(200 | 401 | 429) => None,
        Some(status) => Some(format!("status {status}")),
        None => Some("unexpected response: not an exporter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_accepts_any_response_of_a_running_exporter() {
        for (response, healthy) in [
            (&b"HTTP/1.1 200"[..], true),
            (b"HTTP/1.0 200 OK", true),
            (b"HTTP/1.1 401", true),
            (b"HTTP/1.1 429", true),
            (b"HTTP/1.1 404", false),
            (b"HTTP/1.1 503", false),
            (b"\x15\x03\x03\x00\x02\x02\x0a", true),
            (b"\x16\x03\x03", false),
            (b"SSH-2.0-Open", false),
            (b"HTTP/1.1", false),
            (b"", false),
        ] {
            assert_eq!(problem(response).is_none(), healthy, "{response:?}");
        }
    }
}

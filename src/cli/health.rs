//! `health`: whether an exporter answers, for surroundings without a shell, such as the image's `HEALTHCHECK`.
//!
//! It asks in plain words at whatever door stands there. A guard need not be opened to see that somebody stands behind it:
//! 401 is an answer of a program that lives, and so is the alert by which TLS turns plain words away.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::args::HealthArgs;
use super::print;
use crate::app::RunError;
use crate::pages::path::HEALTHY;

/// For the whole of it. Less than what Docker and Kubernetes wait by default.
const PATIENCE: Duration = Duration::from_secs(3);
/// The beginning of an alert of TLS: its type, and the first half of its version (RFC 8446, section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];
/// So many bytes of an answer tell enough: `HTTP/1.1 200`.
const ENOUGH: u64 = 12;

pub(super) async fn run(args: HealthArgs) -> Result<u8, RunError> {
    let address = args.address;
    let answer = match timeout(PATIENCE, ask(address)).await {
        Ok(Ok(answer)) => judge(&answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    match answer {
        Ok(()) => Ok(0),
        Err(why) => {
            print::error(&format!("unhealthy: {address}: {why}"));
            Ok(1)
        }
    }
}

/// The beginning of what is answered.
async fn ask(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {HEALTHY} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // A door that is slammed after an answer has answered nevertheless.
    let read = stream.take(ENOUGH).read_to_end(&mut answer).await;
    if answer.is_empty() { read.map(|_| answer) } else { Ok(answer) }
}

/// Whether such an answer comes of a program that lives.
fn judge(answer: &[u8]) -> Result<(), String> {
    if answer.starts_with(TLS_ALERT) {
        return Ok(());
    }
    let status =
        answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|digits| str::from_utf8(digits).ok());
    match status.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(200 | 401 | 429) => Ok(()),
        Some(status) => Err(format!("it answers {status}")),
        None => Err("what answers is no exporter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_life() {
        for (answer, lives) in [
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
            assert_eq!(judge(answer).is_ok(), lives, "{answer:?}");
        }
    }
}

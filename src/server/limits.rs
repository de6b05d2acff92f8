//! The limits of connections and requests, each with its number. The table of `docs/web.md` is generated from here.

use std::fmt::Write as _;
use std::time::Duration;

/// Open connections; fewer if the system allows fewer open files.
pub(super) const CONNECTIONS: usize = 2_000;
/// Open connections of the probe listener.
pub(super) const PROBE_CONNECTIONS: usize = 100;
/// From accepting a connection to the end of its TLS handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a request head: from the start of the connection for the first, from its first byte for each further one.
pub(super) const REQUEST_HEAD: Duration = Duration::from_secs(10);
/// For a connection without a request. Longer than most scrape intervals.
pub(super) const IDLE: Duration = Duration::from_secs(300);
/// For a client to read some of its response. Prometheus itself waits for ten seconds.
pub(super) const READ_STALL: Duration = Duration::from_secs(10);
/// From a request to the last byte of its response.
pub(super) const RESPONSE: Duration = Duration::from_secs(300);
/// Request line and headers, in bytes.
pub(super) const HEAD_BYTES: usize = 16 * 1_024;
/// Headers of a request.
pub(super) const MAX_HEADERS: usize = 100;
/// Concurrent requests on one HTTP/2 connection.
pub(super) const STREAMS: u32 = 32;
/// Socket send buffer of a connection, in bytes; Linux doubles it. By default it grows to four megabytes for a client that does
/// not read, and a thousand of them need more memory than a container has.
pub(super) const SEND_BUFFER: usize = 128 * 1_024;
/// Logins that wait for bcrypt.
pub(super) const LOGINS: usize = 32;
/// For responses in flight at shutdown.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// `CONNECTIONS`, or half of the open files that the system allows: the others are for requests to providers and for storage.
pub(super) fn connection_capacity() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    CONNECTIONS.min(usize::try_from(files / 2).unwrap_or(CONNECTIONS)).max(1)
}

/// The rows of the table in the documentation: limit, number, consequence.
pub fn reference() -> String {
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    let closed = |cause: &str| format!("connection closed; `…_http_connections_closed_total{{cause=\"{cause}\"}}`");
    let rejected = |code: u16| format!("{code}; `…_http_requests_total{{code=\"{code}\"}}`");
    let rows = [
        (
            "open connections; at most half of the open files that the system allows",
            CONNECTIONS.to_string(),
            format!("the longest-idle connection is evicted: {}", closed("full")),
        ),
        ("open connections of the probe listener", PROBE_CONNECTIONS.to_string(), closed("full")),
        ("TLS handshake", seconds(HANDSHAKE), closed("handshake")),
        ("first request of a connection; head of each further one", seconds(REQUEST_HEAD), closed("slow_request")),
        ("connection without a request", seconds(IDLE), "connection closed; not counted".to_owned()),
        ("client reads nothing of the response", seconds(READ_STALL), closed("slow_reader")),
        ("from a request to the end of its response", seconds(RESPONSE), closed("slow_reader")),
        ("request line and headers", format!("{} KiB", HEAD_BYTES / 1_024), rejected(431)),
        ("headers of a request", MAX_HEADERS.to_string(), rejected(431)),
        ("request body, `POST /-/reload` included", "0".to_owned(), rejected(413)),
        ("concurrent requests on an HTTP/2 connection", STREAMS.to_string(), "the client waits".to_owned()),
        (
            "socket send buffer per connection",
            format!("{} KiB", SEND_BUFFER / 1_024),
            "the rest waits for the client to read".to_owned(),
        ),
        ("queued logins (one bcrypt at a time)", LOGINS.to_string(), rejected(503)),
        ("in-flight responses at shutdown", seconds(GRACE), "connection closed; not counted".to_owned()),
    ];
    rows.iter().fold(String::new(), |mut table, (what, limit, then)| {
        let _ = writeln!(table, "| {what} | {limit} | {then} |");
        table
    })
}

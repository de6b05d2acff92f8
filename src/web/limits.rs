//! What the door bears, and when it closes: every limit with its number. The table of `docs/web.md` is generated from here.

use std::fmt::Write as _;
use std::time::Duration;

/// Connections at once; less where the system allows fewer open files.
pub(super) const CONNECTIONS: usize = 2_000;
/// Connections at once at the address for probes.
pub(super) const PROBES: usize = 100;
/// From a connection to the end of its TLS handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// For the head of a request: from the connection for the first, from its first byte for each that follows.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// For a connection without a request: longer than most scrape intervals.
pub(super) const IDLE: Duration = Duration::from_secs(300);
/// For a client to take at least something of its answer. Prometheus itself waits for ten seconds.
pub(super) const STALL: Duration = Duration::from_secs(10);
/// From a request to the last byte of its answer.
pub(super) const ANSWER: Duration = Duration::from_secs(300);
/// A request's line and headers, in bytes.
pub(super) const HEAD_BYTES: usize = 16 * 1_024;
/// The headers of a request.
pub(super) const HEAD_FIELDS: usize = 100;
/// Requests at once on one connection of HTTP/2.
pub(super) const STREAMS: u32 = 32;
/// Pages that are written at once. The compressed metrics are none of them: they lie ready.
pub(super) const WRITERS: usize = 4;
/// For a request to wait for its turn to be written.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Written and not yet sent, in KiB; more is written only when a client has taken its part.
pub(super) const UNSENT: u32 = 64 * 1_024;
/// What the system holds of the answers on one connection, in bytes; Linux doubles it for its own needs. Left to itself it takes
/// four megabytes for whoever does not read, and a thousand of them are more memory than a container has.
pub(super) const SEND_BUFFER: usize = 128 * 1_024;
/// Logins that wait for their password's hash.
pub(super) const LOGINS: usize = 32;
/// For answers under way when the program stops.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Room for so many connections, or for as many as half of the open files that the system allows: the others are for asking
/// providers, and for the storage.
pub(super) fn room(most: usize) -> usize {
    #[cfg(unix)]
    {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        most.min(usize::try_from(files / 2).unwrap_or(most)).max(1)
    }
    #[cfg(not(unix))]
    most
}

/// The limits as a table for the documentation.
pub fn reference() -> String {
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    let closed = |cause: &str| format!("connection closed; `…_http_connections_closed_total{{cause=\"{cause}\"}}`");
    let refused = |code: u16| format!("{code}; `…_http_requests_total{{code=\"{code}\"}}`");
    let rows = [
        (
            "connections at once; at most half of the open files that the system allows",
            CONNECTIONS.to_string(),
            format!("whoever has been silent longest makes room: {}", closed("full")),
        ),
        ("connections at once at the address for probes", PROBES.to_string(), closed("full")),
        ("TLS handshake", seconds(HANDSHAKE), closed("slow_handshake")),
        ("first request of a connection; head of each that follows", seconds(HEAD), closed("slow_request")),
        ("connection without a request", seconds(IDLE), "connection closed; not counted".to_owned()),
        ("nothing of the answer is taken", seconds(STALL), closed("slow_reader")),
        ("from a request to the end of its answer", seconds(ANSWER), closed("slow_reader")),
        ("request's line and headers", format!("{} KiB", HEAD_BYTES / 1_024), refused(431)),
        ("headers of a request", HEAD_FIELDS.to_string(), refused(431)),
        ("body of a request, `POST /-/reload` included", "0".to_owned(), refused(413)),
        ("requests at once on a connection of HTTP/2", STREAMS.to_string(), "the client waits".to_owned()),
        ("pages that are written at once; compressed metrics are not, they lie ready", WRITERS.to_string(), {
            format!("the request waits, for {} at most, then {}", seconds(PATIENCE), refused(503))
        }),
        ("written and not yet sent", format!("{} MiB", UNSENT / 1_024), {
            format!("the request waits, for {} at most, then {}", seconds(PATIENCE), refused(503))
        }),
        (
            "of its answers, what the system holds for a connection",
            format!("{} KiB", SEND_BUFFER / 1_024),
            "the rest waits for the client to read".to_owned(),
        ),
        ("logins that wait for their hash, one of which is computed at a time", LOGINS.to_string(), refused(503)),
        ("answers under way when the program stops", seconds(GRACE), "broken off".to_owned()),
    ];
    let mut table = String::from("| limit | | who goes beyond it |\n|---|---|---|\n");
    for (what, limit, then) in rows {
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| {what} | {limit} | {then} |");
    }
    table
}

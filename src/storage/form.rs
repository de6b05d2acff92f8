//! The form of the file, and its versions.
//!
//! A file of an older format is read: what it lacks has a default in [`Snapshot`], and a format whose fields mean something
//! else gets a reader of its own here. One of a newer format is not: what it means cannot be known.
//! `tests/golden/inventory/` holds a file of each.

use std::io::{self, BufRead as _, BufReader, Read};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::inventory::Snapshot;

/// The format that is written; those before it are read too.
const FORMAT: u32 = Snapshot::VERSION;

/// No first line is longer, in bytes: a file without line ends is not searched to its end.
const LONGEST_HEADER: u64 = 4096;

/// What the first line says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: u32,
    crc32: String,
    length: u64,
    written_at: String,
}

/// Makes the file's bytes of a content. Apart from [`super::Store::save`], so that the inventory need not be locked while
/// the disk is busy.
///
/// # Errors
/// Where the content is no JSON; none in practice.
pub fn encode<T: Serialize>(content: &T, now: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
    let body = serde_json::to_vec(content)?;
    let header = Header {
        format: FORMAT,
        crc32: checksum(&body),
        length: body.len() as u64,
        written_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.extend(body);
    Ok(bytes)
}

/// Reads what [`encode`] has made, here or in an older version of the program.
///
/// # Errors
/// What is wrong with it, as a sentence about "it".
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    read(bytes, bytes.len() as u64)
}

/// Reads a file of this size. Of a foreign one, however large, no more is read than the first line.
pub(super) fn read<T: DeserializeOwned>(from: impl Read, size: u64) -> Result<T, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    let mut from = BufReader::new(from);
    let mut first = Vec::new();
    from.by_ref().take(LONGEST_HEADER).read_until(b'\n', &mut first).map_err(unreadable)?;
    let header = header(&first)?;
    let rest = size.saturating_sub(first.len() as u64);
    if header.length != rest {
        return Err(format!("it should hold {} bytes, and holds {rest}", header.length));
    }
    // Its size is that of the file. To grow to it step by step would be to move tens of megabytes again and again.
    let mut body = Vec::new();
    body.try_reserve_exact(usize::try_from(rest).unwrap_or(usize::MAX)).map_err(|error| unreadable(error.into()))?;
    from.take(rest).read_to_end(&mut body).map_err(unreadable)?;
    if header.crc32 != checksum(&body) {
        return Err("its checksum does not match its content".to_owned());
    }
    // The parser's message could quote the content; its kind and place are enough.
    serde_json::from_slice(&body).map_err(|error| {
        format!("its content cannot be read: {:?} error at column {}", error.classify(), error.column())
    })
}

fn header(first: &[u8]) -> Result<Header, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }

    let line = first.strip_suffix(b"\n").ok_or("its first line has no end")?;
    let no_header = |_| "its first line is not that of an inventory".to_owned();
    // The version comes first: a later one may have another header.
    let Version { format } = serde_json::from_slice(line).map_err(no_header)?;
    if !(1..=FORMAT).contains(&format) {
        return Err(format!("it has format {format}, and this version of the program reads formats 1 to {FORMAT}"));
    }
    serde_json::from_slice(line).map_err(no_header)
}

fn checksum(body: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(body))
}

//! The file format and its versions.
//!
//! Files of older formats are read: missing fields have a default in [`Snapshot`]. Files of newer formats are rejected, as their
//! meaning is unknown. `tests/golden/inventory/` has a file of each format.

use std::io::{self, BufRead as _, BufReader, Read};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::inventory::Snapshot;

/// The format that is written. Older ones are read too.
const FORMAT: u32 = Snapshot::VERSION;

/// The maximum length of the first line in bytes, so that a file without line breaks is not read to its end.
const MAX_HEADER_LEN: u64 = 4096;

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: u32,
    crc32: String,
    length: u64,
    written_at: String,
}

/// Encodes the file. Separate from [`super::Store::save`], so that the inventory is not locked during disk access.
///
/// # Errors
/// If the content cannot be JSON; none in practice.
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

/// Why a file is not an inventory.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Its bytes are unknown: it may be good.
    Unreadable(io::Error),
    /// Its bytes are not those that some version wrote.
    Damaged(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<String> for ReadError {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

/// Decodes a file of this or an older version.
///
/// # Errors
/// If the file is invalid.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    read(bytes, bytes.len() as u64).map_err(|error| match error {
        ReadError::Damaged(why) => why,
        ReadError::Unreadable(error) => error.to_string(),
    })
}

/// Decodes a file of this size. Reads only the first line if it is not an inventory.
pub(super) fn read<T: DeserializeOwned>(from: impl Read, size: u64) -> Result<T, ReadError> {
    let mut from = BufReader::new(from);
    let mut first = Vec::new();
    from.by_ref().take(MAX_HEADER_LEN).read_until(b'\n', &mut first)?;
    let header = header(&first)?;
    let rest = size.saturating_sub(first.len() as u64);
    if header.length != rest {
        return Err(format!("expected {} bytes, found {rest}", header.length).into());
    }
    // Growing step by step would copy tens of megabytes several times.
    let mut body = Vec::new();
    body.try_reserve_exact(usize::try_from(rest).unwrap_or(usize::MAX)).map_err(io::Error::from)?;
    from.take(rest).read_to_end(&mut body)?;
    if header.crc32 != checksum(&body) {
        return Err("checksum mismatch".to_owned().into());
    }
    // The parser's message could quote the content.
    let invalid = |error: serde_json::Error| {
        format!("invalid content: {:?} error at column {}", error.classify(), error.column())
    };
    Ok(serde_json::from_slice(&body).map_err(invalid)?)
}

fn header(first: &[u8]) -> Result<Header, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }

    let line = first.strip_suffix(b"\n").ok_or("incomplete header line")?;
    let not_an_inventory = |_| "not an inventory file".to_owned();
    // First the format, as a newer one may have another header.
    let Version { format } = serde_json::from_slice(line).map_err(not_an_inventory)?;
    if !(1..=FORMAT).contains(&format) {
        return Err(format!("unsupported format {format}; this version reads 1 to {FORMAT}"));
    }
    serde_json::from_slice(line).map_err(not_an_inventory)
}

fn checksum(body: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(body))
}

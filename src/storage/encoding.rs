//! The encoding of a source, the same for files and for objects of a shared store.
//!
//! The *state* is one line of JSON about its content, and then the content, JSON too. The *tokens* are such a line, and then gzip
//! of one JSON value a line. Equal tokens have equal bytes on machines of the same kind.
//!
//! ```text
//! {"format":3,"crc32":"8d3f1c02","length":948,"written_at":"2026-03-01T08:00:00Z"}
//! {…}
//! ```
//!
//! Older formats are read: missing fields have a default in [`StoredState`](crate::core::inventory::StoredState). Newer formats are
//! rejected, as their meaning is unknown. The formats 1 and 2 have all sources in one state. `tests/golden/inventory/` has each format.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use chrono::{DateTime, SecondsFormat, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::inventory::{StoredToken, StoredTokens, TokensBuilder};

/// The format that is written.
pub const FORMAT: u32 = 3;

/// The formats that have all sources in one file.
pub(super) const FORMER_FORMATS: RangeInclusive<u32> = 1..=2;

const FORMATS: RangeInclusive<u32> = FORMAT..=FORMAT;

/// The maximum length of the first line in bytes, so that a file without line breaks is not read to its end.
const MAX_HEADER_LEN: u64 = 4096;

/// The maximum length of a token in bytes: more than a response of the maximum size contains.
const MAX_TOKEN_LEN: u64 = 128 << 20;

/// The length of a part that is parsed at once, but for its last line.
const CHUNK_LEN: u64 = 1 << 18;

/// Decompression keeps up with two parsers.
const MAX_PARSERS: usize = 2;

/// Level 2 needs half the time of the default, and a tenth more space.
const LEVEL: Compression = Compression::new(2);

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: u32,
    /// Of the tokens' source. States have it inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    /// Of the bytes that follow, as is `length`.
    crc32: String,
    length: u64,
    /// Absent from tokens, so that equal tokens have equal bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written_at: Option<String>,
}

/// Encodes a state, or a value that contains one. Do not flatten a state into that value: serde cannot read it back.
///
/// # Errors
/// If the content cannot be JSON; none in practice.
pub fn encode_state<T: Serialize>(content: &T, now: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
    let body = serde_json::to_vec(content)?;
    let header = Header {
        format: FORMAT,
        provider: None,
        crc32: format!("{:08x}", crc32fast::hash(&body)),
        length: body.len() as u64,
        written_at: Some(now.to_rfc3339_opts(SecondsFormat::Secs, true)),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.extend(body);
    Ok(bytes)
}

/// Decodes a state of this version.
///
/// # Errors
/// If the bytes are not those of a state.
pub fn decode_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    read_state(bytes, bytes.len() as u64, FORMATS)
}

/// Decodes the state of all sources that the formats 1 and 2 are.
///
/// # Errors
/// If the bytes are not those of such a state.
pub fn decode_former<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    read_state(bytes, bytes.len() as u64, FORMER_FORMATS)
}

/// Why bytes are not a state or tokens.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They are unknown: they may be good.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// They are not those that some version wrote.
    #[error("{0}")]
    Damaged(String),
}

impl From<String> for ReadError {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

/// Decodes a state of this size. Reads only the first line if it is not a state.
pub(super) fn read_state<T: DeserializeOwned>(
    from: impl Read,
    size: u64,
    formats: RangeInclusive<u32>,
) -> Result<T, ReadError> {
    let mut from = BufReader::new(from);
    let (header, header_length) = read_header(&mut from, formats)?;
    let rest = size.saturating_sub(header_length);
    if header.length != rest {
        return Err(wrong_length(header.length, rest));
    }
    // Growing step by step would copy tens of megabytes several times.
    let mut body = Vec::new();
    body.try_reserve_exact(usize::try_from(rest).unwrap_or(usize::MAX)).map_err(io::Error::from)?;
    from.take(rest).read_to_end(&mut body)?;
    if header.crc32 != format!("{:08x}", crc32fast::hash(&body)) {
        return Err("checksum mismatch".to_owned().into());
    }
    serde_json::from_slice(&body).map_err(|error| invalid_content(&error, 1))
}

fn read_header(from: &mut impl BufRead, formats: RangeInclusive<u32>) -> Result<(Header, u64), ReadError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }

    let mut first = Vec::new();
    from.take(MAX_HEADER_LEN).read_until(b'\n', &mut first)?;
    let line = first.strip_suffix(b"\n").ok_or_else(|| "incomplete header line".to_owned())?;
    let not_an_inventory = || "not an inventory file".to_owned();
    // A list would be read as a structure, too.
    if !line.starts_with(b"{") {
        return Err(not_an_inventory().into());
    }
    // First the format, as a newer one may have another header.
    let Version { format } = serde_json::from_slice(line).map_err(|_| not_an_inventory())?;
    if !formats.contains(&format) {
        let (oldest, newest) = formats.into_inner();
        let expected = if oldest == newest { newest.to_string() } else { format!("{oldest} to {newest}") };
        return Err(format!("unsupported format {format}; this version expects {expected}").into());
    }
    Ok((serde_json::from_slice(line).map_err(|_| not_an_inventory())?, first.len() as u64))
}

fn wrong_length(expected: u64, found: u64) -> ReadError {
    format!("expected {expected} bytes, found {found}").into()
}

/// Without the parser's message, which could quote the content.
fn invalid_content(error: &serde_json::Error, line: u64) -> ReadError {
    format!("invalid content: {:?} error at line {line}, column {}", error.classify(), error.column()).into()
}

/// Writes tokens from the present position on, without holding their text. Seeks only to complete the first line.
///
/// # Errors
/// Those of the writer.
pub fn write_tokens<W: Write + Seek>(mut to: W, tokens: &StoredTokens) -> io::Result<()> {
    let start = to.stream_position()?;
    to.write_all(&tokens_header(tokens.provider(), 0, 0)?)?;
    let mut gzip = GzEncoder::new(Checksum::new(&mut to), LEVEL);
    let mut line = Vec::new();
    for token in tokens.iter() {
        line.clear();
        serde_json::to_writer(&mut line, &token)?;
        line.push(b'\n');
        gzip.write_all(&line)?;
    }
    let Checksum { hash, length, .. } = gzip.finish()?;
    let header = tokens_header(tokens.provider(), hash.finalize(), length)?;
    let end = to.stream_position()?;
    to.seek(SeekFrom::Start(start))?;
    to.write_all(&header)?;
    to.seek(SeekFrom::Start(end))?;
    to.flush()
}

/// The first line of tokens, whose length does not depend on the last two values.
fn tokens_header(provider: &str, crc32: u32, length: u64) -> io::Result<Vec<u8>> {
    let provider = serde_json::to_string(provider)?;
    let line =
        format!("{{\"format\":{FORMAT},\"provider\":{provider},\"crc32\":\"{crc32:08x}\",\"length\":{length:>20}}}\n");
    Ok(line.into_bytes())
}

/// Reads tokens one after the other, at most `limit` bytes of their uncompressed text.
///
/// # Errors
/// If they cannot be read, or are not tokens of this version.
pub fn read_tokens(from: impl Read, limit: u64) -> Result<StoredTokens, ReadError> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let (header, _) = read_header(&mut from, FORMATS)?;
    let Some(provider) = header.provider else { return Err("no provider".to_owned().into()) };
    let mut text = BufReader::with_capacity(1 << 16, GzDecoder::new(Checksum::new(&mut from)));
    let tokens = read_lines(&mut text, limit);
    let mut compressed = text.into_inner().into_inner();
    let tokens = tokens.map_err(|error| match error {
        // An error of the decoder: bytes that could be read are no gzip.
        ReadError::Unreadable(error) if !compressed.has_failed => ReadError::Damaged(error.to_string()),
        error => error,
    })?;
    io::copy(&mut compressed, &mut io::sink())?;
    if compressed.length != header.length {
        return Err(wrong_length(header.length, compressed.length));
    }
    if format!("{:08x}", compressed.hash.finalize()) != header.crc32 {
        return Err("checksum mismatch".to_owned().into());
    }
    Ok(tokens.build(provider))
}

/// Reads lines in chunks. If there is more than one, further threads parse them, and their order may change.
fn read_lines(text: &mut impl BufRead, limit: u64) -> Result<TokensBuilder, ReadError> {
    let (mut tokens, mut chunks) = (TokensBuilder::default(), Chunks { text, limit, left: limit, line: 1 });
    let mut add = |parsed: Result<Vec<StoredToken>, ReadError>| {
        parsed.map(|parsed| parsed.into_iter().for_each(|token| tokens.push(token)))
    };
    let Some(first) = chunks.next()? else { return Ok(tokens) };
    add(first.parse())?;
    let mut chunk = chunks.next()?;
    if chunk.is_none() {
        return Ok(tokens);
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_PARSERS);
    thread::scope(|scope| {
        let (send_chunk, unparsed) = sync_channel::<Chunk>(threads);
        let (send_parsed, parsed) = channel();
        let unparsed = Arc::new(Mutex::new(unparsed));
        for _ in 0..threads {
            let (unparsed, send_parsed) = (Arc::clone(&unparsed), send_parsed.clone());
            scope.spawn(move || {
                let next = || unparsed.lock().recv().ok();
                while let Some(chunk) = next() {
                    if send_parsed.send(chunk.parse()).is_err() {
                        return;
                    }
                }
            });
        }
        drop((unparsed, send_parsed));
        while let Some(unparsed) = chunk {
            if send_chunk.send(unparsed).is_err() {
                break;
            }
            parsed.try_iter().try_for_each(&mut add)?;
            chunk = chunks.next()?;
        }
        drop(send_chunk);
        parsed.iter().try_for_each(&mut add)
    })?;
    Ok(tokens)
}

/// Complete lines.
struct Chunk {
    text: Vec<u8>,
    first_line: u64,
}

impl Chunk {
    fn parse(&self) -> Result<Vec<StoredToken>, ReadError> {
        let lines = (self.first_line..).zip(self.text.split_inclusive(|byte| *byte == b'\n'));
        let parse = |(number, line)| serde_json::from_slice(line).map_err(|error| invalid_content(&error, number));
        lines.map(parse).collect()
    }
}

/// Divides a text into chunks.
struct Chunks<'a, T> {
    text: &'a mut T,
    limit: u64,
    /// How many bytes may follow.
    left: u64,
    /// The number of the next line.
    line: u64,
}

impl<T: BufRead> Chunks<'_, T> {
    fn next(&mut self) -> Result<Option<Chunk>, ReadError> {
        let mut text = Vec::new();
        self.text.by_ref().take(CHUNK_LEN.min(self.left.saturating_add(1))).read_to_end(&mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        let mut max = self.left;
        if !text.ends_with(b"\n") {
            let read = text.len() as u64;
            max = max.min(read.saturating_add(MAX_TOKEN_LEN));
            self.text.by_ref().take(max.saturating_sub(read).saturating_add(1)).read_until(b'\n', &mut text)?;
        }
        let length = text.len() as u64;
        if length > self.left {
            return Err(format!("text longer than {} bytes", self.limit).into());
        }
        if length > max {
            return Err(format!("line longer than {MAX_TOKEN_LEN} bytes").into());
        }
        if !text.ends_with(b"\n") {
            return Err("incomplete last line".to_owned().into());
        }
        let first_line = self.line;
        self.left -= length;
        self.line += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(Some(Chunk { text, first_line }))
    }
}

/// Counts and hashes the bytes that go through.
struct Checksum<T> {
    inner: T,
    hash: crc32fast::Hasher,
    length: u64,
    /// Whether `inner` returned an error.
    has_failed: bool,
}

impl<T> Checksum<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: crc32fast::Hasher::new(), length: 0, has_failed: false }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<W: Write> Write for Checksum<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.add(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Checksum<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read =
            self.inner.read(into).inspect_err(|error| self.has_failed |= error.kind() != io::ErrorKind::Interrupted)?;
        self.add(&into[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn lines(numbers: std::ops::Range<u32>) -> String {
        let line = |number: u32| {
            let token = serde_json::json!({
                "id": format!("{number:08}"), "name": "", "kind": "k", "owner": null, "created_at": null, "expires": "never",
                "last_used": "never", "scopes": [], "disabled": false, "lifetime": null, "manage_url": null, "labels": {},
                "approximate": false,
            });
            format!("{}\n", serde_json::json!({"token": token, "listing": "l", "path": "", "presence": "listed"}))
        };
        numbers.map(line).collect()
    }

    #[test]
    fn all_chunks_are_parsed() {
        let text = lines(0..5_000);
        assert!(text.len() as u64 > 4 * CHUNK_LEN, "{} bytes", text.len());
        let tokens = read_lines(&mut text.as_bytes(), text.len() as u64).unwrap().build("p".to_owned());
        let ids: Vec<_> =
            tokens.iter().map(|token| serde_json::to_value(token).unwrap()["token"]["id"].clone()).collect();
        assert!(
            ids.len() == 5_000 && ids.is_sorted_by_key(|id| id.as_str().unwrap().to_owned()),
            "{} tokens",
            ids.len()
        );

        let why = |text: &str, limit: u64| read_lines(&mut text.as_bytes(), limit).unwrap_err().to_string();
        assert_eq!(why(&text, text.len() as u64 - 1), format!("text longer than {} bytes", text.len() - 1));
        assert_eq!(why(&text[..text.len() - 1], u64::MAX), "incomplete last line");
        let invalid = lines(0..4_000) + "{\"token\": 7}\n" + &lines(0..4_000);
        assert_eq!(why(&invalid, u64::MAX), "invalid content: Data error at line 4001, column 11");
    }

    #[test]
    fn endless_line_is_rejected() {
        let mut endless = BufReader::new(io::repeat(b'x'));
        let why = read_lines(&mut endless, u64::MAX).unwrap_err().to_string();
        assert_eq!(why, "line longer than 134217728 bytes");
    }

    #[test]
    fn endless_header_is_rejected_after_its_maximum_length() {
        let mut endless = io::repeat(b'x').take(1 << 24);
        let why = read_state::<serde_json::Value>(&mut endless, 1 << 24, FORMATS).unwrap_err().to_string();
        assert_eq!(why, "incomplete header line");
        assert!(endless.limit() > 1 << 23, "{} bytes are left", endless.limit());
    }
}

//! Gzip in parts: parts that were compressed before and new ones are joined to one valid stream.
//!
//! A deflate stream (RFC 1951) is a sequence of blocks, of which the last is marked. A *sync flush* completes a block and adds
//! an empty one, which ends at a byte boundary, so that the blocks of another compressor can follow unchanged. Each
//! compressor starts with an empty window, so no block refers to an earlier part. Then follow an empty last block and gzip's
//! trailer (RFC 1952): the length, and the CRC-32, which is computed from the CRCs of the parts. The result is one gzip
//! member, as not every reader continues after the first.

use std::io;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

/// Magic number, deflate, no flags, no time, no hint, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty block with fixed codes, marked as the last.
const END: [u8; 2] = [0x03, 0x00];

/// The end of a sync flush: the length of an empty stored block, and its complement.
const FLUSH_END: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The minimum space that the compressor gets at a time, in bytes.
const MIN_SPACE: usize = 16 * 1024;

/// Bytes as complete deflate blocks, none of which is marked as the last.
#[derive(Debug)]
pub(crate) struct GzipPart {
    deflated: Bytes,
    crc: crc32fast::Hasher,
    length: u64,
}

impl GzipPart {
    /// Compresses bytes at once.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        let mut writer = GzipPartWriter::new(Compression::default());
        writer.push(bytes)?;
        writer.finish()
    }

    /// The size before compression, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// Compresses a part chunk by chunk, so that it is never in memory uncompressed.
///
/// `flate2`'s encoder would be shorter, but it requests a sync flush only once, and abandons it if the output does not fit into
/// its buffer: the part would end in the middle of a block, and the page would be unreadable.
pub(crate) struct GzipPartWriter {
    compress: Compress,
    deflated: Vec<u8>,
    crc: crc32fast::Hasher,
}

impl GzipPartWriter {
    pub(crate) fn new(level: Compression) -> Self {
        Self { compress: Compress::new(level, false), deflated: Vec::new(), crc: crc32fast::Hasher::new() }
    }

    /// Compresses the next chunk.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.run(bytes, FlushCompress::None)
    }

    /// Completes the part at a byte boundary.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn finish(mut self) -> io::Result<GzipPart> {
        self.run(&[], FlushCompress::Sync)?;
        if !self.deflated.ends_with(&FLUSH_END) {
            return Err(io::Error::other("the compressor did not complete its block"));
        }
        self.deflated.shrink_to_fit();
        Ok(GzipPart { deflated: self.deflated.into(), crc: self.crc, length: self.compress.total_in() })
    }

    /// Runs the compressor until it has read all input and left some of the space free, which means that it has no more output.
    /// <https://zlib.net/manual.html> (`deflate`) requires the same kind of flush at each call until then.
    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            self.deflated.reserve(MIN_SPACE);
            let before = self.compress.total_in();
            self.compress.compress_vec(bytes, &mut self.deflated, flush)?;
            let read = usize::try_from(self.compress.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(read..).unwrap_or_default();
            if bytes.is_empty() && self.deflated.len() < self.deflated.capacity() {
                return Ok(());
            }
        }
    }
}

/// Joins parts to one gzip stream, in chunks that share the memory of the parts: a thousand slow clients need one page.
pub(crate) fn join(parts: &[&GzipPart]) -> Vec<Bytes> {
    let mut stream = Vec::with_capacity(parts.len() + 2);
    stream.push(Bytes::from_static(&HEADER));
    let mut crc = crc32fast::Hasher::new();
    let mut length = 0_u64;
    for part in parts {
        stream.push(part.deflated.clone());
        crc.combine(&part.crc);
        length += part.length;
    }
    let mut trailer = END.to_vec();
    trailer.extend(crc.finalize().to_le_bytes());
    // The trailer's length is modulo 2^32.
    trailer.extend((length & u64::from(u32::MAX)).to_le_bytes().into_iter().take(4));
    stream.push(trailer.into());
    stream
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::unwrap_used)]

    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn joined(texts: &[Vec<u8>]) -> Vec<u8> {
        let parts: Vec<GzipPart> = texts.iter().map(|text| GzipPart::new(text).expect("compresses")).collect();
        join(&parts.iter().collect::<Vec<_>>()).concat()
    }

    proptest! {
        #[test]
        fn joined_parts_are_one_gzip_member(texts in prop::collection::vec(
            prop_oneof![prop::collection::vec(any::<u8>(), 0..2_000), "(token\\{id=\"[0-9]{1,3}\"\\} [0-9]\n){0,300}".prop_map(String::into_bytes)],
            0..5,
        )) {
            let stream = joined(&texts);
            let mut read = Vec::new();
            // Decodes only one member.
            flate2::read::GzDecoder::new(&stream[..]).read_to_end(&mut read).expect("gzip");
            prop_assert_eq!(read, texts.concat());
        }
    }

    /// Incompressible bytes, so that the last block of a part is as large as possible.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn part_of_any_size_and_level_is_complete() {
        let random = noise(400_000);
        // Also compressible lines, as in a page.
        let lines: String =
            (0..20_000).map(|n: u32| format!("token_info{{id=\"{:x}\"}} 1\n", n.wrapping_mul(2_654_435_761))).collect();
        for level in 0..=9 {
            for (length, piece) in
                [(1, 1), (31_000, 31_000), (65_536, 65_536), (100_000, 65_536), (400_000, 65_536), (400_000, 400_000)]
            {
                for text in [&random[..length], &lines.as_bytes()[..length]] {
                    let mut writer = GzipPartWriter::new(Compression::new(level));
                    text.chunks(piece).for_each(|piece| writer.push(piece).expect("compresses"));
                    let parts =
                        [writer.finish().expect("completes"), GzipPart::new(b"the next\n").expect("compresses")];
                    assert_eq!(parts[0].length(), length as u64);
                    let mut read = Vec::new();
                    let stream = join(&parts.iter().collect::<Vec<_>>()).concat();
                    let done = flate2::read::GzDecoder::new(&stream[..]).read_to_end(&mut read);
                    assert!(done.is_ok(), "level {level}, {length} bytes by {piece}: {done:?}");
                    assert!(read == [text, b"the next\n"].concat(), "level {level}, {length} bytes by {piece}");
                }
            }
        }
    }

    #[test]
    fn joined_parts_pass_gzip_test() {
        let texts = [vec![b'a'; 200_000], Vec::new(), b"token_info 1\n".to_vec()];
        let mut gzip = Command::new("gzip").arg("-t").stdin(Stdio::piped()).spawn().expect("gzip is installed");
        gzip.stdin.take().expect("a pipe").write_all(&joined(&texts)).expect("gzip reads");
        assert!(gzip.wait().expect("gzip exits").success());
    }
}

//! Gzip in parts: what was compressed once is put together with what is new, as one valid stream.
//!
//! A deflate stream (RFC 1951) is a row of blocks, of which the last is marked. A *sync flush* ends a block, adds an empty
//! one, and with it reaches a byte boundary, so that the blocks of another compressor can follow as they are; each of
//! ours starts with an empty window, so none refers to bytes of a part before it. What remains is the mark of the end
//! (an empty last block), and gzip's trailer (RFC 1952): the length, and the CRC-32, which can be computed from the CRCs
//! of the parts. One member, because not every reader goes on after the first.

use std::io;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

/// Magic number, deflate, no flags, no time, no hint, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty block with fixed codes, marked as the last.
const END: [u8; 2] = [0x03, 0x00];

/// What a sync flush ends with: the length of an empty stored block, and its complement.
const FLUSHED: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The least room that the compressor is given at a time, in bytes.
const ROOM: usize = 16 * 1024;

/// A run of bytes as whole deflate blocks, none of them the last.
#[derive(Debug)]
pub(crate) struct GzipPart {
    deflated: Bytes,
    crc: crc32fast::Hasher,
    length: u64,
}

impl GzipPart {
    /// Compresses what is there as a whole.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        let mut packer = GzipPartWriter::new(Compression::default());
        packer.push(bytes)?;
        packer.finish()
    }

    /// The size before compression, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// A part that comes into being piece by piece, so that its uncompressed whole is never held.
///
/// `flate2`'s own encoder would be shorter, but its flush asks for a sync flush once, and gives up on it where the output
/// does not fit into its buffer: the part would end in the middle of a block, and the page would be unreadable.
pub(crate) struct GzipPartWriter {
    compress: Compress,
    deflated: Vec<u8>,
    crc: crc32fast::Hasher,
}

impl GzipPartWriter {
    pub(crate) fn new(level: Compression) -> Self {
        Self { compress: Compress::new(level, false), deflated: Vec::new(), crc: crc32fast::Hasher::new() }
    }

    /// Compresses the next piece.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.run(bytes, FlushCompress::None)
    }

    /// Ends at a byte boundary.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn finish(mut self) -> io::Result<GzipPart> {
        self.run(&[], FlushCompress::Sync)?;
        if !self.deflated.ends_with(&FLUSHED) {
            return Err(io::Error::other("the compressor did not end its block"));
        }
        self.deflated.shrink_to_fit();
        Ok(GzipPart { deflated: self.deflated.into(), crc: self.crc, length: self.compress.total_in() })
    }

    /// Until all is read, and the compressor has nothing more to write: it has then left some of its room free.
    /// <https://zlib.net/manual.html> (`deflate`) demands the same kind of flush at each call until then.
    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            self.deflated.reserve(ROOM);
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

/// One gzip stream of all parts, in pieces that share the parts' memory: a thousand who read slowly hold one page.
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
    let mut end = END.to_vec();
    end.extend(crc.finalize().to_le_bytes());
    // The trailer's length is modulo 2^32.
    end.extend((length & u64::from(u32::MAX)).to_le_bytes().into_iter().take(4));
    stream.push(end.into());
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
        fn any_parts_are_one_member(texts in prop::collection::vec(
            prop_oneof![prop::collection::vec(any::<u8>(), 0..2_000), "(token\\{id=\"[0-9]{1,3}\"\\} [0-9]\n){0,300}".prop_map(String::into_bytes)],
            0..5,
        )) {
            let stream = joined(&texts);
            let mut read = Vec::new();
            // The decoder of a single member: it would stop short at a second one.
            flate2::read::GzDecoder::new(&stream[..]).read_to_end(&mut read).expect("gzip");
            prop_assert_eq!(read, texts.concat());
        }
    }

    /// What cannot be compressed: the last block of a part is then as large as it gets.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_part_of_any_size_level_and_noise_is_whole_and_another_follows_it() {
        let whole = noise(400_000);
        // Also as a page is: of few letters, in lines that are alike.
        let lines: String =
            (0..20_000).map(|n: u32| format!("token_info{{id=\"{:x}\"}} 1\n", n.wrapping_mul(2_654_435_761))).collect();
        for level in 0..=9 {
            for (length, piece) in
                [(1, 1), (31_000, 31_000), (65_536, 65_536), (100_000, 65_536), (400_000, 65_536), (400_000, 400_000)]
            {
                for text in [&whole[..length], &lines.as_bytes()[..length]] {
                    let mut packer = GzipPartWriter::new(Compression::new(level));
                    text.chunks(piece).for_each(|piece| packer.push(piece).expect("compresses"));
                    let parts = [packer.finish().expect("ends"), GzipPart::new(b"the next\n").expect("compresses")];
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
    fn gzip_itself_finds_no_fault() {
        let texts = [vec![b'a'; 200_000], Vec::new(), b"token_info 1\n".to_vec()];
        let mut gzip = Command::new("gzip").arg("-t").stdin(Stdio::piped()).spawn().expect("gzip is installed");
        gzip.stdin.take().expect("a pipe").write_all(&joined(&texts)).expect("gzip reads");
        assert!(gzip.wait().expect("gzip ends").success());
    }
}

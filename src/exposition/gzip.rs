//! Gzip in parts: parts that were compressed before and new ones are joined to one valid stream.
//!
//! A deflate stream (RFC 1951) is a sequence of blocks, of which the last is marked. A *sync flush* completes a block and adds
//! an empty one, which ends at a byte boundary, so that the blocks of another compressor can follow unchanged. Each
//! compressor starts with an empty window, so no block refers to an earlier part. Then follow an empty last block and gzip's
//! trailer (RFC 1952): the length, and the CRC-32, which is computed from the CRCs of the parts. The result is one gzip
//! member, as not every reader continues after the first.

use std::borrow::BorrowMut;
use std::io;
use std::sync::LazyLock;
use std::vec;

use bytes::{Buf as _, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use parking_lot::Mutex;

/// Magic number, deflate, no flags, no time, no hint, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty block with fixed codes, marked as the last.
const END: [u8; 2] = [0x03, 0x00];

/// The end of a sync flush: the length of an empty stored block, and its complement.
const FLUSH_END: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The minimum space that the compressor gets at a time, in bytes.
const MIN_SPACE: usize = 16 * 1024;

/// The size of a full piece of a part, in bytes: a buffer of megabytes that grows would be in memory twice.
const PIECE: usize = 128 * 1024;

/// Smaller pieces are copied together when parts are joined, in bytes.
const SMALL_PIECE: usize = 4 * 1024;

/// Decompressed at a time, in bytes.
const PLAIN_CHUNK: usize = 32 * 1024;

/// Bytes as complete deflate blocks, none of which is marked as the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct GzipPart {
    deflated: Vec<Bytes>,
    crc: crc32fast::Hasher,
    length: u64,
}

impl GzipPart {
    /// Compresses a few bytes at once, such as a header or the exporter's own metrics.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        /// It has tables of 400 KB: to make them for each scrape would take longer than to compress.
        static SHARED: LazyLock<Mutex<Compress>> =
            LazyLock::new(|| Mutex::new(Compress::new(Compression::default(), false)));
        let mut compress = SHARED.lock();
        compress.reset();
        let mut writer = GzipPartWriter::with(&mut *compress);
        writer.push(bytes)?;
        writer.finish()
    }

    /// Joins parts to one, which shares the memory of their large pieces.
    pub(crate) fn join<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut joined = Self::default();
        let mut small = Vec::new();
        for part in parts {
            joined.crc.combine(&part.crc);
            joined.length += part.length;
            for piece in &part.deflated {
                let is_small = piece.len() < SMALL_PIECE;
                if is_small {
                    small.extend_from_slice(piece);
                }
                if !is_small || small.len() >= PIECE {
                    joined.push_copy(&mut small);
                }
                if !is_small {
                    joined.deflated.push(piece.clone());
                }
            }
        }
        joined.push_copy(&mut small);
        joined
    }

    fn push_copy(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.deflated.push(Bytes::copy_from_slice(bytes));
            bytes.clear();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Compresses a part chunk by chunk, so that it is never in memory uncompressed.
///
/// `flate2`'s encoder would be shorter, but it requests a sync flush only once, and abandons it if the output does not fit into
/// its buffer: the part would end in the middle of a block, and the page would be unreadable.
pub(crate) struct GzipPartWriter<C = Compress> {
    compress: C,
    /// Full pieces.
    deflated: Vec<Bytes>,
    /// The last piece, not full yet.
    last: Vec<u8>,
    crc: crc32fast::Hasher,
}

impl GzipPartWriter {
    pub(crate) fn new(level: Compression) -> Self {
        Self::with(Compress::new(level, false))
    }
}

impl<C: BorrowMut<Compress>> GzipPartWriter<C> {
    fn with(compress: C) -> Self {
        Self { compress, deflated: Vec::new(), last: Vec::new(), crc: crc32fast::Hasher::new() }
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
        self.deflated.push(Bytes::copy_from_slice(&self.last));
        let mut end = self.deflated.iter().rev().flat_map(|piece| piece.iter().rev());
        if !FLUSH_END.iter().rev().all(|byte| end.next() == Some(byte)) {
            return Err(io::Error::other("the compressor did not complete its block"));
        }
        Ok(GzipPart { deflated: self.deflated, crc: self.crc, length: self.compress.borrow().total_in() })
    }

    /// Runs the compressor until it has read all input and left some of the space free, which means that it has no more output.
    /// <https://zlib.net/manual.html> (`deflate`) requires the same kind of flush at each call until then.
    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            self.make_space();
            let compress = self.compress.borrow_mut();
            let before = compress.total_in();
            compress.compress_vec(bytes, &mut self.last, flush)?;
            let read = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(read..).unwrap_or_default();
            if bytes.is_empty() && self.last.len() < self.last.capacity() {
                return Ok(());
            }
        }
    }

    /// Doubles the last piece if it is full, or starts another.
    fn make_space(&mut self) {
        if self.last.len() >= PIECE {
            self.deflated.push(std::mem::take(&mut self.last).into());
        }
        if self.last.len() == self.last.capacity() {
            self.last.reserve_exact(self.last.len().max(MIN_SPACE));
        }
    }
}

/// A gzip stream of joined parts, in chunks that share the memory of the parts: a thousand slow clients need one page.
pub(crate) fn stream(parts: &[&GzipPart]) -> Vec<Bytes> {
    let mut stream = Vec::with_capacity(parts.iter().map(|part| part.deflated.len()).sum::<usize>() + 2);
    stream.push(Bytes::from_static(&HEADER));
    let mut crc = crc32fast::Hasher::new();
    let mut length = 0_u64;
    for part in parts {
        stream.extend_from_slice(&part.deflated);
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

/// Decompresses parts chunk by chunk, each when it is wanted.
pub(crate) struct Inflate {
    inflate: Decompress,
    /// The piece that is being read, and the next ones.
    piece: Bytes,
    deflated: vec::IntoIter<Bytes>,
    /// Bytes still to be decompressed.
    left: u64,
}

impl Inflate {
    pub(crate) fn new(parts: &[&GzipPart]) -> Self {
        let deflated: Vec<_> = parts.iter().flat_map(|part| part.deflated.iter().cloned()).collect();
        let left = parts.iter().map(|part| part.length).sum();
        Self { inflate: Decompress::new(false), piece: Bytes::new(), deflated: deflated.into_iter(), left }
    }

    /// Bytes still to be decompressed.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    fn chunk(&mut self) -> io::Result<Bytes> {
        let size = usize::try_from(self.left).unwrap_or(PLAIN_CHUNK).min(PLAIN_CHUNK);
        let mut chunk = Vec::with_capacity(size);
        while chunk.len() < size {
            if self.piece.is_empty() {
                self.piece = self.deflated.find(|piece| !piece.is_empty()).unwrap_or_default();
            }
            let (read, written) = (self.inflate.total_in(), chunk.len());
            self.inflate.decompress_vec(&self.piece, &mut chunk, FlushDecompress::None)?;
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX).min(self.piece.len());
            self.piece.advance(read);
            if read == 0 && chunk.len() == written {
                return Err(io::Error::other("the compressed page ends early"));
            }
        }
        self.left -= chunk.len() as u64;
        Ok(chunk.into())
    }
}

impl Iterator for Inflate {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        (self.left > 0).then(|| self.chunk())
    }
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
        stream(&[&GzipPart::join(&parts)]).concat()
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
            let parts: Vec<GzipPart> = texts.iter().map(|text| GzipPart::new(text).expect("compresses")).collect();
            let plain: Vec<Bytes> = Inflate::new(&parts.iter().collect::<Vec<_>>()).map(|chunk| chunk.expect("deflate")).collect();
            prop_assert_eq!(plain.concat(), texts.concat());
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
                    assert_eq!(parts[0].length, length as u64);
                    let mut read = Vec::new();
                    let stream = stream(&parts.iter().collect::<Vec<_>>()).concat();
                    let done = flate2::read::GzDecoder::new(&stream[..]).read_to_end(&mut read);
                    assert!(done.is_ok(), "level {level}, {length} bytes by {piece}: {done:?}");
                    assert!(read == [text, b"the next\n"].concat(), "level {level}, {length} bytes by {piece}");
                }
            }
        }
    }

    #[test]
    fn part_consists_of_pieces_of_limited_size() {
        let text = noise(1_000_000);
        let part = GzipPart::new(&text).expect("compresses");
        assert!(part.deflated.len() >= 8, "{} pieces", part.deflated.len());
        assert!(part.deflated.iter().all(|piece| piece.len() <= PIECE), "{part:?}");
        let chunks: Vec<Bytes> = Inflate::new(&[&part]).map(|chunk| chunk.expect("deflate")).collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= PLAIN_CHUNK));
        assert!(chunks.concat() == text);
    }

    #[test]
    fn joined_part_copies_small_pieces_and_shares_large_ones() {
        let small: Vec<GzipPart> =
            (0..1_000).map(|n| GzipPart::new(format!("a {n}\n").as_bytes()).expect("compresses")).collect();
        let large = GzipPart::new(&noise(PIECE / 2)).expect("compresses");
        let joined = GzipPart::join(small.iter().chain([&large]).chain(&small));
        assert_eq!(joined.deflated.len(), 3);
        assert_eq!(joined.deflated[1].as_ptr(), large.deflated[0].as_ptr());
    }

    #[test]
    fn inflate_reports_a_part_that_ends_early() {
        let mut part = GzipPart::new(&noise(PIECE / 2)).expect("compresses");
        part.deflated[0].truncate(PIECE / 4);
        let chunks: Vec<_> = Inflate::new(&[&part]).take(10).collect();
        assert_eq!(
            chunks.iter().find_map(|chunk| chunk.as_ref().err()).map(ToString::to_string).as_deref(),
            Some("the compressed page ends early")
        );
    }

    #[test]
    fn joined_parts_pass_gzip_test() {
        let texts = [vec![b'a'; 200_000], Vec::new(), b"token_info 1\n".to_vec()];
        let mut gzip = Command::new("gzip").arg("-t").stdin(Stdio::piped()).spawn().expect("gzip is installed");
        gzip.stdin.take().expect("a pipe").write_all(&joined(&texts)).expect("gzip reads");
        assert!(gzip.wait().expect("gzip exits").success());
    }
}

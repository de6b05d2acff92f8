//! Gzip in parts: what was compressed once is put together with what is new, as one valid stream.
//!
//! A deflate stream (RFC 1951) is a row of blocks, of which the last is marked. A *sync flush* ends a block, adds an empty
//! one, and with it reaches a byte boundary, so that the blocks of another compressor can follow as they are; each of
//! ours starts with an empty window, so none refers to bytes of a part before it. What remains is the mark of the end
//! (an empty last block), and gzip's trailer (RFC 1952): the length, and the CRC-32, which can be computed from the CRCs
//! of the parts. One member, because not every reader goes on after the first.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Magic number, deflate, no flags, no time, no hint, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty block with fixed codes, marked as the last.
const END: [u8; 2] = [0x03, 0x00];

/// A run of bytes as whole deflate blocks, none of them the last.
#[derive(Debug)]
pub(crate) struct Part {
    deflated: Bytes,
    crc: crc32fast::Hasher,
    length: u64,
}

impl Part {
    /// Compresses what is there as a whole.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        let mut packer = Packer::new(Compression::default());
        packer.push(bytes)?;
        packer.finish()
    }

    /// The size before compression, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// A part that comes into being piece by piece, so that its uncompressed whole is never held.
pub(crate) struct Packer {
    encoder: DeflateEncoder<Vec<u8>>,
    crc: crc32fast::Hasher,
    length: u64,
}

impl Packer {
    pub(crate) fn new(level: Compression) -> Self {
        let encoder = DeflateEncoder::new(Vec::new(), level);
        Self { encoder, crc: crc32fast::Hasher::new(), length: 0 }
    }

    /// Compresses the next piece.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encoder.write_all(bytes)?;
        self.crc.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Ends at a byte boundary.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn finish(mut self) -> io::Result<Part> {
        self.encoder.flush()?;
        // The encoder is not finished, but left: its end mark goes to the empty vector that takes the place of this one.
        let mut deflated = std::mem::take(self.encoder.get_mut());
        deflated.shrink_to_fit();
        Ok(Part { deflated: deflated.into(), crc: self.crc, length: self.length })
    }
}

/// One gzip stream of all parts, in pieces that share the parts' memory: a thousand who read slowly hold one page.
pub(crate) fn join(parts: &[&Part]) -> Vec<Bytes> {
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

    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn joined(texts: &[Vec<u8>]) -> Vec<u8> {
        let parts: Vec<Part> = texts.iter().map(|text| Part::new(text).expect("compresses")).collect();
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

    #[test]
    fn gzip_itself_finds_no_fault() {
        let texts = [vec![b'a'; 200_000], Vec::new(), b"token_info 1\n".to_vec()];
        let mut gzip = Command::new("gzip").arg("-t").stdin(Stdio::piped()).spawn().expect("gzip is installed");
        gzip.stdin.take().expect("a pipe").write_all(&joined(&texts)).expect("gzip reads");
        assert!(gzip.wait().expect("gzip ends").success());
    }
}

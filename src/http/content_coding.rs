//! Undoes the content codings of a response. <https://www.rfc-editor.org/rfc/rfc9110#section-8.4>

use std::io::{self, ErrorKind, Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::error::TransportError;
use crate::core::failure::Reason;

/// The only coding that a request offers.
pub(super) const ACCEPTED: &str = "gzip";

/// The most codings of one response: each costs as much time as the largest body.
const MAX_CODINGS: usize = 4;

/// The first bytes of gzip: <https://www.rfc-editor.org/rfc/rfc1952#page-6>.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The body without its codings; each step yields at most `limit` bytes, so that a small response cannot become a large one.
///
/// # Errors
/// Reason `too_large` over the limit, `connect` for a truncated body, `decode` for a damaged one or a coding that is not supported.
pub(super) fn decode(headers: &HeaderMap, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, TransportError> {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let codings: Vec<String> = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|coding| String::from_utf8_lossy(coding).trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if body.is_empty() {
        return Ok(body);
    }
    if codings.len() > MAX_CODINGS {
        let what = format!("{} content codings; at most {MAX_CODINGS} are supported", codings.len());
        return Err(TransportError::new(Reason::Decode, what));
    }
    // They are listed in the order in which they were applied.
    codings.iter().rev().try_fold(body, |body, coding| {
        let decoded = match coding.as_str() {
            // "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"."
            // A body that is too short for gzip's header is damaged, not truncated.
            "gzip" | "x-gzip" if !body.starts_with(&GZIP_MAGIC) => Err(ErrorKind::InvalidData.into()),
            "gzip" | "x-gzip" => read_limited(MultiGzDecoder::new(&*body), limit),
            "deflate" => read_limited(ZlibDecoder::new(&*body), limit),
            "br" | "zstd" | "compress" | "x-compress" | "dcb" | "dcz" => {
                let what = format!("response with the content coding {coding}, which was not requested; expected gzip");
                return Err(TransportError::new(Reason::Decode, what));
            }
            // Not a coding: some servers put the character set here.
            _ => return Ok(body),
        };
        let decoded = decoded.map_err(failure)?;
        if decoded.len() > limit { Err(TransportError::too_large(limit)) } else { Ok(decoded) }
    })
}

/// At most one byte more than the limit.
fn read_limited(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut decoded)?;
    Ok(decoded)
}

fn failure(error: io::Error) -> TransportError {
    match error.kind() {
        ErrorKind::UnexpectedEof => {
            let what = format!("connection closed before the response was complete: {error}");
            TransportError::new(Reason::Connect, what)
        }
        _ => TransportError::new(Reason::Decode, format!("cannot decompress the response: {error}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(lines: &[&str], body: Vec<u8>) -> Result<Vec<u8>, (Reason, String)> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_ENCODING, line.parse().unwrap());
        }
        decode(&headers, body, 100).map_err(|error| (error.reason, error.what))
    }

    #[test]
    fn codings_are_undone_in_every_form_of_the_header() {
        let plain = b"[1]".to_vec();
        let cases: [(&[&str], Vec<u8>); 13] = [
            (&[], plain.clone()),
            (&["identity"], plain.clone()),
            (&["utf-8"], plain.clone()),
            (&["gzip"], gzip(&plain)),
            (&["GZIP"], gzip(&plain)),
            (&["x-gzip"], gzip(&plain)),
            (&["gzip"], [gzip(b"[1"), gzip(b""), gzip(b"]")].concat()),
            (&["deflate"], zlib(&plain)),
            (&["gzip, gzip"], gzip(&gzip(&plain))),
            (&["identity,gzip"], gzip(&plain)),
            (&["deflate ,, gzip"], gzip(&zlib(&plain))),
            (&["deflate", "x-gzip"], gzip(&zlib(&plain))),
            (&["gzip, utf-8"], gzip(&plain)),
        ];
        for (lines, body) in cases {
            assert_eq!(decoded(lines, body).unwrap(), plain, "{lines:?}");
        }
        assert_eq!(decoded(&["gzip"], Vec::new()).unwrap(), b"", "as of a HEAD or a 304");
    }

    #[test]
    fn coding_that_cannot_be_undone_is_a_failure() {
        let truncated = gzip(&[7; 50]);
        let cases: [(&[&str], Vec<u8>, Reason, &str); 7] = [
            (&["br"], b"[1]".to_vec(), Reason::Decode, "content coding br"),
            (&["zstd, gzip"], gzip(b"[1]"), Reason::Decode, "content coding zstd"),
            (&["gzip"], b"[1]".to_vec(), Reason::Decode, "cannot decompress"),
            (&["gzip"], truncated[..truncated.len() - 9].to_vec(), Reason::Connect, "connection closed"),
            (&["gzip"], gzip(&[0; 101]), Reason::TooLarge, "exceeds 100 bytes"),
            (&["gzip,gzip"], gzip(&gzip(&[0; 5000])), Reason::TooLarge, "exceeds 100 bytes"),
            (&["gzip,gzip,gzip,gzip,gzip"], b"[1]".to_vec(), Reason::Decode, "5 content codings"),
        ];
        for (lines, body, reason, part) in cases {
            let (found, what) = decoded(lines, body).unwrap_err();
            assert!(found == reason && what.contains(part), "{lines:?}: {found:?} {what}");
        }
    }
}

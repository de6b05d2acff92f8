//! Writing to standard output and standard error, which may be a file, a terminal, a pipe or a socket.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

/// Pause before a write that would block is retried.
const RETRY: Duration = Duration::from_millis(10);

/// Writes these bytes; on an error, `bytes` are those that were not written.
///
/// Also to a pipe that another program has set to non-blocking, which it may share with this one: its reader is slow, so this
/// waits.
pub(super) fn write_all(to: &mut impl Write, bytes: &mut &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => *bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Takes one byte of three calls.
    struct Sluggish(usize, Vec<u8>);

    impl Write for Sluggish {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 % 3 {
                0 => self.1.write(&bytes[..1]),
                1 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Err(io::ErrorKind::Interrupted.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn write_all_waits_for_a_stream_that_would_block() {
        let mut to = Sluggish(0, Vec::new());
        write_all(&mut to, &mut &b"abc"[..]).unwrap();
        assert_eq!(to.1, b"abc");
    }
}

//! What the configuration reads beside its own text: files and variables. Tests put their own in its place.

use std::io::{self, Read};
use std::path::Path;

/// Files and variables.
pub trait Environment: Send + Sync {
    /// A whole file.
    ///
    /// # Errors
    /// Where it is missing, unreadable, or larger than any secret or certificate.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// A variable of the environment. One that is no Unicode counts as missing.
    fn env(&self, name: &str) -> Option<String>;
}

/// The largest file that is read, in bytes. A bundle of all public authorities has a quarter of a million.
const LARGEST: u64 = 4 << 20;

/// The machine's own files and environment.
#[derive(Clone, Copy, Debug)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB"));
        }
        Ok(content)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

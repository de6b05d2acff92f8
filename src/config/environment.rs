//! What the configuration reads in addition to its own text: files and environment variables. Tests provide their own.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub trait Environment: Send + Sync {
    /// Reads a whole file.
    ///
    /// # Errors
    /// If it is missing, unreadable or larger than 4 MiB.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// An environment variable. One that is not Unicode counts as missing.
    fn env(&self, name: &str) -> Option<String>;
}

/// The largest file that is read, in bytes. A bundle of all public CAs has a quarter of a million.
const MAX_FILE: u64 = 4 << 20;

/// The files and the environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB"));
        }
        Ok(content)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The environment, and the directory to which the paths of one configuration file are relative.
#[derive(Clone)]
pub(super) struct FileEnvironment {
    environment: Arc<dyn Environment>,
    directory: PathBuf,
}

impl FileEnvironment {
    /// Relative paths are relative to the directory of the configuration file, of which this is the path.
    pub(super) fn new(config: &str, environment: Arc<dyn Environment>) -> Self {
        Self { environment, directory: Path::new(config).parent().map(Path::to_owned).unwrap_or_default() }
    }

    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }

    pub(super) fn env(&self, name: &str) -> Option<String> {
        self.environment.env(name)
    }

    /// # Errors
    /// Why the file cannot be read as text, in words that name it.
    pub(super) fn read_text(&self, path: &Path) -> Result<String, String> {
        let shown = path.display();
        let content = self.environment.read_file(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        String::from_utf8(content).map_err(|_| format!("{shown} is not valid UTF-8 (binary data, or UTF-16)"))
    }
}

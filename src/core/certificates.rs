//! Whom a source's connections trust, and as whom they come.

use std::sync::Arc;

use super::failure::Failure;
use super::secret::Secret;

/// Certificates and keys, as PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsMaterial {
    /// Certificates to trust beside the system's.
    pub ca: Option<Vec<u8>>,
    /// A client certificate and its key.
    pub identity: Option<Secret>,
}

/// Where they come from. They are read anew at each collection, so that a rotated one needs no restart and no reload.
pub trait Certificates: Send + Sync {
    /// Reads them. The failure's reason is `tls`; it names the file, never the content.
    ///
    /// # Errors
    /// When a file is missing or unreadable.
    fn read(&self) -> Result<TlsMaterial, Failure>;
}

/// A shared handle, as the configuration hands it to a client.
pub type SharedCertificates = Arc<dyn Certificates>;

/// These, for ever.
impl Certificates for TlsMaterial {
    fn read(&self) -> Result<TlsMaterial, Failure> {
        Ok(self.clone())
    }
}

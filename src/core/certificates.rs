//! The CA bundle and client certificate of a source's connections.

use std::sync::Arc;

use super::failure::Failure;
use super::secret::Secret;

/// Certificates and keys, as PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsMaterial {
    /// CA certificates, in addition to the system's.
    pub ca: Option<Vec<u8>>,
    /// A client certificate and its key.
    pub identity: Option<Secret>,
}

/// Reads the certificates. Called at each collection, so that a renewed certificate needs neither restart nor reload.
pub trait Certificates: Send + Sync {
    /// # Errors
    /// Reason `tls`, or `credential` for a kubeconfig, if a file is missing or unreadable. The failure names the file, never its content.
    fn read(&self) -> Result<TlsMaterial, Failure>;
}

pub type SharedCertificates = Arc<dyn Certificates>;

/// Certificates that never change.
impl Certificates for TlsMaterial {
    fn read(&self) -> Result<TlsMaterial, Failure> {
        Ok(self.clone())
    }
}

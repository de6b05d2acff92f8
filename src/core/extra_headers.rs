//! Further headers of a source's requests, such as those that a gateway in front of the provider requires.

use std::sync::Arc;

use super::secret::{NoCredential, SharedCredentials};

/// Those of one source. It has no `Debug`, as a value may be confidential although it is in the configuration.
#[derive(Clone)]
pub struct ExtraHeaders {
    /// Names and values in the configuration.
    pub plain: Vec<(String, String)>,
    /// The others, which are read at each collection: the names of the parts are those of the headers.
    pub secret: SharedCredentials,
}

impl Default for ExtraHeaders {
    fn default() -> Self {
        Self { plain: Vec::new(), secret: Arc::new(NoCredential) }
    }
}

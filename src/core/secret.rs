//! A secret text that no log, message or page can show by accident.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::failure::Failure;

/// A secret. `Debug` hides it, there is no `Display`, and it cannot be serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in. Line ends at its close are not part of it: files end in one.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Self(text)
    }

    /// Hands the text out, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("***")
    }
}

/// A credential as it is read at a collection: one secret, or several parts by name. The single one's name is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential(pub BTreeMap<String, Secret>);

impl Credential {
    /// A credential of one secret.
    pub fn single(secret: Secret) -> Self {
        Self(BTreeMap::from([(String::new(), secret)]))
    }

    /// The part of this name; the empty name is the single secret.
    pub fn part(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

/// Where a credential comes from. It is read anew at each collection, so that a rotated one needs no restart.
pub trait Credentials: Send + Sync {
    /// Reads it. The failure's reason is `credential`; it names the file or variable, never the content.
    ///
    /// # Errors
    /// When a file or variable is missing, empty or unreadable.
    fn read(&self) -> Result<Credential, Failure>;

    /// The names of the parts; one empty name for a single secret; none where no credential is configured.
    fn parts(&self) -> Vec<String>;
}

/// A source that needs no credential.
#[derive(Clone, Copy, Debug)]
pub struct NoCredential;

impl Credentials for NoCredential {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(Credential::default())
    }

    fn parts(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A shared handle, as the configuration hands it to a provider.
pub type SharedCredentials = Arc<dyn Credentials>;

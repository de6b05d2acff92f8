//! A secret text that no log, message or page can show by accident.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::failure::Failure;

/// So many characters of a secret in a row are too many to be shown; of a shorter one all.
const TELLING: usize = 12;

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

    /// Whether a text holds the secret, or so much of it that it helps a thief.
    pub fn is_told_by(&self, text: &str) -> bool {
        let secret = self.0.trim();
        let starts = secret.char_indices().map(|(at, _)| &secret[at..]);
        let pieces =
            starts.filter_map(|rest| rest.char_indices().nth(TELLING - 1).map(|(at, c)| &rest[..at + c.len_utf8()]));
        let is_short = secret.chars().count() < TELLING;
        if is_short {
            !secret.is_empty() && text.contains(secret)
        } else {
            pieces.into_iter().any(|piece| text.contains(piece))
        }
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

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_piece_of_a_secret_tells_it() {
        for (secret, text, told) in [
            ("glpat-abcdefghijklmnop", "token glpat-abcdefghijklmnop is revoked", true),
            ("glpat-abcdefghijklmnop", "token glpat-abcdef… is revoked", true),
            ("glpat-abcdefghijklmnop", "token glpat-abc… is revoked", false),
            ("hunter2", "no: hunter2", true),
            ("hunter2", "no: hunter", false),
            ("schlüsselwörter", "üsselwörter", false),
            ("schlüsselwörter", "lüsselwörter", true),
            ("", "anything", false),
        ] {
            assert_eq!(Secret::new(secret).is_told_by(text), told, "{secret} in {text}");
        }
    }
}

//! Secrets, which no log, message or page can show by accident.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::failure::Failure;

/// A text with this many consecutive characters of a secret leaks it. A shorter secret leaks only as a whole.
const MIN_LEAK_LEN: usize = 12;

/// A secret. `Debug` redacts it, there is no `Display`, and it cannot be serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Removes trailing line breaks, with which files end.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Self(text)
    }

    /// The secret itself, for the code that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text contains the secret, or a part that is long enough to help an attacker.
    pub fn leaks_into(&self, text: &str) -> bool {
        let secret: Vec<char> = self.0.trim().chars().collect();
        let len = secret.len().min(MIN_LEAK_LEN);
        len > 0 && secret.windows(len).any(|part| text.contains(&part.iter().collect::<String>()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("***")
    }
}

/// A source's credential: named parts, or one secret under the empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential(pub BTreeMap<String, Secret>);

impl Credential {
    pub fn single(secret: Secret) -> Self {
        Self(BTreeMap::from([(String::new(), secret)]))
    }

    pub fn part(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

/// Reads a credential. Called at each collection, so that a rotated secret needs no restart.
pub trait Credentials: Send + Sync {
    /// # Errors
    /// Reason `credential`, if a file or variable is missing, empty or unreadable. The failure names it, never its content.
    fn read(&self) -> Result<Credential, Failure>;

    /// The names of the parts: one empty name for a single secret, no name without a credential.
    fn parts(&self) -> Vec<String>;
}

/// The credential of a source that needs none.
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

pub type SharedCredentials = Arc<dyn Credentials>;

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn secret_leaks_into_a_text_with_12_of_its_characters() {
        for (secret, text, leaks) in [
            ("glpat-abcdefghijklmnop", "token glpat-abcdefghijklmnop is revoked", true),
            ("glpat-abcdefghijklmnop", "token glpat-abcdef… is revoked", true),
            ("glpat-abcdefghijklmnop", "token glpat-abc… is revoked", false),
            ("hunter2", "no: hunter2", true),
            ("hunter2", "no: hunter", false),
            ("schlüsselwörter", "üsselwörter", false),
            ("schlüsselwörter", "lüsselwörter", true),
            ("", "anything", false),
        ] {
            assert_eq!(Secret::new(secret).leaks_into(text), leaks, "{secret} in {text}");
        }
    }
}

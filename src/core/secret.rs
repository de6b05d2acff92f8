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

    /// A sign that more or less than the secret was written, with the remedy. It shows nothing of the secret.
    pub fn hint(&self) -> Option<&'static str> {
        let text = self.0.as_str();
        let begins_with =
            |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let is_quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
        // The form of keys and of service accounts.
        let is_document = text.contains("-----BEGIN") || text.trim_start().starts_with(['{', '[']);
        let is_control = |c: char| c.is_control() && !c.is_whitespace() || c == char::REPLACEMENT_CHARACTER;
        Some(if text.contains(is_control) {
            "contains binary data; write the secret as text"
        } else if ["bearer ", "basic ", "token "].iter().any(|scheme| begins_with(scheme)) {
            "begins with `Bearer `, `Basic ` or `Token `; the definition adds it, so write only what follows"
        } else if ['"', '\'', '`'].into_iter().any(is_quoted) {
            "is in quotes; remove them"
        } else if is_document {
            return None;
        } else if text.trim().contains('\n') {
            "has more than one line; write the secret alone"
        } else if is_assignment(text) {
            "begins with `NAME=`; write only what follows"
        } else if text.contains(char::is_whitespace) {
            "contains blanks; remove them, unless they belong to it"
        } else {
            return None;
        })
    }
}

/// Whether a text is a line of a shell or of an environment file. Base64 may end with `=`, but has nothing after it.
fn is_assignment(text: &str) -> bool {
    let text = text.trim_start();
    let Some((name, value)) = text.strip_prefix("export ").unwrap_or(text).split_once('=') else { return false };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // A password may contain `=`; the name of a variable is in capitals.
    let is_variable = name.len() > 1 && name.len() <= 40 && !name.contains(|c: char| c.is_ascii_lowercase());
    let is_secret_name = ["token", "password", "secret", "key", "apikey", "api_key", "api_token"].contains(&name);
    is_name && (is_variable || is_secret_name) && !value.trim_start_matches('=').is_empty()
}

impl Secret {
    /// Whether a text that is to be published shows the secret: at least half of it. A vendor's id may be a smaller part, and a
    /// secret of less than 8 characters is in other texts by chance.
    pub fn is_shown_by(&self, text: &str) -> bool {
        let secret: Vec<char> = self.0.trim().chars().collect();
        let len = secret.len().div_ceil(2).max(MIN_LEAK_LEN).min(secret.len());
        len >= 8 && secret.windows(len).any(|part| text.contains(&part.iter().collect::<String>()))
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

    /// The first of its parts' [hints](Secret::hint), as a sentence.
    pub fn hint(&self) -> Option<String> {
        self.0.iter().find_map(|(name, secret)| {
            let part = if name.is_empty() { String::new() } else { format!(" `{name}`") };
            Some(format!("the secret{part} {}", secret.hint()?))
        })
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
    fn hint_names_what_does_not_belong_to_a_secret() {
        for (secret, hint) in [
            ("glpat-0123456789", None),
            ("bXkgc2VjcmV0Cg==", None),
            ("p=ssw0rd=x", None),
            ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\n", None),
            ("{\n  \"type\": \"service_account\"\n}", None),
            ("Bearer glpat-0123456789", Some("begins with `Bearer `")),
            ("bearer x", Some("begins with `Bearer `")),
            ("Basic YTpi", Some("begins with `Bearer `, `Basic `")),
            ("\"glpat-0123456789\"", Some("is in quotes")),
            ("'x y'", Some("is in quotes")),
            ("GITLAB_TOKEN=glpat-0123456789", Some("begins with `NAME=`")),
            ("export GITLAB_TOKEN=glpat-0123456789", Some("begins with `NAME=`")),
            ("token=x", Some("begins with `NAME=`")),
            ("glpat-0123456789 ", Some("contains blanks")),
            (" glpat", Some("contains blanks")),
            ("glpat\u{a0}0123", Some("contains blanks")),
            ("user\r\nglpat-0123456789\n", Some("has more than one line")),
            ("\u{0}\u{1}glpat", Some("contains binary data")),
            ("gl\u{1b}[0mpat", Some("contains binary data")),
        ] {
            let found = Secret::new(secret).hint();
            assert_eq!(found.is_some(), hint.is_some(), "{secret:?}: {found:?}");
            assert!(found.unwrap_or_default().starts_with(hint.unwrap_or_default()), "{secret:?}: {found:?}");
            assert!(!found.unwrap_or_default().contains("glpat"));
        }
    }

    #[test]
    fn secret_is_shown_by_a_text_with_half_of_it() {
        for (secret, text, is_shown) in [
            ("SG.abcdefghijklmnopqrstuv.0123456789012345678901234567890123456789", "abcdefghijklmnopqrstuv", false),
            (
                "SG.abcdefghijklmnopqrstuv.0123456789012345678901234567890123456789",
                "SG.abcdefghijklmnopqrstuv.0123456789",
                true,
            ),
            ("glpat-abcdefghijklmnop", "key glpat-abcdefghijklmnop", true),
            ("hunter22", "hunter22", true),
            ("secret", "secret-scanner", false),
        ] {
            assert_eq!(Secret::new(secret).is_shown_by(text), is_shown, "{secret} in {text}");
        }
    }

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

//! The credential of one collection and every secret made of it, so that no message quotes one.

use parking_lot::Mutex;

use crate::core::secret::{Credential, Secret};

pub(super) struct Secrets {
    pub(super) credential: Credential,
    /// Session tokens and credential headers that were sent: a header holds the credential in another encoding.
    sent: Mutex<Vec<Secret>>,
}

impl Secrets {
    pub(super) fn new(credential: Credential) -> Self {
        Self { credential, sent: Mutex::default() }
    }

    /// Adds secrets that are about to be sent.
    pub(super) fn remember<'s>(&self, secrets: impl IntoIterator<Item = &'s Secret>) {
        let mut sent = self.sent.lock();
        for secret in secrets {
            if !sent.contains(secret) {
                sent.push(secret.clone());
            }
        }
    }

    /// Whether a text quotes a secret or a telling part of one, as it is or percent-encoded: a provider may quote the query
    /// or the form that it received.
    pub(super) fn leak_into(&self, text: &str) -> bool {
        let fields = url::form_urlencoded::parse(text.as_bytes()).flat_map(|(name, value)| [name, value]);
        let decoded = fields.collect::<Vec<_>>().join("&");
        let sent = self.sent.lock();
        let mut secrets = self.credential.0.values().chain(&*sent);
        secrets.any(|secret| secret.leaks_into(text) || secret.leaks_into(&decoded))
    }

    /// Whether a text that is to be published shows a part of the credential. A part that is an identifier, such as `client_id`,
    /// is not a secret, and a list may contain it.
    pub(super) fn are_shown_by(&self, text: &str) -> bool {
        let is_identifier = |name: &str| ["id", "user", "username", "email"].iter().any(|end| name.ends_with(end));
        let parts = self.credential.0.iter().filter(|(name, _)| !is_identifier(name));
        parts.into_iter().any(|(_, secret)| secret.is_shown_by(text))
    }

    /// Whether a part of the credential begins and ends as a provider's hint such as `npm_aB...7890` shows.
    pub(super) fn match_hint(&self, prefix: &str, suffix: &str) -> bool {
        self.credential.0.values().map(Secret::expose).any(|secret| {
            secret.len() >= prefix.len() + suffix.len() && secret.starts_with(prefix) && secret.ends_with(suffix)
        })
    }
}

//! A secret that a provider refused, as far as it is persisted.

use chrono::{DateTime, TimeDelta, Utc};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::secret::Credential;

/// How long a refused secret is not sent again. Vendors lock an account after three to ten wrong logins, for minutes to a day.
const RETRY_AFTER: TimeDelta = TimeDelta::hours(1);

/// When a provider refused a secret, and a tag of that secret.
///
/// After a restart the tag shows whether the secret has changed. It is one byte, so that the file in which it is stored cannot
/// confirm a guessed password: of any guesses, one in 256 has the same tag. For the same reason one changed secret in 256 is
/// taken for the previous one, and is sent when the hour is over. A file's date would not do: a variable has none, and a
/// mounted Secret has a new one in each pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    at: DateTime<Utc>,
    /// Absent if another replica sent the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<u8>,
}

impl Refusal {
    /// `account` is what the login consists of in addition to the secret, such as URL and user name.
    pub fn new(at: DateTime<Utc>, account: &str, credential: &Credential) -> Self {
        Self { at, tag: Some(tag(account, credential)) }
    }

    /// Another replica sent the secret. Replicas share nothing that depends on it, so it is taken for that of this replica.
    pub fn of_unknown_secret(at: DateTime<Utc>) -> Self {
        Self { at, tag: None }
    }

    /// The same refusal, for another source with this secret.
    #[must_use]
    pub fn of_account(&self, account: &str, credential: &Credential) -> Self {
        Self::new(self.at, account, credential)
    }

    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// When the secret may be sent again.
    pub fn retry_at(&self) -> DateTime<Utc> {
        self.at.checked_add_signed(RETRY_AFTER).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether the hour is over. If the clock was set back, it is.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.at).abs() >= RETRY_AFTER
    }

    /// Whether this can be the refused secret.
    pub fn may_concern(&self, account: &str, credential: &Credential) -> bool {
        self.tag.is_none_or(|known| known == tag(account, credential))
    }
}

/// It has no random part: tags of the same secret, stored one after the other, must not add up to more than one byte.
fn tag(account: &str, credential: &Credential) -> u8 {
    let mut hash = Context::new(&SHA256);
    let parts = credential.0.iter().flat_map(|(name, secret)| [name.as_str(), secret.expose()]);
    for text in std::iter::once(account).chain(parts) {
        hash.update(&text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finish().as_ref().first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::secret::Secret;

    fn credential(secret: &str) -> Credential {
        Credential::single(Secret::new(secret))
    }

    #[test]
    fn refusal_concerns_the_same_secret_of_the_same_account() {
        let refusal = Refusal::new(DateTime::UNIX_EPOCH, "ada", &credential("hunter2"));
        assert!(refusal.may_concern("ada", &credential("hunter2")));
        let others = (0..1000).filter(|number| refusal.may_concern("ada", &credential(&format!("hunter{number:04}"))));
        assert!((1..20).contains(&others.count()), "one in 256 has the same tag");
        assert!(!refusal.may_concern("grace", &credential("hunter2")));
    }

    #[test]
    fn refusal_is_over_after_an_hour_or_if_the_clock_was_set_back() {
        let refusal = Refusal::new(DateTime::UNIX_EPOCH, "ada", &credential("hunter2"));
        for (minutes, is_over) in [(0, false), (59, false), (60, true), (-59, false), (-60, true)] {
            assert_eq!(refusal.is_over(DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)), is_over, "{minutes}");
        }
    }
}

//! Stops the requests of a source after the provider refused its password.
//!
//! Vendors lock an account after a few wrong logins, and then its owner is locked out too: Atlassian's products demand a
//! CAPTCHA after three (<https://confluence.atlassian.com/conf91/configuring-captcha-for-failed-logins-1442849037.html>), Vault
//! locks users of `userpass`, `ldap` and `approle` after five
//! (<https://developer.hashicorp.com/vault/docs/concepts/user-lockout>). A wrong password is therefore sent once, and again only
//! when the secret changes or an hour has passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::core::failure::{Failure, Reason};
use crate::core::refusal::Refusal;
use crate::core::sanitize::{is_unsafe_char, truncate};
use crate::core::secret::{Credential, Secret};
use crate::http::client::Response;

/// Why Atlassian's products deny a login, such as `CAPTCHA_CHALLENGE; login-url=https://…`.
const DENIED_REASON: &str = "X-Authentication-Denied-Reason";

/// The refused secret of a source, from one collection to the next.
#[derive(Default)]
pub(super) struct RefusedSecret(Mutex<Option<Refused>>);

struct Refused {
    refusal: Refusal,
    /// `None` after a restart.
    credential: Option<Credential>,
    provider_message: Option<String>,
}

impl RefusedSecret {
    pub(super) fn restore(&self, refusal: Refusal) {
        *self.0.lock() = Some(Refused { refusal, credential: None, provider_message: None });
    }

    pub(super) fn current(&self) -> Option<Refusal> {
        self.0.lock().as_ref().map(|refused| refused.refusal)
    }

    pub(super) fn record(&self, refusal: Refusal, credential: &Credential, provider_message: Option<String>) {
        *self.0.lock() = Some(Refused { refusal, credential: Some(credential.clone()), provider_message });
    }

    /// Forgets the refusal if it is over or concerns another secret.
    ///
    /// # Errors
    /// Reason `unauthorized` if this secret must not be sent now.
    pub(super) fn check(&self, account: &str, credential: &Credential, now: DateTime<Utc>) -> Result<(), Failure> {
        let mut current = self.0.lock();
        let is_same = |refused: &Refused| match &refused.credential {
            Some(other) => other == credential,
            None => refused.refusal.may_concern(account, credential),
        };
        match current.take_if(|refused| refused.refusal.is_over(now) || !is_same(refused)) {
            None if let Some(refused) = &mut *current => {
                // From now on another secret is sent at once.
                refused.credential.get_or_insert_with(|| credential.clone());
                let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
                let Refused { refusal, provider_message, .. } = refused;
                let what = format!(
                    "no request sent: the provider refused this secret at {}; replace it, or wait until {}",
                    time(refusal.at()),
                    time(refusal.retry_at())
                );
                Err(Failure { provider_message: provider_message.clone(), ..Failure::new(Reason::Unauthorized, what) })
            }
            _ => Ok(()),
        }
    }
}

/// The passwords of all sources: several may have the same account, and a wrong password is sent once for all of them.
#[derive(Default)]
pub(crate) struct SharedPasswords(Mutex<Vec<Arc<SharedPassword>>>);

/// A password at one origin.
pub(super) struct SharedPassword {
    origin: String,
    credential: Vec<(String, Secret)>,
    /// Held by the source that sends it without knowing whether it is accepted.
    turn: Arc<tokio::sync::Mutex<()>>,
    refused: Mutex<Option<(Refusal, Option<String>)>>,
}

impl SharedPasswords {
    /// The password in these headers. Forgets those that no source is sending.
    pub(super) fn get(
        &self,
        origin: &url::Origin,
        credential: &[(String, Secret)],
        now: DateTime<Utc>,
    ) -> Arc<SharedPassword> {
        let origin = origin.ascii_serialization();
        let mut known = self.0.lock();
        known.retain(|password| Arc::strong_count(password) > 1 || password.refused(now).is_some());
        if let Some(same) = known.iter().find(|known| known.origin == origin && known.credential == credential) {
            return Arc::clone(same);
        }
        let (turn, refused) = (Arc::default(), Mutex::default());
        let new = Arc::new(SharedPassword { origin, credential: credential.to_vec(), turn, refused });
        known.push(Arc::clone(&new));
        new
    }
}

impl SharedPassword {
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    pub(super) fn refuse(&self, refusal: Refusal, provider_message: Option<String>) {
        *self.refused.lock() = Some((refusal, provider_message));
    }

    /// When it was refused, if this is less than an hour ago, and the provider's message.
    pub(super) fn refused(&self, now: DateTime<Utc>) -> Option<(Refusal, Option<String>)> {
        self.refused.lock().clone().filter(|(refusal, _)| !refusal.is_over(now))
    }
}

/// Whether requests with the password may be sent in this collection: one at a time until the provider has accepted it, none
/// after it was refused.
#[derive(Default)]
pub(super) struct PasswordGate {
    /// Whether a response shows that the login was not refused.
    is_open: AtomicBool,
    /// Whether a response was complete. A later 401 concerns its scope alone, as it does at Bitbucket.
    is_accepted: AtomicBool,
    refused: Mutex<Option<Failure>>,
}

impl PasswordGate {
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Notes a response to a request with the password. Whether the password is refused.
    pub(super) fn is_refused(&self, response: &Response) -> bool {
        let reason = response.failure_reason();
        if reason == Some(Reason::Unauthorized) {
            return denied_reason(&response.headers).is_some() || !self.is_accepted.load(Ordering::Relaxed);
        }
        let is_failure_before_the_login =
            matches!(reason, Some(Reason::ServerError | Reason::Timeout | Reason::RateLimited | Reason::Connect));
        self.is_accepted.fetch_or(reason.is_none(), Ordering::Relaxed);
        self.is_open.fetch_or(!is_failure_before_the_login, Ordering::Relaxed);
        false
    }

    /// Stops the requests of this collection.
    pub(super) fn refuse(&self, provider_message: Option<String>) {
        let what = "not requested: the provider refused the password";
        *self.refused.lock() = Some(Failure { provider_message, ..Failure::new(Reason::Unauthorized, what) });
    }

    /// The failure of requests that are not sent.
    pub(super) fn refused(&self) -> Option<Failure> {
        self.refused.lock().clone()
    }
}

/// Whether these headers contain a user name and password (<https://www.rfc-editor.org/rfc/rfc7617>).
pub(super) fn is_password(credential: &[(String, Secret)]) -> bool {
    credential.iter().any(|(name, value)| {
        let scheme = value.expose().trim_start().as_bytes().get(..6);
        name.eq_ignore_ascii_case("authorization")
            && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    })
}

/// `X-Authentication-Denied-Reason: …`, on one line, cut to the length limit.
pub(super) fn denied_reason(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(DENIED_REASON)?.as_bytes()).replace(is_unsafe_char, " ");
    Some(format!("{DENIED_REASON}: {}", truncate(value.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_password_knows_basic_authentication_however_it_is_written() {
        for (name, value, expected) in [
            ("Authorization", "Basic YTpi", true),
            ("authorization", "basic YTpi", true),
            ("Authorization", "Bearer t", false),
            ("Authorization", "Basics", false),
            ("X-Key", "Basic YTpi", false),
        ] {
            assert_eq!(is_password(&[(name.to_owned(), Secret::new(value))]), expected, "{name}: {value}");
        }
    }
}

//! Basic authentication.
//!
//! bcrypt is slow on purpose (70 ms and more), and a scrape must not pay for it each time: an accepted password is remembered as
//! a keyed digest until the process ends or its hash in the file changes. A rejected one is not, otherwise anybody could fill the
//! memory.
//!
//! The time of a rejection reveals nothing: an unknown user, and one with a cheaper hash than others, cost as much as the
//! most expensive hash. The queue for bcrypt is short, so that a flood of guesses is rejected; remembered users do not wait.

use std::collections::{BTreeMap, HashMap};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use ring::hmac;
use tokio::sync::Semaphore;

use crate::server::limits::LOGINS;

/// User names and their bcrypt hashes.
pub(super) type Hashes = BTreeMap<String, Hash>;

/// A bcrypt hash. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    text: String,
    cost: u32,
}

impl Hash {
    /// Parses a hash as `htpasswd -B` writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: bcrypt::HashParts = text.parse().ok()?;
        Some(Self { text: text.to_owned(), cost: parts.get_cost() })
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("***")
    }
}

/// The result of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    Accepted,
    Rejected,
    /// Too many logins are queued.
    Busy,
}

/// Checks passwords, and remembers the accepted ones.
pub(super) struct Users {
    key: hmac::Key,
    accepted: Mutex<HashMap<String, hmac::Tag>>,
    /// One bcrypt at a time, so that a flood of guesses takes one core and not all.
    bcrypt: tokio::sync::Mutex<()>,
    queue: Semaphore,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()),
            accepted: Mutex::default(),
            bcrypt: tokio::sync::Mutex::default(),
            queue: Semaphore::new(LOGINS),
        }
    }
}

impl Users {
    /// Checks the header `Authorization` of a request. Without users every request is accepted.
    pub(super) async fn login(&self, hashes: &Hashes, authorization: Option<&HeaderValue>) -> Login {
        let Some(highest_cost) = hashes.values().map(|hash| hash.cost).max() else { return Login::Accepted };
        let Some((user, password)) = authorization.and_then(credentials) else { return Login::Rejected };
        let hash = hashes.get(&user).cloned();
        let claim = hash.as_ref().map(|hash| claim(&user, &hash.text, &password));
        if claim.as_ref().is_some_and(|claim| self.was_accepted(&user, claim)) {
            return Login::Accepted;
        }
        let Ok(_queued) = self.queue.try_acquire() else { return Login::Busy };
        let _turn = self.bcrypt.lock().await;
        let verified = tokio::task::spawn_blocking(move || verify(&password, hash.as_ref(), highest_cost)).await;
        let (Ok(true), Some(claim)) = (verified, claim) else { return Login::Rejected };
        self.accepted.lock().insert(user, hmac::sign(&self.key, &claim));
        Login::Accepted
    }

    fn was_accepted(&self, user: &str, claim: &[u8]) -> bool {
        self.accepted.lock().get(user).is_some_and(|tag| hmac::verify(&self.key, claim, tag.as_ref()).is_ok())
    }
}

/// Whether the password is right. If not, it has taken as long as a hash of the highest cost: each step of the cost doubles the
/// time, so that 2^c and 2^c, 2^(c+1) … 2^(d-1) add up to 2^d.
fn verify(password: &str, hash: Option<&Hash>, highest_cost: u32) -> bool {
    let Some(hash) = hash else {
        spend(password, highest_cost);
        return false;
    };
    let is_right = bcrypt::verify(password, &hash.text).unwrap_or(false);
    if !is_right {
        (hash.cost..highest_cost).for_each(|cost| spend(password, cost));
    }
    is_right
}

/// Takes the time of one hash.
fn spend(password: &str, cost: u32) {
    drop(std::hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16])));
}

/// The text whose digest is remembered. The lengths separate what would be equal when joined.
fn claim(user: &str, hash: &str, password: &str) -> Vec<u8> {
    format!("{} {} {user}{hash}{password}", user.len(), hash.len()).into_bytes()
}

/// User and password of a header `Authorization: Basic …`.
fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn header(claim: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(claim))).unwrap()
    }

    fn hashes(password: &str) -> Hashes {
        let hash = bcrypt::hash(password, 4).unwrap();
        Hashes::from([("jane".to_owned(), Hash::parse(&hash).unwrap())])
    }

    #[tokio::test]
    async fn login_accepts_only_the_password_of_the_user() {
        let users = Users::default();
        let hashes = hashes("secret:with:colons");
        for _ in 0..2 {
            for (claim, expected) in [
                ("jane:secret:with:colons", Login::Accepted),
                ("jane:secret", Login::Rejected),
                ("jane:", Login::Rejected),
                ("john:secret:with:colons", Login::Rejected),
                ("jane", Login::Rejected),
            ] {
                assert_eq!(users.login(&hashes, Some(&header(claim))).await, expected, "{claim}");
            }
        }
        assert_eq!(users.login(&hashes, None).await, Login::Rejected);
        assert_eq!(users.login(&hashes, Some(&HeaderValue::from_static("Bearer x"))).await, Login::Rejected);
        assert_eq!(users.login(&Hashes::new(), None).await, Login::Accepted, "without users every request is accepted");
    }

    #[tokio::test]
    async fn changed_hash_invalidates_the_remembered_password() {
        let users = Users::default();
        let accepted =
            async |hashes: &Hashes, claim| users.login(hashes, Some(&header(claim))).await == Login::Accepted;
        assert!(accepted(&hashes("old"), "jane:old").await);
        assert_eq!(users.accepted.lock().len(), 1);
        let changed = hashes("new");
        assert!(!accepted(&changed, "jane:old").await);
        assert!(accepted(&changed, "jane:new").await);
        assert_eq!(users.accepted.lock().len(), 1, "one digest per user");
    }

    #[tokio::test]
    async fn guesses_do_not_queue_up_and_remembered_users_do_not_wait() {
        let users = Users::default();
        let hashes = hashes("right");
        let accepted = header("jane:right");
        assert_eq!(users.login(&hashes, Some(&accepted)).await, Login::Accepted);
        let bcrypt = users.bcrypt.lock().await;
        let guess = header("jane:wrong");
        let mut guesses: Vec<_> = (0..LOGINS).map(|_| Box::pin(users.login(&hashes, Some(&guess)))).collect();
        for guess in &mut guesses {
            assert_eq!(futures_util::future::poll_immediate(guess).await, None);
        }
        assert_eq!(users.login(&hashes, Some(&guess)).await, Login::Busy);
        assert_eq!(users.login(&hashes, Some(&accepted)).await, Login::Accepted);
        drop(bcrypt);
        for guess in guesses {
            assert_eq!(guess.await, Login::Rejected);
        }
    }

    #[test]
    fn debug_hides_the_hash() {
        let hash = bcrypt::hash("x", 4).unwrap();
        assert_eq!(format!("{:?}", Hash::parse(&hash).unwrap()), "***");
        assert_eq!(Hash::parse("plain-text"), None);
    }
}

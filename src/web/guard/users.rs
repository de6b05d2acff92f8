//! Basic authentication.
//!
//! bcrypt is slow on purpose, 70 ms and more, and a scrape must not pay for it each time: a password that was right is
//! remembered as a keyed digest, for as long as the process lives and the hash in the file stays the same. One that was
//! wrong is not, or anybody could fill the memory.
//!
//! The time of a refusal tells nothing: an unknown user, and one whose hash is cheaper than another's, cost as much as the
//! dearest hash. Those who wait for a hash are few, so that a flood of guesses is refused and does not pile up; whoever is
//! remembered does not wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use crate::web::limits::LOGINS;

/// Users' names and bcrypt hashes.
pub(super) type Hashes = BTreeMap<String, Hash>;

/// A bcrypt hash. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    text: String,
    cost: u32,
}

impl Hash {
    /// A hash as `htpasswd -B` writes it.
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

/// What comes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Granted,
    Refused,
    /// Too many are waiting.
    Crowded,
}

/// Who was let in before.
pub(super) struct Users {
    key: hmac::Key,
    known: Mutex<HashMap<String, hmac::Tag>>,
    /// One bcrypt at a time, so that a flood of guesses takes one core and not all.
    turn: tokio::sync::Mutex<()>,
    waiting: Semaphore,
}

impl Users {
    pub(super) fn new() -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| "the system has no random numbers".to_owned())?;
        let waiting = Semaphore::new(LOGINS);
        Ok(Self { key, known: Mutex::default(), turn: tokio::sync::Mutex::default(), waiting })
    }

    /// Whether a request with this header `Authorization` may be answered.
    pub(super) async fn admit(&self, hashes: &Hashes, authorization: Option<&HeaderValue>) -> Admission {
        // Without users there is no question.
        let Some(dearest) = hashes.values().map(|hash| hash.cost).max() else { return Admission::Granted };
        let Some((user, password)) = authorization.and_then(credentials) else { return Admission::Refused };
        let hash = hashes.get(&user);
        let claim = hash.map(|hash| claim(&user, &hash.text, &password));
        if claim.as_ref().is_some_and(|claim| self.remembers(&user, claim)) {
            return Admission::Granted;
        }
        let Ok(_place) = self.waiting.try_acquire() else { return Admission::Crowded };
        let _turn = self.turn.lock().await;
        let hash = hash.cloned();
        let verified = tokio::task::spawn_blocking(move || verify(&password, hash.as_ref(), dearest)).await;
        let (Ok(true), Some(claim)) = (verified, claim) else { return Admission::Refused };
        let tag = hmac::sign(&self.key, &claim);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(user, tag);
        Admission::Granted
    }

    fn remembers(&self, user: &str, claim: &[u8]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(user).is_some_and(|tag| hmac::verify(&self.key, claim, tag.as_ref()).is_ok())
    }
}

/// Whether the password is right. Where it is not, it has taken as long as a hash of the highest cost: each step of the cost
/// doubles the time, so that 2^c and 2^c, 2^(c+1) … 2^(d-1) come to 2^d.
fn verify(password: &str, hash: Option<&Hash>, dearest: u32) -> bool {
    let Some(hash) = hash else {
        spend(password, dearest);
        return false;
    };
    let right = bcrypt::verify(password, &hash.text).unwrap_or(false);
    if !right {
        (hash.cost..dearest).for_each(|cost| spend(password, cost));
    }
    right
}

fn spend(password: &str, cost: u32) {
    // The result is of no use; the time is.
    drop(std::hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16])));
}

/// What is remembered, in digest. The lengths keep apart what would read the same when put together.
fn claim(user: &str, hash: &str, password: &str) -> Vec<u8> {
    format!("{} {} {user}{hash}{password}", user.len(), hash.len()).into_bytes()
}

/// The user and the password of a header `Authorization: Basic …`.
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
    async fn only_the_right_password_of_a_known_user_is_let_in() {
        let users = Users::new().unwrap();
        let hashes = hashes("secret:with:colons");
        for _ in 0..2 {
            for (claim, admitted) in [
                ("jane:secret:with:colons", Admission::Granted),
                ("jane:secret", Admission::Refused),
                ("jane:", Admission::Refused),
                ("john:secret:with:colons", Admission::Refused),
                ("jane", Admission::Refused),
            ] {
                assert_eq!(users.admit(&hashes, Some(&header(claim))).await, admitted, "{claim}");
            }
        }
        assert_eq!(users.admit(&hashes, None).await, Admission::Refused);
        assert_eq!(users.admit(&hashes, Some(&HeaderValue::from_static("Bearer x"))).await, Admission::Refused);
        assert_eq!(users.admit(&Hashes::new(), None).await, Admission::Granted, "without users there is no question");
    }

    #[tokio::test]
    async fn a_changed_hash_is_not_outlived_by_what_is_remembered() {
        let users = Users::new().unwrap();
        let granted =
            async |hashes: &Hashes, claim| users.admit(hashes, Some(&header(claim))).await == Admission::Granted;
        assert!(granted(&hashes("old"), "jane:old").await);
        assert_eq!(users.known.lock().unwrap().len(), 1);
        let changed = hashes("new");
        assert!(!granted(&changed, "jane:old").await);
        assert!(granted(&changed, "jane:new").await);
        assert_eq!(users.known.lock().unwrap().len(), 1, "what is remembered does not grow");
    }

    #[tokio::test]
    async fn guesses_do_not_pile_up_and_whoever_is_known_does_not_wait() {
        let users = Users::new().unwrap();
        let hashes = hashes("right");
        let granted = header("jane:right");
        assert_eq!(users.admit(&hashes, Some(&granted)).await, Admission::Granted);
        let turn = users.turn.lock().await;
        let guess = header("jane:wrong");
        let mut guesses: Vec<_> = (0..LOGINS).map(|_| Box::pin(users.admit(&hashes, Some(&guess)))).collect();
        for guess in &mut guesses {
            assert_eq!(futures_util::future::poll_immediate(guess).await, None);
        }
        assert_eq!(users.admit(&hashes, Some(&guess)).await, Admission::Crowded);
        assert_eq!(users.admit(&hashes, Some(&granted)).await, Admission::Granted);
        drop(turn);
        for guess in guesses {
            assert_eq!(guess.await, Admission::Refused);
        }
    }

    #[test]
    fn a_hash_hides_itself() {
        let hash = bcrypt::hash("x", 4).unwrap();
        assert_eq!(format!("{:?}", Hash::parse(&hash).unwrap()), "***");
        assert_eq!(Hash::parse("plain-text"), None);
    }
}

//! Basic authentication.
//!
//! bcrypt is slow on purpose, 70 ms and more, and a scrape must not pay for it each time: a password that was right is
//! remembered as a keyed digest, for as long as the process lives and the hash in the file stays the same. One that was
//! wrong is not, or anybody could fill the memory. An unknown user costs as much time as a known one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;

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

/// Who was let in before.
pub(super) struct Users {
    key: hmac::Key,
    known: Mutex<HashMap<String, hmac::Tag>>,
    /// One bcrypt at a time, so that a flood of guesses takes one core and not all.
    turn: tokio::sync::Mutex<()>,
}

impl Users {
    pub(super) fn new() -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| "the system has no random numbers".to_owned())?;
        Ok(Self { key, known: Mutex::default(), turn: tokio::sync::Mutex::default() })
    }

    /// Whether a request with this header `Authorization` may be answered.
    pub(super) async fn admit(&self, hashes: &Hashes, authorization: Option<&HeaderValue>) -> bool {
        if hashes.is_empty() {
            return true;
        }
        let Some((user, password)) = authorization.and_then(credentials) else { return false };
        let known = hashes.get(&user);
        // A stranger is measured against the slowest hash, and then refused.
        let Some(hash) = known.or_else(|| hashes.values().max_by_key(|hash| hash.cost)) else { return false };
        let claim = claim(&user, &hash.text, &password);
        if known.is_some() && self.remembers(&user, &claim) {
            return true;
        }
        let right = self.verify(password, hash.text.clone()).await && known.is_some();
        if right {
            let tag = hmac::sign(&self.key, &claim);
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(user, tag);
        }
        right
    }

    fn remembers(&self, user: &str, claim: &[u8]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(user).is_some_and(|tag| hmac::verify(&self.key, claim, tag.as_ref()).is_ok())
    }

    async fn verify(&self, password: String, hash: String) -> bool {
        let _turn = self.turn.lock().await;
        let verified = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash)).await;
        matches!(verified, Ok(Ok(true)))
    }
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
                ("jane:secret:with:colons", true),
                ("jane:secret", false),
                ("jane:", false),
                ("john:secret:with:colons", false),
                ("jane", false),
            ] {
                assert_eq!(users.admit(&hashes, Some(&header(claim))).await, admitted, "{claim}");
            }
        }
        assert!(!users.admit(&hashes, None).await);
        assert!(!users.admit(&hashes, Some(&HeaderValue::from_static("Bearer x"))).await);
        assert!(users.admit(&Hashes::new(), None).await, "without users there is no question");
    }

    #[tokio::test]
    async fn a_changed_hash_is_not_outlived_by_what_is_remembered() {
        let users = Users::new().unwrap();
        assert!(users.admit(&hashes("old"), Some(&header("jane:old"))).await);
        assert_eq!(users.known.lock().unwrap().len(), 1);
        let changed = hashes("new");
        assert!(!users.admit(&changed, Some(&header("jane:old"))).await);
        assert!(users.admit(&changed, Some(&header("jane:new"))).await);
        assert_eq!(users.known.lock().unwrap().len(), 1, "what is remembered does not grow");
    }

    #[test]
    fn a_hash_hides_itself() {
        let hash = bcrypt::hash("x", 4).unwrap();
        assert_eq!(format!("{:?}", Hash::parse(&hash).unwrap()), "***");
        assert_eq!(Hash::parse("plain-text"), None);
    }
}

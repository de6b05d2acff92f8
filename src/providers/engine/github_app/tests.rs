#![allow(clippy::unwrap_used)]
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::*;

/// A key made for these tests, of no App.
const KEY: &str = include_str!("test-key.pem");

#[test]
fn jwt_has_the_claims_that_github_expects() {
    let now = parse_timestamp("2026-11-23T12:00:00Z").unwrap();
    let jwt = signed_jwt("Iv1.abc", KEY, now).unwrap();
    let parts: Vec<&str> = jwt.expose().split('.').collect();
    let read = |part: &str| serde_json::from_slice::<Value>(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(read(parts[0]), json!({"alg": "RS256", "typ": "JWT"}));
    assert_eq!(read(parts[1]), json!({"iat": 1_795_435_140, "exp": 1_795_435_680, "iss": "Iv1.abc"}));
}

#[test]
fn jwt_is_refused_for_a_key_that_is_not_rsa_without_quoting_it() {
    let ec = "-----BEGIN EC PRIVATE KEY-----\nDO-NOT-LEAK\n-----END EC PRIVATE KEY-----\n";
    for key in ["DO-NOT-LEAK", ec] {
        let failure = signed_jwt("1", key, DateTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(failure.reason, Reason::Credential);
        let start = "GitHub App login: invalid private key; expected an RSA key in PEM, found";
        assert!(failure.what.starts_with(start) && !failure.what.contains("LEAK"), "{}", failure.what);
    }
}

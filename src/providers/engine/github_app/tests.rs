#![allow(clippy::unwrap_used)]
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::*;

/// A key made for these tests, of no App, in both forms.
const KEYS: [&str; 2] = [include_str!("test-key.pem"), include_str!("test-key-pkcs8.pem")];

fn decoded(part: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
}

#[test]
fn jwt_has_the_claims_and_a_valid_signature() {
    let now = parse_timestamp("2026-11-23T12:00:00Z").unwrap();
    for key in KEYS {
        let jwt = signed_jwt("Iv1.abc", key, now).unwrap();
        let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&decoded(header)).unwrap(), json!({"alg": "RS256", "typ": "JWT"}));
        let claims: Value = serde_json::from_slice(&decoded(claims)).unwrap();
        assert_eq!(claims, json!({"iat": 1_795_435_140, "exp": 1_795_435_680, "iss": "Iv1.abc"}));
        let public = key_pair(key).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.public_key().as_ref());
        public.verify(signed.as_bytes(), &decoded(signature)).unwrap();
    }
}

#[test]
fn key_is_read_in_every_form_that_secret_stores_make_of_it() {
    let [key, _] = KEYS;
    let body: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let forms = [
        key.replace('\n', "\\n"),
        format!("\"{}\"", key.replace('\n', "\\n")),
        key.replace('\n', " "),
        key.lines().map(|line| format!("  {line}\n")).collect(),
        BASE64_STANDARD.encode(key),
        body,
    ];
    let expected = key_pair(key).unwrap().public_key().as_ref().to_vec();
    for form in forms {
        assert_eq!(key_pair(&form).unwrap().public_key().as_ref(), expected, "{form}");
    }
}

#[test]
fn jwt_is_refused_for_a_key_that_is_not_rsa_without_quoting_it() {
    let ec = "-----BEGIN EC PRIVATE KEY-----\nDO-NOT-LEAK\n-----END EC PRIVATE KEY-----\n";
    for key in ["DO-NOT-LEAK", ec] {
        let failure = signed_jwt("1", key, DateTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(failure.reason, Reason::Credential);
        assert!(failure.what.contains("RSA key in PEM") && !failure.what.contains("LEAK"), "{}", failure.what);
    }
}

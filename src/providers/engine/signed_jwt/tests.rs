#![allow(clippy::unwrap_used)]
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde_json::json;

use super::*;

/// A key made for these tests, in both forms.
const KEYS: [&str; 2] = [include_str!("../github_app/test-key.pem"), include_str!("../github_app/test-key-pkcs8.pem")];

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn decoded(part: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
}

fn public_key(key: &SigningKey) -> Vec<u8> {
    match key {
        SigningKey::Rsa(key, ..) => key.public_key().as_ref().to_vec(),
        SigningKey::Ec(key) => key.public_key().as_ref().to_vec(),
    }
}

#[test]
fn jwt_has_its_header_and_claims_and_a_valid_signature() {
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    let cases: [(_, &str, &str, &dyn VerificationAlgorithm); 4] = [
        (JwtAlgorithm::Rs256, "RS256", KEYS[0], &RSA_PKCS1_2048_8192_SHA256),
        (JwtAlgorithm::Rs256, "RS256", KEYS[1], &RSA_PKCS1_2048_8192_SHA256),
        (JwtAlgorithm::Ps256, "PS256", KEYS[1], &RSA_PSS_2048_8192_SHA256),
        (JwtAlgorithm::Es256, "ES256", &ec, &ECDSA_P256_SHA256_FIXED),
    ];
    for (algorithm, name, pem, verification) in cases {
        let key = SigningKey::read(algorithm, pem).unwrap();
        let jwt = key.sign(object(json!({"kid": "k1"})), object(json!({"iss": "ada", "exp": 12}))).unwrap();
        let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
        assert_eq!(read(header), json!({"kid": "k1", "alg": name, "typ": "JWT"}));
        assert_eq!(read(claims), json!({"iss": "ada", "exp": 12}), "{name}");
        let public = UnparsedPublicKey::new(verification, public_key(&key));
        public.verify(signed.as_bytes(), &decoded(signature)).unwrap();
        assert!(public.verify(b"other", &decoded(signature)).is_err(), "{name}");
    }
}

/// `openssl rsa -in KEY -pubout -outform DER | openssl dgst -sha256 -binary | base64`, which Snowflake documents:
/// <https://docs.snowflake.com/en/user-guide/key-pair-auth#verify-the-user-s-public-key-fingerprint>.
#[test]
fn public_key_sha256_is_that_of_openssl() {
    for key in KEYS {
        let key = SigningKey::read(JwtAlgorithm::Rs256, key).unwrap();
        assert_eq!(key.public_key_sha256(), "JdfXhgFfMuxV06sMneZnaZgeF+Kb0UrSCY+NGMbCOhI=");
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
    let read = |text: &str| public_key(&SigningKey::read(JwtAlgorithm::Rs256, text).unwrap());
    let expected = read(key);
    for form in forms {
        assert_eq!(read(&form), expected, "{form}");
    }
}

#[test]
fn key_of_another_algorithm_is_refused_without_quoting_it() {
    let ec = "-----BEGIN EC PRIVATE KEY-----\nDO-NOT-LEAK\n-----END EC PRIVATE KEY-----\n";
    for (algorithm, key, expected) in [
        (JwtAlgorithm::Rs256, "DO-NOT-LEAK", "RSA key in PEM, found text"),
        (JwtAlgorithm::Ps256, ec, "RSA key in PEM, found an elliptic"),
        (JwtAlgorithm::Es256, ec, "P-256 key in PKCS#8, as PEM"),
        (JwtAlgorithm::Es256, KEYS[1], "P-256 key in PKCS#8, as PEM"),
    ] {
        let failure = SigningKey::read(algorithm, key).err().unwrap();
        assert_eq!(failure.reason, Reason::Credential);
        assert!(failure.what.contains(expected) && !failure.what.contains("LEAK"), "{}", failure.what);
    }
}

/// `openssl x509 -in CERTIFICATE -outform DER | openssl dgst -sha256 -binary | basenc --base64url`.
#[test]
fn thumbprint_is_that_of_openssl() {
    let certificate = include_str!("../../native/files/test-certificate.pem");
    assert_eq!(thumbprint(certificate).unwrap(), "g8EqCPld7qwW3L7n8Jqbw2gIlMGgIYhMggPhym9tvqM");
    let failure = thumbprint("DO-NOT-LEAK").unwrap_err();
    assert!(failure.reason == Reason::Credential && !failure.what.contains("LEAK"), "{failure}");
}

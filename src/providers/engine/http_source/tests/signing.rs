//! Tokens that the exporter signs.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

/// A key made for these tests.
const KEY: &str = include_str!("../../github_app/test-key-pkcs8.pem");

const SIGNED: &str = "auth:
  jwt:
    key: '{credential}'
    header: {kid: k1}
    claims: {iss: ada, sub: 'ada.{key_sha256}', jti: '{random}', nbf: '{now}', aud: [x, '{url}'], level: 3}
    lifetime: 1h
  bearer: '{jwt}'
listings:
  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: b, kind: key, get: /b, rows: ., token: {id: .id, expires_at: .ends}}
";

const KEY_FILE: &str = "auth:
  credential: json
  jwt: {key: '{credential.private_key}', claims: {iss: '{credential.client_email}'}}
  login: {post: /login, form: {assertion: '{jwt}'}, token: .token, lifetime: .seconds}
  bearer: '{login}'
listings:
  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}
";

fn part(token: &str, number: usize) -> serde_json::Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn signed_token_is_sent_with_its_claims_and_reused() {
    let (origin, requests) = serve(|_| (200, "[]".into())).await;
    let source = source(SIGNED, &origin, Changing::new(KEY));
    let mut sent = Vec::new();
    for _ in 0..2 {
        assert!(collect(&*source, noon()).await.is_complete());
        sent.extend(requests.take().into_iter().map(|request| request.split("Bearer ").nth(1).unwrap().to_owned()));
    }
    sent.dedup();
    assert_eq!(sent.len(), 1, "one token for four requests");
    assert_eq!(part(&sent[0], 0), json!({"kid": "k1", "alg": "RS256", "typ": "JWT"}));
    let mut claims = part(&sent[0], 1);
    let random = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(random.as_str().unwrap().len(), 36);
    let (now, sub) = (noon().timestamp(), "ada.JdfXhgFfMuxV06sMneZnaZgeF+Kb0UrSCY+NGMbCOhI=");
    let expected = json!({
        "iss": "ada", "sub": sub, "nbf": now, "aud": ["x", origin], "level": 3, "iat": now, "exp": now + 3600,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn key_file_signs_the_assertion_of_a_login_which_is_requested_once() {
    let (origin, requests) = serve(|request| match request.starts_with("POST /login") {
        true => (200, r#"{"token": "t1", "seconds": 3600}"#.into()),
        false => (200, "[]".into()),
    })
    .await;
    let document = json!({"type": "service_account", "client_email": "ci@p.example", "private_key": KEY}).to_string();
    let source = source(KEY_FILE, &origin, Changing::new(document.leak()));
    assert!(collect(&*source, noon()).await.is_complete());
    let sent = requests.take();
    assert_eq!(sent[0], "GET /a Bearer t1");
    let assertion = sent[1].strip_prefix("POST /login  assertion=").unwrap();
    assert_eq!(part(assertion, 1)["iss"], "ci@p.example");
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take(), ["GET /a Bearer t1"]);
}

#[tokio::test]
async fn unusable_key_file_is_a_failure_that_does_not_quote_it() {
    let (origin, requests) = serve(|_| (200, "[]".into())).await;
    for (document, problem) in [
        ("DO-NOT-LEAK", "the credential is not a JSON document"),
        (r#"{"private_key": "DO-NOT-LEAK"}"#, "has no `client_email`"),
        (r#"{"private_key": 1, "client_email": "DO-NOT-LEAK"}"#, "has no `private_key`"),
        (r#"{"private_key": "DO-NOT-LEAK", "client_email": "a"}"#, "invalid private key; expected an RSA key in PEM"),
    ] {
        let outcome = collect(&*source(KEY_FILE, &origin, Changing::new(document)), noon()).await;
        let failure = &outcome.listings[0].gaps[0].failure;
        assert_eq!(failure.reason, Reason::Credential, "{document}");
        assert!(failure.what.contains(problem) && !failure.what.contains("LEAK"), "{failure}");
    }
    assert_eq!(requests.take(), Vec::<String>::new());
}

#[tokio::test]
async fn refused_assertion_is_signed_again_in_the_next_collection() {
    let (origin, requests) = serve(|_| (401, "{}".into())).await;
    let document = json!({"client_email": "ci@p.example", "private_key": KEY}).to_string();
    let source = source(KEY_FILE, &origin, Changing::new(document.leak()));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((gaps(&outcome), outcome.refusal), (vec!["all: unauthorized".to_owned()], None));
        assert_eq!(requests.take().len(), 1);
    }
}

//! Tokens that the exporter signs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

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
async fn signed_token_is_replaced_before_it_expires() {
    let (origin, requests) = serve(|_| (200, "[]".into())).await;
    let source = source(SIGNED, &origin, Changing::new(KEY));
    let mut ids = Vec::new();
    // It is valid for an hour, and used for 54 minutes.
    for minutes in [0, 53, 2] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(minutes * 60)).await;
        tokio::time::resume();
        assert!(collect(&*source, noon()).await.is_complete());
        let sent = requests.take();
        ids.push(part(sent[0].split("Bearer ").nth(1).unwrap(), 1)["jti"].clone());
    }
    assert_eq!((ids[0] == ids[1], ids[1] == ids[2]), (true, false));
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

/// The schemes that sign each request.
pub(super) const SIGNATURES: [&str; 3] = [
    "aws_sigv4: {service: iam, region: r, access_key_id: '{credential}', secret_access_key: '{credential}'}",
    "ovh_signature: {application_key: '{credential}', application_secret: '{credential}', consumer_key: '{credential}'}",
    "akamai_edgegrid: {client_token: '{credential}', client_secret: '{credential}', access_token: '{credential}'}",
];

#[tokio::test]
async fn retry_has_a_new_signature() {
    for scheme in SIGNATURES {
        let answered = Arc::new(AtomicUsize::new(0));
        let (origin, requests) = serve(move |_| match answered.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => (503, String::new()),
            _ => (200, r#"[{"id": 1, "ends": null}]"#.into()),
        })
        .await;
        let listing = "{name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}";
        let definition = format!("auth: {{{scheme}}}\nlistings:\n  - {listing}\n");
        // The clock moves on by a minute with each look.
        let minutes = AtomicI64::new(0);
        let clock: Clock = Arc::new(move || noon() + TimeDelta::minutes(minutes.fetch_add(1, Ordering::Relaxed)));
        let around = (Arc::default(), Arc::default());
        let source = connect_source(&definition, &origin, Changing::new("c"), around, (2, clock));
        assert_eq!(ids(&collect(&*source, noon()).await), ["1"], "{scheme}");
        let mut sent = requests.take();
        assert_eq!(sent.len(), 3, "{scheme}: {sent:?}");
        sent.dedup();
        assert_eq!(sent.len(), 3, "{scheme}: {sent:?}");
        let nonces: BTreeSet<&str> =
            sent.iter().filter_map(|line| line.split("nonce=").nth(1)?.split(';').next()).collect();
        assert_eq!(nonces.len(), if scheme.starts_with("akamai") { 3 } else { 0 }, "{sent:?}");
    }
}

#[tokio::test]
async fn redirect_is_signed_for_its_target() {
    let (origin, requests) = serve_responses(|request| {
        let response = Response::builder().header("content-type", "application/json");
        match request.starts_with("GET /a ") {
            true => (response.status(302).header("location", "/b"), String::new()),
            false => (response, "[]".into()),
        }
    })
    .await;
    let definition = |path: &str| {
        let listing = format!("{{name: a, kind: key, get: {path}, rows: ., token: {{id: .id, expires_at: .ends}}}}");
        format!("auth: {{{}}}\nlistings:\n  - {listing}\n", SIGNATURES[1])
    };
    for (path, requested) in [("/b", vec!["/b"]), ("/a", vec!["/a", "/b"])] {
        assert!(collect(&*source(&definition(path), &origin, Changing::new("c")), noon()).await.is_complete());
        let sent = requests.take();
        let paths: Vec<&str> = sent.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(paths, requested);
        let to_b = sent.last().unwrap().split(' ').nth(2).unwrap();
        // OVH's signature has no nonce, and the clock stands still: the signature of the same request is the same.
        let text = format!("c+c+GET+{origin}/b++{}", noon().timestamp());
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(to_b, format!("$1${hex}"), "{path}");
    }
}

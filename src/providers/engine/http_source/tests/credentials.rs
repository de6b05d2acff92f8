//! Refused passwords, logins, and what happens without a credential.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;
use crate::core::outcome::CredentialExpiry;

#[tokio::test]
async fn login_is_reused_and_renewed_once_when_rejected() {
    let logins = Arc::new(Mutex::new(0));
    let valid = Arc::new(Mutex::new("t1".to_owned()));
    let (count, accepted) = (logins.clone(), valid.clone());
    let (origin, requests) = serve(move |request| {
        if request.starts_with("POST /login") {
            let mut count = count.lock();
            *count += 1;
            return (201, format!(r#"{{"token": "t{count}", "seconds": 3600}}"#));
        }
        let is_valid = request.ends_with(&format!("Bearer {}", accepted.lock()));
        if is_valid { (200, "[]".into()) } else { (401, String::new()) }
    })
    .await;
    let credential = Changing::new("c");
    let source = source(LOGIN, &origin, credential.clone());
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take(), ["GET /a Bearer t1", "GET /b Bearer t1", "POST /login  secret=c"]);
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take(), ["GET /a Bearer t1", "GET /b Bearer t1"]);
    // The provider drops the session.
    *valid.lock() = "t2".into();
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(*logins.lock(), 2);
    // The provider rejects every session.
    *valid.lock() = "none".into();
    assert_eq!(gaps(&collect(&*source, noon()).await), ["/a: unauthorized", "/b: unauthorized"]);
    assert_eq!(*logins.lock(), 3);
    // A new credential needs a new login.
    requests.take();
    *valid.lock() = "t4".into();
    credential.set(Ok("d"));
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take().last().unwrap(), "POST /login  secret=d");
}

#[tokio::test]
async fn nothing_is_requested_without_a_credential_or_a_login() {
    let (origin, requests) = serve(|_| (400, r#"{"error": "invalid_client"}"#.into())).await;
    let credential = Changing::new("c");
    let source = source(LOGIN, &origin, credential.clone());
    let outcome = collect(&*source, noon()).await;
    assert_eq!(gaps(&outcome), ["all: unauthorized", "all: unauthorized"]);
    assert_eq!(requests.take(), ["POST /login  secret=c"]);
    assert_eq!(outcome.requests.get(&400), Some(&1));
    credential.set(Err(Failure::new(Reason::Credential, "/run/secrets/x: not found")));
    assert_eq!(gaps(&collect(&*source, noon()).await), ["all: credential", "all: credential"]);
    assert_eq!(requests.take(), Vec::<String>::new());
}

#[tokio::test]
async fn refused_password_is_sent_once_until_it_changes_or_an_hour_has_passed() {
    let valid = Arc::new(Mutex::new("YWRhOm5ldw=="));
    let accepted = valid.clone();
    let (origin, requests) = serve(move |request| match request.ends_with(*accepted.lock()) {
        true => (200, r#"[{"id": 1, "ends": null}]"#.into()),
        false => (401, r#"{"message": "no"}"#.into()),
    })
    .await;
    let credential = Changing::new("old");
    let source = source(PASSWORD, &origin, credential.clone());
    let first = collect(&*source, noon()).await;
    assert_eq!(refusals(&first), [(Reason::Unauthorized, Some("no"), None); 3]);
    assert_eq!(requests.take().len(), 1);
    let refusal = first.refusal.unwrap();

    let later = collect(&*source, noon() + TimeDelta::minutes(59)).await;
    assert_eq!(refusals(&later), [(Reason::Unauthorized, Some("no"), None); 3]);
    assert_eq!((requests.take(), later.requests.len(), later.refusal), (vec![], 0, Some(refusal)));
    assert_eq!(
        later.listings[0].gaps[0].failure.what,
        "no request sent: the provider refused this secret at 2026-11-23T12:00:00Z; replace it, or wait until \
         2026-11-23T13:00:00Z"
    );
    collect(&*source, noon() + TimeDelta::minutes(61)).await;
    assert_eq!(requests.take().len(), 1, "an hour has passed");
    collect(&*source, noon() + TimeDelta::minutes(90)).await;
    assert_eq!(requests.take().len(), 0, "refused again");

    credential.set(Ok("new"));
    let changed = collect(&*source, noon() + TimeDelta::minutes(91)).await;
    assert_eq!((ids(&changed).len(), changed.is_complete(), changed.refusal), (3, true, None));
    assert_eq!(requests.take().len(), 3);
    // The password is changed at the provider.
    *valid.lock() = "YWRhOm5ld2Vy";
    assert!(!collect(&*source, noon() + TimeDelta::minutes(92)).await.is_complete());
    assert_eq!(requests.take().len(), 1);
}

#[tokio::test]
async fn refusal_that_is_restored_stops_requests_until_the_secret_changes() {
    let (origin, requests) = serve(|_| (401, "{}".into())).await;
    let refusal = collect(&*source(PASSWORD, &origin, Changing::new("old")), noon()).await.refusal.unwrap();
    requests.take();
    let stored = serde_json::from_str(&serde_json::to_string(&refusal).unwrap()).unwrap();
    for (secret, minutes, sent) in [("old", 59, 0), ("old", 61, 1), ("new", 1, 1)] {
        let source = source(PASSWORD, &origin, Changing::new(secret));
        source.restore_refusal(stored);
        let outcome = collect(&*source, noon() + TimeDelta::minutes(minutes)).await;
        assert_eq!(gaps(&outcome).len(), 3, "{secret} {minutes}");
        assert_eq!(requests.take().len(), sent, "{secret} {minutes}");
    }
}

#[tokio::test]
async fn refused_password_of_several_sources_is_sent_once() {
    let (origin, requests) = serve(|_| (401, r#"{"message": "no"}"#.into())).await;
    let passwords = Arc::<SharedPasswords>::default();
    let with = |secret| source_with(PASSWORD, &origin, Changing::new(secret), Arc::clone(&passwords), Arc::default());
    let (first, second, other) = (with("old"), with("old"), with("another"));
    let outcomes = tokio::join!(collect(&*first, noon()), collect(&*second, noon()), collect(&*other, noon()));
    assert_eq!(requests.take().len(), 2, "one for each password");
    for outcome in [&outcomes.0, &outcomes.1, &outcomes.2] {
        assert_eq!(refusals(outcome), [(Reason::Unauthorized, Some("no"), None); 3]);
        assert!(outcome.refusal.is_some());
    }
    for (minutes, sent) in [(59, 0), (61, 1), (90, 0)] {
        for source in [&first, &second] {
            assert!(!collect(&**source, noon() + TimeDelta::minutes(minutes)).await.is_complete());
        }
        assert_eq!(requests.take().len(), sent, "{minutes}");
    }
}

#[tokio::test]
async fn later_401_concerns_its_scope_alone() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/b" => (401, r#"{"message": "not your project"}"#.into()),
        _ => (200, r#"[{"id": 1, "ends": null}]"#.into()),
    })
    .await;
    let source = source(PASSWORD, &origin, Changing::new("right"));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((gaps(&outcome), ids(&outcome).len()), (vec!["/b: unauthorized".to_owned()], 2));
        assert_eq!((requests.take().len(), outcome.refusal), (3, None));
    }
}

#[tokio::test]
async fn provider_that_is_down_does_not_refuse_the_password() {
    let (origin, requests) = serve(|_| (503, String::new())).await;
    let source = source(PASSWORD, &origin, Changing::new("right"));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((gaps(&outcome).len(), requests.take().len(), outcome.refusal), (3, 3, None));
    }
}

#[tokio::test]
async fn denied_login_stops_the_collection_and_its_reason_is_shown() {
    for status in [401, 403] {
        let (origin, requests) = serve_responses(move |request| {
            let denied = Response::builder().status(status).header("content-type", "text/html").header(
                "x-authentication-denied-reason",
                "CAPTCHA_CHALLENGE; login-url=https://jira.example.com/login.jsp",
            );
            match request.starts_with("GET /a ") {
                true => (Response::builder(), "[]".to_owned()),
                false => (denied, "<p>".to_owned()),
            }
        })
        .await;
        // Also after a login that succeeded: an administrator may lock the account at any time.
        let outcome = collect(&*source(PASSWORD, &origin, Changing::new("old")), noon()).await;
        let message = "X-Authentication-Denied-Reason: CAPTCHA_CHALLENGE; login-url=https://jira.example.com/login.jsp";
        let refused = refusals(&outcome);
        assert!(refused.contains(&(Reason::Unauthorized, Some(message), None)), "{status}: {refused:?}");
        assert!(outcome.refusal.is_some() && requests.take().len() >= 2, "{status}");
    }
}

#[tokio::test]
async fn login_with_a_refused_secret_is_not_repeated() {
    for (status, is_repeated) in [(400, false), (401, false), (403, true), (503, true)] {
        let (origin, requests) = serve(move |_| (status, "{}".into())).await;
        let source = source(LOGIN, &origin, Changing::new("c"));
        collect(&*source, noon()).await;
        assert_eq!(requests.take().len(), 1, "{status}");
        assert_eq!(gaps(&collect(&*source, noon()).await).len(), 2, "{status}");
        assert_eq!(requests.take().len(), usize::from(is_repeated), "{status}");
    }
}

#[tokio::test]
async fn refused_bearer_token_is_sent_again() {
    let (origin, requests) = serve(|_| (401, "{}".into())).await;
    let source = source(EACH, &origin, Changing::new("c"));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((refusals(&outcome), outcome.refusal), (vec![(Reason::Unauthorized, None, None)], None));
        assert_eq!(requests.take().len(), 1);
    }
}

#[tokio::test]
async fn own_credential_is_found_by_its_hint() {
    let definition = "auth: bearer
self: {listing: key, hint: '.hint | split(\"...\")[]'}
listings: [{name: key, kind: key, get: /keys, rows: ., token: {id: .hint, expires_at: .ends}}]
";
    let (origin, _) = serve(|_| {
        let rows = r#"[{"hint": "npm_aB...7890", "ends": "2027-03-01"}, {"hint": "npm_aB...0000", "ends": "2027-01-01"},
            {"hint": "npm_aB", "ends": "2027-02-01"}, {"hint": null, "ends": "2026-12-01"}]"#;
        (200, rows.into())
    })
    .await;
    let outcome = collect(&*source(definition, &origin, Changing::new("npm_aBxyz7890")), noon()).await;
    let end = Expiry::At(parse_timestamp("2027-02-01").unwrap());
    assert_eq!(outcome.credential_expiry, CredentialExpiry::Reported(end));
}

#[tokio::test]
async fn own_credential_states_its_expiry_unless_it_lives_for_days_only() {
    let definition = "auth: bearer
self: {jwt: '{credential}'}
listings: [{name: key, kind: key, get: /keys, rows: ., token: {id: .id, expires_at: .ends}}]
";
    let (origin, _) = serve(|_| (200, "[]".into())).await;
    let jwt = |claims: &str| Box::leak(format!("e30.{}.", BASE64_URL_SAFE_NO_PAD.encode(claims)).into_boxed_str());
    let end = |seconds| CredentialExpiry::Reported(Expiry::At(DateTime::from_timestamp(seconds, 0).unwrap()));
    for (claims, expected) in [
        (r#"{"iat": 1800000000, "exp": 1800604800}"#, end(1_800_604_800)),
        (r#"{"iat": 1800000000, "exp": 1800604799}"#, CredentialExpiry::Unstated),
        (r#"{"exp": 1800000000}"#, end(1_800_000_000)),
        (r#"{"iat": 1800000000}"#, CredentialExpiry::Reported(Expiry::Never)),
        ("no claims", CredentialExpiry::Unstated),
    ] {
        let outcome = collect(&*source(definition, &origin, Changing::new(jwt(claims))), noon()).await;
        assert_eq!(outcome.credential_expiry, expected, "{claims}");
    }
}

#[tokio::test]
async fn definition_that_would_publish_the_credential_is_refused() {
    let definition = |token: &str| {
        format!("auth: bearer\nlistings:\n  - {{name: key, kind: key, get: /keys, rows: ., token: {token}}}\n")
    };
    let rows = r#"[{"id": 1, "secret": "other-secret-01234", "ends": null}, {"id": 2, "secret": "glpat-0123456789", "ends": null}]"#;
    let (origin, requests) = serve(move |_| (200, rows.into())).await;
    for (token, field) in [
        ("{id: .secret, expires_at: .ends}", "id"),
        ("{id: .id, name: '\"key \\(.secret)\"', expires_at: .ends}", "name"),
        ("{id: '.secret | .[:12]', expires_at: .ends}", "id"),
    ] {
        let source = source(&definition(token), &origin, Changing::new("glpat-0123456789"));
        let outcome = collect(&*source, noon()).await;
        assert_eq!((ids(&outcome).len(), requests.take().len()), (0, 1), "{token}");
        let failure = &outcome.listings[0].gaps[0].failure;
        let start = format!("`token.{field}` of row 2 shows the credential");
        assert!(failure.reason == Reason::Credential && failure.what.starts_with(&start), "{failure}");
        assert!(!format!("{outcome:?}").contains("glpat-"), "{outcome:?}");
    }
    let hashed =
        source(&definition("{id: .secret | sha256, expires_at: .ends}"), &origin, Changing::new("glpat-0123456789"));
    assert_eq!(ids(&collect(&*hashed, noon()).await).len(), 2);
}

//! Further headers of a source: on which requests they are, and what a refusal of one means.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;

use super::*;
use crate::core::extra_headers::ExtraHeaders;
use crate::providers::{Candidate, KnownToken};
use crate::schema::diagnostic::Span;

/// The header with the secret value.
struct Gateway(Changing);

impl Credentials for Gateway {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(Credential([("X-Gateway-Key".to_owned(), self.0.read()?.0[""].clone())].into()))
    }

    fn parts(&self) -> Vec<String> {
        vec!["X-Gateway-Key".to_owned()]
    }
}

/// A source with a plain header and a secret one.
fn source_behind(definition: &str, origin: &str, credential: Changing, gateway: Changing) -> Box<dyn Source> {
    let change = |spec: &mut SourceSpec| {
        let plain = vec![("X-Team".to_owned(), "platform".to_owned())];
        spec.headers = ExtraHeaders { plain, secret: Arc::new(Gateway(gateway)) };
        spec.identify = definition.contains("identify:").then_some(Span::default());
    };
    let timing = (0, Arc::new(noon) as Clock);
    connect_spec(definition, origin, credential, (Arc::default(), Arc::default()), timing, change)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// A provider behind a gateway that accepts one key. Records each request as `path team key`.
async fn serve_behind(key: &'static str) -> (String, Requests) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let recorded = requests.clone();
    let router = Router::new().fallback(move |request: Request| {
        let text = |name: &str| {
            let value = request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_else(|| "-".to_owned())
        };
        let path = request.uri().path().to_owned();
        recorded.0.lock().push(format!("{path} {} {}", text("x-team"), text("x-gateway-key")));
        let is_accepted = text("x-gateway-key") == key;
        let echo = format!("no entry with {}", text("x-gateway-key"));
        async move {
            let body = match path.as_str() {
                _ if !is_accepted => return (StatusCode::UNAUTHORIZED, Json(json!({"message": echo}))).into_response(),
                "/moved" => return (StatusCode::FOUND, [("location", "/kept")]).into_response(),
                "/login" => json!({"token": "t", "seconds": 3600}),
                "/groups" => json!(["g"]),
                "/role" => json!({"ok": true}),
                "/self" => json!({"ends": "2027-01-01"}),
                "/me" => json!({"id": 7}),
                _ => json!([{"id": path, "ends": null}]),
            };
            Json(body).into_response()
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (origin, requests)
}

const ALL: &str = "auth:
  login: {post: /login, form: {secret: '{credential}'}, token: .token, lifetime: .seconds}
  bearer: '{login}'
self: {get: /self, expires_at: .ends}
identify: {prefix: s_, rest: '[a-z]+', get: /me, headers: {Authorization: 'Bearer {value}'}, id: .id, touches: nothing}
listings:
  - name: key
    kind: key
    require: {get: /role, that: .ok}
    for_each: {get: /groups, rows: ., as: group}
    get: /groups/{group}
    rows: .
    token: {id: .id, expires_at: .ends}
  - {name: moved, kind: key, get: /moved, rows: ., token: {id: .id, expires_at: .ends}}
";

#[tokio::test]
async fn every_request_has_the_headers() {
    let (origin, requests) = serve_behind("k1").await;
    let source = source_behind(ALL, &origin, Changing::new("c"), Changing::new("k1"));
    assert_eq!(ids(&collect(&*source, noon()).await), ["/groups/g", "/kept"]);
    let found = Candidate { number: 0, value: Secret::new("s_abc"), group: "ns".into() };
    let identified = source.identify(vec![found], noon(), Instant::now() + Duration::from_secs(5)).await;
    let expected = KnownToken { id: Some("7".into()), is_id_inside: false };
    assert_eq!(identified.tokens, [(0, expected)]);
    let paths = ["/groups", "/groups/g", "/kept", "/login", "/me", "/moved", "/role", "/self"];
    assert_eq!(requests.take(), paths.map(|path| format!("{path} platform k1")));
}

#[tokio::test]
async fn secret_header_is_read_at_each_collection() {
    let (origin, requests) = serve_behind("k2").await;
    let gateway = Changing::new("k1");
    let definition = "auth: bearer\nerror: .message\nlistings:\n  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}\n";
    let source = source_behind(definition, &origin, Changing::new("c"), gateway.clone());
    let outcome = collect(&*source, noon()).await;
    let failure = &outcome.listings[0].gaps[0].failure;
    assert_eq!((failure.reason, &failure.provider_message), (Reason::Unauthorized, &None), "it quotes the key");
    gateway.set(Err(Failure::new(Reason::Credential, "headers.X-Gateway-Key: /run/key is empty")));
    assert_eq!(gaps(&collect(&*source, noon()).await), ["all: credential"]);
    assert_eq!(requests.take(), ["/a platform k1"], "without the key no request is sent");
    gateway.set(Ok("k2"));
    assert_eq!(ids(&collect(&*source, noon()).await), ["/a"]);
    assert_eq!(requests.take(), ["/a platform k2"]);
}

#[tokio::test]
async fn password_that_a_gateway_refused_is_sent_again_when_the_header_changes() {
    let (origin, requests) = serve_behind("k2").await;
    let gateway = Changing::new("k1");
    let definition = "auth: {basic: {user: u, password: '{credential}'}}\nlistings:\n  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}\n";
    let source = source_behind(definition, &origin, Changing::new("c"), gateway.clone());
    for _ in 0..2 {
        assert_eq!(collect(&*source, noon()).await.listings[0].gaps.len(), 1);
    }
    assert_eq!(requests.take(), ["/a platform k1"], "a refused password is sent once");
    gateway.set(Ok("k2"));
    assert_eq!(ids(&collect(&*source, noon()).await), ["/a"]);
    assert_eq!(requests.take(), ["/a platform k2"]);
}

#[tokio::test]
async fn headers_are_sent_with_a_signature_that_does_not_cover_them() {
    for scheme in super::signing::SIGNATURES {
        let definition = format!(
            "auth: {{{scheme}}}\nlistings:\n  - {{name: a, kind: key, get: /a, rows: ., token: {{id: .id, expires_at: .ends}}}}\n"
        );
        let signed = |with_headers: bool| {
            let definition = definition.clone();
            async move {
                let (origin, requests) = serve(|_| (200, "[]".into())).await;
                let origin = origin.replace("127.0.0.1", "localhost");
                let source = match with_headers {
                    true => source_behind(&definition, &origin, Changing::new("c"), Changing::new("k1")),
                    false => source(&definition, &origin, Changing::new("c")),
                };
                assert!(collect(&*source, noon()).await.is_complete());
                requests.take().remove(0)
            }
        };
        let (with, without) = (signed(true).await, signed(false).await);
        let names =
            |line: &str| line.split("SignedHeaders=").nth(1).map(|rest| rest.split(',').next().unwrap().to_owned());
        assert_eq!(names(&with), names(&without), "{scheme}");
        assert!(with.len() > "GET /a ".len() + 20, "{scheme}: {with}");
        let (origin, requests) = serve_behind("k1").await;
        let source = source_behind(&definition, &origin, Changing::new("c"), Changing::new("k1"));
        assert_eq!(ids(&collect(&*source, noon()).await), ["/a"], "{scheme}");
        assert_eq!(requests.take(), ["/a platform k1"], "{scheme}");
    }
}

//! Atlassian Cloud against its specification: a Prism mock server checks every request of the exporter against
//! `tests/specs/atlassian-api-access.json` and responds with its examples. Prism is stateless, so a proxy of the test adds
//! paging, a 403 and a rate limit.

use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::test_servers::{Server, client, exporter, free_port, metrics, samples, tool, wait_for};

const PREFIX: &str = "/admin/api-access/v1";

/// Forwards each request to Prism and records it with Prism's status.
#[derive(Clone)]
struct Proxy {
    prism: String,
    received: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone, Debug)]
struct Received {
    path: String,
    query: Vec<(String, String)>,
    authorization: String,
    status: u16,
}

impl Proxy {
    async fn serve(prism: &Server) -> (Self, String) {
        let proxy = Self { prism: prism.url.clone(), received: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (proxy, url)
    }

    fn received(&self, path: &str) -> Vec<Received> {
        self.received.lock().unwrap().iter().filter(|request| request.path.ends_with(path)).cloned().collect()
    }
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let uri = request.uri().clone();
    let path = uri.path().strip_prefix(PREFIX).expect("the API's own path").to_owned();
    let authorization = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
    let query =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect::<Vec<_>>();
    let earlier = proxy.received(&path).len();
    // `Prefer` selects the status of Prism's response: https://github.com/stoplightio/prism/blob/master/docs/guides/01-mocking.md
    let is_forbidden = path.ends_with("/service-accounts/oauth-clients");
    let prefer = if is_forbidden { "code=403" } else { "code=200" };
    let url = format!("{}{path}?{}", proxy.prism, uri.query().unwrap_or_default());
    let response = client()
        .get(url)
        .header(header::AUTHORIZATION, &authorization)
        .header(header::ACCEPT, request.headers()[header::ACCEPT].clone())
        .header("Prefer", prefer)
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    proxy.received.lock().unwrap().push(Received { path: path.clone(), query, authorization, status });
    let mut body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    // Atlassian sends the reset of a rate limit in ISO 8601:
    // https://developer.atlassian.com/cloud/admin/api-access/rest/intro/
    if path.ends_with("/api-keys") && earlier == 0 {
        let reset = (Utc::now() + TimeDelta::milliseconds(200)).to_rfc3339_opts(SecondsFormat::Millis, true);
        let headers = [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", &reset)];
        let headers: HeaderMap = headers.into_iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        return (StatusCode::TOO_MANY_REQUESTS, headers, "{}").into_response();
    }
    if let Some(data) = body.get_mut("data").and_then(Value::as_array_mut) {
        // One row on each of two pages, which the cursor distinguishes; timestamps in ISO 8601, then in milliseconds.
        let second = uri.query().unwrap_or_default().contains("cursor=");
        data.truncate(1);
        data[0]["id"] = json!(if second { format!("{path}#2") } else { format!("{path}#1") });
        data[0]["expiresAt"] = if second { json!(1_800_000_000_000_i64) } else { json!("2027-01-10T08:00:00.000Z") };
        body["links"] = if second { json!({}) } else { json!({"self": "c0", "next": "c1==", "prev": null}) };
    }
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

#[tokio::test]
async fn every_request_conforms_to_atlassians_specification() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(tool("prism"));
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/specs/atlassian-api-access.json");
    command.args(["mock", "--errors", "-h", "127.0.0.1", "-p", &port.to_string(), spec]);
    let prism = Server::start("prism", command, dir.path(), port, "/orgs/o/service-accounts").await;
    let (proxy, url) = Proxy::serve(&prism).await;
    std::fs::write(dir.path().join("key"), "an-organization-key\n").unwrap();
    let config = format!(
        "sources: [{{name: atlassian, provider: atlassian-cloud, org_id: org-1, url: '{url}', credential: {{file: key}}}}]"
    );
    let exporter = exporter(dir.path(), &config, &[]).await;
    let text = wait_for("a collection", || async {
        let text = metrics(&exporter).await;
        (!samples(&text, "token_source_last_attempt_timestamp_seconds").is_empty()).then_some(text)
    })
    .await;

    let requests = proxy.received("");
    assert!(requests.iter().all(|request| request.authorization == "Bearer an-organization-key"), "{requests:?}");
    let wrong: Vec<_> = requests.iter().filter(|request| ![200, 403].contains(&request.status)).collect();
    assert!(wrong.is_empty(), "rejected by Prism: {wrong:?}");

    // The second page repeats every parameter of the first, and adds the cursor.
    for listing in ["/api-tokens", "/api-keys"] {
        let pages: Vec<_> = proxy.received(&format!("/orgs/org-1{listing}"));
        let [.., first, second] = &pages[..] else { panic!("{listing}: {pages:?}") };
        let (cursor, rest): (Vec<_>, Vec<_>) = second.query.iter().cloned().partition(|(name, _)| name == "cursor");
        assert_eq!(rest, first.query, "{listing}");
        assert_eq!(cursor, [("cursor".to_owned(), "c1==".to_owned())], "{listing}");
    }

    // Both pages of both paged listings, and the bare array of the service accounts.
    let expiries = samples(&text, "token_expiry_timestamp_seconds");
    let of = |kind: &str| {
        let expiries = expiries.iter().filter(|sample| sample.label("token_kind") == kind);
        let mut values: Vec<_> = expiries.map(|sample| sample.value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let both = [1_799_568_000.0, 1_800_000_000.0];
    assert_eq!(of("api-token"), both);
    assert_eq!(of("organization-api-key"), both);
    assert_eq!(of("service-account-token").len(), 1);

    // Only the listing with the 403 fails.
    let gaps: Vec<_> = samples(&text, "token_source_gaps").into_iter().filter(|gap| gap.value > 0.0).collect();
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.label("listing"), gap.label("reason")), ("service-account-clients", "forbidden"));
    assert_eq!(samples(&text, "token_source_up")[0].value, 0.0);

    // The exporter waited until the reset of the 429, and counted it.
    let limited = samples(&text, "token_source_requests_total").into_iter().find(|count| count.label("code") == "429");
    assert_eq!(limited.map(|count| count.value), Some(1.0));
}

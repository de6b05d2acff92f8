//! The pages and the server over real connections.

mod access;
mod api;
pub mod browser;
mod calendar;
pub mod certificates;
pub mod exporter;
mod limits;
mod listeners;
mod login;
mod pages;
mod renewal;
mod security_headers;
mod server;
mod shutdown;
mod tls;

use std::sync::atomic::Ordering;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use server::Server;
use token_expiry_exporter::core::rules::Rule;
use token_expiry_exporter::core::token::Owner;
use token_expiry_exporter::exposition::Labels;
use url::Url;

use crate::sample_inventory;

#[tokio::test]
async fn metrics_follow_accept_and_accept_encoding() {
    let server = Server::start().await;
    let plain = server.get("/metrics").await;
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.text.contains("\ntoken_expiry_exporter_build_info{"));

    let zipped = server.request(Method::GET, "/metrics", &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (zipped.header("content-encoding"), &*zipped.header("vary")),
        ("gzip".to_owned(), "Accept, Accept-Encoding")
    );
    assert!(zipped.unzipped().starts_with("# HELP token_expiry_timestamp_seconds "));

    let openmetrics =
        server.request(Method::GET, "/metrics", &[("accept", "application/openmetrics-text;version=1.0.0")]).await;
    assert_eq!(openmetrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(openmetrics.text.ends_with("\n# EOF\n"));
}

/// The targets of the links of a page, relative to its address.
fn link_targets(page: &str, address: &str) -> Vec<String> {
    let page_address = Url::parse(address).unwrap();
    let links = page.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    links.map(|link| page_address.join(link).unwrap().to_string()).filter(|link| link.contains("//proxy/")).collect()
}

#[tokio::test]
async fn links_of_the_status_page_stay_below_the_path_of_a_proxy() {
    let server = Server::start_with(None, |state| state.telemetry_path = "/my/metrics".parse().unwrap()).await;
    let page = server.get("/").await.text;
    let pages = ["my/metrics", "api/v1/tokens", "calendar.ics"];
    for below in ["http://proxy/", "http://proxy/tokens/", "http://proxy/a/b/"] {
        let expected = pages.map(|page| format!("{below}{page}"));
        let targets = link_targets(&page, below);
        assert!(targets.iter().all(|target| target.starts_with(below)), "{below}: {targets:?}");
        assert_eq!(targets[targets.len() - pages.len()..], expected, "{below}");
    }
    for page in pages {
        assert_eq!(server.get(&format!("/{page}")).await.status, StatusCode::OK, "{page}");
    }
}

#[tokio::test]
async fn every_path_is_served_with_and_without_the_route_prefix() {
    let server = Server::start_with(None, |state| state.route_prefix = "/a/tokens/".parse().unwrap()).await;
    server.state.ready.store(true, Ordering::Release);
    for path in ["/", "/metrics", "/api/v1/tokens?limit=1", "/calendar.ics", "/-/healthy", "/-/ready"] {
        let (plain, prefixed) = (server.get(path).await, server.get(&format!("/a/tokens{path}")).await);
        assert_eq!((plain.status, prefixed.status), (StatusCode::OK, StatusCode::OK), "{path}");
        assert_eq!(prefixed.header("content-type"), plain.header("content-type"), "{path}");
    }
    let page = server.get("/a/tokens").await;
    assert!(page.text.contains("<title>Token expiry</title>"), "the redirect to the prefix with a slash is followed");
    let page = server.get("/a/tokens/").await;
    for link in link_targets(&page.text, "http://proxy/a/tokens/") {
        let path = link.strip_prefix("http://proxy").unwrap().split('#').next().unwrap();
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{link}");
    }
    for path in ["/a/", "/tokens/metrics", "/a/tokens/nowhere"] {
        assert_eq!(server.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let rejected = server.request(Method::DELETE, "/a/tokens/metrics", &[]).await;
    assert_eq!(rejected.status, StatusCode::METHOD_NOT_ALLOWED);
    let metrics = server.get("/a/tokens/metrics").await.text;
    let counted = "token_expiry_exporter_http_requests_total{code=\"200\",path=\"/a/tokens/calendar.ics\"} 2\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn token_list_applies_filter_order_and_window() {
    let server = Server::start().await;
    let all = server.json("/api/v1/tokens").await;
    assert_eq!((&all["now"], &all["offset"], &all["limit"]), (&"2026-03-01T08:00:00Z".into(), &0.into(), &1000.into()));
    assert_eq!(all["total"].as_u64().unwrap() as usize, all["tokens"].as_array().unwrap().len());
    assert_eq!(all["tokens"][0]["id"], "p04", "the next to expire is first");

    for (query, ids) in [
        ("band=critical&source=gitlab", &["p10", "p03", "g\\1\""] as &[&str]),
        ("band=warning&band=expired", &["p04", "p02", "g2"]),
        ("state=replaced&state=disabled", &["p06", "p05"]),
        ("finding=no_owner", &["p12"]),
        ("owner=jane%20doe&source=vault", &["v1"]),
        ("provider=manual&limit=1&offset=1", &["m2"]),
        ("source=nowhere", &[]),
        ("team=PLATFORM&band=warning", &["p02", "g2"]),
        ("within=3d&state=active", &["p10", "p03"]),
        ("q=JANE%20crit&source=gitlab", &["p03"]),
        ("q=crit&q=warned", &["p03", "p02"]),
        ("q=platform+distant", &["p13"]),
        ("q=jane@example.com", &[]),
        ("source=small&sort=-expiry", &["m2", "m1"]),
        ("band=critical&band=warning&sort=name", &["g\\1\"", "p03", "p10", "p02", "g2"]),
        ("state=replaced&state=disabled&sort=-name&limit=1", &["p06"]),
        ("source=gitlab&sort=last_used&limit=2", &["p12", "p11"]),
        ("source=gitlab&sort=-last_used&limit=2", &["p11", "p12"]),
    ] {
        let found = server.json(&format!("/api/v1/tokens?{query}")).await;
        let found: Vec<_> =
            found["tokens"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap()).collect();
        assert_eq!(found, ids, "{query}");
    }
    let found = server.json("/api/v1/tokens?finding=lives_too_long&source=gitlab").await;
    let one = found["tokens"].as_array().unwrap().iter().find(|token| token["id"] == "p11").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(one).unwrap(), @r#"
    {
      "source": "gitlab",
      "provider": "gitlab",
      "listing": "personal",
      "id": "p11",
      "kind": "access-token",
      "name": "long and unused",
      "owner": {
        "id": "12",
        "name": "Jane Doe"
      },
      "state": "active",
      "expiry": "at",
      "expires_at": "2028-01-30T08:00:00Z",
      "band": null,
      "findings": [
        "lives_too_long",
        "unused"
      ],
      "created_at": "2024-01-01T00:00:00Z",
      "last_used": "2024-06-01T12:30:00Z",
      "scopes": [
        "api"
      ],
      "labels": {
        "team": "platform"
      },
      "manage_url": "https://gitlab.example.com/tokens/p11?tab=a&b=\"c\"",
      "warning_at": "2027-12-31T08:00:00Z",
      "critical_at": "2028-01-23T08:00:00Z",
      "locations": [],
      "renewal": {
        "steps": [
          "Who: the owner",
          "Where: \"Settings\" > Access tokens"
        ],
        "docs": "https://docs.example.com/tokens"
      }
    }
    "#);
}

#[tokio::test]
async fn invalid_query_is_an_error() {
    let server = Server::start().await;
    for (path, why) in [
        ("/api/v1/tokens?bnad=critical", "unknown parameter `bnad`; did you mean `band`?"),
        ("/api/v1/tokens?limit=x", "limit: `x` is not a whole number"),
        ("/api/v1/tokens?limit=10001", "limit: at most 10000; use `offset` for the rest"),
    ] {
        let rejected = server.get(path).await;
        assert_eq!(rejected.status, StatusCode::BAD_REQUEST);
        assert_eq!(serde_json::from_str::<Value>(&rejected.text).unwrap()["error"], why);
    }
    let rejected = server.get("/calendar.ics?limit=1").await;
    assert_eq!((rejected.status, &*rejected.text), (StatusCode::BAD_REQUEST, "unknown parameter `limit`\n"));
}

#[tokio::test]
async fn owner_address_is_exposed_only_if_configured() {
    let server = Server::start().await;
    for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics"] {
        assert!(!server.get(path).await.text.contains("jane@example.com"), "{path}");
    }
    assert_eq!(server.json("/api/v1/tokens?owner=jane@example.com").await["total"], 0, "nor can it be guessed");
    server.state.page.set_exposure(Labels { owner: false, owner_email: false });
    server.state.page.render().unwrap();
    for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics"] {
        assert!(!server.get(path).await.text.contains("Jane"), "{path}");
    }
    server.state.page.set_exposure(Labels { owner: true, owner_email: true });
    assert_eq!(
        server.json("/api/v1/tokens?owner=JANE@example.com&source=vault").await["tokens"][0]["owner"]["email"],
        "jane@example.com"
    );
}

#[tokio::test]
async fn address_in_the_name_of_an_owner_is_exposed_only_if_configured() {
    let server = Server::start_with(None, |state| {
        let (sources, rules) = sample_inventory::configuration();
        let owner = Owner { name: Some("Sam.Lee@example.com".into()), ..Owner::default() };
        let named = Rule { owner: Some(owner), ..Rule::default() };
        state
            .inventory
            .write()
            .set_policy(sources, rules.iter().cloned().chain([named]).collect::<std::sync::Arc<[_]>>());
        state.page.render().unwrap();
    })
    .await;
    for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics"] {
        let text = server.get(path).await.text;
        assert!(text.contains("Sam.Lee") && !text.contains("Sam.Lee@"), "{path}: {text}");
    }
    let total =
        async |owner: &str| server.json(&format!("/api/v1/tokens?owner={owner}&limit=1")).await["total"].clone();
    assert_eq!(total("sam.lee@example.com").await, 0, "nor can it be guessed");
    assert_ne!(total("sam.lee").await, 0);
    server.state.page.set_exposure(Labels { owner: true, owner_email: true });
    assert_ne!(total("sam.lee@example.com").await, 0);
}

#[tokio::test]
async fn calendar_has_one_event_per_future_expiry() {
    let server = Server::start().await;
    let calendar = server.get("/calendar.ics?source=gitlab").await;
    assert_eq!(calendar.header("content-type"), "text/calendar; charset=utf-8");
    let again = server.get("/calendar.ics?source=gitlab").await;
    assert_eq!(calendar.text, again.text, "identifiers are stable");
    let text = calendar.text.replace("\r\n ", "");
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.contains("DTSTART:20260304T080000Z\r\n") && text.contains("SUMMARY:critical expires\r\n"), "{text}");
    assert!(text.contains("URL:https://gitlab.example.com/tokens/p03?tab=a&b=%22c%22\r\n"), "{text}");
    assert!(text.contains(r"Owner: <b>O'Neil</b> & \\ "), "{text}");
    assert!(text.contains("SUMMARY:rotated is due for rotation\r\n"), "{text}");
    assert!(text.contains("SUMMARY:expired has expired\r\n"), "it stays as long as it alerts: {text}");
    assert!(text.contains("TRIGGER;VALUE=DATE-TIME:20260202T080000Z\r\n"), "the warning lead of p03: {text}");
    for absent in ["expired expires", "disabled expires", "distant", "javascript:", "SUMMARY:eternal"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    let one = server.get("/calendar.ics?source=vault").await.text;
    insta::assert_snapshot!(one.replace('\r', ""), @r#"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//token-expiry-exporter//EN
    CALSCALE:GREGORIAN
    NAME:Token expiry: source vault
    X-WR-CALNAME:Token expiry: source vault
    REFRESH-INTERVAL;VALUE=DURATION:PT3600S
    X-PUBLISHED-TTL:PT3600S
    BEGIN:VEVENT
    DESCRIPTION:access-token v1 at vault (vault)\nOwner: Jane Doe\nRenew at htt
     ps://gitlab.example.com/tokens/v1?tab=a&b=%22c%22\nAs of 2026-03-01T08:00:
     00Z
    DTSTAMP:20260301T080000Z
    DTSTART:20260410T080000Z
    SUMMARY:root expires
    TRANSP:TRANSPARENT
    UID:9fed2a87ba8b714cdf48c42fad5ca672@token-expiry-exporter
    URL:https://gitlab.example.com/tokens/v1?tab=a&b=%22c%22
    BEGIN:VALARM
    ACTION:DISPLAY
    DESCRIPTION:root expires
    DTSTAMP:20260301T080000Z
    TRIGGER;VALUE=DATE-TIME:20260311T080000Z
    UID:alarm-9fed2a87ba8b714cdf48c42fad5ca672@token-expiry-exporter
    END:VALARM
    END:VEVENT
    END:VCALENDAR
    "#);
}

#[tokio::test]
async fn ready_follows_the_state() {
    let server = Server::start().await;
    assert_eq!(server.get("/-/healthy").await.status, StatusCode::OK);
    let waiting = server.get("/-/ready").await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting.text, "not ready: some sources have not been collected yet\n");
    server.state.ready.store(true, Ordering::Release);
    assert_eq!(server.get("/-/ready").await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_are_unavailable_until_the_inventory_is_restored() {
    let server = Server::start_with(None, |state| {
        state.starting = true.into();
        state.route_prefix = "/prefix".parse().unwrap();
    })
    .await;
    server.state.ready.store(true, Ordering::Release);
    let paths = ["/", "/metrics", "/api/v1/tokens", "/calendar.ics"];
    let everywhere = paths.iter().flat_map(|path| [(*path).to_owned(), format!("/prefix{path}")]);
    for path in everywhere.clone() {
        let starting = server.get(&path).await;
        assert_eq!(starting.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(starting.header("retry-after"), "1", "{path}");
        assert_eq!(starting.text, "restoring the inventory; retry in a second\n", "{path}");
    }
    let reload = server.request(Method::POST, "/-/reload", &[]).await;
    assert_eq!(reload.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/-/healthy").await.status, StatusCode::OK);
    assert_eq!(server.get("/unknown").await.status, StatusCode::NOT_FOUND);
    let ready = server.get("/-/ready").await;
    assert_eq!((ready.status, &*ready.text), (StatusCode::SERVICE_UNAVAILABLE, "not ready: restoring the inventory\n"));
    server.state.starting.store(false, Ordering::Release);
    for path in everywhere.chain(["/-/ready".to_owned()]) {
        assert_eq!(server.get(&path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn reload_returns_its_result_and_needs_the_flag() {
    let mut server = Server::start().await;
    let mut reloads = server.reloads.take().unwrap();
    tokio::spawn(async move {
        let mut results = [Ok(()), Err("config.yaml:1:1: unknown key `x`".to_owned())].into_iter();
        while let Some(result) = reloads.recv().await {
            result.send(results.next().unwrap()).unwrap();
        }
    });
    let reload = || server.request(Method::POST, "/-/reload", &[]);
    assert_eq!(reload().await.text, "reloaded\n");
    let rejected = reload().await;
    assert_eq!(rejected.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        rejected.text,
        "reload failed; the previous configuration stays active:\nconfig.yaml:1:1: unknown key `x`\n"
    );
    assert_eq!(server.get("/-/reload").await.status, StatusCode::METHOD_NOT_ALLOWED);

    let disabled = Server::start_with(None, |state| state.reload = None).await;
    let rejected = disabled.request(Method::POST, "/-/reload", &[]).await;
    assert_eq!(rejected.status, StatusCode::FORBIDDEN);
    assert!(rejected.text.contains("--web.enable-lifecycle"), "{}", rejected.text);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_rejected_and_counted() {
    let server = Server::start_with(None, |state| state.telemetry_path = "/my/metrics".parse().unwrap()).await;
    let unknown = server.get("/metrics").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(
        unknown.text,
        "/metrics: not found; available: `/`, `/my/metrics`, `/api/v1/tokens` and `/calendar.ics`\n"
    );
    let method = server.request(Method::DELETE, "/", &[]).await;
    assert_eq!((method.status, &*method.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    for path in ["/", "/my/metrics", "/api/v1/tokens", "/calendar.ics", "/-/healthy", "/nowhere"] {
        let response = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(response.header(name), value, "{path}");
        }
    }
    assert_eq!(server.request(Method::HEAD, "/my/metrics", &[]).await.status, StatusCode::OK);
    let metrics = server.get("/my/metrics").await.text;
    assert!(
        metrics.contains("token_expiry_exporter_http_requests_total{code=\"404\",path=\"other\"} 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("token_expiry_exporter_http_requests_total{code=\"405\",path=\"/\"} 1\n"), "{metrics}");
}

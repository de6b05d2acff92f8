//! What people and programs see over HTTP, asked over real connections.

mod addresses;
pub mod certificates;
mod guard;
#[cfg(unix)]
mod limits;
mod login;
mod policy;
mod program;
mod renewal;
mod server;
#[cfg(unix)]
mod stopping;
mod tls;

use std::sync::atomic::Ordering;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use server::Server;
use token_expiry_exporter::exposition::Labels;

#[tokio::test]
async fn the_metrics_come_compressed_or_plain_and_in_the_format_that_is_asked_for() {
    let server = Server::start().await;
    let plain = server.get("/metrics").await;
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.text.contains("\ntoken_expiry_exporter_build_info{"));

    let zipped = server.ask(Method::GET, "/metrics", &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (zipped.header("content-encoding"), &*zipped.header("vary")),
        ("gzip".to_owned(), "Accept, Accept-Encoding")
    );
    assert!(zipped.unzipped().starts_with("# HELP token_expiry_timestamp_seconds "));

    let openmetrics =
        server.ask(Method::GET, "/metrics", &[("accept", "application/openmetrics-text;version=1.0.0")]).await;
    assert_eq!(openmetrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(openmetrics.text.ends_with("\n# EOF\n"));
}

#[tokio::test]
async fn the_status_page_shows_sources_gaps_and_ends_and_runs_nothing() {
    let server = Server::start().await;
    let page = server.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    for shown in [
        "<td>gitlab<td>gitlab<td class=\"good\">complete<td><time datetime=\"2026-03-01T07:59:00Z\" title=\"2026-03-01T07:59:00Z\">60 seconds ago</time>",
        "<td>vault<td>token<td class=\"bad\">forbidden<td class=\"number\">2<td class=\"number\">4</tr>",
        "<td>new &quot;one&quot;<td>cloudflare<td class=\"soft\">not yet<td><span class=\"soft\">never</span>",
        "title=\"2026-03-04T08:00:00Z\">in 3 days</time><td>critical<td>Jane Doe<td>access-token<td>gitlab<td class=\"critical\">critical<td><a href=\"https://gitlab.example.com/tokens/p03?tab=a&amp;b=",
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
        "&lt;b&gt;O&#39;Neil&lt;/b&gt; &amp; \\ &quot;co&quot;",
    ] {
        assert!(page.text.contains(shown), "{shown}\n\n{}", page.text);
    }
    assert!(!page.text.contains("<script") && !page.text.contains("javascript:"));
    assert!(!page.text.contains("<td>disabled<td>"), "what nobody need renew is not among the ends");
}

#[tokio::test]
async fn the_list_is_filtered_ordered_and_cut() {
    let server = Server::start().await;
    let all = server.json("/api/v1/tokens").await;
    assert_eq!((&all["now"], &all["offset"], &all["limit"]), (&"2026-03-01T08:00:00Z".into(), &0.into(), &1000.into()));
    assert_eq!(all["total"].as_u64().unwrap() as usize, all["tokens"].as_array().unwrap().len());
    assert_eq!(all["tokens"][0]["id"], "p04", "the soonest to end is first");

    for (query, ids) in [
        ("band=critical&source=gitlab", &["p10", "p03", "g\\1\""] as &[&str]),
        ("band=warning&band=expired", &["p04", "p02", "g2"]),
        ("state=replaced&state=disabled", &["p06", "p05"]),
        ("finding=no_owner", &["p12"]),
        ("owner=jane%20doe&source=vault", &["v1"]),
        ("provider=manual&limit=1&offset=1", &["m2"]),
        ("source=nowhere", &[]),
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
      "manage_url": "https://gitlab.example.com/tokens/p11?tab=a&b=\"c\""
    }
    "#);
}

#[tokio::test]
async fn a_mistake_in_a_query_is_told() {
    let server = Server::start().await;
    for (path, why) in [
        ("/api/v1/tokens?bnad=critical", "unknown parameter `bnad`; did you mean `band`?"),
        ("/api/v1/tokens?limit=x", "limit: `x` is no whole number"),
        ("/api/v1/tokens?limit=10001", "limit: at most 10000; ask again with `offset` for the rest"),
    ] {
        let refused = server.get(path).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(serde_json::from_str::<Value>(&refused.text).unwrap()["error"], why);
    }
    let refused = server.get("/calendar.ics?limit=1").await;
    assert_eq!((refused.status, &*refused.text), (StatusCode::BAD_REQUEST, "unknown parameter `limit`\n"));
}

#[tokio::test]
async fn an_address_is_shown_only_where_the_configuration_allows_it() {
    let server = Server::start().await;
    for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics"] {
        assert!(!server.get(path).await.text.contains("jane@example.com"), "{path}");
    }
    assert_eq!(server.json("/api/v1/tokens?owner=jane@example.com").await["total"], 0, "nor can it be guessed");
    server.surface.page.set_labels(Labels { owner: false, owner_email: false });
    server.surface.page.render().unwrap();
    for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics"] {
        assert!(!server.get(path).await.text.contains("Jane"), "{path}");
    }
    server.surface.page.set_labels(Labels { owner: true, owner_email: true });
    assert_eq!(
        server.json("/api/v1/tokens?owner=JANE@example.com&source=vault").await["tokens"][0]["owner"]["email"],
        "jane@example.com"
    );
}

#[tokio::test]
async fn the_calendar_has_one_event_for_each_end_to_come() {
    let server = Server::start().await;
    let calendar = server.get("/calendar.ics?source=gitlab").await;
    assert_eq!(calendar.header("content-type"), "text/calendar; charset=utf-8");
    let again = server.get("/calendar.ics?source=gitlab").await;
    assert_eq!(calendar.text, again.text, "the identifiers stay");
    let text = calendar.text.replace("\r\n ", "");
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.contains("DTSTART:20260304T080000Z\r\n") && text.contains("SUMMARY:critical expires\r\n"), "{text}");
    assert!(text.contains("URL:https://gitlab.example.com/tokens/p03?tab=a&b=%22c%22\r\n"), "{text}");
    assert!(text.contains(r"Owner: <b>O'Neil</b> & \\ "), "{text}");
    assert!(text.contains("SUMMARY:rotated is to be renewed\r\n"), "{text}");
    for absent in ["expired expires", "disabled expires", "distant", "javascript:", "SUMMARY:eternal"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    let one = server.get("/calendar.ics?source=vault").await.text;
    insta::assert_snapshot!(one.replace('\r', ""), @r#"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//token-expiry-exporter//EN
    CALSCALE:GREGORIAN
    NAME:Token expiry
    X-WR-CALNAME:Token expiry
    BEGIN:VEVENT
    DESCRIPTION:access-token v1 at vault (vault)\nOwner: Jane Doe\nRenew it at 
     https://gitlab.example.com/tokens/v1?tab=a&b=%22c%22\nAs listed on 2026-03
     -01T08:00:00Z
    DTSTAMP:20260301T080000Z
    DTSTART:20260410T080000Z
    SUMMARY:root expires
    TRANSP:TRANSPARENT
    UID:983c4d718cb6305c895c065f2f82685d@token-expiry-exporter
    URL:https://gitlab.example.com/tokens/v1?tab=a&b=%22c%22
    END:VEVENT
    END:VCALENDAR
    "#);
}

#[tokio::test]
async fn health_and_readiness() {
    let server = Server::start().await;
    assert_eq!(server.get("/-/healthy").await.status, StatusCode::OK);
    let waiting = server.get("/-/ready").await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting.text, "not ready: no collection has ended yet, and no inventory was restored\n");
    server.surface.ready.store(true, Ordering::Release);
    assert_eq!(server.get("/-/ready").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reload_tells_its_result_and_needs_the_flag() {
    let mut server = Server::start().await;
    let mut reloads = server.reloads.take().unwrap();
    tokio::spawn(async move {
        let mut results = [Ok(()), Err("config.yaml:1:1: unknown key `x`".to_owned())].into_iter();
        while let Some(tell) = reloads.recv().await {
            tell.send(results.next().unwrap()).unwrap();
        }
    });
    let reload = || server.ask(Method::POST, "/-/reload", &[]);
    assert_eq!(reload().await.text, "reloaded\n");
    let refused = reload().await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        refused.text,
        "not reloaded, the configuration of before still runs:\nconfig.yaml:1:1: unknown key `x`\n"
    );
    assert_eq!(server.get("/-/reload").await.status, StatusCode::METHOD_NOT_ALLOWED);

    let closed = Server::start_with(|surface| surface.reload = None).await;
    let refused = closed.ask(Method::POST, "/-/reload", &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("--web.enable-lifecycle"), "{}", refused.text);
}

#[tokio::test]
async fn unknown_paths_and_methods_and_the_headers_of_every_answer() {
    let server = Server::start_with(|surface| surface.telemetry_path = "/my/metrics".parse().unwrap()).await;
    let unknown = server.get("/metrics").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(
        unknown.text,
        "/metrics: nothing is here; there are `/`, `/my/metrics`, `/api/v1/tokens` and `/calendar.ics`\n"
    );
    let method = server.ask(Method::DELETE, "/", &[]).await;
    assert_eq!((method.status, &*method.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    for path in ["/", "/my/metrics", "/api/v1/tokens", "/calendar.ics", "/-/healthy", "/nowhere"] {
        let answer = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
    }
    assert_eq!(server.ask(Method::HEAD, "/my/metrics", &[]).await.status, StatusCode::OK);
    let metrics = server.get("/my/metrics").await.text;
    assert!(
        metrics.contains("token_expiry_exporter_http_requests_total{code=\"404\",path=\"other\"} 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("token_expiry_exporter_http_requests_total{code=\"405\",path=\"/\"} 1\n"), "{metrics}");
}

//! The headers of every response, and requests that a browser cannot be made to send.

use reqwest::{Method, StatusCode};

use super::exporter::{Exporter, Start, exchange, sample};

async fn with_user() -> Exporter {
    let hash = bcrypt::hash("secret", 4).unwrap();
    Start::new()
        .arg("--web.enable-lifecycle")
        .web_config(&format!("basic_auth_users: {{jane: '{hash}'}}\n"))
        .run()
        .await
}

/// The status line and the headers, in lower case, and the body.
async fn request(exporter: &Exporter, method: &str, path: &str, more: &str) -> (u16, String, String) {
    // jane:secret
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic amFuZTpzZWNyZXQ=\r\nConnection: close\r\n{more}\r\n"
    );
    let response = exchange(exporter.address(), &request).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {response}"));
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let exporter = with_user().await;
    let large = format!("X: {}\r\n", "x".repeat(17 * 1_024));
    let many = "X: x\r\n".repeat(101);
    for (method, path, more, status) in [
        ("GET", "/", "", 200),
        ("GET", "/metrics", "", 200),
        ("GET", "/metrics", "Accept-Encoding: gzip\r\n", 200),
        ("GET", "/api/v1/tokens", "", 200),
        ("GET", "/api/v1/tokens?bnad=x", "", 400),
        ("GET", "/calendar.ics", "", 200),
        ("GET", "/owner", "", 200),
        ("GET", "/token/x/y", "", 404),
        ("GET", "/-/healthy", "", 200),
        ("GET", "/nowhere", "", 404),
        ("DELETE", "/", "", 405),
        ("HEAD", "/metrics", "", 200),
        ("HEAD", "/", "", 200),
        ("OPTIONS", "/api/v1/tokens", "Origin: https://x.example\r\nAccess-Control-Request-Method: GET\r\n", 204),
        ("TRACE", "/", "", 405),
        ("POST", "/-/reload", "", 200),
        ("POST", "/-/reload", "Origin: https://x.example\r\n", 403),
        ("POST", "/-/reload", "Content-Length: 1\r\n", 413),
        ("GET", "/", "Authorization: Basic eA==\r\n", 200),
        ("GET", "/", &large, 431),
        ("GET", "/", &many, 431),
    ] {
        let (found, head, body) = request(&exporter, method, path, more).await;
        assert_eq!(found, status, "{method} {path}: {head}");
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "; script-src 'sha256-",
            "; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n",
            "x-content-type-options: nosniff\r\n",
            "x-frame-options: deny\r\n",
            "referrer-policy: no-referrer\r\n",
            "cache-control: no-store\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
            "cross-origin-opener-policy: same-origin\r\n",
        ] {
            assert!(head.contains(header), "{method} {path}: {header}\n{head}");
        }
        assert!(!head.contains("access-control-"), "{method} {path}: {head}");
        assert_eq!(body.is_empty(), ["HEAD", "OPTIONS"].contains(&method), "{method} {path}: {body}");
    }
    let anonymous = exchange(exporter.address(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(anonymous.starts_with("HTTP/1.1 401"), "{anonymous}");
    assert!(anonymous.contains("content-security-policy: default-src 'none'") && anonymous.contains("no-store"));
    let (_, _, metrics) = request(&exporter, "GET", "/metrics", "").await;
    for (path, code, count) in [("/", 401, 1), ("/", 431, 2), ("/-/reload", 413, 1), ("/-/reload", 403, 1)] {
        let name = format!("http_requests_total{{code=\"{code}\",path=\"{path}\"}}");
        assert_eq!(sample(&metrics, &name), count, "{name}");
    }
}

#[tokio::test]
async fn head_has_the_length_of_get_and_options_the_methods() {
    let exporter = with_user().await;
    let length = |head: &str| head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok();
    for path in ["/api/v1/tokens", "/calendar.ics", "/-/healthy"] {
        let (_, head, _) = request(&exporter, "HEAD", path, "").await;
        let (_, _, body) = request(&exporter, "GET", path, "").await;
        assert_eq!(length(&head), Some(body.len()), "{path}: {head}");
    }
    for (path, allow) in [("/metrics", "allow: get,head\r\n"), ("/-/reload", "allow: post,put\r\n")] {
        let (_, head, _) = request(&exporter, "OPTIONS", path, "").await;
        assert!(head.contains(allow), "{path}: {head}");
    }
}

#[tokio::test]
async fn reload_from_a_web_page_is_rejected() {
    let exporter = with_user().await;
    for (headers, status) in [
        ("", 200),
        ("Content-Length: 0\r\n", 200),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        // The host name of a foreign page may resolve to this address; then it is the same origin.
        ("Origin: http://x\r\nSec-Fetch-Site: same-origin\r\n", 403),
    ] {
        for method in ["POST", "PUT"] {
            let (found, _, body) = request(&exporter, method, "/-/reload", headers).await;
            assert_eq!(found, status, "{method} {headers}: {body}");
        }
    }
    assert_eq!(request(&exporter, "GET", "/-/reload", "").await.0, 405);
    let reloads = exporter.stop().matches("configuration reloaded").count();
    assert_eq!(reloads, 4, "those with status 200");
}

#[tokio::test]
async fn web_configuration_overrides_headers() {
    let exporter = Start::new()
        .web_config("http_server_config: {headers: {Content-Security-Policy: \"default-src 'self'\", X-Frame-Options: sameorigin, X-XSS-Protection: '1', Strict-Transport-Security: max-age=60, X-Content-Type-Options: nosniff}}\n")
        .run()
        .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (method, path, status) in [
        (Method::GET, "/", StatusCode::OK),
        (Method::GET, "/x", StatusCode::NOT_FOUND),
        (Method::PUT, "/", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let response = client.request(method, format!("http://{}{path}", exporter.address())).send().await.unwrap();
        assert_eq!(response.status(), status);
        for (name, value) in [
            ("content-security-policy", "default-src 'self'"),
            ("x-frame-options", "sameorigin"),
            ("x-xss-protection", "1"),
            ("strict-transport-security", "max-age=60"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(response.headers().get_all(name).iter().collect::<Vec<_>>(), [value], "{path}: {name}");
        }
    }
}

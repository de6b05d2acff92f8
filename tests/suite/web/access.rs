//! `--web.config.file`: its errors, users, headers and rate limit.

use std::path::Path;

use reqwest::{Client, StatusCode};
use token_expiry_exporter::server::access::AccessControl;

use super::certificates::Authority;
use super::server::{Response, Server, install_crypto_provider};

/// A web configuration in a directory of its own.
fn configured(content: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("web.yaml"), content).unwrap();
    directory
}

async fn start(directory: &Path) -> Server {
    install_crypto_provider();
    let access = AccessControl::open(directory.join("web.yaml")).unwrap_or_else(|errors| panic!("{errors}"));
    Server::start_with(Some(access), |_| {}).await
}

fn errors(content: &str) -> String {
    let directory = configured(content);
    let errors = AccessControl::open(directory.path().join("web.yaml")).err().expect("errors").to_string();
    errors.replace(&directory.path().display().to_string(), "DIR")
}

fn users(password: &str) -> String {
    format!("basic_auth_users: {{jane: '{}'}}\n", bcrypt::hash(password, 4).unwrap())
}

async fn as_user(server: &Server, path: &str, user: &str, password: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("http://{}{path}", server.address)).basic_auth(user, Some(password));
    Response::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_path_requires_a_password() {
    let directory = configured(&users("secret"));
    let server = start(directory.path()).await;
    for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics", "/-/healthy", "/nowhere"] {
        let rejected = server.get(path).await;
        assert_eq!(
            (rejected.status, &*rejected.header("www-authenticate")),
            (StatusCode::UNAUTHORIZED, "Basic"),
            "{path}"
        );
        assert!(!rejected.text.contains("Jane"), "{path}");
        assert_eq!(as_user(&server, path, "jane", "wrong").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(as_user(&server, "/-/healthy", "john", "secret").await.status, StatusCode::UNAUTHORIZED);
    let metrics = as_user(&server, "/metrics", "jane", "secret").await;
    assert_eq!(metrics.status, StatusCode::OK);
    assert!(metrics.text.contains("http_requests_total{code=\"401\",path=\"/metrics\"} 2\n"), "rejections are counted");
}

#[tokio::test]
async fn headers_and_rate_limit_apply() {
    let directory = configured(
        "http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=60, X-XSS-Protection: ''}}\n\
         rate_limit: {interval: 1h, burst: 2}\n",
    );
    let server = start(directory.path()).await;
    let response = server.get("/-/healthy").await;
    assert_eq!(response.header("x-frame-options"), "sameorigin");
    assert_eq!(response.header("strict-transport-security"), "max-age=60");
    assert_eq!(response.header("x-xss-protection"), "");
    assert_eq!(server.get("/-/healthy").await.status, StatusCode::OK);
    assert_eq!(server.get("/-/healthy").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[test]
fn errors_have_a_position_and_show_no_line() {
    insta::assert_snapshot!(errors("basic_auth_users: {jane: plain-text}\ntls_server_confg: {}\n"), @r#"
    DIR/web.yaml:1:26: basic_auth_users.jane: not a bcrypt hash; create one with `htpasswd -nBC 10 "" | tr -d ':\n'`

    DIR/web.yaml:2:1: unknown key `tls_server_confg`; did you mean `tls_server_config`?
    "#);
    insta::assert_snapshot!(errors("tls_server_config: {cert_file: a, cert: b, min_version: TLS11, client_auth_type: RequireAndVerify}\n"), @"
    DIR/web.yaml:1:21: tls_server_config: `key_file` or `key` is missing

    DIR/web.yaml:1:32: tls_server_config: set either `cert` or `cert_file`, not both

    DIR/web.yaml:1:57: tls_server_config.min_version: TLS 1.0 and 1.1 are insecure and not supported; use `TLS12` or `TLS13`

    DIR/web.yaml:1:82: tls_server_config.client_auth_type: unknown value `RequireAndVerify`; expected `NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `RequireClientCert`, `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`
    ");
    insta::assert_snapshot!(errors("tls_server_config: {cert_file: a.pem, key_file: a.key}\n"), @r#"
    DIR/web.yaml: DIR/a.pem cannot be read: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(errors("tls_server_config: {cert: x, key: y, client_ca: z, client_allowed_sans: [a]}\n"), @"
    DIR/web.yaml:1:21: tls_server_config: with a client CA, `client_auth_type` must request a certificate

    DIR/web.yaml:1:21: tls_server_config: `client_allowed_sans` needs `client_auth_type` `RequireAndVerifyClientCert` or `RequireAnyClientCert`
    ");
    insta::assert_snapshot!(errors("http_server_config: {headers: {X-Frame: deny, X-Frame-Options: never}, http2: maybe}\nrate_limit: {interval: 1s}\n"), @"
    DIR/web.yaml:1:32: http_server_config.headers: `X-Frame` cannot be set; did you mean `X-Frame-Options`?

    DIR/web.yaml:1:64: http_server_config.headers.X-Frame-Options: expected `deny` or `sameorigin`

    DIR/web.yaml:1:79: http_server_config.http2: expected `true` or `false`, found a string

    DIR/web.yaml:2:13: rate_limit: without `burst` every request would be rejected
    ");
    insta::assert_snapshot!(errors("basic_auth_users: {jane: '$2y$10$secret\n"), @r#"
    DIR/web.yaml:1:26: this quote is never closed
    "#);
}

#[test]
fn unsupported_tls_settings_are_errors() {
    install_crypto_provider();
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let (_, other_key) = authority.issue("localhost");
    let with = |more: &str, key: &str| {
        let directory =
            configured(&format!("tls_server_config: {{cert_file: server.pem, key_file: server.key{more}}}\n"));
        std::fs::write(directory.path().join("server.pem"), &certificate).unwrap();
        std::fs::write(directory.path().join("server.key"), key).unwrap();
        let opened = AccessControl::open(directory.path().join("web.yaml"));
        opened.err().map(|errors| errors.to_string().replace(&directory.path().display().to_string(), "DIR"))
    };
    assert_eq!(with("", &key), None);
    assert_eq!(
        with(", cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], curve_preferences: [CurveP256]", &key),
        None
    );
    assert_eq!(with(", min_version: TLS13, prefer_server_cipher_suites: false", &key), None);
    insta::assert_snapshot!(with("", &other_key).unwrap(), @r#"
    DIR/web.yaml: tls_server_config: unusable certificate or key: keys may not be consistent: KeyMismatch
    "#);
    insta::assert_snapshot!(with("", "no key").unwrap(), @r#"
    DIR/web.yaml: tls_server_config: the key is not an unencrypted private key in PEM; found text without a PEM block
    "#);
    insta::assert_snapshot!(with(", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", &key).unwrap(), @r#"
    DIR/web.yaml: tls_server_config.cipher_suites: `TLS_RSA_WITH_RC4_128_SHA` is not supported; expected one of TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    "#);
    insta::assert_snapshot!(with(", curve_preferences: [CurveP521]", &key).unwrap(), @r#"
    DIR/web.yaml: tls_server_config.curve_preferences: `CurveP521` is not supported; expected one of X25519, CurveP256, CurveP384
    "#);
}

//! Keys that AWS issues: by STS of moto for a web identity, and by stand-ins for the services of EKS and EC2.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_server::tls_rustls::RustlsConfig;
use chrono::{SecondsFormat, TimeDelta, Utc};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::docs::repository;

const STS: (&str, &str) = ("sts", "2011-06-15");

/// Requests of the exporter to a stand-in: method, path, and the header with the token.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<String>>>);

impl Received {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Starts a stand-in. Returns its URL.
async fn serve(respond: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let recorded = received.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (recorded, respond) = (recorded.clone(), respond.clone());
        async move {
            let headers = request.headers();
            let names = ["authorization", "x-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds"];
            let token = names.iter().find_map(|name| headers.get(*name)).map(|value| value.to_str().unwrap());
            let line = format!("{} {} {}", request.method(), request.uri().path(), token.unwrap_or("-"));
            recorded.0.lock().unwrap().push(line.clone());
            respond(&line)
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

/// STS of moto behind TLS. Returns the URL, and the file of the CA.
async fn https(dir: &Path, moto: &Moto) -> (String, PathBuf) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let file = dir.join("ca.pem");
    std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(config))).unwrap();
    let moto = moto.0.url.clone();
    let router = Router::new().fallback(move |request: Request| {
        // STS reads parameters in the query too; moto finds the service of a request without a signature only in the body.
        let query = request.uri().query().unwrap_or_default().to_owned();
        let forwarded = client().post(&moto).header("Content-Type", "application/x-www-form-urlencoded").body(query);
        async move {
            let response = forwarded.send().await.unwrap();
            (response.status(), response.text().await.unwrap())
        }
    });
    tokio::spawn(server.serve(router.into_make_service()));
    (url, file)
}

/// A role with the documented policy, and a user with a key. Returns the role and the key's id.
async fn role_and_key(moto: &Moto) -> (String, String) {
    let trust = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let role = moto.call("CreateRole", &[("RoleName", "exporter"), ("AssumeRolePolicyDocument", trust)]).await;
    let policy = catalogue().get("aws").unwrap().permission.clone().unwrap();
    moto.call("PutRolePolicy", &[("RoleName", "exporter"), ("PolicyName", "p"), ("PolicyDocument", &policy)]).await;
    moto.call("CreateUser", &[("UserName", "ada")]).await;
    (element(&role, "Arn"), moto.create_key("ada").await.0)
}

/// The keys that a role is issued, in the form of the metadata services
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>,
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>).
async fn issued(moto: &Moto, role: &str) -> Value {
    let keys = moto.call_service(STS, "AssumeRole", &[("RoleArn", role), ("RoleSessionName", "s")]).await;
    let now = Utc::now();
    json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "AccessKeyId": element(&keys, "AccessKeyId"), "SecretAccessKey": element(&keys, "SecretAccessKey"),
        "Token": element(&keys, "SessionToken"),
        "Expiration": (now + TimeDelta::hours(6)).to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

fn json_response(value: &Value) -> Response {
    axum::Json(value.clone()).into_response()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const LISTINGS: &str = "listings: [access-key]";

#[tokio::test(flavor = "multi_thread")]
async fn web_identity_is_exchanged_for_keys() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await;
    let (role, key) = role_and_key(&moto).await;
    let (sts, ca) = https(dir.path(), &moto).await;
    let token = dir.path().join("token");
    std::fs::write(&token, "DO-NOT-LEAK.of.kubernetes").unwrap();
    let environment = |sts: &str, ca: &Path| {
        [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
            ("AWS_ROLE_ARN", role.clone()),
            ("AWS_ENDPOINT_URL_STS", sts.to_owned()),
            ("SSL_CERT_FILE", ca.display().to_string()),
            // A variable without a value is not set.
            ("AWS_ACCESS_KEY_ID", String::new()),
        ]
    };
    let list = |environment: &[(&str, String)]| {
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        moto.list(dir.path(), LISTINGS, &environment)
    };
    // moto loads a service with the first request to it.
    issued(&moto, &role).await;
    // STS checks the token, not a signature.
    moto.check_requests_after(1).await;
    let listed = list(&environment(&sts, &ca));
    assert_eq!(keys(&listed), [(key, "ada".to_owned(), false)], "{}", stderr(&listed));

    // Without TLS the token is not sent.
    let (plain, received) = serve(|_| json_response(&json!({}))).await;
    for unreachable in [plain.as_str(), "https://127.0.0.1:1"] {
        let failed = list(&environment(unreachable, &ca));
        let problem = stderr(&failed);
        assert!(
            problem.contains("STS issued no AWS credentials for the web identity; check AWS_ROLE_ARN"),
            "{problem}"
        );
        assert!(keys(&failed).is_empty() && !problem.contains("DO-NOT-LEAK"), "{problem}");
    }
    assert_eq!(received.all(), Vec::<String>::new());
    // The certificate is verified.
    let failed = list(&environment(&sts, &token));
    assert!(stderr(&failed).contains("STS issued no AWS credentials"), "{}", stderr(&failed));
    let incomplete = list(&environment(&sts, &ca)[..1]);
    assert!(
        stderr(&incomplete).contains("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN"),
        "{}",
        stderr(&incomplete)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_and_machine_are_issued_keys_and_no_redirect_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await;
    let (role, key) = role_and_key(&moto).await;
    let issued = issued(&moto, &role).await;
    moto.check_requests_after(0).await;
    let expected = [(key, "ada".to_owned(), false)];
    let file = dir.path().join("pod-token");
    std::fs::write(&file, "DO-NOT-LEAK-pod").unwrap();
    let file = file.display().to_string();
    let pod = |url: &str| {
        let url = format!("{url}/v1/credentials");
        let environment =
            [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*url), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*file)];
        moto.list(dir.path(), LISTINGS, &environment)
    };
    let machine = |url: &str| moto.list(dir.path(), LISTINGS, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)]);

    let of_pod = issued.clone();
    let (url, received) = serve(move |_| json_response(&of_pod)).await;
    let listed = pod(&url);
    assert_eq!(keys(&listed), expected, "{}", stderr(&listed));
    assert_eq!(received.all(), ["GET /v1/credentials DO-NOT-LEAK-pod"]);

    let of_machine = issued.clone();
    let respond = move |line: &str| match line.split(' ').nth(1).unwrap() {
        "/latest/api/token" => "a-session".into_response(),
        "/latest/meta-data/iam/security-credentials/" => "exporter".into_response(),
        _ => json_response(&of_machine),
    };
    let (url, received) = serve(respond).await;
    let listed = machine(&url);
    assert_eq!(keys(&listed), expected, "{}", stderr(&listed));
    let path = "/latest/meta-data/iam/security-credentials/";
    let requests = [
        "PUT /latest/api/token 600".to_owned(),
        format!("GET {path} a-session"),
        format!("GET {path}exporter a-session"),
    ];
    assert_eq!(received.all(), requests);

    // The target of a redirect would get the token.
    let (other, diverted) = serve(move |_| json_response(&issued)).await;
    let (url, received) = serve(move |_| Redirect::temporary(&other).into_response()).await;
    for (listed, problem) in [
        (
            pod(&url),
            "no AWS credentials from AWS_CONTAINER_CREDENTIALS_FULL_URI; check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
        (machine(&url), "no AWS credentials: set AWS_ACCESS_KEY_ID"),
    ] {
        let text = stderr(&listed);
        assert!(text.contains(problem) && !text.contains("DO-NOT-LEAK") && keys(&listed).is_empty(), "{text}");
    }
    assert_eq!((received.all().len(), diverted.all()), (2, Vec::new()));
    let refused = pod("http://192.0.2.1");
    assert!(
        stderr(&refused).contains("AWS_CONTAINER_CREDENTIALS_FULL_URI: expected an https URL"),
        "{}",
        stderr(&refused)
    );
}

/// The address of the service is fixed, so that the test needs a network of its own.
#[test]
fn task_is_issued_keys_at_the_fixed_address_of_ecs() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(
        &config,
        format!("sources: [{{name: aws, provider: aws, url: 'http://127.0.0.1:8080', {LISTINGS}}}]\n"),
    )
    .unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let output = Command::new("unshare")
        .args(if is_root { &["--net"][..] } else { &["--map-root-user", "--net"] })
        .arg(tool("../python/bin/python3"))
        .arg(repository().join("tests/tools/task_role.py"))
        .arg(env!("CARGO_BIN_EXE_token-expiry-exporter"))
        .args(["list", "--output=json"])
        .arg(format!("--config.file={}", config.display()))
        .env("HOME", dir.path())
        .env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let received: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let expected =
        json!([["169.254.170.2", "GET", "/v2/credentials/1", null], ["127.0.0.1", "POST", "/", "a-session"]]);
    assert_eq!(received, expected);
}

//! AWS IAM and AWS's secret stores against moto, which checks each request: its signature with AWS's own signer, and the user's policy.

mod issued;

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::provider_pages::catalogue;
use crate::test_servers::{Server, client, free_port, tool};

struct Moto(Server);

impl Moto {
    async fn start(dir: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(tool("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        Self(Server::start("moto", command, dir, port, "/moto-api/data.json").await)
    }

    /// Sends an action of IAM. Returns the response.
    async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.call_service(("iam", "2010-05-08"), action, parameters).await
    }

    /// Sends an action of a service, which moto recognises by the scope of a signature.
    async fn call_service(
        &self,
        (service, version): (&str, &str),
        action: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        let form: Vec<(&str, &str)> =
            [("Action", action), ("Version", version)].into_iter().chain(parameters.iter().copied()).collect();
        self.send(action, client().post(&self.0.url).header("Authorization", scope(service)).form(&form)).await
    }

    /// Sends an action of AWS's JSON protocol, such as `AmazonSSM.PutParameter`.
    async fn call_json(&self, service: &str, target: &str, body: &Value) {
        let request = client().post(&self.0.url).header("Authorization", scope(service)).header("X-Amz-Target", target);
        let request = request.header("Content-Type", "application/x-amz-json-1.1").body(body.to_string());
        self.send(target, request).await;
    }

    async fn send(&self, action: &str, request: reqwest::RequestBuilder) -> String {
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{action}: {status}: {text}");
        text
    }

    /// Creates the user `exporter` with the policy that a provider documents. Returns the id and the secret of its access key.
    async fn create_exporter(&self, provider: &str) -> (String, String) {
        self.call("CreateUser", &[("UserName", "exporter")]).await;
        let policy = catalogue().get(provider).unwrap().permission.clone().unwrap();
        self.call("PutUserPolicy", &[("UserName", "exporter"), ("PolicyName", "p"), ("PolicyDocument", &policy)]).await;
        self.create_key("exporter").await
    }

    /// Creates an access key. Returns its id and its secret.
    async fn create_key(&self, user: &str) -> (String, String) {
        let created = self.call("CreateAccessKey", &[("UserName", user)]).await;
        (element(&created, "AccessKeyId"), element(&created, "SecretAccessKey"))
    }

    /// Checks all requests from now on, but for some at first.
    async fn check_requests_after(&self, unchecked: usize) {
        let url = format!("{}/moto-api/reset-auth", self.0.url);
        let response = client().post(url).body(unchecked.to_string()).send().await.unwrap();
        assert!(response.status().is_success());
    }

    /// Lists the tokens of a source with these settings, as JSON.
    fn list(&self, dir: &Path, settings: &str, environment: &[(&str, &str)]) -> Output {
        self.list_provider(dir, "aws", settings, environment)
    }

    fn list_provider(&self, dir: &Path, provider: &str, settings: &str, environment: &[(&str, &str)]) -> Output {
        let config = format!("sources: [{{name: aws, provider: {provider}, url: '{}', {settings}}}]\n", self.0.url);
        let file = dir.join("config.yaml");
        std::fs::write(&file, config).unwrap();
        Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
            .args(["list", "--output=json"])
            .arg(format!("--config.file={}", file.display()))
            .env_remove("AWS_PROFILE")
            .env("HOME", dir)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }
}

/// An `Authorization` by whose scope moto recognises a service.
fn scope(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x")
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once('<').unwrap().0.to_owned()
}

fn tokens(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let tokens: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    tokens.as_array().or_else(|| tokens["tokens"].as_array()).unwrap().clone()
}

/// Ids and owners, in order.
fn keys(output: &Output) -> Vec<(String, String, bool)> {
    let tokens = tokens(output);
    let field = |token: &Value, name: &str| token[name].as_str().unwrap_or_default().to_owned();
    let mut keys: Vec<_> =
        tokens.iter().map(|token| (field(token, "id"), field(token, "name"), token["state"] == "disabled")).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn aws_lists_access_keys_with_signed_requests_and_its_documented_policy() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await;
    let (id, secret) = moto.create_exporter("aws").await;
    for user in ["ada", "none"] {
        moto.call("CreateUser", &[("UserName", user)]).await;
    }
    let (other, _) = moto.create_key("ada").await;
    let (inactive, _) = moto.create_key("ada").await;
    moto.call("UpdateAccessKey", &[("UserName", "ada"), ("AccessKeyId", &inactive), ("Status", "Inactive")]).await;
    moto.check_requests_after(0).await;

    let mut expected = vec![
        (id.clone(), "exporter".to_owned(), false),
        (other, "ada".to_owned(), false),
        (inactive, "ada".to_owned(), true),
    ];
    expected.sort();
    // moto lacks ListServiceSpecificCredentials.
    let listings = "listings: [access-key]";
    // A signature does not cover the headers of a gateway, and stays valid with them.
    let headers = "headers: {X-Team: platform, X-Gateway-Key: {env: KEY}}";
    let configured = format!(
        "{listings}, auth: key, {headers}, credential: {{access_key_id: {{env: ID}}, secret_access_key: {{env: KEY}}}}"
    );
    let listed = moto.list(dir.path(), &configured, &[("ID", &id), ("KEY", &secret)]);
    assert_eq!(keys(&listed), expected);
    let chain = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", &secret)];
    assert_eq!(keys(&moto.list(dir.path(), listings, &chain)), expected);
    let profile = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    std::fs::create_dir(dir.path().join(".aws")).unwrap();
    std::fs::write(dir.path().join(".aws/credentials"), profile).unwrap();
    assert_eq!(keys(&moto.list(dir.path(), listings, &[])), expected);

    let refused = moto.list(dir.path(), &configured, &[("ID", &id), ("KEY", "another-secret")]);
    let problem = String::from_utf8_lossy(&refused.stderr);
    assert!(problem.contains("access-key: forbidden: POST") && keys(&refused).is_empty(), "{problem}");
    assert!(!problem.contains("another-secret"), "{problem}");
}

#[tokio::test]
async fn aws_secrets_lists_three_services_with_signed_requests_and_its_documented_policy() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await;
    let (id, secret) = moto.create_exporter("aws-secrets").await;
    moto.call("CreateUser", &[("UserName", "denied")]).await;
    let (denied_id, denied_secret) = moto.create_key("denied").await;
    let tags = json!([{"Key": "expires_at", "Value": "2035-02-03"}, {"Key": "owner", "Value": "web@example.com"}]);
    // moto has 100 secrets and ten parameters on a page.
    for number in 0..103 {
        let body = json!({"Name": format!("s{number}"), "SecretString": "DO-NOT-LEAK", "Tags": tags});
        moto.call_json("secretsmanager", "secretsmanager.CreateSecret", &body).await;
    }
    for number in 0..12 {
        let body =
            json!({"Name": format!("/p/{number}"), "Value": "DO-NOT-LEAK", "Type": "SecureString", "Tags": tags});
        moto.call_json("ssm", "AmazonSSM.PutParameter", &body).await;
    }
    let body = json!({"Name": "untagged", "Value": "DO-NOT-LEAK", "Type": "String"});
    moto.call_json("ssm", "AmazonSSM.PutParameter", &body).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut certificate = rcgen::CertificateParams::new(["www.example.com".to_owned()]).unwrap();
    certificate.not_after = rcgen::date_time_ymd(2035, 2, 3);
    let certificate = certificate.self_signed(&key).unwrap().pem();
    let [certificate, key] = [certificate, key.serialize_pem()].map(|pem| BASE64_STANDARD.encode(pem));
    let body =
        json!({"Certificate": certificate, "PrivateKey": key, "Tags": [{"Key": "owner", "Value": "web@example.com"}]});
    moto.call_json("acm", "CertificateManager.ImportCertificate", &body).await;
    moto.check_requests_after(0).await;

    let settings = format!(
        "ssm_url: '{url}', acm_url: '{url}', region: us-east-1, auth: key, listings: [secret, parameter, certificate], \
         credential: {{access_key_id: {{env: ID}}, secret_access_key: {{env: KEY}}}}",
        url = moto.0.url,
    );
    let listed = moto.list_provider(dir.path(), "aws-secrets", &settings, &[("ID", &id), ("KEY", &secret)]);
    let found = tokens(&listed);
    let count = |kind: &str, name: &str| {
        let is_same = |token: &&Value| token["kind"] == kind && token["name"].as_str().unwrap().starts_with(name);
        found.iter().filter(is_same).count()
    };
    let counts = [count("stored-secret", "s"), count("stored-secret", "/p/"), count("certificate", "")];
    let problem = String::from_utf8_lossy(&listed.stderr);
    assert_eq!((counts, found.len()), ([103, 12, 1], 116), "{problem}");
    for token in &found {
        let expiry = token["expires_at"].as_str().unwrap();
        assert!(expiry.starts_with("2035-02-03T00:00:00"), "{token}");
        assert_eq!(token["owner"]["name"], "web", "{token}");
    }
    let printed = String::from_utf8_lossy(&listed.stdout);
    assert!(!printed.contains("DO-NOT-LEAK") && !problem.contains("DO-NOT-LEAK"), "{printed}{problem}");

    let denied = [("ID", denied_id.as_str()), ("KEY", &denied_secret)];
    let refused = moto.list_provider(dir.path(), "aws-secrets", &settings, &denied);
    let problem = String::from_utf8_lossy(&refused.stderr);
    for missing in ["secretsmanager:ListSecrets", "ssm:DescribeParameters", "acm:ListCertificates"] {
        assert!(problem.contains(&format!("required permission: {missing}")), "{missing}: {problem}");
    }
}

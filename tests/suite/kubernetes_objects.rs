//! The objects of cert-manager and external-secrets in the scenarios of the provider `kubernetes` are valid by the CRDs of both
//! projects, which are in `tests/schemas/kubernetes`, and are requested where these say that they are served.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use jsonschema::Validator;
use serde_json::{Value, json};

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Makes fields that the schema does not have errors: the API server removes them, so it never returns one.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(strict);
            if object.get("properties").is_some_and(Value::is_object)
                && !object.contains_key("x-kubernetes-preserve-unknown-fields")
            {
                object.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(strict),
        _ => {}
    }
}

/// The validators of the objects of a CRD, by the path under which a version is served.
fn served(crd: &str) -> BTreeMap<String, Validator> {
    let crd = yaml(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/schemas/kubernetes/{crd}.yaml")));
    let spec = &crd["spec"];
    assert_eq!(spec["scope"], "Namespaced");
    let validator = |version: &Value| {
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        strict(&mut schema);
        schema["properties"]["metadata"] = json!({"type": "object", "required": ["name", "namespace", "uid"]});
        let [group, name, plural] =
            [&spec["group"], &version["name"], &spec["names"]["plural"]].map(|name| name.as_str().unwrap());
        (format!("{group}/{name}/{plural}"), jsonschema::draft7::new(&schema).unwrap())
    };
    spec["versions"].as_array().unwrap().iter().map(validator).collect()
}

/// `cert-manager.io/v1/certificates` of `/apis/cert-manager.io/v1/namespaces/ci/certificates?limit=500`.
fn object_of(target: &str) -> Option<String> {
    let path = target.strip_prefix("/apis/")?.split('?').next()?;
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [group, version, plural] | [group, version, "namespaces", _, plural] => {
            Some(format!("{group}/{version}/{plural}"))
        }
        _ => panic!("{target}: not a list of objects"),
    }
}

#[test]
fn objects_of_scenarios_are_valid_by_their_crds() {
    let validators: BTreeMap<_, _> = ["certificates", "externalsecrets"].into_iter().flat_map(served).collect();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers/kubernetes");
    let (mut requested, mut objects) = (BTreeSet::new(), 0);
    for file in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        for exchange in yaml(&file)["exchanges"].as_array().unwrap() {
            let Some(object) = object_of(exchange["get"].as_str().unwrap()) else { continue };
            let Some(validator) = validators.get(&object) else { panic!("{}: no CRD has {object}", file.display()) };
            for item in exchange["response"]["body"]["items"].as_array().into_iter().flatten() {
                let errors: Vec<String> = validator
                    .iter_errors(item)
                    .map(|error| format!("{}: {error:.300}", error.instance_path()))
                    .collect();
                assert_eq!(errors, [""; 0], "{}: {}", file.display(), item["metadata"]["name"]);
                objects += 1;
            }
            requested.insert(object);
        }
    }
    let all = [
        "cert-manager.io/v1/certificates",
        "external-secrets.io/v1/externalsecrets",
        "external-secrets.io/v1beta1/externalsecrets",
    ];
    assert_eq!(requested.iter().map(String::as_str).collect::<Vec<_>>(), all);
    assert!(objects >= 9, "{objects} objects");
}

/// An API server with cert-manager and without external-secrets.
async fn api_server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut secrets: Value = serde_json::from_str(include_str!("../providers/kubernetes/secrets-tls.json")).unwrap();
    secrets["items"][0]["metadata"]["annotations"] = json!({"cert-manager.io/certificate-name": "web"});
    let certificates = json!({"metadata": {}, "items": [{
        "metadata": {"name": "web", "namespace": "default", "uid": "1"},
        "spec": {"secretName": "web-tls", "issuerRef": {"name": "ca"}},
        "status": {"notBefore": "2026-11-23T18:03:05Z", "notAfter": "2126-12-23T18:03:05Z"},
    }]});
    let router = Router::new().fallback(move |uri: Uri| async move {
        match uri.path() {
            "/api/v1/secrets" => axum::Json(secrets).into_response(),
            "/apis/cert-manager.io/v1/certificates" => axum::Json(certificates).into_response(),
            _ => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_counts_what_is_listed_as_another_token_and_says_how_to_serve_an_object() {
    let url = api_server().await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "a-credential-of-the-test").unwrap();
    let config = format!(
        "sources: [{{name: k, provider: kubernetes, url: '{url}', credential: {{file: key}}, listings: [secret, certificate, external-secret]}}]\n"
    );
    fs::write(dir.path().join("config.yaml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
        .args(["check", "--online", "--config.file=config.yaml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}");
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    let after = |first: &str| {
        let at = lines.iter().position(|line| *line == first).unwrap_or_else(|| panic!("no `{first}` in {out}"));
        lines[at + 1]
    };
    assert_eq!(
        after("k: secret: ok, no tokens"),
        "rows read: 1, taken: 1, malformed: 0, duplicates: 0, listed as another token: 1, dropped by rules: 0, tokens: 0, never expire: 0"
    );
    assert!(
        after("k: certificate: ok, 1 token")
            .ends_with("duplicates: 0, dropped by rules: 0, tokens: 1, never expire: 0")
    );
    let failure = after("k: external-secret: not_found");
    assert!(
        failure.contains("404 after 1 attempt; the cluster does not serve this version of externalsecrets"),
        "{out}"
    );
    // The remedy of the definition stands for the general one.
    assert!(!after(failure).contains("check the URL"), "{out}");
}

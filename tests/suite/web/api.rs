//! The lists of the API against its own description, OpenAPI 3.1; CSV, parts and tags.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use token_expiry_exporter::core::inventory::Finding;
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::exposition::Labels;

use super::server::Server;
use crate::sample_inventory;

/// The API's description, as it is served.
async fn description(server: &Server) -> Value {
    let served = server.get("/api/v1/openapi.json").await;
    assert_eq!(served.header("content-type"), "application/vnd.oai.openapi+json;version=3.1");
    serde_json::from_str(&served.text).unwrap()
}

/// What a schema of the description has against a value.
fn errors(description: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut root = schema.clone();
    root["components"] = description["components"].clone();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&root).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The JSON schema of a response of GET.
fn schema<'d>(description: &'d Value, path: &str, status: &str) -> &'d Value {
    let schema = &description["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{path} {status}");
    schema
}

/// The parameters of a path's query, with the values to try.
fn parameters<'d>(description: &'d Value, path: &str) -> Vec<(&'d str, Vec<String>)> {
    let listed = description["paths"][path]["get"]["parameters"].as_array().unwrap();
    let resolved = listed.iter().filter_map(|parameter| {
        let name = parameter["$ref"].as_str()?.strip_prefix("#/components/parameters/")?;
        let parameter = &description["components"]["parameters"][name];
        assert_eq!(parameter["name"], name);
        let schema = &parameter["schema"];
        let item = if schema["type"] == "array" { &schema["items"] } else { schema };
        let values = match (item["enum"].as_array(), item["type"].as_str(), name) {
            (Some(values), ..) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
            (None, Some("integer"), _) => vec!["0".to_owned(), "1".to_owned(), "7".to_owned()],
            (None, _, "within") => vec!["30d".to_owned(), "0".to_owned()],
            _ => ["gitlab", "token", "jane doe", "ä&= ", "nowhere"].map(str::to_owned).to_vec(),
        };
        Some((name, values))
    });
    resolved.collect()
}

fn query(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

const LISTS: [&str; 3] = ["/api/v1/tokens", "/api/v1/findings", "/api/v1/sources"];

#[tokio::test]
async fn every_response_is_as_openapi_describes_it() {
    let server = Server::start().await;
    let description = description(&server).await;
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/api/v1/tokens", "/api/v1/findings", "/api/v1/sources", "/api/v1/openapi.json"]);
    let mut elements = 0;
    for labels in [(true, true), (true, false), (false, false)] {
        server.state.page.set_exposure(Labels { owner: labels.0, owner_email: labels.1 });
        for path in LISTS {
            let tried = parameters(&description, path);
            assert!(tried.len() >= 5, "{path}");
            let mut queries = vec![String::new(), "limit=10000&state=active&state=expired".to_owned()];
            queries.extend(tried.iter().flat_map(|(name, values)| values.iter().map(|value| query(name, value))));
            for query in queries {
                let response = server.get(&format!("{path}?{query}")).await;
                if path.ends_with("sources") && query.contains("state=") {
                    assert_eq!(response.status, StatusCode::BAD_REQUEST, "{path}?{query}");
                    continue;
                }
                assert_eq!(response.status, StatusCode::OK, "{path}?{query}: {}", response.text);
                if query.contains("csv") {
                    assert_eq!(response.header("content-type"), "text/csv; charset=utf-8; header=present");
                    continue;
                }
                assert_eq!(response.header("content-type"), "application/json");
                let value: Value = serde_json::from_str(&response.text).unwrap();
                let found = errors(&description, schema(&description, path, "200"), &value);
                assert!(found.is_empty(), "{path}?{query}: {found:?}");
                let name = path.rsplit('/').next().unwrap();
                elements += value[name].as_array().unwrap().len();
            }
            // Every parameter is described: the error names no other one.
            let unknown = server.get(&format!("{path}?unknown_parameter=1")).await;
            assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
            let value = serde_json::from_str(&unknown.text).unwrap();
            assert_eq!(errors(&description, schema(&description, path, "400"), &value), Vec::<String>::new());
        }
    }
    assert!(elements > 1_000, "the responses had tokens: {elements}");
}

#[tokio::test]
async fn description_rejects_other_responses_and_knows_every_value() {
    let server = Server::start().await;
    let description = description(&server).await;
    let schema = schema(&description, "/api/v1/tokens", "200");
    let valid = server.json("/api/v1/tokens?limit=1").await;
    assert_eq!(errors(&description, schema, &valid), Vec::<String>::new());
    for (pointer, wrong) in [
        ("/tokens/0/state", json!("actve")),
        ("/tokens/0/expires_at", json!("yesterday")),
        ("/tokens/0/owner", json!({"email": 1})),
        ("/tokens/0/secret", json!("x")),
        ("/total", json!("1")),
    ] {
        let mut value = valid.clone();
        match value.pointer_mut(pointer) {
            Some(place) => *place = wrong,
            None => value["tokens"][0]["secret"] = wrong,
        }
        assert!(!errors(&description, schema, &value).is_empty(), "{pointer}");
    }
    let findings = &description["components"]["schemas"]["Finding"]["properties"]["finding"]["enum"];
    assert_eq!(*findings, json!(Finding::ALL.map(Finding::label)));
    let parameter = &description["components"]["parameters"]["finding"]["schema"]["items"]["enum"];
    assert_eq!(parameter, findings);
}

#[tokio::test]
async fn csv_has_every_selected_token_and_no_formula() {
    let server = Server::start().await;
    for (path, headers) in
        [("/api/v1/tokens?format=csv", &[][..]), ("/api/v1/tokens", &[("accept", "text/csv, */*;q=0.1")][..])]
    {
        let response = server.request(Method::GET, path, headers).await;
        assert_eq!(response.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(response.header("content-disposition"), "attachment; filename=\"tokens.csv\"");
        let mut reader = csv::Reader::from_reader(response.text.as_bytes());
        let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(columns[..6], ["source", "provider", "listing", "id", "kind", "name"]);
        assert_eq!(columns[16..], ["scopes", "labels", "locations"]);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len().to_string(), response.header("x-total-count"));
        assert!(rows.iter().any(|row| &row[6] == "Jane Doe" && &row[16] == "api" && &row[17] == "team=platform"));
        assert!(rows.iter().all(|row| row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@']))));
    }
    let json = server.request(Method::GET, "/api/v1/tokens?format=json", &[("accept", "text/csv")]).await;
    assert_eq!(json.header("content-type"), "application/json", "the parameter counts more");
    let findings = server.get("/api/v1/findings?format=csv&finding=no_owner").await.text;
    let rows: Vec<_> = findings.lines().collect();
    assert!(rows[0].starts_with("finding,source,") && rows[1].starts_with("no_owner,gitlab,gitlab,personal,p12,"));
    assert_eq!(rows.len(), 2, "{findings}");
    let sources = server.get("/api/v1/sources?format=csv&source=vault").await.text;
    assert!(sources.ends_with("\nvault,vault,false,2026-03-01T07:58:58Z,,900,1,0,0,0,0,0,3\n"), "{sources}");
}

#[tokio::test]
async fn findings_are_rows_of_tokens_and_the_filter_selects_both() {
    let server = Server::start().await;
    let found = server.json("/api/v1/findings?finding=lives_too_long&finding=unused&q=long").await;
    let rows: Vec<_> = found["findings"].as_array().unwrap().iter().map(|row| &row["finding"]).collect();
    assert_eq!(rows, ["lives_too_long", "unused"]);
    assert_eq!((&found["total"], &found["findings"][0]["token"]["id"]), (&2.into(), &"p11".into()));
    let one = server.json("/api/v1/findings?finding=unused&q=long").await;
    assert_eq!((&one["total"], &one["findings"][0]["finding"]), (&1.into(), &"unused".into()));
}

#[tokio::test]
async fn search_finds_locations() {
    let server = Server::start().await;
    for (query, expected) in [
        ("q=prod%2Fci%2Frenovate", &["p03"] as &[&str]),
        ("q=%2Fetc%2FAPP", &["p03"]),
        ("q=secret+prod%2Fci%2Frenovate", &["p03"]),
        ("q=prod%2Fci%2Frenovate+jane", &["p03"]),
        ("q=prod%2Fci%2Frenovate+nobody", &[]),
        ("q=prod%2Fci%2Funknown", &[]),
    ] {
        let found = server.json(&format!("/api/v1/tokens?{query}")).await;
        let ids: Vec<_> = found["tokens"].as_array().unwrap().iter().map(|token| &token["id"]).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[tokio::test]
async fn sources_have_status_counts_and_failures() {
    let server = Server::start().await;
    let sources = server.json("/api/v1/sources").await;
    let names: Vec<_> = sources["sources"].as_array().unwrap().iter().map(|row| &row["source"]).collect();
    assert_eq!(names, ["gitlab", "new \"one\"", "small", "vault"]);
    let vault = &server.json("/api/v1/sources?provider=vault").await["sources"][0];
    assert_eq!(vault["failed_scopes"][1], json!({"listing": "token", "reason": "timeout", "count": 1, "scopes": 4}));
    assert_eq!((&vault["up"], &vault["tokens"]["total"]), (&json!(false), &json!(1)));
    let gitlab = &server.json("/api/v1/sources?source=gitlab").await["sources"][0];
    assert_eq!(gitlab["credential"]["band"], "critical");
    assert_eq!(gitlab["tokens"]["critical"], 3);
    let place = json!({"kind": "secret", "place": "prod/ci/unknown", "last_seen": null});
    assert_eq!(gitlab["unlisted_credentials"], json!([{"token_id": "p99", "found_by": "small", "location": place}]));
    assert_eq!(vault["unlisted_credentials"], json!([]));
    let new = &server.json("/api/v1/sources?source=new+%22one%22").await["sources"][0];
    assert_eq!((&new["up"], &new["last_success"]), (&Value::Null, &Value::Null), "not yet is not a failure");
}

/// The targets of the header Link, by relation.
fn links(header: &str) -> Vec<(String, String)> {
    let link = |link: &str| {
        let (target, relation) = link.strip_prefix('<').unwrap().split_once(">; rel=\"").unwrap();
        (relation.trim_end_matches('"').to_owned(), target.to_owned())
    };
    header.split(", ").map(link).collect()
}

#[tokio::test]
async fn links_lead_through_the_whole_list() {
    let server = Server::start().await;
    let total = server.json("/api/v1/tokens").await["total"].as_u64().unwrap();
    for filter in ["limit=4&sort=-name", "limit=4&state=active&sort=owner", "limit=3&offset=2"] {
        let mut seen = BTreeSet::new();
        let mut query = format!("?{filter}");
        let mut pages = 0;
        let expected = server.json(&format!("/api/v1/tokens?{filter}")).await["total"].as_u64().unwrap();
        loop {
            let response = server.get(&format!("/api/v1/tokens{query}")).await;
            let value: Value = serde_json::from_str(&response.text).unwrap();
            for token in value["tokens"].as_array().unwrap() {
                assert!(seen.insert(format!("{} {}", token["source"], token["id"])), "twice: {token}");
            }
            pages += 1;
            let links = links(&response.header("link"));
            let relations: Vec<&str> = links.iter().map(|(relation, _)| relation.as_str()).collect();
            assert!(relations.contains(&"first") && relations.contains(&"last"), "{relations:?}");
            assert_eq!(relations.contains(&"prev"), pages > 1 || filter.contains("offset"), "{relations:?}");
            match links.into_iter().find(|(relation, _)| relation == "next") {
                Some((_, next)) => query = next,
                None => break,
            }
        }
        let skipped = if filter.contains("offset") { 2 } else { 0 };
        assert_eq!(seen.len() as u64, expected - skipped, "{filter}");
        assert!(pages > 2 && expected <= total, "{filter}: {pages}");
    }
}

#[tokio::test]
async fn tag_holds_until_something_changes() {
    let server = Server::start().await;
    let tag = async |path: &str| server.get(path).await.header("etag");
    let known = async |path: &str, tag: &str| server.request(Method::GET, path, &[("if-none-match", tag)]).await;
    for path in LISTS {
        let first = tag(path).await;
        assert!(first.starts_with("W/\"") && first == tag(path).await, "{first}");
        let unchanged = known(path, &format!("\"other\", {first}")).await;
        assert_eq!((unchanged.status, &*unchanged.text), (StatusCode::NOT_MODIFIED, ""), "{path}");
        assert_eq!(unchanged.header("etag"), first);
        assert_eq!(known(path, "\"other\"").await.status, StatusCode::OK, "{path}");
        assert_eq!(known(&format!("{path}?limit=2"), &first).await.status, StatusCode::OK, "other parameters");
        assert_eq!(known(&format!("{path}?format=csv"), &first).await.status, StatusCode::OK, "another format");
    }
    assert_eq!(tag("/api/v1/tokens?within=7d").await, "", "the list changes with the time");

    let before = (tag("/api/v1/tokens").await, tag("/api/v1/sources").await);
    let failed = Outcome::default();
    let now = sample_inventory::now();
    server.state.inventory.write().record("new \"one\"", failed, now, now);
    assert_eq!(tag("/api/v1/tokens").await, before.0, "no token has changed");
    assert_ne!(tag("/api/v1/sources").await, before.1, "the source has a status");
    server.state.page.set_exposure(Labels { owner: true, owner_email: true });
    let exposed = tag("/api/v1/tokens").await;
    assert_ne!(exposed, before.0, "the addresses are exposed");
    let tokens = vec![sample_inventory::token("c1", "new", sample_inventory::expires_in(9))];
    let outcome = Outcome { listings: vec![sample_inventory::listing("token", tokens)], ..Outcome::default() };
    server.state.inventory.write().record("new \"one\"", outcome, now, now);
    assert_ne!(tag("/api/v1/tokens").await, exposed, "a token is new");
}

#[tokio::test]
async fn tag_changes_with_a_band_without_a_collection() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    let days = Arc::new(AtomicI64::new(0));
    let passed = Arc::clone(&days);
    let server = Server::start_with(None, |state| {
        state.clock =
            Arc::new(move || sample_inventory::now() + chrono::TimeDelta::days(passed.load(Ordering::Relaxed)));
    })
    .await;
    let first = server.get("/api/v1/tokens?band=critical").await;
    days.store(15, Ordering::Relaxed);
    let later = server.get("/api/v1/tokens?band=critical").await;
    assert!(first.text.contains("\"p03\"") && !later.text.contains("\"p03\"") && later.text.contains("\"p02\""));
    assert_ne!(first.header("etag"), later.header("etag"));
    assert_eq!(later.header("etag"), server.get("/api/v1/tokens?band=critical").await.header("etag"));
}

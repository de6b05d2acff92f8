//! CI/CD variables as places, and tokens that a published hint identifies.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use token_expiry_exporter::app::Shard;
use token_expiry_exporter::app::setup::{ConfigPaths, Setup};
use token_expiry_exporter::core::adjustment::Adjustment;
use token_expiry_exporter::core::clock::Clock;
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::inventory::{Finding, FoundResult};

use super::ci::{Ci, Content};
use super::{Collected, fake, files, places};
use crate::secret_leaks::scan::{Output, find};
use crate::test_servers::{client, exporter, metrics, samples, wait_for};

const GITLAB: &str = "glpat-RealToken0123456789ab";
const GITHUB: &str = "ghp_RealTokenOfGitHub0123456789ab71c3fc11";
const UNLISTED: &str = "ghp_OtherTokenOfGitHub0123456789a00000000";

/// The sources: tokens of GitLab and of GitHub, and the variables, in this order.
fn sources(ci: &Ci, order: [&str; 3]) -> String {
    let source = |name: &str| match name {
        "gitlab" => {
            format!("{{name: gitlab, provider: gitlab, url: '{}', identify: true, credential: {{file: key}}}}", ci.url)
        }
        "github" => format!(
            "{{name: github, provider: github, url: '{}', org: acme, auth: token, identify: true, credential: {{file: key}}}}",
            ci.url
        ),
        _ => format!(
            "{{name: variables, provider: gitlab, url: '{}', groups: [acme], listings: [project-variables, group-variables], credential: {{file: key}}}}",
            ci.url
        ),
    };
    let list: String = order.iter().map(|name| format!("  - {}\n", source(name))).collect();
    format!("sources:\n{list}rules:\n  - {{match: {{source: gitlab}}, must_be_located: true}}\n")
}

const USUAL: [&str; 3] = ["gitlab", "github", "variables"];

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_variables_are_located_and_their_values_appear_nowhere() {
    let mut content = Content {
        tokens: BTreeMap::from([(GITLAB.to_owned(), 77)]),
        authorizations: vec![(5, "71c3fc11")],
        ..Content::default()
    };
    content.variable("projects/5", "RENOVATE_TOKEN", GITLAB);
    content.variable("projects/5", "OLD", &fake(1));
    content.variable("groups/acme", "NPMRC", &format!("//registry.example/:_authToken={GITLAB}\n"));
    content.variable("groups/acme", "UNKNOWN", UNLISTED);
    content.variables.push(("groups/acme", "GITHUB_TOKEN".to_owned(), Some(GITHUB.to_owned()), "production"));
    content.variables.push(("projects/5", "HIDDEN".to_owned(), None, "*"));
    let ci = Ci::start(content).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "the-exporters-own-key").unwrap();
    let config = format!("interval: 1s\n{}", sources(&ci, USUAL));
    let storage = dir.path().join("storage");
    let storage_flag = format!("--storage.path={}", storage.display());
    let arguments = [storage_flag.as_str(), "--log.level=debug"];
    let running = exporter(dir.path(), &config, &arguments).await;
    let host = ci.host();
    let of_gitlab =
        [format!("gitlab CI variable {host}/acme/NPMRC"), format!("gitlab CI variable {host}/acme/app/RENOVATE_TOKEN")];
    let of_github = [format!("github CI variable {host}/acme/GITHUB_TOKEN (environment production)")];
    let is_located = |page: &str| places(page, "77") == of_gitlab && places(page, "authorization-5") == of_github;
    let page = wait_for("the locations", || async {
        let page = metrics(&running).await;
        is_located(&page).then_some(page)
    })
    .await;
    let counts = samples(&page, "token_source_found_credentials");
    let found = |source: &str, result: &str| {
        let of = counts.iter().find(|sample| sample.label("source") == source && sample.label("result") == result);
        of.map(|sample| sample.value)
    };
    assert_eq!((found("gitlab", "listed"), found("gitlab", "rejected")), (Some(1.0), Some(1.0)));
    assert_eq!((found("github", "listed"), found("github", "unlisted")), (Some(1.0), Some(1.0)));
    let adjustments = samples(&page, "token_source_adjustments");
    let hidden = adjustments.iter().find(|sample| sample.label("adjustment") == "hidden_values" && sample.value > 0.0);
    assert_eq!(hidden.map(|sample| (sample.label("source"), sample.value)), Some(("variables", 1.0)));

    let mut outputs = vec![Output { name: "the metrics".to_owned(), content: page.into_bytes() }];
    for path in ["/", "/metrics", "/api/v1/tokens", "/api/v1/sources", "/api/v1/findings", "/calendar.ics"] {
        let response = client().get(format!("{}{path}", running.url)).send().await.unwrap();
        outputs.push(Output { name: path.to_owned(), content: response.bytes().await.unwrap().to_vec() });
    }
    let sources: Value = serde_json::from_slice(&outputs[4].content).unwrap();
    let github = sources["sources"].as_array().unwrap().iter().find(|source| source["source"] == "github").unwrap();
    let unlisted = &github["unlisted_credentials"][0];
    assert!(unlisted.to_string().contains(&format!("{host}/acme/UNKNOWN")), "{unlisted}");
    outputs.push(Output { name: "the log".to_owned(), content: running.log().into_bytes() });
    let stored = wait_for("the locations in the storage", || async {
        let stored = files(&storage);
        stored.iter().any(|file| String::from_utf8_lossy(&file.content).contains("RENOVATE_TOKEN")).then_some(stored)
    })
    .await;
    outputs.extend(stored);
    running.stop();
    drop(ci);
    let restarted = exporter(dir.path(), &config, &arguments).await;
    assert!(is_located(&metrics(&restarted).await), "a restart does not blank locations");
    outputs.push(Output { name: "the second log".to_owned(), content: restarted.log().into_bytes() });

    let values = [GITLAB, GITHUB, UNLISTED].map(str::to_owned).into_iter().chain([fake(1)]);
    let secrets: Vec<_> = values.map(|value| ("found token", value)).collect();
    let planted = [Output { name: "planted".to_owned(), content: format!("x{GITHUB}").into_bytes() }];
    assert!(!find(&secrets, &planted).is_empty(), "the search works");
    assert_eq!(find(&secrets, &outputs), [""; 0]);
    for output in &outputs {
        let text = String::from_utf8_lossy(&output.content);
        assert!(!text.contains("71c3fc11"), "the hint is in {}", output.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_without_location_is_a_finding_only_if_no_variable_is_hidden() {
    let mut content = Content { tokens: BTreeMap::from([(GITLAB.to_owned(), 77)]), ..Content::default() };
    content.variables.push(("projects/5", "HIDDEN".to_owned(), None, "*"));
    let ci = Ci::start(content).await;
    let mut collected = Collected::new(&sources(&ci, USUAL));
    let is_finding = |collected: &Collected| {
        let view = collected.inventory.tokens(collected.now).find(|view| &*view.token.id == "77").unwrap();
        view.findings.contains(Finding::NotLocated)
    };
    let hidden =
        |collected: &Collected| collected.inventory.source("variables").unwrap().adjustments[&Adjustment::HiddenValues];
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!((is_finding(&collected), hidden(&collected)), (false, 1), "it may be in the hidden one");
    ci.with(|content| content.variables.clear());
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!((is_finding(&collected), hidden(&collected)), (true, 0));
    ci.with(|content| content.variable("groups/acme", "T", GITLAB));
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!(collected.locations("77"), [format!("CI variable {}/acme/T", ci.host())]);
    assert!(!is_finding(&collected));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_variables_of_a_project_neither_flood_nor_hide_those_of_others() {
    let mut content = Content { tokens: BTreeMap::from([(GITLAB.to_owned(), 77)]), ..Content::default() };
    for number in 0..99 {
        let values: String = (0..31).map(|value| format!("{}\n", fake(number * 31 + value))).collect();
        content.variable("projects/5", &format!("V{number}"), &values);
    }
    content.variable("groups/acme", "T", GITLAB);
    let ci = Ci::start(content).await;
    let mut collected = Collected::new(&sources(&ci, USUAL));
    for round in 1..=2 {
        collected.collect(TimeDelta::minutes(15)).await;
        assert_eq!(collected.locations("77"), [format!("CI variable {}/acme/T", ci.host())], "round {round}");
        assert_eq!(ci.with(|content| content.asked), 3, "two refused ones of the project, and the real one");
        assert_eq!(collected.found("gitlab", FoundResult::Skipped), 1_998);
    }
}

/// Tokens of GitHub with these hints, and one variable with [`GITHUB`].
async fn github(authorizations: Vec<(u64, &'static str)>) -> Ci {
    let mut content = Content { authorizations, ..Content::default() };
    content.variable("groups/acme", "T", GITHUB);
    Ci::start(content).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hint_needs_no_request_after_a_collection_and_one_of_the_listing_before() {
    let ci = github(vec![(5, "71c3fc11"), (6, "12345678")]).await;
    let lists = || ci.with(|content| content.lists);
    let mut collected = Collected::new(&sources(&ci, USUAL));
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!(collected.locations("authorization-5"), [format!("CI variable {}/acme/T", ci.host())]);
    assert_eq!((lists(), ci.with(|content| content.asked)), (1, 0), "the collection itself");

    // As in a replica that does not collect GitHub, or at the start.
    let mut collected = Collected::new(&sources(&ci, ["variables", "gitlab", "github"]));
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!(collected.locations("authorization-5").len(), 1);
    assert_eq!(lists(), 3, "one for the hints, one of the collection");
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!(lists(), 4, "only the collection");
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_or_missing_hint_joins_nothing() {
    let ci = github(vec![(5, "71c3fc11"), (6, "71c3fc11")]).await;
    let mut collected = Collected::new(&sources(&ci, USUAL));
    collected.collect(TimeDelta::minutes(15)).await;
    let found = |collected: &Collected| {
        let of = |result| collected.found("github", result);
        (of(FoundResult::Listed), of(FoundResult::Unlisted), of(FoundResult::Skipped))
    };
    assert_eq!(found(&collected), (0, 0, 1));
    assert!(collected.locations("authorization-5").is_empty() && collected.locations("authorization-6").is_empty());

    ci.with(|content| content.authorizations = vec![(5, "71c3fc11"), (6, "12345678")]);
    collected.collect(TimeDelta::minutes(15)).await;
    assert_eq!((found(&collected), collected.locations("authorization-5").len()), ((1, 0, 0), 1));

    // Without the listing nothing is known, and the location stays.
    ci.with(|content| content.refuses_authorizations = true);
    collected.collect(TimeDelta::hours(2)).await;
    assert_eq!((found(&collected), collected.locations("authorization-5").len()), ((1, 0, 1), 1));
    let failures = &collected.inventory.source("variables").unwrap().failures;
    assert_eq!(failures[&Reason::Forbidden], 1);

    ci.with(|content| {
        content.refuses_authorizations = false;
        content.authorizations = vec![(6, "12345678")];
    });
    collected.collect(TimeDelta::hours(2)).await;
    assert_eq!(found(&collected), (0, 1, 0), "no listed token has its hint");
    let unlisted: Vec<_> = collected.inventory.unlisted_credentials().collect();
    assert_eq!((unlisted[0].source, unlisted[0].token_id, unlisted[0].found_by), ("github", None, "variables"));
    assert_eq!(unlisted[0].location.to_string(), format!("CI variable {}/acme/T", ci.host()));
}

#[test]
fn identify_is_an_error_if_the_settings_allow_no_way() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "x").unwrap();
    let error = |more: &str| {
        let config = dir.path().join("config.yaml");
        let source = format!("{{name: github, provider: github, org: acme, {more}, credential: {{file: key}}}}");
        std::fs::write(&config, format!("sources: [{source}]\n")).unwrap();
        let clock: Clock = Arc::new(Utc::now);
        let setup = Setup::load(&ConfigPaths { config, providers: None }, Shard::WHOLE, &clock);
        setup.map(drop).map_err(|errors| errors.to_string())
    };
    assert_eq!(error("auth: token, identify: true"), Ok(()));
    assert_eq!(error("app_id: x"), Ok(()));
    let refused = error("app_id: x, identify: true").unwrap_err();
    let expected = "source github: `identify`: with these settings the provider does not say which token a credential is; remove it";
    assert!(refused.contains(expected), "{refused}");
}

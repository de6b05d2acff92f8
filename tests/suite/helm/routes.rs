//! The AlertmanagerConfig is equivalent to alerts/alertmanager.yaml and needs no template files.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{file, manifest_of, read, yaml};
use crate::test_servers::tool;

/// Converts a matcher to the syntax of Alertmanager's configuration file.
pub(super) fn matcher(matcher: &Value) -> Value {
    let part = |name: &str| matcher[name].as_str().unwrap();
    json!(format!("{}{}\"{}\"", part("name"), part("matchType"), part("value")))
}

/// Converts a key: `groupBy` to `group_by`.
fn snake_case(camel: &str) -> String {
    camel.chars().flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()])).collect()
}

/// Converts a route to the syntax of Alertmanager's configuration file.
pub(super) fn route(found: &Value) -> Value {
    let convert = |(name, value): (&String, &Value)| {
        let value = match name.as_str() {
            "matchers" => value.as_array().unwrap().iter().map(matcher).collect(),
            "routes" => value.as_array().unwrap().iter().map(route).collect(),
            _ => value.clone(),
        };
        (snake_case(name), value)
    };
    found.as_object().unwrap().iter().map(convert).collect()
}

/// Sorts the matchers: their order does not matter.
fn sorted(mut route: Value) -> Value {
    if let Some(matchers) = route["matchers"].as_array_mut() {
        matchers.sort_by_key(Value::to_string);
    }
    for child in route["routes"].as_array_mut().into_iter().flatten() {
        *child = sorted(child.take());
    }
    route.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    route
}

#[test]
fn routes_and_inhibitions_match_alertmanager_yaml() {
    let example = yaml(&read("alerts/alertmanager.yaml").replace(r#", team="platform"]"#, r#", 'team="platform"']"#));
    let spec = &manifest_of("alertmanager", "AlertmanagerConfig")["spec"];
    let mut routes = sorted(route(&spec["route"]));
    // The route of the second team is like that of the first.
    let children = routes["routes"].as_array_mut().unwrap();
    let at = children.iter().position(|child| child["receiver"] == "team-web").expect("no route of the second team");
    let mut web = children.remove(at);
    web["receiver"] = json!("team-platform");
    let web: Value = serde_json::from_str(&web.to_string().replace(r#"team=\"web\""#, r#"team=\"platform\""#)).unwrap();
    assert_eq!(web, children[at - 1]);
    assert_eq!(routes, sorted(example["route"].clone()));

    let inhibitions: Vec<Value> = spec["inhibitRules"].as_array().unwrap().iter().map(|rule| {
        let matchers = |name: &str| rule[name].as_array().unwrap().iter().map(matcher).collect::<Vec<_>>();
        json!({"source_matchers": matchers("sourceMatch"), "target_matchers": matchers("targetMatch"), "equal": rule["equal"]})
    }).collect();
    assert_eq!(json!(inhibitions), example["inhibit_rules"]);
}

#[test]
fn route_without_receiver_is_omitted() {
    let spec = &manifest_of("alertmanager-fallback-only", "AlertmanagerConfig")["spec"];
    let receivers = |list: &Value, name: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(receivers(&spec["route"]["routes"], "receiver"), ["fallback"]);
    assert_eq!(receivers(&spec["receivers"], "name"), ["fallback"]);
}

/// Renders a text as Alertmanager does, with the templates of these files.
fn render(text: &str, kind: &str, glob: &str) -> String {
    let data = json!({
        "status": "firing", "receiver": "owner", "groupLabels": {"token_owner_email": "ada@example.com", "finding": "unused"},
        "commonLabels": {}, "commonAnnotations": {"summary": "A token expires soon", "runbook_url": "https://r/x"},
        "alerts": [{"status": "firing", "labels": {"token_name": "<ci> & co", "provider": "gitlab", "source": "gitlab", "token_kind": "pat"},
            "annotations": {"description": "<ci> expires.", "expires": "2027-01-01 00:00 UTC", "manage_url": "https://g/x", "runbook_url": "https://r/x"}}],
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.json");
    fs::write(&path, data.to_string()).unwrap();
    let output = Command::new(tool("amtool"))
        .args([
            "template",
            "render",
            "--template.glob",
            glob,
            "--template.type",
            kind,
            "--template.text",
            text,
            "--template.data",
        ])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The texts of a receiver, by their key in Alertmanager's configuration file.
fn texts(receiver: &Value, kinds: [&str; 2]) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for config in kinds.iter().filter_map(|kind| receiver.get(*kind)).flat_map(|configs| configs.as_array().unwrap()) {
        for name in ["html", "text", "title"] {
            texts.extend(config[name].as_str().map(|text| (name.to_owned(), text.to_owned())));
        }
        let subject = config.pointer("/headers/Subject").or_else(|| config.pointer("/headers/0/value"));
        texts.extend(subject.map(|text| ("subject".to_owned(), text.as_str().unwrap().to_owned())));
    }
    texts
}

#[test]
fn mails_and_chats_have_the_texts_of_alerts() {
    let example = yaml(&read("alerts/alertmanager.yaml"));
    let spec = &manifest_of("alertmanager", "AlertmanagerConfig")["spec"];
    let (glob, no_templates) =
        (file("alerts/templates/*.tmpl").display().to_string(), file("Cargo.toml").display().to_string());
    let mut compared = 0;
    for name in ["owner", "no-owner", "auditors", "team-platform", "fallback"] {
        let find = |list: &Value| list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
        let expected = texts(&find(&example["receivers"]), ["email_configs", "slack_configs"]);
        let found = texts(&find(&spec["receivers"]), ["emailConfigs", "slackConfigs"]);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
        for (part, template) in &found {
            let kind = if part == "html" { "html" } else { "text" };
            let text = render(template, kind, &no_templates);
            assert_eq!(text, render(&expected[part], kind, &glob), "{name}: {part}");
            assert!(part == "html" || part == "text" || text.trim().lines().count() == 1, "{name}: {text}");
            compared += 1;
        }
    }
    assert_eq!(compared, 3 + 3 + 3 + 2 + 2);
}

/// Keeps the user's secrets, addresses and texts.
#[test]
fn receivers_keep_the_given_settings() {
    let spec = manifest_of("alertmanager", "AlertmanagerConfig")["spec"].clone();
    let receiver =
        |name: &str| spec["receivers"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let owner = &receiver("owner")["emailConfigs"][0];
    assert_eq!(owner["to"], "{{ .GroupLabels.token_owner_email }}");
    assert_eq!(
        (&owner["sendResolved"], &owner["authPassword"]),
        (&json!(false), &json!({"name": "smtp", "key": "password"}))
    );
    assert_eq!(receiver("auditors")["emailConfigs"][0]["to"], "auditors@example.com");
    assert_eq!(receiver("team-web")["slackConfigs"][0]["title"], "Tokens of ours");
    assert_eq!(receiver("team-platform")["slackConfigs"][0]["sendResolved"], false);
    assert_eq!(receiver("fallback")["slackConfigs"][0]["sendResolved"], true);
}

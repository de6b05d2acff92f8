//! A mail with several tokens has the most urgent first, then the next to expire, and loses none.

use std::process::Command;

use serde_json::{Value, json};

use super::{file, run};
use crate::test_servers::tool;

/// The names of the tokens in the order of a mail.
fn names(kind: &str, alerts: &[Value]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data.json");
    let content = json!({
        "receiver": "owner", "status": "firing", "alerts": alerts, "groupLabels": {"token_owner_email": "ada@example.com"},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
    });
    std::fs::write(&data, content.to_string()).unwrap();
    let mut amtool = Command::new(tool("amtool"));
    amtool.args(["template", "render"]).arg(format!("--template.glob={}", file("alerts/templates/*.tmpl").display()));
    amtool.arg(format!("--template.data={}", data.display())).arg(format!("--template.type={kind}"));
    amtool.arg(format!("--template.text={{{{ template \"tokens.{kind}\" . }}}}"));
    let mail = run(&mut amtool).unwrap_or_else(|output| panic!("{kind}: {output}"));
    let name = regex::Regex::new(r"(?m)(?:^\* |<b>)(token-[^:<]*)").unwrap();
    name.captures_iter(&mail).map(|found| found[1].to_owned()).collect()
}

fn alert(name: &str, alertname: &str, expires: &str) -> Value {
    let labels = json!({"token_name": name, "token_kind": "pat", "alertname": alertname, "severity": "warning"});
    json!({"status": "firing", "labels": labels, "annotations": {"expires": expires}})
}

#[test]
fn mail_orders_tokens_by_urgency_and_then_by_date() {
    let mut alerts = vec![
        alert("token-6", "TokenExpiryWarning", "2027-03-09 00:00 UTC"),
        alert("token-3", "TokenExpiryCritical", "2027-02-02 00:00 UTC"),
        alert("token-5", "TokenExpiryWarning", "2027-01-20 00:00 UTC"),
        alert("token-1", "TokenExpired", "2026-12-31 23:59 UTC"),
        // A longer lead: critical, and later than a warning.
        alert("token-4", "TokenExpiryCritical", "2027-05-01 00:00 UTC"),
        alert("token-2", "TokenExpired", "2027-01-01 00:00 UTC"),
        alert("token-7", "TokenExpiryWarning", "2027-11-01 00:00 UTC"),
    ];
    for kind in ["text", "html"] {
        for _ in 0..alerts.len() {
            alerts.rotate_left(1);
            let expected: Vec<String> = (1..=7).map(|number| format!("token-{number}")).collect();
            assert_eq!(names(kind, &alerts), expected, "{kind}");
        }
    }
}

#[test]
fn mail_has_every_token_once() {
    let mut alerts = vec![
        alert("token-1", "TokenExpired", "2027-01-01 00:00 UTC"),
        alert("token-2", "TokenExpired", "2027-01-01 00:00 UTC"),
        // Alerts of an operator's own rules, and without the annotation.
        alert("token-3", "TokenExpiryOfMine", "2027-01-01 00:00 UTC"),
        alert("token-4", "TokenExpiryOfMine", ""),
        json!({"status": "firing", "labels": {"token_name": "token-5"}, "annotations": {}}),
    ];
    alerts.push(json!({"status": "resolved", "labels": {"token_name": "token-6"}, "annotations": {}}));
    for kind in ["text", "html"] {
        let mut found = names(kind, &alerts);
        assert_eq!(found[..2], ["token-1", "token-2"], "{kind}");
        found.sort();
        assert_eq!(found, ["token-1", "token-2", "token-3", "token-4", "token-5"], "{kind}");
    }
}

//! What is rendered is valid, by Kubernetes' own schemas and those of the operators, and changes only where a person sees it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{CHART, RENDERED, file, helm, manifests, of, sets, template, updates, workload};

/// What no schema is kept for here: those of other projects' objects, each with its own licence and its own pace.
const WITHOUT_SCHEMA: &str = "cert-manager.io/v1 Certificate, cilium.io/v2 CiliumNetworkPolicy, external-secrets.io/v1 ExternalSecret, \
    external-secrets.io/v1beta1 ExternalSecret, grafana.integreatly.org/v1beta1 GrafanaDashboard, \
    operator.victoriametrics.com/v1beta1 VMServiceScrape, secrets-store.csi.x-k8s.io/v1 SecretProviderClass";

/// The validator over a folder of rendered sets: its lines, and whether it was content.
fn validated(folder: &std::path::Path) -> (String, bool) {
    let python = file(".tools/python/bin/python3");
    let output = Command::new(python).arg(file("tests/helm/validate.py")).arg(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.success())
}

#[test]
fn every_manifest_is_valid_from_kubernetes_1_25_to_1_35() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in RENDERED.iter() {
        fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    }
    assert!(RENDERED.len() >= 20, "{} sets of values", RENDERED.len());
    let (said, content) = validated(folder.path());
    assert!(content, "{said}");
    let count: usize = said.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(said, format!("{count} manifests, 0 mistakes; without a schema: {WITHOUT_SCHEMA}\n"));
    assert!(count > 5 * RENDERED.len(), "{count} manifests of {} sets", RENDERED.len());
}

/// A check that cannot fail would be none.
#[test]
fn the_validator_sees_what_is_wrong() {
    let service = |text: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\n{text}\n");
    let rule = |text: &str| {
        format!("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: a}}\n{text}\n")
    };
    for (manifest, complaint) in [
        (service("spec: {ports: [{port: many}]}"), "Service a, 1.25: $.spec.ports[0].port"),
        (service("spec: {prots: []}"), "Service a, 1.35: $.spec: Additional properties"),
        (service("spec: {type: ClusterIP, type: NodePort}"), "the key ['type'] comes twice"),
        (rule("spec: {groups: [{name: a, rules: [{alert: a}]}]}"), "PrometheusRule a, its CRD"),
        (rule("spec: {grupps: []}"), "PrometheusRule a, its CRD: $.spec: Additional properties"),
        (service("spec: {}") + "---\n" + &service("spec: {}"), "comes twice"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("set.yaml"), &manifest).unwrap();
        let (said, content) = validated(folder.path());
        assert!(!content && said.contains(complaint), "{manifest}: {said}");
    }
}

#[test]
fn helm_lints_it_without_a_warning() {
    helm(&["lint", "--strict", CHART]).unwrap_or_else(|error| panic!("{error}"));
    for (name, path) in sets("good") {
        let values = path.display().to_string();
        helm(&["lint", "--strict", CHART, "--values", &values]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_chart_can_be_packed_and_installed_from_its_archive() {
    let folder = tempfile::tempdir().unwrap();
    let destination = folder.path().display().to_string();
    helm(&["package", CHART, "--destination", &destination]).unwrap();
    let archive = folder.path().join(format!("token-expiry-exporter-{}.tgz", env!("CARGO_PKG_VERSION")));
    let values = sets("good")["names"].display().to_string();
    let archive = archive.display().to_string();
    let packed = helm(&["template", "tokens", &archive, "--namespace=monitoring", "--values", &values]).unwrap();
    assert_eq!(packed, RENDERED["names"]);
}

/// A dashboard's body, which is indented under its name, as its checksum: it is compared byte for byte elsewhere.
fn without_bodies(text: &str) -> String {
    let (mut kept, mut body) = (String::new(), None::<String>);
    for line in text.lines() {
        match &mut body {
            Some(body) if line.starts_with("    ") || line.is_empty() => body.push_str(line),
            _ => {
                if let Some(body) = body.take() {
                    kept.push_str(&format!("    (crc32 {:08x})\n", crc32fast::hash(body.as_bytes())));
                }
                kept.push_str(line);
                kept.push('\n');
                body = line.ends_with(".json: |").then(String::new);
            }
        }
    }
    assert!(body.is_none(), "a dashboard is never the last");
    kept
}

#[test]
fn golden_renders() {
    for name in [
        "minimal",
        "shards-with-replicas",
        "web-cert-manager",
        "rules-changed",
        "alertmanager",
        "network-policy",
        "cilium",
        "dashboards",
    ] {
        let path = file("tests/golden/helm").join(format!("{name}.yaml"));
        let text = without_bodies(&RENDERED[name]);
        if updates() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(golden == text, "{}: `make golden` writes it anew; look at the diff", path.display());
        }
    }
}

#[test]
fn a_volume_makes_it_a_stateful_set_and_so_do_shards() {
    for (set, kind, pods, claims) in [
        ("minimal", "StatefulSet", 1, 1),
        ("deployment", "Deployment", 1, 0),
        ("replicas", "StatefulSet", 2, 1),
        ("shards", "StatefulSet", 3, 1),
        ("shards-with-replicas", "StatefulSet", 4, 1),
        ("own-claim", "StatefulSet", 1, 0),
        ("scheduling", "Deployment", 3, 0),
    ] {
        let manifests = of(set);
        let workload = workload(&manifests);
        let found = workload["spec"]["volumeClaimTemplates"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (&workload["kind"], &workload["spec"]["replicas"], found),
            (&kind.into(), &pods.into(), claims),
            "{set}"
        );
        let budget = manifests.iter().any(|manifest| manifest["kind"] == "PodDisruptionBudget");
        assert_eq!(budget, pods > 1, "{set}");
    }
}

/// A ConfigMap that changes shall start no pod anew, unless that is asked for; nor shall a new version of the chart.
#[test]
fn a_changed_configuration_restarts_nothing_unless_asked_for() {
    let changed = "config.interval=2h";
    for (set, restarts) in [("minimal", false), ("scheduling", true)] {
        let before = of(set);
        let after = manifests(&template(&sets("good")[set], &["--set", changed]).unwrap());
        let pod = |manifests: &[Value]| workload(manifests)["spec"]["template"].clone();
        assert_eq!(pod(&before) != pod(&after), restarts, "{set}");
        assert_ne!(before, after, "{set}: the ConfigMap");
        let labels = pod(&before)["metadata"].to_string();
        assert!(!labels.contains(env!("CARGO_PKG_VERSION")), "{set}: {labels}");
    }
}

/// Monitors and services choose the exporter's pods, and not the one of `helm test`.
#[test]
fn selectors_fit() {
    for set in RENDERED.keys() {
        let manifests = of(set);
        let text = |labels: &Value| -> BTreeSet<String> {
            labels.as_object().unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        let workload = workload(&manifests);
        let pod = text(&workload["spec"]["template"]["metadata"]["labels"]);
        let find = |kind: &str| manifests.iter().find(|manifest| manifest["kind"] == kind);
        let check = text(&find("Pod").unwrap()["metadata"]["labels"]);
        let service = find("Service").unwrap();
        for selector in [&service["spec"]["selector"], &workload["spec"]["selector"]["matchLabels"]] {
            let selector = text(selector);
            assert!(selector.is_subset(&pod) && !selector.is_subset(&check), "{set}: {selector:?}");
        }
        for (kind, chosen) in [("ServiceMonitor", text(&service["metadata"]["labels"])), ("PodMonitor", pod.clone())] {
            if let Some(monitor) = find(kind) {
                assert!(text(&monitor["spec"]["selector"]["matchLabels"]).is_subset(&chosen), "{set}: {kind}");
            }
        }
    }
}

/// What is told after an installation: how to see it, which Secrets it waits for, and what is missing to be alerted.
#[test]
fn the_notes_say_what_is_to_be_done() {
    let notes = |set: &str| {
        let values = sets("good")[set].display().to_string();
        let said =
            helm(&["install", "tokens", CHART, "--namespace=monitoring", "--dry-run=client", "--values", &values])
                .unwrap();
        said.split_once("\nNOTES:\n").unwrap().1.to_owned()
    };
    let minimal = notes("minimal");
    for part in [
        "1 source, 1 shard of 1, 1 pod.",
        "helm test tokens --namespace monitoring --logs",
        "port-forward service/tokens-token-expiry-exporter 10984",
        "create secret generic atlassian-key --from-file=token=FILE",
        "Nothing is told to scrape it",
        "There are no alerts",
        "There are no dashboards",
    ] {
        assert!(minimal.contains(part), "{part}:\n{minimal}");
    }
    for (set, part) in [
        ("shards-with-replicas", "2 shards of 2, 4 pods."),
        ("deployment", "The inventory ends with the pod"),
        ("ingress", "The Ingress shows the names of tokens"),
        ("rules-changed", "There are no dashboards"),
        ("names", "Alerts have no link to what is to be done"),
        ("web-tls", "https://127.0.0.1:10984/"),
    ] {
        assert!(notes(set).contains(part), "{set}: {part}:\n{}", notes(set));
    }
    assert!(!notes("service-monitor").contains("Nothing is told to scrape it"));
    assert!(!notes("rules").contains("runbookUrl"));
}

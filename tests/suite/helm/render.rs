//! Rendered manifests are valid by the schemas of Kubernetes and of the operators, and match the golden files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{CHART, RENDERED, file, helm, manifests, manifests_of, template, updates_golden, value_sets, workload};

/// Objects without a schema in this repository: those of other projects, with their own licences and release cycles.
const WITHOUT_SCHEMA: &str = "cilium.io/v2 CiliumNetworkPolicy, gateway.networking.k8s.io/v1 HTTPRoute, grafana.integreatly.org/v1beta1 GrafanaDashboard, \
    monitoring.googleapis.com/v1 PodMonitoring, operator.victoriametrics.com/v1beta1 VMRule, \
    operator.victoriametrics.com/v1beta1 VMServiceScrape, secrets-store.csi.x-k8s.io/v1 SecretProviderClass";

/// Runs the validator on a directory of rendered sets: its output, and whether it succeeded.
pub(crate) fn validate(directory: &std::path::Path) -> (String, bool) {
    let python = file(".tools/python/bin/python3");
    let output = Command::new(python).arg(file("tests/helm/validate.py")).arg(directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.success())
}

#[test]
fn manifests_are_valid_from_kubernetes_1_25_to_1_35() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in RENDERED.iter() {
        fs::write(directory.path().join(format!("{name}.yaml")), text).unwrap();
    }
    assert!(RENDERED.len() >= 20, "{} sets of values", RENDERED.len());
    let (output, success) = validate(directory.path());
    assert!(success, "{output}");
    let count: usize = output.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(output, format!("{count} manifests, 0 errors; without a schema: {WITHOUT_SCHEMA}\n"));
    assert!(count > 5 * RENDERED.len(), "{count} manifests of {} sets", RENDERED.len());
}

/// The values for distributions, with the minimal ones.
#[test]
fn values_of_distributions_render_valid_manifests() {
    let directory = tempfile::tempdir().unwrap();
    let minimal = value_sets("good")["minimal"].display().to_string();
    let mut rendered = BTreeMap::new();
    for entry in fs::read_dir(file("examples/kubernetes")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_string_lossy().into_owned();
        let text = template(&entry, &["--values", &minimal]).unwrap_or_else(|error| panic!("{name}: {error}"));
        fs::write(directory.path().join(format!("{name}.yaml")), &text).unwrap();
        helm(&["lint", "--strict", CHART, "--values", &minimal, "--values", entry.to_str().unwrap()])
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let page = fs::read_to_string(file("docs/kubernetes.md")).unwrap();
        assert!(page.contains(&format!("examples/kubernetes/{name}.yaml)")), "docs/kubernetes.md: no {name}");
        rendered.insert(name, manifests(&text));
    }
    assert_eq!(rendered.keys().collect::<Vec<_>>(), ["aks", "eks", "gke", "k3s", "openshift"]);
    let (output, success) = validate(directory.path());
    assert!(success, "{output}");

    let find = |name: &str, kind: &str| {
        let found = rendered[name].iter().find(|manifest| manifest["kind"] == kind);
        found.unwrap_or_else(|| panic!("{name}: no {kind}")).clone()
    };
    let pod = |name: &str| workload(&rendered[name])["spec"]["template"].clone();
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert!(pod("openshift")["spec"]["securityContext"].get(field).is_none(), "{field}");
    }
    assert_eq!(pod("openshift")["spec"]["securityContext"]["runAsNonRoot"], true);
    assert_eq!(find("openshift", "Route")["spec"]["to"]["name"], find("openshift", "Service")["metadata"]["name"]);
    assert_eq!(find("openshift", "NetworkPolicy")["spec"]["egress"][0]["ports"][2]["port"], 5353);
    let annotations = |name: &str| find(name, "ServiceAccount")["metadata"]["annotations"].to_string();
    assert!(annotations("eks").contains("eks.amazonaws.com/role-arn"));
    assert!(annotations("gke").contains("iam.gke.io/gcp-service-account"));
    assert!(annotations("aks").contains("azure.workload.identity/client-id"));
    for labels in [&pod("aks")["metadata"]["labels"], &find("aks", "Pod")["metadata"]["labels"]] {
        assert_eq!(labels["azure.workload.identity/use"], "true");
    }
    let gke = find("gke", "NetworkPolicy")["spec"]["egress"].to_string();
    assert!(gke.contains("169.254.169.252/32") && gke.contains("169.254.20.10/32"), "{gke}");
}

#[test]
fn validator_rejects_invalid_manifests() {
    let service = |text: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\n{text}\n");
    let rule = |text: &str| {
        format!("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: a}}\n{text}\n")
    };
    for (manifest, error) in [
        (service("spec: {ports: [{port: many}]}"), "Service a, 1.25: $.spec.ports[0].port"),
        (service("spec: {prots: []}"), "Service a, 1.35: $.spec: Additional properties"),
        (service("spec: {type: ClusterIP, type: NodePort}"), "duplicate key ['type']"),
        (rule("spec: {groups: [{name: a, rules: [{alert: a}]}]}"), "PrometheusRule a, its CRD"),
        (rule("spec: {grupps: []}"), "PrometheusRule a, its CRD: $.spec: Additional properties"),
        (service("spec: {}") + "---\n" + &service("spec: {}"), "duplicate"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("set.yaml"), &manifest).unwrap();
        let (output, success) = validate(directory.path());
        assert!(!success && output.contains(error), "{manifest}: {output}");
    }
}

#[test]
fn exporter_serves_the_path_of_the_ingress() {
    let set = &value_sets("good")["ingress"];
    for (path, prefix) in [
        ("/tokens", Some("--web.route-prefix=/tokens")),
        ("/a/tokens/", Some("--web.route-prefix=/a/tokens/")),
        ("/", None),
        ("/calendar.ics", None),
        ("/metrics", None),
        ("/tokens(/|$)(.*)", None),
    ] {
        let rendered = manifests(&template(set, &[&format!("--set-string=ingress.path={path}")]).unwrap());
        let container = &workload(&rendered)["spec"]["template"]["spec"]["containers"][0];
        let args: Vec<_> = container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let found = args.iter().copied().find(|arg| arg.starts_with("--web.route-prefix"));
        assert_eq!(found, prefix, "{path}: {args:?}");
        assert!(args.contains(&"--web.telemetry-path=/metrics"), "{args:?}");
    }
}

#[test]
fn helm_lint_reports_no_warning() {
    helm(&["lint", "--strict", CHART]).unwrap_or_else(|error| panic!("{error}"));
    for (name, path) in value_sets("good") {
        let values = path.display().to_string();
        helm(&["lint", "--strict", CHART, "--values", &values]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn packaged_chart_renders_like_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let destination = directory.path().display().to_string();
    helm(&["package", CHART, "--destination", &destination]).unwrap();
    let archive = directory.path().join(format!("token-expiry-exporter-{}.tgz", env!("CARGO_PKG_VERSION")));
    let values = value_sets("good")["names"].display().to_string();
    let archive = archive.display().to_string();
    let packed = helm(&["template", "tokens", &archive, "--namespace=monitoring", "--values", &values]).unwrap();
    assert_eq!(packed, RENDERED["names"]);
}

/// Replaces the content of each dashboard with its checksum: another test compares it byte for byte.
fn without_dashboards(text: &str) -> String {
    let (mut rest, mut body) = (String::new(), None::<String>);
    for line in text.lines() {
        match &mut body {
            Some(body) if line.starts_with("    ") || line.is_empty() => body.push_str(line),
            _ => {
                if let Some(body) = body.take() {
                    rest.push_str(&format!("    (crc32 {:08x})\n", crc32fast::hash(body.as_bytes())));
                }
                rest.push_str(line);
                rest.push('\n');
                body = line.ends_with(".json: |").then(String::new);
            }
        }
    }
    assert!(body.is_none(), "a dashboard is the last object");
    rest
}

#[test]
fn rendered_manifests_match_golden_files() {
    for name in [
        "minimal",
        "shards-with-replicas",
        "web-cert-manager",
        "rules-changed",
        "alertmanager",
        "network-policy",
        "shared-store",
        "cilium",
        "dashboards",
    ] {
        let path = file("tests/golden/helm").join(format!("{name}.yaml"));
        let text = without_dashboards(&RENDERED[name]);
        if updates_golden() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(golden == text, "{}: run `make golden` and look at the diff", path.display());
        }
    }
}

#[test]
fn workload_is_a_stateful_set_with_volumes_or_shards() {
    for (set, kind, pods, claims) in [
        ("minimal", "StatefulSet", 1, 1),
        ("deployment", "Deployment", 1, 0),
        ("replicas", "StatefulSet", 2, 1),
        ("shards", "StatefulSet", 3, 1),
        ("shards-with-replicas", "StatefulSet", 4, 1),
        ("existing-claim", "StatefulSet", 1, 0),
        ("scheduling", "Deployment", 3, 0),
        ("shared-store", "Deployment", 3, 0),
        ("shared-store-secret", "Deployment", 1, 0),
    ] {
        let manifests = manifests_of(set);
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

/// `helm upgrade` replaces the StatefulSet by a Deployment of the same name. The Service and the monitors select both.
#[test]
fn shared_store_turns_the_stateful_set_into_a_deployment() {
    let values = value_sets("good")["minimal"].clone();
    let store = "storage.url=s3://tokens/production,replicas=2";
    let (before, after) = (manifests_of("minimal"), manifests(&template(&values, &["--set", store]).unwrap()));
    let (old, new) = (workload(&before), workload(&after));
    assert_eq!((&old["kind"], &new["kind"]), (&"StatefulSet".into(), &"Deployment".into()));
    for same in ["/metadata/name", "/spec/selector", "/spec/template/metadata/labels"] {
        assert_eq!(old.pointer(same).unwrap(), new.pointer(same).unwrap(), "{same}");
    }
    let service = |manifests: &[Value]| manifests.iter().find(|it| it["kind"] == "Service").cloned().unwrap();
    assert_eq!(service(&before), service(&after));
    let pod = &new["spec"]["template"]["spec"];
    let text = pod.to_string();
    assert!(text.contains("--storage.url=s3://tokens/production"), "{text}");
    for gone in ["--storage.path", "/var/lib/token-expiry-exporter", "persistentVolumeClaim", "emptyDir"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert!(after.iter().any(|it| it["kind"] == "PodDisruptionBudget"));
}

/// The credentials of the store come from a role, or from a Secret that is not part of the release.
#[test]
fn shared_store_gets_its_settings_and_credentials() {
    let container = |set: &str| workload(&manifests_of(set))["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(container("shared-store")["env"], json!([{"name": "AWS_REGION", "value": "eu-central-1"}]));
    assert!(container("shared-store").get("envFrom").is_none());
    let secret = container("shared-store-secret");
    assert_eq!(
        secret["envFrom"],
        json!([{"secretRef": {"name": "token-expiry-bucket"}}, {"configMapRef": {"name": "proxy"}}])
    );
    let names: Vec<_> = secret["env"].as_array().unwrap().iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["AWS_ALLOW_HTTP", "AWS_ENDPOINT_URL", "TZ"]);
    let azure = container("shared-store-azure")["args"].to_string();
    assert!(azure.contains("--storage.when-lost=hold"), "{azure}");
}

/// A changed ConfigMap must not restart pods unless `restartOnChange` is set; nor must a new version of the chart.
#[test]
fn pods_restart_on_a_configuration_change_only_with_restart_on_change() {
    let changed = "config.interval=2h";
    for (set, restarts) in [("minimal", false), ("scheduling", true)] {
        let before = manifests_of(set);
        let after = manifests(&template(&value_sets("good")[set], &["--set", changed]).unwrap());
        let pod = |manifests: &[Value]| workload(manifests)["spec"]["template"].clone();
        assert_eq!(pod(&before) != pod(&after), restarts, "{set}");
        assert_ne!(before, after, "{set}: the ConfigMap");
        let labels = pod(&before)["metadata"].to_string();
        assert!(!labels.contains(env!("CARGO_PKG_VERSION")), "{set}: {labels}");
    }
}

/// Monitors and services select the exporter pods, not the pod of `helm test`.
#[test]
fn selectors_match_only_exporter_pods() {
    for set in RENDERED.keys() {
        let manifests = manifests_of(set);
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
        for (kind, labels) in [("ServiceMonitor", text(&service["metadata"]["labels"])), ("PodMonitor", pod.clone())] {
            if let Some(monitor) = find(kind) {
                assert!(text(&monitor["spec"]["selector"]["matchLabels"]).is_subset(&labels), "{set}: {kind}");
            }
        }
    }
}

/// The notes after an installation: how to open it, which Secrets it needs, and what is not configured yet.
#[test]
fn notes_list_next_steps() {
    let notes = |set: &str| {
        let values = value_sets("good")[set].display().to_string();
        let output =
            helm(&["install", "tokens", CHART, "--namespace=monitoring", "--dry-run=client", "--values", &values])
                .unwrap();
        output.split_once("\nNOTES:\n").unwrap().1.to_owned()
    };
    let minimal = notes("minimal");
    for part in [
        "1 source, 1 shard of 1, 1 pod.",
        "helm test tokens --namespace monitoring --logs",
        "port-forward service/tokens-token-expiry-exporter 10984",
        "create secret generic atlassian-key --from-file=token=FILE",
        "No scrape job is configured",
        "No alerts are installed",
        "No dashboards are installed",
    ] {
        assert!(minimal.contains(part), "{part}:\n{minimal}");
    }
    for (set, part) in [
        ("shards-with-replicas", "2 shards of 2, 4 pods."),
        ("deployment", "The inventory is lost with the pod"),
        ("ingress", "The Ingress shows the names of tokens"),
        ("rules-changed", "No dashboards are installed"),
        ("names", "Alerts have no runbook links"),
        ("web-tls", "https://127.0.0.1:10984/"),
        ("shared-store-secret", "set replicas to 2 or more"),
    ] {
        assert!(notes(set).contains(part), "{set}: {part}:\n{}", notes(set));
    }
    assert!(
        !notes("shared-store").contains("To do:\n- The shared store") && !notes("shared-store").contains("is lost")
    );
    assert!(!notes("service-monitor").contains("No scrape job is configured"));
    assert!(!notes("rules").contains("runbookUrl"));
}

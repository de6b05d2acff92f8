//! `examples/compose.yaml`: mounted files exist, and the programs accept them. Images are not pulled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::test_servers::tool;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compose() -> Value {
    yaml(&examples().join("compose.yaml"))
}

/// The mounts of a service: path in the checkout, and path in the container.
fn mounts(service: &Value) -> Vec<(PathBuf, String)> {
    let mounts = service["volumes"].as_array().unwrap().iter().filter_map(|mount| {
        let mut parts = mount.as_str().unwrap().split(':');
        let (source, target) = (parts.next().unwrap(), parts.next().unwrap());
        source.starts_with('.').then(|| {
            assert_eq!(parts.next(), Some("ro"), "{mount}: mount files of the checkout read-only");
            (examples().join(source), target.to_owned())
        })
    });
    mounts.collect()
}

/// A directory with the mounts of a service, as the root of its container.
fn container_root(service: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (source, target) in mounts(&compose()["services"][service]) {
        let target = root.path().join(target.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(source.canonicalize().unwrap(), target).unwrap();
    }
    root
}

fn assert_accepted_by(program: &Path, args: &[&str], file: &Path) {
    let output = Command::new(program).args(args).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}: {text}", file.display());
}

#[test]
fn compose_file_matches_its_schema() {
    assert_accepted_by(
        &tool("check-jsonschema"),
        &["--builtin-schema", "vendor.compose-spec"],
        &examples().join("compose.yaml"),
    );
}

#[test]
fn mounts_exist_and_images_and_ports_are_exact() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["exporter", "prometheus", "alertmanager", "grafana"]);
    for (name, service) in services {
        for (source, _) in mounts(service) {
            assert!(source.exists(), "{name}: {}", source.display());
        }
        let tag = service["image"].as_str().unwrap().split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag.trim_start_matches('v').split('.').count() == 3), "{name}: {tag:?}");
        for port in service["ports"].as_array().unwrap() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port} must listen on localhost only");
        }
    }
    let version = compose["services"]["exporter"]["image"].as_str().unwrap();
    assert_eq!(version, concat!("token-expiry-exporter:", env!("CARGO_PKG_VERSION")));
    let mut volumes: Vec<&String> = compose["volumes"].as_object().unwrap().keys().collect();
    volumes.sort();
    assert_eq!(volumes, ["alertmanager", "grafana", "inventory", "prometheus"]);
}

#[test]
fn programs_accept_their_files() {
    let root = container_root("exporter");
    let config = root.path().join("etc/token-expiry-exporter/config.yaml");
    assert_accepted_by(Path::new(env!("CARGO_BIN_EXE_token-expiry-exporter")), &["check", "--config.file"], &config);
    // promtool reads the rules too, from the paths in the configuration.
    let root = container_root("prometheus");
    assert_accepted_by(&tool("promtool"), &["check", "config"], &root.path().join("etc/prometheus/prometheus.yaml"));
    let root = container_root("alertmanager");
    assert_accepted_by(&tool("amtool"), &["check-config"], &root.path().join("etc/alertmanager/alertmanager.yaml"));
}

#[test]
fn services_address_each_other_by_name_and_port() {
    let compose = compose();
    let root = container_root("prometheus");
    let prometheus = yaml(&root.path().join("etc/prometheus/prometheus.yaml"));
    let assert_served = |target: &Value| {
        let (host, port) = target.as_str().unwrap().split_once(':').unwrap();
        let ports = compose["services"][host]["ports"].as_array().unwrap_or_else(|| panic!("no service {host}"));
        assert!(ports.iter().any(|mapped| mapped.as_str().unwrap().ends_with(&format!(":{port}"))), "{host}:{port}");
    };
    assert_served(&prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0]);
    assert_served(&prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0]);
    assert_eq!(prometheus["scrape_configs"][0]["job_name"], "token-expiry-exporter", "the alerts use this job name");

    let root = container_root("grafana");
    let provisioning = root.path().join("etc/grafana/provisioning");
    let source = &yaml(&provisioning.join("datasources/token-expiry.yaml"))["datasources"][0];
    assert_served(&Value::from(source["url"].as_str().unwrap().trim_start_matches("http://")));
    assert_eq!((&source["type"], &source["isDefault"]), (&"prometheus".into(), &true.into()));
    let provider = &yaml(&provisioning.join("dashboards/token-expiry.yaml"))["providers"][0];
    let path = provider["options"]["path"].as_str().unwrap();
    let home =
        compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    assert!(root.path().join(home.trim_start_matches('/')).is_file(), "{home}");
    let dashboards = fs::read_dir(root.path().join(path.trim_start_matches('/'))).unwrap();
    assert_eq!(dashboards.filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "json").count(), 3);
}

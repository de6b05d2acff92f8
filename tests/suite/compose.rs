//! `examples/compose.yaml`: whatever it mounts is there, and is what the program that reads it takes. The images themselves
//! are not pulled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::equipment::tool;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compose() -> Value {
    yaml(&folder().join("compose.yaml"))
}

/// The files and folders that a service mounts: where they are here, and where there.
fn mounts(service: &Value) -> Vec<(PathBuf, String)> {
    let mounts = service["volumes"].as_array().unwrap().iter().filter_map(|mount| {
        let mut parts = mount.as_str().unwrap().split(':');
        let (here, there) = (parts.next().unwrap(), parts.next().unwrap());
        here.starts_with('.').then(|| {
            assert_eq!(parts.next(), Some("ro"), "{mount}: what is in the checkout is only read");
            (folder().join(here), there.to_owned())
        })
    });
    mounts.collect()
}

/// The service's view of what it mounts, under a folder of this machine.
fn laid_out(service: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (here, there) in mounts(&compose()["services"][service]) {
        let there = root.path().join(there.trim_start_matches('/'));
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(here.canonicalize().unwrap(), there).unwrap();
    }
    root
}

/// Runs a program that must be content with what it reads.
fn is_content(program: &Path, args: &[&str], file: &Path) {
    let output = Command::new(program).args(args).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}: {said}", file.display());
}

#[test]
fn it_keeps_to_the_schema_of_compose() {
    is_content(&tool("check-jsonschema"), &["--builtin-schema", "vendor.compose-spec"], &folder().join("compose.yaml"));
}

#[test]
fn what_is_mounted_is_there_and_images_and_ports_are_named_exactly() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["exporter", "prometheus", "alertmanager", "grafana"]);
    for (name, service) in services {
        for (here, _) in mounts(service) {
            assert!(here.exists(), "{name}: {}", here.display());
        }
        let tag = service["image"].as_str().unwrap().split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag.trim_start_matches('v').split('.').count() == 3), "{name}: {tag:?}");
        for port in service["ports"].as_array().unwrap() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port} is this machine's own");
        }
    }
    let version = compose["services"]["exporter"]["image"].as_str().unwrap();
    assert_eq!(version, concat!("token-expiry-exporter:", env!("CARGO_PKG_VERSION")));
    let mut kept: Vec<&String> = compose["volumes"].as_object().unwrap().keys().collect();
    kept.sort();
    assert_eq!(kept, ["alertmanager", "grafana", "inventory", "prometheus"]);
}

#[test]
fn each_program_takes_what_it_is_given() {
    let root = laid_out("exporter");
    let config = root.path().join("etc/token-expiry-exporter/config.yaml");
    is_content(Path::new(env!("CARGO_BIN_EXE_token-expiry-exporter")), &["check", "--config.file"], &config);
    // Promtool reads the rules too, from where the configuration says that they are.
    let root = laid_out("prometheus");
    is_content(&tool("promtool"), &["check", "config"], &root.path().join("etc/prometheus/prometheus.yaml"));
    let root = laid_out("alertmanager");
    is_content(&tool("amtool"), &["check-config"], &root.path().join("etc/alertmanager/alertmanager.yaml"));
}

#[test]
fn the_programs_find_each_other() {
    let compose = compose();
    let root = laid_out("prometheus");
    let prometheus = yaml(&root.path().join("etc/prometheus/prometheus.yaml"));
    let reached = |target: &Value| {
        let (host, port) = target.as_str().unwrap().split_once(':').unwrap();
        let ports = compose["services"][host]["ports"].as_array().unwrap_or_else(|| panic!("no service {host}"));
        assert!(ports.iter().any(|mapped| mapped.as_str().unwrap().ends_with(&format!(":{port}"))), "{host}:{port}");
    };
    reached(&prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0]);
    reached(&prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0]);
    assert_eq!(prometheus["scrape_configs"][0]["job_name"], "token-expiry-exporter", "alerts name the job");

    let root = laid_out("grafana");
    let provisioning = root.path().join("etc/grafana/provisioning");
    let source = &yaml(&provisioning.join("datasources/token-expiry.yaml"))["datasources"][0];
    reached(&Value::from(source["url"].as_str().unwrap().trim_start_matches("http://")));
    assert_eq!((&source["type"], &source["isDefault"]), (&"prometheus".into(), &true.into()));
    let provider = &yaml(&provisioning.join("dashboards/token-expiry.yaml"))["providers"][0];
    let path = provider["options"]["path"].as_str().unwrap();
    let home =
        compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    assert!(root.path().join(home.trim_start_matches('/')).is_file(), "{home}");
    let boards = fs::read_dir(root.path().join(path.trim_start_matches('/'))).unwrap();
    assert_eq!(boards.filter(|board| board.as_ref().unwrap().path().extension().unwrap() == "json").count(), 3);
}

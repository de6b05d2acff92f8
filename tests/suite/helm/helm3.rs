//! Helm 3 accepts the chart and renders what Helm 4 renders. The cases (tests/helm/cases.py) run with both as well.

use super::{CHART, RENDERED, run_helm, value_sets};

#[test]
fn helm_3_renders_every_value_set_like_helm_4() {
    assert!(run_helm("helm3", &["version", "--short"]).unwrap().starts_with("v3."));
    for (name, path) in value_sets("good") {
        let values = path.display().to_string();
        let arguments = ["template", "tokens", CHART, "--namespace=monitoring", "--values", &values];
        let rendered = run_helm("helm3", &arguments).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(rendered == RENDERED[&name], "{name}: Helm 3 renders different text");
    }
}

#[test]
fn helm_3_lint_reports_no_warning() {
    run_helm("helm3", &["lint", "--strict", CHART]).unwrap_or_else(|error| panic!("{error}"));
    for name in ["minimal", "names", "alertmanager"] {
        let values = value_sets("good")[name].display().to_string();
        run_helm("helm3", &["lint", "--strict", CHART, "--values", &values])
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

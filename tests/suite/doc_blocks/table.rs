//! The blocks whose language does not say how they are checked, and those that are not run, each with the reason.

use super::block::Block;

/// How a block is checked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Run line by line.
    Shell,
    /// `promtool check rules`.
    Query,
    /// `promtool check rules` of this file, in which BLOCK stands for the block.
    Rules(&'static str),
    /// `promtool check config`.
    Prometheus,
    /// `check` accepts this text, in which BLOCK stands for the block.
    Configuration(&'static str),
    /// `check --web.config.file`.
    WebConfiguration,
    /// `check --providers.dir`; keys of a definition are added to the first definition of docs/definitions.md.
    Definition,
    /// `list` shows the rows of this file of the provider `manual`.
    ManualFile,
    /// The chart renders these values, and the manifests are valid.
    Values,
    /// This manifest of Kubernetes is valid, in which BLOCK stands for the block.
    Manifest(&'static str),
    /// The keys are those of the provisioning in examples/compose.
    GrafanaProvisioning,
    /// `bao policy fmt`.
    VaultPolicy,
    /// Valid JSON.
    Json,
    /// A health check of a container, which the program runs.
    ContainerHealth,
    /// The headers of a response of the program.
    Headers,
    /// Another test runs the page: `file: name`.
    RunBy(&'static str),
    /// Not run, for this reason.
    NotRun(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) page: &'static str,
    /// The first line of the block; empty: every block of the page.
    pub(super) first_line: &'static str,
    pub(super) check: Check,
}

impl Row {
    pub(super) fn is_of(&self, block: &Block) -> bool {
        block.page == self.page && (self.first_line.is_empty() || block.first_line() == self.first_line)
    }

    /// Where it is in this file.
    pub(super) fn line(&self) -> usize {
        let start = format!("row({:?}, {:?}, ", self.page, self.first_line);
        let file = include_str!("table.rs");
        1 + file.lines().position(|line| line.trim_start().starts_with(&start)).expect("a row of the table")
    }
}

const fn row(page: &'static str, first_line: &'static str, check: Check) -> Row {
    Row { page, first_line, check }
}

/// A configuration whose sources have the names that parts of configurations use.
const WITH_SOURCES: &str = "sources:
  - {name: gitlab, provider: gitlab, groups: [acme], credential: {env: GITLAB}}
  - {name: bitbucket, provider: bitbucket-data-center, url: https://bitbucket.example.com, username: exporter, credential: {env: BITBUCKET}}
  - {name: a, provider: vault, url: https://vault.example.com, credential: {env: VAULT_TOKEN}}
BLOCK";

const IN_SOURCE: &str = "sources:
  - name: atlassian
    provider: atlassian-cloud
    org_id: 1a2b3c4d-0000-0000-0000-000000000000
    BLOCK
";

const IN_MANUAL: &str = "sources:
  - name: by-hand
    provider: manual
    tokens:
      BLOCK
";

const IN_GROUP: &str = "groups:
  - name: rules
    rules:
      BLOCK
";

const IN_CONTAINER: &str = "apiVersion: v1
kind: Pod
metadata: {name: exporter}
spec:
  containers:
    - name: exporter
      image: exporter
      BLOCK
";

#[rustfmt::skip] // a row is one line
pub(super) const TABLE: &[Row] = &[
    row("README.md", "sudo apt-get install --yes build-essential curl fish nodejs npm python3-venv zsh    # a C compiler and make, and what the tests need", Check::NotRun("installs packages and a toolchain as root; this test already runs with them")),
    row("README.md", "# prometheus.yml", Check::Prometheus),
    row("docs/adding-a-provider.md", "", Check::RunBy("tests/suite/adding_a_provider.rs: page_leads_from_nothing_to_a_passing_conformance_test")),
    row("docs/walk-throughs/auditor.md", "", Check::RunBy("tests/suite/walk_throughs.rs: walk_through_of_the_auditor_runs")),
    row("docs/walk-throughs/on-call-engineer.md", "", Check::RunBy("tests/suite/walk_throughs.rs: walk_through_of_the_on_call_engineer_runs")),
    row("docs/walk-throughs/platform-engineer.md", "", Check::RunBy("tests/suite/walk_throughs.rs: walk_through_of_the_platform_engineer_runs")),
    row("docs/walk-throughs/token-owner.md", "", Check::RunBy("tests/suite/walk_throughs.rs: walk_through_of_the_token_owner_runs")),
    row("docs/alerts.md", "rule_files: [token-expiry.rules.yaml]", Check::Prometheus),
    row("docs/alerts.md", "labels: {owner: true, owner_email: true}", Check::Configuration(WITH_SOURCES)),
    row("docs/configuration.md", "owners:", Check::Configuration(WITH_SOURCES)),
    row("docs/configuration.md", "rules:", Check::Configuration(WITH_SOURCES)),
    row("docs/dashboards.md", "# /etc/grafana/provisioning/dashboards/token-expiry.yaml", Check::GrafanaProvisioning),
    row("docs/definitions.md", "format: 1", Check::Definition),
    row("docs/definitions.md", "auth:", Check::Definition),
    row("docs/definitions.md", "renew:", Check::Definition),
    row("docs/definitions.md", "group: platforms", Check::Definition),
    row("docs/definitions.md", "locations:", Check::Definition),
    row("docs/definitions.md", "identify:", Check::Definition),
    row("docs/definitions.md", "acme: api-token: ok, 110 tokens", Check::NotRun("output of an invented provider; tests/golden/check-online/ holds the real form")),
    row("docs/digest.md", "# config.yaml", Check::Configuration(WITH_SOURCES)),
    row("docs/digest.md", "$ token-expiry-exporter digest --mail.allow-domain=example.com --mail.from=tokens@example.com \\", Check::RunBy("tests/suite/digest/examples.rs: systemd_unit_sends_mails_with_its_flags")),
    row("docs/digest.md", "- alert: TokenDigestFailing", Check::Rules(IN_GROUP)),
    row("docs/digest.md", "$ cp token-expiry-digest.service token-expiry-digest.timer /etc/systemd/system/", Check::NotRun("opens an editor; tests/suite/digest/examples.rs checks the units and runs their flags")),
    row("docs/install.md", "healthcheck: {test: [CMD, /token-expiry-exporter, health, \"127.0.0.1:9000\"]}", Check::ContainerHealth),
    row("docs/install.md", "credential: {file: /run/credentials/token-expiry-exporter.service/secret_atlassian}", Check::Configuration(IN_SOURCE)),
    row("docs/install.md", "cargo install --path . --locked --profile dist --features object-store", Check::NotRun("compiles a release; the Dockerfile builds with the same profile and feature in tests/ship")),
    row("docs/kubernetes.md", "        - {name: fire drill, expires: \"2026-11-27\", owner: platform}", Check::Configuration(IN_MANUAL)),
    row("docs/locations.md", "rules:", Check::Configuration(WITH_SOURCES)),
    row("docs/metrics.md", "metrics:", Check::Configuration("BLOCK")),
    row("docs/moving.md", "alert_lead: {warning: 14d, critical: 3d}", Check::Configuration(WITH_SOURCES)),
    row("docs/moving.md", "# old-names.rules.yaml", Check::Rules("BLOCK")),
    row("docs/providers/argocd.md", "p, role:token-expiry, accounts, get, *, allow", Check::NotRun("a policy of Argo CD, for which there is no checker here")),
    row("docs/providers/aws.md", "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Resource\": \"*\", \"Action\": [", Check::Json),
    row("docs/providers/aws-secrets.md", "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Resource\": \"*\", \"Action\": [", Check::Json),
    row("docs/providers/manual.md", "name,expires,owner,owner_email,team", Check::ManualFile),
    row("docs/scaling.md", "token-expiry-exporter --config.file=config.yaml --storage.url=s3://acme-token-expiry/production", Check::NotRun("needs a bucket; tests/suite/buckets.rs starts replicas on real stores")),
    row("docs/scaling.md", "replicas: 3", Check::Values),
    row("docs/secret-stores.md", "rules:", Check::Configuration(WITH_SOURCES)),
    row("docs/web.md", "livenessProbe: {httpGet: {path: /-/healthy, port: 10985}}", Check::Manifest(IN_CONTAINER)),
    row("docs/web.md", "tls_server_config:", Check::WebConfiguration),
    row("docs/web.md", "# prometheus.yml", Check::Prometheus),
    row("docs/web.md", "Content-Security-Policy: default-src 'none'; style-src 'sha256-…'; script-src 'sha256-…'; connect-src 'self'; base-uri 'none';", Check::Headers),
];

//! The families of the program itself.

use super::{Family, Kind};

/// What is running.
pub const BUILD_INFO: Family = Family {
    name: "token_expiry_exporter_build_info",
    kind: Kind::Gauge,
    unit: "always 1",
    labels: &["version", "revision"],
    help: "1, with the version of the program.",
    about: "",
    queries: &[
        ("Which versions are running", "count by (version) (token_expiry_exporter_build_info)"),
        ("Whether nobody watches the tokens", "absent(token_expiry_exporter_build_info)"),
    ],
};

/// How many shards there are to be.
pub const SHARDS: Family = Family {
    name: "token_expiry_exporter_shards",
    kind: Kind::Gauge,
    unit: "shards",
    labels: &["shard"],
    help: "How many shards the sources are divided into; the label says which one this process is.",
    about: "1 without `--shard`.",
    queries: &[(
        "Installations of which a shard is missing",
        "count by (job) (group by (job, shard) (token_expiry_exporter_shards)) < max by (job) (token_expiry_exporter_shards)",
    )],
};

/// Whether the last reload was successful.
pub const RELOAD_SUCCESSFUL: Family = Family {
    name: "token_expiry_exporter_config_last_reload_successful",
    kind: Kind::Gauge,
    unit: "0 or 1",
    labels: &[],
    help: "1 if the last reload of the configuration was successful, else 0: then the one of before still runs.",
    about: "",
    queries: &[(
        "Exporters that refuse their configuration",
        "token_expiry_exporter_config_last_reload_successful == 0",
    )],
};

/// When the configuration that runs was loaded.
pub const RELOAD_SUCCESS: Family = Family {
    name: "token_expiry_exporter_config_last_reload_success_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &[],
    help: "When the configuration that runs was loaded.",
    about: "",
    queries: &[(
        "The age of the running configuration, in seconds",
        "time() - token_expiry_exporter_config_last_reload_success_timestamp_seconds",
    )],
};

/// How often the inventory could not be kept.
pub const STORAGE_FAILURES: Family = Family {
    name: "token_expiry_exporter_storage_failures_total",
    kind: Kind::Counter,
    unit: "failures",
    labels: &[],
    help: "How often the inventory could not be written to, or read from, the storage path.",
    about: "A restart while a provider is down would lose its tokens.",
    queries: &[(
        "Exporters that cannot keep their inventory",
        "increase(token_expiry_exporter_storage_failures_total[30m]) > 0",
    )],
};

/// Requests that were answered.
pub const HTTP_REQUESTS: Family = Family {
    name: "token_expiry_exporter_http_requests_total",
    kind: Kind::Counter,
    unit: "requests",
    labels: &["path", "code"],
    help: "Requests that this program has answered.",
    about: "A code that never occurred has no series.",
    queries: &[(
        "Requests by path and code, per second",
        "sum by (path, code) (rate(token_expiry_exporter_http_requests_total[5m]))",
    )],
};

/// Connections that are open.
pub const HTTP_CONNECTIONS: Family = Family {
    name: "token_expiry_exporter_http_connections",
    kind: Kind::Gauge,
    unit: "connections",
    labels: &[],
    help: "Connections that are open.",
    about: "At most 2,000: see [the limits](web.md#limits).",
    queries: &[("Open connections", "token_expiry_exporter_http_connections")],
};

/// Connections that were closed for the client's sake.
pub const HTTP_CLOSED: Family = Family {
    name: "token_expiry_exporter_http_connections_closed_total",
    kind: Kind::Counter,
    unit: "connections",
    labels: &["cause"],
    help: "Connections that this program closed because of what the client did or did not do.",
    about: "[The limits](web.md#limits) say when. A refusal that was answered is counted by its code instead.",
    queries: &[(
        "Connections that were closed, by cause, per second",
        "sum by (cause) (rate(token_expiry_exporter_http_connections_closed_total[5m]))",
    )],
};

/// Whether the web configuration can be used.
pub const WEB_CONFIG_SUCCESSFUL: Family = Family {
    name: "token_expiry_exporter_web_config_last_read_successful",
    kind: Kind::Gauge,
    unit: "0 or 1",
    labels: &[],
    help: "1 if the web configuration could be used when it was last looked at, else 0: then the one of before still holds.",
    about: "Certificates and keys belong to it: at 0 one that was renewed may not be in use. 1 without `--web.config.file`.",
    queries: &[(
        "Exporters that refuse their web configuration or certificate",
        "token_expiry_exporter_web_config_last_read_successful == 0",
    )],
};

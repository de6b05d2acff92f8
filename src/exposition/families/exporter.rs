//! The families of the exporter itself.

use super::Family;

pub const BUILD_INFO: Family = Family {
    name: "token_expiry_exporter_build_info",
    unit: "always 1",
    labels: &["revision", "version"],
    help: "Version and revision of the exporter; always 1.",
    about: "",
    queries: &[
        ("Running versions", "count by (version) (token_expiry_exporter_build_info)"),
        ("No exporter is running", "absent(token_expiry_exporter_build_info)"),
    ],
};

pub const SHARDS: Family = Family {
    name: "token_expiry_exporter_shards",
    unit: "shards",
    labels: &["shard"],
    help: "Number of shards; the label is the number of this process.",
    about: "1 without `--shard`.",
    queries: &[(
        "Installations with a missing shard",
        "count by (job) (group by (job, shard) (token_expiry_exporter_shards)) < max by (job) (token_expiry_exporter_shards)",
    )],
};

pub const RELOAD_SUCCESSFUL: Family = Family {
    name: "token_expiry_exporter_config_last_reload_successful",
    unit: "0 or 1",
    labels: &[],
    help: "1 if the last configuration reload succeeded, 0 if not; the previous configuration then stays active.",
    about: "",
    queries: &[(
        "Exporters that reject their configuration",
        "token_expiry_exporter_config_last_reload_successful == 0",
    )],
};

pub const RELOAD_SUCCESS: Family = Family {
    name: "token_expiry_exporter_config_last_reload_success_timestamp_seconds",
    unit: "seconds since 1970",
    labels: &[],
    help: "Unix timestamp of the last successful configuration reload.",
    about: "",
    queries: &[(
        "Age of the active configuration, in seconds",
        "time() - token_expiry_exporter_config_last_reload_success_timestamp_seconds",
    )],
};

pub const STORAGE_FAILURES: Family = Family {
    name: "token_expiry_exporter_storage_failures_total",
    unit: "failures",
    labels: &[],
    help: "Failures to read or write the persisted inventory.",
    about: "A restart while a provider is down would lose its tokens.",
    queries: &[(
        "Exporters that cannot persist their inventory",
        "increase(token_expiry_exporter_storage_failures_total[30m]) > 0",
    )],
};

pub const LOG_LINES_LOST: Family = Family {
    name: "token_expiry_exporter_log_lines_lost_total",
    unit: "lines",
    labels: &[],
    help: "Log lines lost because standard error could not be written, or was not read.",
    about: "A full disk, a log reader that exited or one that hangs. The exporter continues.",
    queries: &[("Exporters that lose log lines", "increase(token_expiry_exporter_log_lines_lost_total[30m]) > 0")],
};

pub const HTTP_REQUESTS: Family = Family {
    name: "token_expiry_exporter_http_requests_total",
    unit: "requests",
    labels: &["code", "path"],
    help: "HTTP requests served, by path and status code.",
    about: "A code that never occurred has no series.",
    queries: &[(
        "Requests by path and code, per second",
        "sum by (path, code) (rate(token_expiry_exporter_http_requests_total[5m]))",
    )],
};

pub const HTTP_CONNECTIONS: Family = Family {
    name: "token_expiry_exporter_http_connections",
    unit: "connections",
    labels: &[],
    help: "Open HTTP connections.",
    about: "At most 2,000: see [the limits](web.md#limits).",
    queries: &[("Open connections", "token_expiry_exporter_http_connections")],
};

pub const HTTP_CLOSED: Family = Family {
    name: "token_expiry_exporter_http_connections_closed_total",
    unit: "connections",
    labels: &["cause"],
    help: "HTTP connections closed because of client behaviour, by cause.",
    about: "See [the limits](web.md#limits). Rejected requests are counted by status code instead.",
    queries: &[(
        "Closed connections by cause, per second",
        "sum by (cause) (rate(token_expiry_exporter_http_connections_closed_total[5m]))",
    )],
};

pub const WEB_CONFIG_SUCCESSFUL: Family = Family {
    name: "token_expiry_exporter_web_config_last_read_successful",
    unit: "0 or 1",
    labels: &[],
    help: "1 if the web configuration was valid when last read, 0 if not; the previous one then stays active.",
    about: "Covers certificates and keys: at 0, a renewed certificate may not be in use. 1 without `--web.config.file`.",
    queries: &[(
        "Exporters that reject their web configuration or certificate",
        "token_expiry_exporter_web_config_last_read_successful == 0",
    )],
};

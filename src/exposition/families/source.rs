//! The families of sources: how each is doing, and what it costs its provider.

use super::{Family, Kind};

/// Whether the last collection was complete.
pub const UP: Family = Family {
    name: "token_source_up",
    kind: Kind::Gauge,
    unit: "0 or 1",
    labels: &["source", "provider"],
    help: "1 if the last collection was complete, else 0: then tokens are shown as they were listed before.",
    about: "Absent until the first collection after a start has ended, also where the inventory of before was restored.",
    queries: &[("Sources that are not complete", "token_source_up == 0")],
};

/// Scopes that were walked.
pub const SCOPES: Family = Family {
    name: "token_source_scopes",
    kind: Kind::Gauge,
    unit: "scopes",
    labels: &["source", "provider", "listing"],
    help: "Scopes that the last collection walked, failed ones included.",
    about: "A scope is the unit that can fail alone: a group, a project, a user; the whole listing where it has no parts.",
    queries: &[(
        "The share of each source that was answered",
        "1 - sum by (source) (token_source_gaps) / sum by (source) (token_source_scopes)",
    )],
};

/// Scopes that failed.
pub const GAPS: Family = Family {
    name: "token_source_gaps",
    kind: Kind::Gauge,
    unit: "scopes",
    labels: &["source", "provider", "listing", "reason"],
    help: "Scopes whose last answer was a failure, by reason.",
    about: "Every reason is present, at 0 where there is no gap.",
    queries: &[
        ("What is missing, and why", "token_source_gaps > 0"),
        (
            "Listings that refuse the credential",
            "sum without (reason) (token_source_gaps{reason=~\"unauthorized|forbidden\"}) > 0",
        ),
    ],
};

/// Tokens that are known.
pub const TOKENS: Family = Family {
    name: "token_source_tokens",
    kind: Kind::Gauge,
    unit: "tokens",
    labels: &["source", "provider", "listing", "state", "expiry"],
    help: "Tokens that are known, by state and kind of end.",
    about: "The combinations that occur, and `state=\"active\", expiry=\"at\"` for every listing, at 0 where there is none: so a \
            listing without tokens can be told from one that does not run.",
    queries: &[
        ("Active tokens by source", "sum by (source) (token_source_tokens{state=\"active\"})"),
        (
            "Listings that lost more than half of their tokens within a day",
            "sum without (expiry, state) (token_source_tokens{state=\"active\"}) < 0.5 * sum without (expiry, state) \
             (token_source_tokens{state=\"active\"} offset 1d)",
        ),
    ],
};

/// Tokens that are due.
pub const DUE_TOKENS: Family = Family {
    name: "token_source_due_tokens",
    kind: Kind::Gauge,
    unit: "tokens",
    labels: &["source", "provider", "band"],
    help: "Tokens within their alert lead, by band.",
    about: "All three bands are always present. For dashboards: it costs the same however many tokens there are.",
    queries: &[("Tokens that are due, by band", "sum by (band) (token_source_due_tokens)")],
};

/// How often a source is collected.
pub const INTERVAL: Family = Family {
    name: "token_source_interval_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["source", "provider"],
    help: "How often the source is collected.",
    about: "Present for every configured source from the start.",
    queries: &[(
        "Sources that missed three collections",
        "time() - token_source_last_success_timestamp_seconds > 3 * token_source_interval_seconds",
    )],
};

/// When a source was last complete.
pub const LAST_SUCCESS: Family = Family {
    name: "token_source_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider"],
    help: "When the last complete collection ended.",
    about: "Absent before the first one. It outlives a restart.",
    queries: &[("The age of what is known, in seconds", "time() - token_source_last_success_timestamp_seconds")],
};

/// When a source was last tried.
pub const LAST_ATTEMPT: Family = Family {
    name: "token_source_last_attempt_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider"],
    help: "When the last collection began, complete or not.",
    about: "Absent before the first one.",
    queries: &[(
        "Configured sources that were never collected",
        "token_source_interval_seconds unless token_source_last_attempt_timestamp_seconds",
    )],
};

/// How long the last collection took.
pub const LAST_DURATION: Family = Family {
    name: "token_source_last_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["source", "provider"],
    help: "How long the last collection took.",
    about: "Absent before the first one.",
    queries: &[("The slowest sources", "topk(5, token_source_last_duration_seconds)")],
};

/// The provider's rate limit.
pub const RATE_LIMIT: Family = Family {
    name: "token_source_rate_limit",
    kind: Kind::Gauge,
    unit: "requests",
    labels: &["source", "provider"],
    help: "Requests that the provider allows in its window, as it last told.",
    about: "Absent where the provider does not tell.",
    queries: &[(
        "The share of the rate limit that is left",
        "token_source_rate_limit_remaining / token_source_rate_limit",
    )],
};

/// What is left of it.
pub const RATE_LIMIT_REMAINING: Family = Family {
    name: "token_source_rate_limit_remaining",
    kind: Kind::Gauge,
    unit: "requests",
    labels: &["source", "provider"],
    help: "Requests that the provider still allows in its window, as it last told.",
    about: "Absent where the provider does not tell.",
    queries: &[("Sources near their rate limit", "token_source_rate_limit_remaining / token_source_rate_limit < 0.1")],
};

/// When the exporter's own credential ends.
pub const CREDENTIAL_EXPIRY: Family = Family {
    name: "token_source_credential_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider"],
    help: "When the credential that the exporter itself uses ends, as last told.",
    about: "Absent where the provider does not tell, and where it never ends.",
    queries: &[("Seconds left of each credential", "token_source_credential_expiry_timestamp_seconds - time()")],
};

/// The same, when somebody is to be told.
pub const CREDENTIAL_DUE: Family = Family {
    name: "token_source_credential_due_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider", "band"],
    help: "When the credential that the exporter itself uses ends; only within the source's alert lead, in exactly one band.",
    about: "The lead is the source's `alert_lead`, not capped by the lifetime, which is not known.",
    queries: &[("Credentials to renew, in seconds left", "token_source_credential_due_timestamp_seconds - time()")],
};

/// Tokens over the limit.
pub const DROPPED_TOKENS: Family = Family {
    name: "token_source_dropped_tokens",
    kind: Kind::Gauge,
    unit: "tokens",
    labels: &["source", "provider"],
    help: "Tokens over the source's token_limit that the last collection left out; the soonest to end are kept.",
    about: "",
    queries: &[("Sources with tokens that are not watched", "token_source_dropped_tokens > 0")],
};

/// Tokens that a rule left out.
pub const FILTERED_TOKENS: Family = Family {
    name: "token_source_filtered_tokens",
    kind: Kind::Gauge,
    unit: "tokens",
    labels: &["source", "provider"],
    help: "Tokens that a rule of the configuration leaves out of the source.",
    about: "",
    queries: &[(
        "The share of tokens that rules leave out",
        "token_source_filtered_tokens / (token_source_filtered_tokens + sum without (listing, state, expiry) (token_source_tokens))",
    )],
};

/// What had to be adjusted.
pub const ADJUSTMENTS: Family = Family {
    name: "token_source_adjustments",
    kind: Kind::Gauge,
    unit: "adjustments",
    labels: &["source", "provider", "adjustment"],
    help: "What the last collection had to adjust in the provider's words so that they can be shown.",
    about: "Every adjustment is present, at 0 where none was needed.",
    queries: &[(
        "Owners' addresses that cannot be written to",
        "token_source_adjustments{adjustment=\"refused_address\"} > 0",
    )],
};

/// Failures.
pub const FAILURES: Family = Family {
    name: "token_source_failures_total",
    kind: Kind::Counter,
    unit: "failures",
    labels: &["source", "provider", "reason"],
    help: "Failures of collections, by reason: scopes, rows that could not be read, and failures beside the listings.",
    about: "Every reason is present from the start, at 0.",
    queries: &[("Failures within a day", "increase(token_source_failures_total[1d]) > 0")],
};

/// Requests.
pub const REQUESTS: Family = Family {
    name: "token_source_requests_total",
    kind: Kind::Counter,
    unit: "requests",
    labels: &["source", "provider", "code"],
    help: "Requests sent to the provider, by the status of the answer.",
    about: "What a source costs its provider, retries included. A code that never occurred has no series.",
    queries: &[
        ("Requests by source, per second", "sum by (source) (rate(token_source_requests_total[1h]))"),
        (
            "Requests that were turned away for their number",
            "increase(token_source_requests_total{code=\"429\"}[1h]) > 0",
        ),
    ],
};

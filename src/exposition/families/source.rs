//! The families of sources.

use super::Family;

const SOURCE: &[&str] = &["source", "provider"];

pub const UP: Family = Family {
    name: "token_source_up",
    unit: "0 or 1",
    labels: SOURCE,
    help: "1 if the last collection was complete, 0 if not; failed scopes keep their previous tokens.",
    about: "Absent after a start until the first collection finishes, even if an inventory was restored.",
    queries: &[("Sources that are not complete", "token_source_up == 0")],
};

pub const SCOPES: Family = Family {
    name: "token_source_scopes",
    unit: "scopes",
    labels: &["source", "provider", "listing"],
    help: "Scopes in the last collection, including failed ones.",
    about: "A scope is the unit that can fail alone: a group, a project, a user; or the whole listing if it has no fan-out.",
    queries: &[(
        "Share of successful scopes per source",
        "1 - sum by (source) (token_source_gaps) / sum by (source) (token_source_scopes)",
    )],
};

pub const GAPS: Family = Family {
    name: "token_source_gaps",
    unit: "scopes",
    labels: &["source", "provider", "listing", "reason"],
    help: "Scopes whose last collection failed, by reason.",
    about: "Every reason is present, at 0 without a failure.",
    queries: &[
        ("Failed scopes, by reason", "token_source_gaps > 0"),
        (
            "Listings for which the provider rejects the credential",
            "sum without (reason) (token_source_gaps{reason=~\"unauthorized|forbidden\"}) > 0",
        ),
    ],
};

pub const TOKENS: Family = Family {
    name: "token_source_tokens",
    unit: "tokens",
    labels: &["source", "provider", "listing", "state", "expiry"],
    help: "Known tokens, by state and kind of expiry.",
    about: "The combinations that occur, and `state=\"active\", expiry=\"at\"` for every listing, at 0 without tokens: this \
            distinguishes an empty listing from one that does not run.",
    queries: &[
        ("Active tokens by source", "sum by (source) (token_source_tokens{state=\"active\"})"),
        (
            "Listings that lost more than half of their tokens within a day",
            "sum without (expiry, state) (token_source_tokens{state=\"active\"}) < 0.5 * sum without (expiry, state) \
             (token_source_tokens{state=\"active\"} offset 1d)",
        ),
    ],
};

pub const DUE_TOKENS: Family = Family {
    name: "token_source_due_tokens",
    unit: "tokens",
    labels: &["source", "provider", "band"],
    help: "Tokens within their alert lead, by band.",
    about: "All three bands are always present. For dashboards: the cost does not depend on the number of tokens.",
    queries: &[("Due tokens, by band", "sum by (band) (token_source_due_tokens)")],
};

pub const FINDINGS: Family = Family {
    name: "token_source_findings",
    unit: "tokens",
    labels: &["source", "provider", "finding"],
    help: "Tokens that violate a policy, by finding.",
    about: "Every finding is present, at 0 if no token has it. Also without `token_finding`.",
    queries: &[("Tokens per violated policy", "sum by (finding) (token_source_findings)")],
};

pub const INTERVAL: Family = Family {
    name: "token_source_interval_seconds",
    unit: "seconds",
    labels: SOURCE,
    help: "Configured collection interval.",
    about: "Present for every configured source from the start.",
    queries: &[(
        "Sources that missed three collections",
        "time() - token_source_last_success_timestamp_seconds > 3 * token_source_interval_seconds",
    )],
};

pub const LAST_SUCCESS: Family = Family {
    name: "token_source_last_success_timestamp_seconds",
    unit: "seconds since 1970",
    labels: SOURCE,
    help: "Unix timestamp at which the last complete collection finished.",
    about: "Absent before the first one. Preserved across restarts.",
    queries: &[("Data age, in seconds", "time() - token_source_last_success_timestamp_seconds")],
};

pub const LAST_ATTEMPT: Family = Family {
    name: "token_source_last_attempt_timestamp_seconds",
    unit: "seconds since 1970",
    labels: SOURCE,
    help: "Unix timestamp at which the last collection started, complete or not.",
    about: "Absent before the first one.",
    queries: &[(
        "Configured sources that were never collected",
        "token_source_interval_seconds unless token_source_last_attempt_timestamp_seconds",
    )],
};

pub const LAST_DURATION: Family = Family {
    name: "token_source_last_duration_seconds",
    unit: "seconds",
    labels: SOURCE,
    help: "Duration of the last collection.",
    about: "Absent before the first one.",
    queries: &[("The slowest sources", "topk(5, token_source_last_duration_seconds)")],
};

pub const RATE_LIMIT: Family = Family {
    name: "token_source_rate_limit",
    unit: "requests",
    labels: SOURCE,
    help: "Requests allowed per rate-limit window, as last reported by the provider.",
    about: "Absent if the provider does not report it.",
    queries: &[("Share of the rate limit that remains", "token_source_rate_limit_remaining / token_source_rate_limit")],
};

pub const RATE_LIMIT_REMAINING: Family = Family {
    name: "token_source_rate_limit_remaining",
    unit: "requests",
    labels: SOURCE,
    help: "Requests remaining in the rate-limit window, as last reported by the provider.",
    about: "Absent if the provider does not report it.",
    queries: &[(
        "Sources close to their rate limit",
        "token_source_rate_limit_remaining / token_source_rate_limit < 0.1",
    )],
};

pub const CREDENTIAL_EXPIRY: Family = Family {
    name: "token_source_credential_expiry_timestamp_seconds",
    unit: "seconds since 1970",
    labels: SOURCE,
    help: "Unix timestamp at which the exporter's own credential expires, as last reported by the provider, or as a JSON Web Token or client certificate states.",
    about: "Absent if nothing states it, if the credential never expires, and for a JSON Web Token or certificate that lives for less than seven days, which a program renews.",
    queries: &[("Seconds left of each credential", "token_source_credential_expiry_timestamp_seconds - time()")],
};

pub const CREDENTIAL_DUE: Family = Family {
    name: "token_source_credential_due_timestamp_seconds",
    unit: "seconds since 1970",
    labels: &["source", "provider", "band"],
    help: "Unix timestamp at which the exporter's own credential expires; only within the source's alert lead, in exactly one band.",
    about: "The lead is the source's `alert_lead`; it is not capped, as the lifetime is unknown.",
    queries: &[("Credentials to renew, in seconds left", "token_source_credential_due_timestamp_seconds - time()")],
};

pub const DROPPED_TOKENS: Family = Family {
    name: "token_source_dropped_tokens",
    unit: "tokens",
    labels: SOURCE,
    help: "Tokens that the last collection dropped because the source exceeds its token_limit; the soonest to expire are kept.",
    about: "",
    queries: &[("Sources with tokens that are not monitored", "token_source_dropped_tokens > 0")],
};

pub const FILTERED_TOKENS: Family = Family {
    name: "token_source_filtered_tokens",
    unit: "tokens",
    labels: SOURCE,
    help: "Tokens excluded by configuration rules.",
    about: "",
    queries: &[(
        "Share of tokens that rules exclude",
        "token_source_filtered_tokens / (token_source_filtered_tokens + sum without (listing, state, expiry) (token_source_tokens))",
    )],
};

pub const ADJUSTMENTS: Family = Family {
    name: "token_source_adjustments",
    unit: "adjustments",
    labels: &["source", "provider", "adjustment"],
    help: "Adjustments to provider data in the last collection: values sanitized, truncated or omitted, and duplicate rows.",
    about: "Every adjustment is present, at 0 if there was none.",
    queries: &[("Owners with an invalid address", "token_source_adjustments{adjustment=\"refused_address\"} > 0")],
};

pub const FAILURES: Family = Family {
    name: "token_source_failures_total",
    unit: "failures",
    labels: &["source", "provider", "reason"],
    help: "Collection failures, by reason: failed scopes, malformed rows, and failures outside the listings.",
    about: "Every reason is present from the start, at 0.",
    queries: &[("Failures within a day", "increase(token_source_failures_total[1d]) > 0")],
};

pub const REQUESTS: Family = Family {
    name: "token_source_requests_total",
    unit: "requests",
    labels: &["source", "provider", "code"],
    help: "Requests sent to the provider, including retries, by response status code.",
    about: "A code that never occurred has no series.",
    queries: &[
        ("Requests by source, per second", "sum by (source) (rate(token_source_requests_total[1h]))"),
        ("Rate-limited requests", "increase(token_source_requests_total{code=\"429\"}[1h]) > 0"),
    ],
};

pub const FOUND_CREDENTIALS: Family = Family {
    name: "token_source_found_credentials",
    unit: "credentials",
    labels: &["source", "provider", "result"],
    help: "Credentials that other sources found in use and that look like those of this source, by result of the last look.",
    about: "Only for a source with `identify: true`, if any source looks for credentials; then every result is present. \
            `unlisted` are in use, but no listing has them: pages and the API show where. No request was sent for \
            those that are `skipped`, because a limit was reached or too many were refused, or the request failed; then \
            `token_source_failures_total` of the source that found them shows the reason.",
    queries: &[
        ("Credentials in use that no listing lists", "token_source_found_credentials{result=\"unlisted\"} > 0"),
        ("Credentials that were not identified", "token_source_found_credentials{result=\"skipped\"} > 0"),
    ],
};

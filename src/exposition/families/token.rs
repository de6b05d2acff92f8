//! The families of single tokens.

use super::{Family, Kind};

/// When a token expires.
pub const EXPIRY: Family = Family {
    name: "token_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider", "token_id", "token_kind", "token_name", "token_owner"],
    help: "When the token ends, as last listed.",
    about: "Every token that has an end, in whatever state it is; an end that a rule's `rotate_after` sets counts as one. A \
            token that never ends, or whose end cannot be read, has no sample here: see `token_info`. Alerts are better \
            made of `token_due_timestamp_seconds`, which knows the lead, and leaves out replaced and disabled tokens.",
    queries: &[
        (
            "The ten tokens that end next, in seconds from now",
            "bottomk(10, token_expiry_timestamp_seconds - time() > 0)",
        ),
        (
            "Tokens that end within 30 days, by provider",
            "count by (provider) (token_expiry_timestamp_seconds - time() < 30 * 86400 > 0)",
        ),
    ],
};

/// When a token of which people are to be told expires.
pub const DUE: Family = Family {
    name: "token_due_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &[
        "source",
        "provider",
        "token_id",
        "token_kind",
        "token_name",
        "token_owner",
        "band",
        "expiry",
        "token_manage_url",
        "token_owner_email",
    ],
    help: "When the token ends, as last listed; only for tokens within their alert lead, each in exactly one band.",
    about: "What alerts are made of. A token is here from its warning lead on, until its expired retention is over or it is \
            renewed or revoked. Leads are capped at a share of the token's lifetime (a third for `warning`, a tenth for \
            `critical`). Replaced and disabled tokens, and those shorter than `min_lifetime`, are never here.",
    queries: &[
        (
            "Seconds left of each token in its critical lead; two replicas count as one",
            "max without (instance, pod, node, host) (last_over_time(token_due_timestamp_seconds{band=\"critical\"}[10m])) - time()",
        ),
        ("What each owner has to renew", "count by (token_owner) (token_due_timestamp_seconds)"),
    ],
};

/// A policy that a token breaks.
pub const FINDING: Family = Family {
    name: "token_finding",
    kind: Kind::Gauge,
    unit: "always 1",
    labels: &["source", "provider", "token_id", "token_kind", "token_name", "token_owner", "finding"],
    help: "1 for each policy that the token breaks, as last listed.",
    about: "Only for tokens that break one. What is a finding is set in the configuration under `policy`.",
    queries: &[
        ("How many tokens break which policy", "count by (source, finding) (token_finding)"),
        ("Tokens that never expire", "token_finding{finding=\"never_expires\"}"),
    ],
};

/// What a token is.
pub const INFO: Family = Family {
    name: "token_info",
    kind: Kind::Gauge,
    unit: "always 1",
    labels: &["source", "provider", "token_id", "token_kind", "token_name", "token_owner", "state", "expiry"],
    help: "1 for every known token, as last listed.",
    about: "The one family that has every token, also those without an end.",
    queries: &[
        ("Tokens that are not what they were: disabled, replaced or expired", "token_info{state!=\"active\"}"),
        ("The share of tokens that never expire", "count(token_info{expiry=\"never\"}) / count(token_info)"),
    ],
};

/// When a token was made.
pub const CREATED: Family = Family {
    name: "token_created_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider", "token_id"],
    help: "When the token was made, as last listed.",
    about: "Absent where the provider does not tell.",
    queries: &[(
        "The oldest tokens with their names, in seconds",
        "topk(10, (time() - token_created_timestamp_seconds) * on (source, token_id) group_left (token_name, token_owner) token_info)",
    )],
};

/// When a token was last used.
pub const LAST_USED: Family = Family {
    name: "token_last_used_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds since 1970",
    labels: &["source", "provider", "token_id"],
    help: "When the token was last used, as last listed.",
    about: "Absent where the provider does not tell, and for a token that was never used.",
    queries: &[("Tokens that nobody has used for 90 days", "time() - token_last_used_timestamp_seconds > 90 * 86400")],
};

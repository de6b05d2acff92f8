//! The families of single tokens.

use super::Family;

pub const EXPIRY: Family = Family {
    name: "token_expiry_timestamp_seconds",
    unit: "seconds since 1970",
    labels: &["source", "provider", "token_id", "token_kind", "token_name", "token_owner"],
    help: "Unix timestamp at which the token expires, as last reported by the provider.",
    about: "Every token with an expiry, in any state; an expiry that `rotate_after` sets counts too. A token that \
            never expires, or has an unreadable expiry, has no sample: see `token_info`. For alerts use \
            `token_due_timestamp_seconds`: it applies the lead and excludes replaced and disabled tokens.",
    queries: &[
        (
            "The ten tokens that expire next, in seconds from now",
            "bottomk(10, token_expiry_timestamp_seconds - time() > 0)",
        ),
        (
            "Tokens that expire within 30 days, by provider",
            "count by (provider) (token_expiry_timestamp_seconds - time() < 30 * 86400 > 0)",
        ),
    ],
};

pub const DUE: Family = Family {
    name: "token_due_timestamp_seconds",
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
    help: "Unix timestamp at which the token expires, as last reported by the provider; only for tokens within their alert lead, each in exactly one band.",
    about: "The basis of alerts. A token is present from its warning lead until its `expired_retention` is over or it is \
            renewed or revoked. Leads are capped at a share of the token's lifetime (a third for `warning`, a tenth for \
            `critical`). If its provider renews it by itself, they start only when that is overdue. Replaced and disabled tokens, and those with a lifetime under `min_lifetime`, are never present.",
    queries: &[
        (
            "Seconds left of each token in its critical lead; two replicas count as one",
            "max without (instance, pod, node, host) (last_over_time(token_due_timestamp_seconds{band=\"critical\"}[10m])) - time()",
        ),
        ("Due tokens by owner", "count by (token_owner) (token_due_timestamp_seconds)"),
    ],
};

pub const FINDING: Family = Family {
    name: "token_finding",
    unit: "always 1",
    labels: &["source", "provider", "token_id", "token_kind", "token_name", "token_owner", "finding"],
    help: "1 for each policy that the token violates, as last reported by the provider.",
    about: "Only for tokens that violate one. The limits are set under `policy`.",
    queries: &[
        ("Tokens per violated policy", "count by (source, finding) (token_finding)"),
        ("Tokens that never expire", "token_finding{finding=\"never_expires\"}"),
    ],
};

pub const INFO: Family = Family {
    name: "token_info",
    unit: "always 1",
    labels: &["source", "provider", "token_id", "token_kind", "token_name", "token_owner", "state", "expiry"],
    help: "1 for every known token, as last reported by the provider.",
    about: "The only family with every token, including those that never expire.",
    queries: &[
        ("Disabled, replaced or expired tokens", "token_info{state!=\"active\"}"),
        ("The share of tokens that never expire", "count(token_info{expiry=\"never\"}) / count(token_info)"),
    ],
};

pub const CREATED: Family = Family {
    name: "token_created_timestamp_seconds",
    unit: "seconds since 1970",
    labels: &["source", "provider", "token_id"],
    help: "Unix timestamp at which the token was created, as last reported by the provider.",
    about: "Absent if the provider does not report it.",
    queries: &[(
        "The oldest tokens with their names, in seconds",
        "topk(10, (time() - token_created_timestamp_seconds) * on (source, token_id) group_left (token_name, token_owner) token_info)",
    )],
};

pub const LAST_USED: Family = Family {
    name: "token_last_used_timestamp_seconds",
    unit: "seconds since 1970",
    labels: &["source", "provider", "token_id"],
    help: "Unix timestamp at which the token was last used, as last reported by the provider.",
    about: "Absent if the provider does not report it or the token was never used.",
    queries: &[("Tokens that were not used for 90 days", "time() - token_last_used_timestamp_seconds > 90 * 86400")],
};

pub const LOCATION: Family = Family {
    name: "token_location_info",
    unit: "always 1",
    labels: &["source", "provider", "token_id", "location"],
    help: "1 for each place where the token is used or stored, as last reported by the provider or found by another source.",
    about: "Only places that do not change by the hour: Secrets, files, variables, and those that a rule's `used_in` notes. An IP \
            address is never a label; pages and the API show it. See [locations](locations.md).",
    queries: &[
        (
            "Where the tokens are used that expire within their alert lead",
            "token_location_info * on (source, token_id) group_left (token_name, band) token_due_timestamp_seconds",
        ),
        ("Tokens that are in more than one place", "count by (source, token_id) (token_location_info) > 1"),
    ],
};

pub const RENEWAL: Family = Family {
    name: "token_renewal_info",
    unit: "always 1",
    labels: &["source", "provider", "token_id", "token_page_url", "renewal"],
    help: "1 for each due token as last reported by the provider, with its page at the exporter and the steps to renew it.",
    about: "What mails say in addition: the annotations of the alerts look it up. Only for due tokens, and absent if neither a page \
            nor steps are known.",
    queries: &[
        (
            "The steps to renew the tokens that have expired",
            "token_renewal_info * on (source, token_id) group_left (token_name, token_owner) token_due_timestamp_seconds{band=\"expired\"}",
        ),
        (
            "Due tokens without renewal steps",
            "token_due_timestamp_seconds unless on (source, token_id) token_renewal_info{renewal!=\"\"}",
        ),
    ],
};

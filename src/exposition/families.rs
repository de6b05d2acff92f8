//! Every family that the exporter exposes: its name, labels and HELP. `docs/metrics.md` is generated from these.

pub mod exporter;
pub mod fleet;
pub mod source;
pub mod token;

/// A metric family. Its type follows from its name.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub name: &'static str,
    pub unit: &'static str,
    /// The names of its labels, in order.
    pub labels: &'static [&'static str],
    /// One line without quotes and backslashes, which the two formats escape differently.
    pub help: &'static str,
    /// For the documentation, in addition to HELP.
    pub about: &'static str,
    /// Example queries with their titles.
    pub queries: &'static [(&'static str, &'static str)],
}

impl Family {
    /// Counters end in `_total`, gauges do not.
    pub fn kind(&self) -> Kind {
        if self.name.ends_with("_total") { Kind::Counter } else { Kind::Gauge }
    }
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    /// Starts at 0 with the process.
    Counter,
}

impl Kind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// Every family, in the order of the exposition.
pub const FAMILIES: &[Family] = &[
    token::EXPIRY,
    token::DUE,
    token::FINDING,
    token::INFO,
    token::CREATED,
    token::LAST_USED,
    token::LOCATION,
    token::RENEWAL,
    source::UP,
    source::SCOPES,
    source::GAPS,
    source::TOKENS,
    source::DUE_TOKENS,
    source::FINDINGS,
    source::INTERVAL,
    source::LAST_SUCCESS,
    source::LAST_ATTEMPT,
    source::LAST_DURATION,
    source::RATE_LIMIT,
    source::RATE_LIMIT_REMAINING,
    source::CREDENTIAL_EXPIRY,
    source::CREDENTIAL_DUE,
    source::DROPPED_TOKENS,
    source::FILTERED_TOKENS,
    source::ADJUSTMENTS,
    source::FOUND_CREDENTIALS,
    source::FAILURES,
    source::REQUESTS,
    exporter::BUILD_INFO,
    exporter::SHARDS,
    exporter::RELOAD_SUCCESSFUL,
    exporter::RELOAD_SUCCESS,
    exporter::STORAGE_FAILURES,
    exporter::LOG_LINES_LOST,
    exporter::HTTP_REQUESTS,
    exporter::HTTP_CONNECTIONS,
    exporter::HTTP_CLOSED,
    exporter::WEB_CONFIG_SUCCESSFUL,
    fleet::STORE_UP,
    fleet::STORE_LAST_SEEN,
    fleet::STORE_REQUESTS,
    fleet::MEMBERS,
    fleet::PREFERRED_SOURCES,
    fleet::CLAIMS_LOST,
    fleet::FENCED,
    fleet::UNREADABLE,
];

/// The meaning of each label, in the order of the documentation.
pub const LABELS: &[(&str, &str)] = &[
    ("source", "the name of one configured account, from the configuration"),
    ("provider", "the vendor, such as `atlassian-cloud`; a name from the table of providers"),
    ("token_id", "the provider's own identifier, unique within the source"),
    ("token_kind", "the type of credential, such as `api-token`"),
    ("token_name", "the token's name; not unique"),
    (
        "token_owner",
        "the owner's name, or else its identifier; omitted with `labels: {owner: false}`. Of an address in it only the part \
         before the `@`, unless `labels: {owner_email: true}`",
    ),
    ("band", "`warning`: within the warning lead, `critical`: within the critical lead, `expired`: expired"),
    (
        "expiry",
        "`at`: expiry from the provider, `policy`: expiry set by `rotate_after`, `never`: never expires, `unknown`: \
         unreadable",
    ),
    (
        "token_manage_url",
        "the page at the provider on which the token is renewed, if that page is the same for every reader; absent if the provider \
         has none, or shows each reader only his own tokens: `renewal` then says where",
    ),
    ("token_owner_email", "one bare address in lower case; only with `labels: {owner_email: true}`"),
    (
        "finding",
        "`never_expires`, `lives_too_long` (over `max_lifetime`), `unused` (for `unused_after`), `unreadable_expiry`, \
         `no_owner`, `owner_inactive` (the owner's account is deactivated), `not_located` (found nowhere, although a rule \
         says `must_be_located`)",
    ),
    (
        "state",
        "`active`, `expired`, `replaced`: a newer token with the same name expires later, `disabled`: blocked at the provider",
    ),
    ("listing", "a sequence of requests that yields tokens"),
    (
        "reason",
        "`unauthorized`, `forbidden`, `not_found`, `rate_limited`, `server_error`, `timeout`, `connect`, `tls`, `redirect`, \
         `too_large`, `decode`, `mapping`, `paging`, `credential`, `internal`; a closed list",
    ),
    (
        "adjustment",
        "`duplicate_id`, `cleaned_value` (control characters), `cut_value` (too long), `unread_field`, \
         `refused_address`, `hidden_address` (in an owner's name, without `labels: {owner_email: true}`), \
         `ambiguous_owner` (several entries of `owners` match), `cut_locations` (places over a limit, or a log with more new \
         entries than one collection reads), `hidden_values` (places whose value the provider does not return, such as masked and \
         hidden CI variables)",
    ),
    ("code", "response status code; `none` without a response"),
    ("version", "the version of the exporter"),
    ("revision", "the commit of the build"),
    ("shard", "the number of this process's shard, from 1"),
    (
        "cause",
        "`full`: evicted at the connection limit, `handshake`: TLS handshake failed or timed out, `slow_request`, \
         `slow_reader`: timeout, `malformed`: not HTTP, or headers far over the limit; present at 0 from the start",
    ),
    ("path", "the path of the request, if it is known; else `other`"),
    (
        "location",
        "a place where the token is used, in words: `Secret CLUSTER/NAMESPACE/NAME`, `file PATH`, `CI variable HOST/PATH/NAME`, or as a \
         rule notes it",
    ),
    (
        "token_page_url",
        "the token's page at the exporter; only with `--web.external-url`. A name that a path cannot have as it is, is in the query",
    ),
    (
        "renewal",
        "how the token is renewed: at most four lines of who, where and by which command, as the definition, the entry or a rule \
         says, and the provider's documentation",
    ),
    ("operation", "`list`, `get`, `put` or `delete`; present at 0 from the start"),
    (
        "result",
        "of a request to the store: `success` or `error`; of a found credential: `listed`, `unlisted` (the provider knows it or \
         it looks like one of its credentials, but no listing lists it), `rejected` (the provider does not accept it), `skipped` (no \
         request was sent, it failed, or two tokens match); present at 0 from the start",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn families_follow_prometheus_naming() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len(), "duplicate name");
        for Family { name, help, unit, about, .. } in FAMILIES {
            assert_eq!(unit.contains("seconds"), name.contains("_seconds"), "{name}: {unit}");
            assert!(!help.contains(['"', '\\', '\n']) && help.ends_with('.'), "{name}: {help}");
            assert!(!about.contains('\n'), "{name}");
            let is_token_family = !name.starts_with("token_source") && !name.starts_with("token_expiry_exporter");
            assert!(!is_token_family || help.contains("as last reported by the provider"), "{name}: {help}");
        }
    }

    #[test]
    fn every_label_is_explained() {
        let explained: BTreeSet<_> = LABELS.iter().map(|(name, _)| *name).collect();
        let used: BTreeSet<_> = FAMILIES.iter().flat_map(|family| family.labels).copied().collect();
        assert_eq!(explained, used);
    }
}

//! Every family that the program exposes: the one place of its name, type, labels and HELP, from which `docs/metrics.md`
//! is generated too.

pub mod program;
pub mod source;
pub mod token;

/// One family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// In what its values are counted.
    pub unit: &'static str,
    /// The names of its labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// HELP: one line without quotes and backslashes, which the two formats escape differently.
    pub help: &'static str,
    /// What a reader of the documentation is to know beside the HELP.
    pub about: &'static str,
    /// Queries to paste, each with what it answers.
    pub queries: &'static [(&'static str, &'static str)],
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only goes up, from 0 at the start of the process.
    Counter,
}

impl Kind {
    /// The type's name.
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
    source::UP,
    source::SCOPES,
    source::GAPS,
    source::TOKENS,
    source::DUE_TOKENS,
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
    source::FAILURES,
    source::REQUESTS,
    program::BUILD_INFO,
    program::SHARDS,
    program::RELOAD_SUCCESSFUL,
    program::RELOAD_SUCCESS,
    program::STORAGE_FAILURES,
    program::HTTP_REQUESTS,
    program::HTTP_CONNECTIONS,
    program::HTTP_CLOSED,
    program::WEB_CONFIG_SUCCESSFUL,
];

/// What each label means, in the order of the documentation.
pub const LABELS: &[(&str, &str)] = &[
    ("source", "the name of one configured account, from the configuration"),
    ("provider", "the vendor, such as `atlassian-cloud`; a name from the table of providers"),
    ("token_id", "the provider's own identifier, unique within the source"),
    ("token_kind", "what sort of credential it is, such as `api-token`"),
    ("token_name", "what people call it; not unique"),
    ("token_owner", "the owner's name, or else its identifier; left out with `labels: {owner: false}`"),
    ("band", "`warning`: within the warning lead, `critical`: within the critical lead, `expired`: at or past the end"),
    (
        "expiry",
        "`at`: the provider's own end, `policy`: the end that a rule's `rotate_after` sets, `never`: no end, `unknown`: \
         one that could not be read",
    ),
    ("token_manage_url", "the page where a person renews it"),
    ("token_owner_email", "one bare address in lower case; only with `labels: {owner_email: true}`"),
    (
        "finding",
        "`never_expires`, `lives_too_long` (over `max_lifetime`), `unused` (for `unused_after`), `unreadable_expiry`, \
         `no_owner`",
    ),
    (
        "state",
        "`active`, `expired`: its end has passed, `replaced`: a newer one of the same name outlives it, `disabled`: the \
         provider says that it is blocked",
    ),
    ("listing", "one walk of the provider that yields tokens"),
    (
        "reason",
        "`unauthorized`, `forbidden`, `not_found`, `rate_limited`, `server_error`, `timeout`, `connect`, `tls`, `redirect`, \
         `too_large`, `decode`, `mapping`, `paging`, `credential`, `internal`; a closed list",
    ),
    (
        "adjustment",
        "`duplicate_id`, `cleaned_value` (control characters), `cut_value` (too long), `unread_field`, `refused_address`",
    ),
    ("code", "the status of the answer; `none` where there was no answer"),
    ("version", "the version of the program"),
    ("revision", "the commit that it was built from"),
    ("shard", "which part of the sources this process collects, from 1"),
    (
        "cause",
        "`full`: evicted at the connection limit, `handshake`: TLS handshake failed or timed out, `slow_request`, \
         `slow_reader`: timeout, `malformed`: not HTTP, or headers far over the limit; present at 0 from the start",
    ),
    ("path", "the path of the request as the program knows it; `other` for any that it does not"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_keeps_the_habits_of_the_ecosystem() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len(), "a name stands twice");
        for Family { name, kind, help, unit, about, .. } in FAMILIES {
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(unit.contains("seconds"), name.contains("_seconds"), "{name}: {unit}");
            assert!(!help.contains(['"', '\\', '\n']) && help.ends_with('.'), "{name}: {help}");
            assert!(!about.contains('\n'), "{name}");
            assert_eq!(
                name.starts_with("token_") && !name.starts_with("token_source"),
                help.contains("as last listed") || name.starts_with("token_expiry_exporter"),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn every_label_is_explained() {
        let explained: BTreeSet<_> = LABELS.iter().map(|(name, _)| *name).collect();
        let used: BTreeSet<_> = FAMILIES.iter().flat_map(|family| family.labels).copied().collect();
        assert_eq!(explained, used);
    }
}

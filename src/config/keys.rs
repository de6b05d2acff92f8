//! Every key of the configuration file: the one table from which the reader, the JSON Schema and the documentation come.

use chrono::TimeDelta;

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) shape: Shape,
    /// What holds where it is left out.
    pub(super) standard: Standard,
    /// What it is for: a sentence without its full stop.
    pub(super) help: &'static str,
}

/// What a key holds.
#[derive(Debug)]
pub(super) enum Shape {
    /// Nothing that is read: `$schema`.
    Ignored,
    /// A duration within these limits.
    Duration(TimeDelta, TimeDelta),
    /// The same, or `never`, or null.
    Bound(TimeDelta, TimeDelta),
    /// True or false.
    Flag,
    /// A whole number within these limits.
    Count(u64, u64),
    /// A text.
    Text,
    /// The name of a source.
    Name,
    /// The name of a variable of the environment.
    Variable,
    /// A list of texts.
    Texts,
    /// A text, or a list of them.
    Choice,
    /// A regular expression.
    Pattern,
    /// A map of label names to regular expressions.
    Patterns,
    /// A map of label names to values.
    Labels,
    /// One bare mail address.
    Address,
    /// The URL of a proxy.
    Proxy,
    /// The path of a file; a relative one stands under the folder of the configuration file.
    File,
    /// A map of these keys.
    Map(&'static [Key]),
    /// Where a secret, or several, come from.
    Credential,
    /// The sources.
    Sources,
    /// The rules.
    Rules,
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standard {
    /// It must not be left out; this is how it may look.
    Required(&'static str),
    /// These words say it.
    Words(&'static str),
    /// A duration.
    Duration(TimeDelta),
    /// A flag.
    Flag(bool),
    /// A number.
    Count(u64),
}

const ZERO: TimeDelta = TimeDelta::zero();
const TEN_YEARS: TimeDelta = TimeDelta::days(3650);
const CENTURY: TimeDelta = TimeDelta::days(36500);

const THE_FILES: Standard = Standard::Words("the file's");
const NOTHING: Standard = Standard::Words("");

const fn key(name: &'static str, shape: Shape, standard: Standard, help: &'static str) -> Key {
    Key { name, shape, standard, help }
}

/// How often. A provider's API is asked over the network and counts requests: less than a second is a slip.
const fn interval(standard: Standard) -> Key {
    let shape = Shape::Duration(TimeDelta::seconds(1), TimeDelta::days(7));
    key("interval", shape, standard, "how often a source is collected")
}

const fn timeout(standard: Standard) -> Key {
    let shape = Shape::Duration(TimeDelta::seconds(1), TimeDelta::days(1));
    key("timeout", shape, standard, "how long one collection of a source may take")
}

const fn alert_lead(keys: &'static [Key]) -> Key {
    key("alert_lead", Shape::Map(keys), NOTHING, "how long before a token's end people are told")
}

const fn lead(warning: Standard, critical: Standard) -> [Key; 2] {
    [
        key("warning", Shape::Duration(ZERO, TEN_YEARS), warning, "the band `warning` begins so long before the end"),
        key(
            "critical",
            Shape::Duration(ZERO, TEN_YEARS),
            critical,
            "the band `critical` begins so long before the end",
        ),
    ]
}

const fn min_lifetime(standard: Standard) -> Key {
    key("min_lifetime", Shape::Duration(ZERO, TEN_YEARS), standard, "a token that lives shorter is never alerted on")
}

const fn expired_retention(standard: Standard) -> Key {
    let help = "for how long an expired token is kept after its end";
    key("expired_retention", Shape::Duration(ZERO, TEN_YEARS), standard, help)
}

const fn token_limit(standard: Standard) -> Key {
    let help = "how many tokens of a source are kept; the soonest to end";
    key("token_limit", Shape::Count(1, 10_000_000), standard, help)
}

const fn policy(keys: &'static [Key]) -> Key {
    key("policy", Shape::Map(keys), NOTHING, "what a token must keep to; one that does not is a finding")
}

const fn bounds(max_lifetime: Standard, unused_after: Standard) -> [Key; 2] {
    const LEAST: TimeDelta = TimeDelta::hours(1);
    [
        key("max_lifetime", Shape::Bound(LEAST, CENTURY), max_lifetime, "the longest that a token may live"),
        key("unused_after", Shape::Bound(LEAST, CENTURY), unused_after, "the longest that a token may lie unused"),
    ]
}

/// The top of the file.
pub(super) const FILE: &[Key] = &[
    key("$schema", Shape::Ignored, NOTHING, "the JSON Schema, for editors"),
    interval(Standard::Duration(TimeDelta::minutes(15))),
    timeout(Standard::Duration(TimeDelta::minutes(5))),
    alert_lead(const { &lead(Standard::Duration(TimeDelta::days(30)), Standard::Duration(TimeDelta::days(7))) }),
    min_lifetime(Standard::Duration(TimeDelta::days(1))),
    expired_retention(Standard::Duration(TimeDelta::days(7))),
    token_limit(Standard::Count(100_000)),
    key("labels", Shape::Map(LABELS), NOTHING, "what of a token's owner is published"),
    policy(const { &bounds(Standard::Duration(TimeDelta::days(366)), Standard::Duration(TimeDelta::days(90))) }),
    key(
        "sources",
        Shape::Sources,
        Standard::Required("[{name: gitlab, provider: gitlab, credential: {file: PATH}}]"),
        "the accounts whose tokens are collected",
    ),
    key("rules", Shape::Rules, NOTHING, "what is added to tokens, or leaves them out; all that match apply, in order"),
];

/// `labels`.
const LABELS: &[Key] = &[
    key("owner", Shape::Flag, Standard::Flag(true), "the owner's name, as the label `token_owner`"),
    key("owner_email", Shape::Flag, Standard::Flag(false), "the owner's address, as the label `token_owner_email`"),
];

const LEAD_CHANGE: &[Key] = &lead(THE_FILES, THE_FILES);

/// A source. Its provider's own settings stand beside these.
pub(super) const SOURCE: &[Key] = &[
    key("name", Shape::Name, Standard::Required("gitlab"), "its name: letters, digits, `-`, `_` and `.`, at most 63"),
    key(
        "provider",
        Shape::Text,
        Standard::Required("gitlab"),
        "its provider's name; `token-expiry-exporter providers` lists them",
    ),
    key("credential", Shape::Credential, NOTHING, "where its secret comes from; read again at each collection"),
    key("auth", Shape::Text, Standard::Words("the provider's first"), "how it authenticates"),
    key("listings", Shape::Texts, Standard::Words("all that are not opt-in"), "which listings are collected"),
    interval(Standard::Words("the provider's, or else the file's")),
    timeout(THE_FILES),
    alert_lead(LEAD_CHANGE),
    min_lifetime(THE_FILES),
    expired_retention(THE_FILES),
    token_limit(THE_FILES),
    policy(const { &bounds(THE_FILES, THE_FILES) }),
    key("tls", Shape::Map(TLS), NOTHING, "certificates; read again at each collection"),
    key(
        "proxy",
        Shape::Proxy,
        Standard::Words("the environment's"),
        "the proxy: an http, https, socks5 or socks5h URL",
    ),
];

/// A source's `tls`.
const TLS: &[Key] = &[
    key("ca_file", Shape::File, NOTHING, "certificates to trust beside the system's, PEM"),
    key("cert_file", Shape::File, NOTHING, "a client certificate, PEM"),
    key("key_file", Shape::File, NOTHING, "its private key, PEM; may stand in `cert_file` as well"),
];

/// A rule.
pub(super) const RULE: &[Key] = &[
    key("match", Shape::Map(MATCH), Standard::Words("every token"), "which tokens: all that is given must hold"),
    key("labels", Shape::Labels, NOTHING, "labels to add; every token has them, empty where no rule sets them"),
    key("owner", Shape::Map(OWNER), NOTHING, "fields of the owner to set; the others stay"),
    alert_lead(const { &lead(Standard::Words("the source's"), Standard::Words("the source's")) }),
    key(
        "rotate_after",
        Shape::Duration(TimeDelta::hours(1), CENTURY),
        NOTHING,
        "a token without an end of its own is to be renewed when it is this old",
    ),
    key("drop", Shape::Flag, Standard::Flag(false), "leaves the tokens out"),
];

/// A rule's `match`.
const MATCH: &[Key] = &[
    key("source", Shape::Choice, NOTHING, "one of these sources"),
    key("provider", Shape::Choice, NOTHING, "one of these providers"),
    key("kind", Shape::Choice, NOTHING, "one of these kinds of token"),
    key("id", Shape::Pattern, NOTHING, "found in the token's identifier"),
    key("name", Shape::Pattern, NOTHING, "found in the token's name"),
    key("owner", Shape::Pattern, NOTHING, "found in the owner's identifier, name or address"),
    key("labels", Shape::Patterns, NOTHING, "found in the labels of these names"),
];

/// A rule's `owner`.
const OWNER: &[Key] = &[
    key("id", Shape::Text, NOTHING, "the identifier"),
    key("name", Shape::Text, NOTHING, "the name"),
    key("email", Shape::Address, NOTHING, "one bare address"),
];

/// Where a secret comes from: exactly one of these.
pub(super) const ORIGIN: &[Key] = &[
    key("file", Shape::File, NOTHING, "a file that holds the secret and nothing else"),
    key("env", Shape::Variable, NOTHING, "a variable of the environment"),
];

impl Key {
    /// The keys of the map that it holds.
    pub(super) fn inner(&self) -> Option<&'static [Self]> {
        match self.shape {
            Shape::Map(keys) => Some(keys),
            _ => None,
        }
    }
}

/// The names of these keys, as a constant.
pub(super) const fn names<const N: usize>(keys: &[Key]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = keys[at].name;
        at += 1;
    }
    names
}

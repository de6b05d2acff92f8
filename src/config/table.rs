//! Every key of the configuration file.

use chrono::TimeDelta;

use super::value_types::{ADDRESS, CREDENTIAL, FILE_PATH, HEADERS, LABELS, PATTERN, PROXY, SOURCE_NAME};
use crate::core::token::{Expiry, State};
use crate::core::token_series::TokenSeries;
use crate::schema::renewal::RENEW;
use crate::schema::table::DefaultValue::{self, Described};
use crate::schema::table::ValueType::{
    self, Count, Domain, Duration, Flag, Limit, Line, List, Map, OneOf, OneOrList, Record, Text,
};
use crate::schema::table::{Key, Table};

const ZERO: TimeDelta = TimeDelta::zero();
const SECOND: TimeDelta = TimeDelta::seconds(1);
const HOUR: TimeDelta = TimeDelta::hours(1);
const TEN_YEARS: TimeDelta = TimeDelta::days(3650);
const CENTURY: TimeDelta = TimeDelta::days(36500);

const FILE_DEFAULT: DefaultValue = Described("the file's");
const SOURCE_DEFAULT: DefaultValue = Described("the source's");

const fn key(name: &'static str, value: ValueType, default: DefaultValue, help: &'static str) -> Key {
    Key { name, value, default, help }
}

const fn interval(default: DefaultValue) -> Key {
    // Less than a second is a slip: every collection costs requests, which providers count.
    key("interval", Duration(SECOND, TimeDelta::days(7)), default, "how often a source is collected")
}

const fn timeout(default: DefaultValue) -> Key {
    key("timeout", Duration(SECOND, TimeDelta::days(1)), default, "maximum duration of one collection of a source")
}

const fn alert_lead(bands: &'static Table) -> Key {
    Key::optional("alert_lead", Record(bands), "lead time before expiry at which alerts start")
}

const fn bands(warning: DefaultValue, critical: DefaultValue) -> [Key; 2] {
    [
        key("warning", Duration(ZERO, TEN_YEARS), warning, "lead time of the band `warning`"),
        key("critical", Duration(ZERO, TEN_YEARS), critical, "lead time of the band `critical`"),
    ]
}

const fn min_lifetime(default: DefaultValue) -> Key {
    let help = "tokens with a shorter lifetime are never alerted on";
    key("min_lifetime", Duration(ZERO, TEN_YEARS), default, help)
}

const fn expired_retention(default: DefaultValue) -> Key {
    key("expired_retention", Duration(ZERO, TEN_YEARS), default, "how long an expired token is kept")
}

const fn token_limit(default: DefaultValue) -> Key {
    let help = "maximum tokens per source; the soonest to expire are kept";
    key("token_limit", Count(1, 10_000_000), default, help)
}

const fn policy(limits: &'static Table) -> Key {
    Key::optional("policy", Record(limits), "token policy; a violation is a finding")
}

const fn limits(never_expires: DefaultValue, max_lifetime: DefaultValue, unused_after: DefaultValue) -> [Key; 3] {
    [
        key("never_expires", Flag, never_expires, "whether a token that never expires is a finding"),
        key("max_lifetime", Limit(HOUR, CENTURY), max_lifetime, "maximum token lifetime"),
        key("unused_after", Limit(HOUR, CENTURY), unused_after, "maximum time without use"),
    ]
}

pub(super) static FILE: Table = Table::new(&[
    Key::optional("$schema", Text, "the JSON Schema, for editors"),
    interval(DefaultValue::Value("15m")),
    timeout(DefaultValue::Value("5m")),
    alert_lead(const { &Table::new(const { &bands(DefaultValue::Value("30d"), DefaultValue::Value("7d")) }) }),
    min_lifetime(DefaultValue::Value("1d")),
    expired_retention(DefaultValue::Value("7d")),
    token_limit(DefaultValue::Value("100000")),
    Key::optional("labels", Record(&OWNER_LABELS), "which owner labels are exposed"),
    Key::optional(
        "metrics",
        Record(&METRICS),
        "which metrics are exposed; see [their cost](metrics.md#number-of-series)",
    ),
    policy(&FILE_LIMITS),
    Key::optional("owners", List(0, &Record(&OWNER_ENTRY)), "who owns tokens: the people and groups that providers know by other names"),
    Key::optional(
        "owners_file",
        Domain(&FILE_PATH),
        "a CSV or YAML file with further owners; it is watched as this file is",
    ),
    Key::optional(
        "owners_from",
        OneOrList(1, &Line),
        "sources whose owners' names and addresses count as entries of `owners`, because their users cannot choose their names",
    ),
    Key::required(
        "sources",
        List(1, &Record(&SOURCE)),
        "[{name: gitlab, provider: gitlab, credential: {file: PATH}}]",
        "the accounts whose tokens are collected",
    ),
    Key::optional(
        "rules",
        List(0, &Record(&RULE)),
        "rules that label or drop tokens; all matching rules apply, in order",
    ),
])
.named("file", "The file");

static FILE_LIMITS: Table =
    Table::new(const { &limits(DefaultValue::Value("true"), DefaultValue::Value("366d"), DefaultValue::Value("90d")) });

static TOKEN_SERIES: [&str; TokenSeries::ALL.len()] =
    [TokenSeries::All.label(), TokenSeries::Due.label(), TokenSeries::None.label()];

const fn token_series(default: DefaultValue) -> Key {
    let help = "which tokens have series of their own: all, those within their alert lead, or none";
    key("tokens", OneOf(&TOKEN_SERIES), default, help)
}

static METRICS: Table = Table::new(&[
    Key::optional(
        "allow",
        List(1, &Line),
        "expose only these metrics of tokens and sources, and those that are always exposed; not with `deny`",
    ),
    Key::optional("deny", List(1, &Line), "do not expose these metrics of tokens and sources"),
    token_series(DefaultValue::Value("all")),
]);

static OWNER_LABELS: Table = Table::new(&[
    Key::or("owner", Flag, "true", "the owner's name, as the label `token_owner`"),
    Key::or("owner_email", Flag, "false", "the owner's e-mail address, as the label `token_owner_email`"),
]);

/// A source. Its provider's own settings are in addition to these.
pub(super) static SOURCE: Table = Table::new(&[
    Key::required("name", Domain(&SOURCE_NAME), "gitlab", "its name: letters, digits, `-`, `_` and `.`, at most 63"),
    Key::required("provider", Line, "gitlab", "the name of its provider; `token-expiry-exporter providers` lists them"),
    Key::optional("credential", Domain(&CREDENTIAL), "where its secret is read from, at each collection"),
    Key::optional(
        "kubeconfig",
        Record(&KUBECONFIG),
        "of `kubernetes` and `openshift`: a kubeconfig in place of `url`, `credential` and `tls`; see [clusters](kubernetes.md#from-outside-the-cluster)",
    ),
    key("auth", Line, Described("the provider's first"), "the authentication scheme"),
    key("listings", List(1, &Line), Described("all that are not opt-in"), "which listings are collected"),
    Key::or(
        "identify",
        Flag,
        "false",
        "whether it is learnt which tokens the credentials are that other sources find and that look like this provider's; most providers need a request with the credential, see [locations](locations.md)",
    ),
    interval(Described("the longer of the provider's and the file's")),
    timeout(FILE_DEFAULT),
    alert_lead(const { &Table::new(const { &bands(FILE_DEFAULT, FILE_DEFAULT) }) }),
    min_lifetime(FILE_DEFAULT),
    expired_retention(FILE_DEFAULT),
    token_limit(FILE_DEFAULT),
    Key::optional(
        "metrics",
        Record(const { &Table::new(const { &[token_series(FILE_DEFAULT)] }) }),
        "which metrics of its tokens are exposed",
    ),
    policy(const { &Table::new(const { &limits(FILE_DEFAULT, FILE_DEFAULT, FILE_DEFAULT) }) }),
    Key::optional(
        "rotate_after",
        Duration(HOUR, CENTURY),
        "age at which a token that never expires is due for rotation, unless a rule sets another one",
    ),
    Key::optional(
        "headers",
        Domain(&HEADERS),
        "further headers of its requests, which [a gateway](#a-gateway-in-front-of-a-provider) in front of the provider requires",
    ),
    Key::optional("tls", Record(&TLS), "certificates, read at each collection"),
    key(
        "proxy",
        Domain(&PROXY),
        Described("the environment's"),
        "an http, https, socks5 or socks5h proxy; without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count",
    ),
])
.named("source", "A source")
.help("An element of `sources`. Its provider may have further settings.")
.open();

/// The keys of every source. A provider's settings have other names.
pub fn source_keys() -> Vec<&'static str> {
    SOURCE.names().collect()
}

static KUBECONFIG: Table = Table::new(&[
    Key::required(
        "file",
        Domain(&FILE_PATH),
        "/etc/token-expiry-exporter/kubeconfig",
        "the kubeconfig, read at each collection; paths in it are relative to its directory",
    ),
    key("context", Line, Described("its current context"), "which of its contexts to use"),
]);

static TLS: Table = Table::new(&[
    Key::optional(
        "ca_file",
        Domain(&FILE_PATH),
        "CA bundle (PEM), in addition to the system's; it may contain the server's own certificate",
    ),
    Key::optional("cert_file", Domain(&FILE_PATH), "client certificate (PEM)"),
    Key::optional("key_file", Domain(&FILE_PATH), "its private key (PEM); may be in `cert_file` instead"),
]);

static RULE: Table = Table::new(&[
    key("match", Record(&MATCH), Described("every token"), "conditions, all of which must hold"),
    Key::optional("labels", Domain(&LABELS), "labels to add; every token has them, empty unless a rule sets them"),
    Key::optional("owner", Record(&OWNER), "fields of the owner to set; the others stay unchanged"),
    alert_lead(const { &Table::new(const { &bands(SOURCE_DEFAULT, SOURCE_DEFAULT) }) }),
    Key::optional(
        "rotate_after",
        Duration(HOUR, CENTURY),
        "age at which a token that never expires is due for rotation",
    ),
    Key::optional(
        "renew",
        Domain(&RENEW),
        "how matching tokens are renewed, in at most four lines: who, where, by which command",
    ),
    Key::optional(
        "used_in",
        OneOrList(1, &Line),
        "places where it is used, which cannot be found; see [locations](locations.md)",
    ),
    Key::or("must_be_located", Flag, "false", "whether a token that is found nowhere is the finding `not_located`"),
    Key::or("drop", Flag, "false", "drop matching tokens"),
])
.named("rule", "A rule")
.help("An element of `rules`.");

static STATES: [&str; State::ALL.len()] =
    [State::Active.label(), State::Expired.label(), State::Replaced.label(), State::Disabled.label()];

static MATCH: Table = Table::new(&[
    Key::optional("source", OneOrList(1, &Line), "one of these sources"),
    Key::optional("provider", OneOrList(1, &Line), "one of these providers"),
    Key::optional("kind", OneOrList(1, &Line), "one of these kinds of token"),
    Key::optional("state", OneOrList(1, &OneOf(&STATES)), "one of these states, before rules change the expiry"),
    Key::optional(
        "expiry",
        OneOrList(1, &OneOf(&Expiry::LABELS)),
        "one of these kinds of expiry, after the earlier rules",
    ),
    Key::optional("id", Domain(&PATTERN), "found in the token's identifier"),
    Key::optional("name", Domain(&PATTERN), "found in the token's name"),
    Key::optional("owner", Domain(&PATTERN), "found in the owner's identifier, name or e-mail address"),
    Key::optional("labels", Map(&Domain(&PATTERN)), "found in the labels with these names"),
]);

pub(super) static OWNER_ENTRY: Table = Table::new(&[
    Key::optional("name", Line, "the name, which `token_owner` then has"),
    Key::optional("email", Domain(&ADDRESS), "one bare e-mail address"),
    Key::optional("team", Line, "the value of the label `team`, unless the token has that label"),
    Key::optional(
        "also",
        OneOrList(1, &Line),
        "logins, ids and addresses by which providers know the owner; `vault:jane` only at the source or provider `vault`",
    ),
])
.named("owner", "An owner")
.help("An element of `owners`. `name` or `email` is required.");

static OWNER: Table = Table::new(&[
    Key::optional("id", Line, "the identifier"),
    Key::optional("name", Line, "the name"),
    Key::optional("email", Domain(&ADDRESS), "one bare e-mail address"),
]);

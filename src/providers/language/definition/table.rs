//! Every key of a definition: one table for each thing that a definition is made of.

use chrono::TimeDelta;

use super::{NAME, NEVER, OPTIONAL_TEMPLATE, PARAMETER};
use crate::core::location::LocationKind;
use crate::providers::provider_info::GROUPS;
use crate::schema::table::ValueType::{
    Any, Count, Domain, Flag, Line, List, Map, OneOf, OneOrList, Record, ScalarOr, Text, WordOr,
};
use crate::schema::table::{Key, Table, ValueType};

const JQ: ValueType = Domain(&super::JQ);
const TEMPLATE: ValueType = Domain(&super::TEMPLATE);
const TEMPLATES: ValueType = Map(&Domain(&OPTIONAL_TEMPLATE));
const DURATION: ValueType = ValueType::Duration(TimeDelta::milliseconds(1), TimeDelta::MAX);
const NUMBER: ValueType = Count(0, u64::MAX);
const STATUSES: ValueType = OneOrList(0, &Count(201, 599));
const TIMES: ValueType = Domain(&super::TIMES);
const FAILED: ValueType = ScalarOr(&super::JQ, &OneOrList(1, &Record(&FAILED_RESPONSE)));
const FAILED_HELP: &str = "a 2xx response that matches this is a failure; with a `reason`, also what a status such as 400 or 422 means; after `rate_limited` and `server_error` the request is repeated";
const REQUIREMENTS: ValueType = WordOr("unknowable", &OneOrList(1, &Record(&REQUIRE)));

const fn key(name: &'static str, value: ValueType, help: &'static str) -> Key {
    Key::optional(name, value, help)
}

const fn must(name: &'static str, value: ValueType, help: &'static str) -> Key {
    Key::required(name, value, "", help)
}

pub(in crate::providers::language) static DEFINITION: Table = Table::new(&[
    must("format", OneOf(&["1"]), "the version of this format"),
    must("provider", Domain(&NAME), "its name, by which sources choose it; the value of the label `provider`"),
    Key::or("override", Flag, "false", "this definition replaces a built-in one with the same name"),
    key("aliases", OneOrList(0, &Domain(&NAME)), "other names that sources may use"),
    must("title", Text, "its display name"),
    must("docs", Text, "the vendor's documentation"),
    must("expiry", Text, "meaning of its expiries, in prose"),
    key("permission", Text, "the permission that the credential needs, in prose"),
    key("group", OneOf(&GROUPS), "the group under which providers are listed"),
    key("credential", Text, "how to create the credential: menu path or command"),
    key("example", Text, "the settings of an example source, as YAML"),
    key("cost", Text, "the requests of a collection, in prose"),
    key(
        "not_listed",
        OneOrList(0, &Text),
        "what the API does not list, or does not show to every credential, in prose",
    ),
    key(
        "tested_against",
        OneOf(&["server", "api-description", "documentation"]),
        "what its scenarios rest on: a real server, the vendor's API description, or the vendor's documentation only",
    ),
    key("interval", DURATION, "how often a source is collected, unless it sets its own interval"),
    key("limits", Record(&LIMITS), "limits of the provider's API"),
    key("settings", Map(&Record(&SETTING)), "settings that a source may or must have"),
    key(
        "auth",
        WordOr("bearer", &OneOrList(1, &Record(&SCHEME))),
        "how to authenticate: `bearer`, a scheme, or a list of schemes, the first of which is the default",
    ),
    Key::or(
        "kubeconfig",
        Flag,
        "false",
        "whether a source may have a `kubeconfig`, from which come the setting `url`, the scheme (one with `bearer` or one with `client_certificate`) and the credential",
    ),
    key("headers", TEMPLATES, "headers of every request"),
    Key::or(
        "responses",
        OneOf(&["json", "aws_query"]),
        "json",
        "`aws_query`: responses are XML of AWS's query protocol; an element is a key, elements named `member` are a list",
    ),
    key("error", JQ, "selects the vendor's message from an error response: the only part of a body that is shown"),
    key("failed", FAILED, FAILED_HELP),
    key("retry", STATUSES, "further statuses after which a request is repeated, in addition to 408, 429 and 5xx"),
    Key::or("times", TIMES, "iso", "how the times in its responses are written"),
    key(
        "never",
        Domain(&NEVER),
        "further values that mean never; `{after: 50y}`: also every expiry further ahead; `false`: null, absent and \"\" do not mean never",
    ),
    key("self", Record(&SELF), "how the expiry of the exporter's own credential is found"),
    key("maps", Map(&Record(&LOOKUP)), "look-up tables that expressions read as `$maps.NAME`"),
    key(
        "identify",
        OneOrList(1, &Record(&IDENTIFY)),
        "how a credential that another source finds is recognised, and which token it is",
    ),
    must("listings", List(1, &Record(&LISTING)), "the listings"),
    key("renew", Map(&Record(&RENEW)), "how tokens are renewed, by kind; one `*` in a kind stands for any text"),
    key(
        "locations",
        List(1, &Record(&LOCATIONS)),
        "listings whose rows are places where tokens are used; always opt-in",
    ),
])
.named("definition", "The definition");

static RENEW: Table = Table::new(&[
    must("who", Line, "who can renew it"),
    key("where", Line, "where: a path through the menus, or a page"),
    key("command", Line, "by which command; capital letters stand for what the reader fills in"),
    key("docs", Domain(&super::WEB_URL), "the page of the vendor's documentation"),
])
.named("renew", "Renewal steps")
.help(
    "Fixed texts for people, at most 190 characters each. `where` or `command` is required. A page of the reader's own tokens belongs \
     here, after `who`, not into `manage_url`.",
);

static LIMITS: Table = Table::new(&[
    key("concurrency", Count(1, u64::MAX), "maximum concurrent requests"),
    key("rate", Domain(&super::RATE), "request rate, such as `150/1m`"),
])
.named("limits", "Limits");

static SETTING: Table = Table::new(&[
    Key::or("type", OneOf(&["text", "url", "flag", "number", "list"]), "text", "its type; a list has strings"),
    key("default", Any, "its value if the source does not set it; null: none"),
    must("help", Text, "what it is for"),
])
.named("setting", "A setting")
.help("A source must set it unless it has a `default`. A text or a list cannot have the name of a secret, such as `password` or `api_key`: \
secrets are parts of the credential.");

pub(in crate::providers::language) static SCHEME: Table = Table::new(&[
        key(
            "name",
            Domain(&NAME),
            "its name, for `auth` in a source and `$settings.auth`; required if there are several",
        ),
        key("permission", Text, "the permission that it needs"),
        Key::or(
            "credential",
            OneOf(&["text", "json"]),
            "text",
            "`json`: the credential is a JSON document, such as a vendor's key file, and its fields are the parts",
        ),
        key("bearer", TEMPLATE, "`Authorization: Bearer …`"),
        key("basic", Record(&BASIC), "`Authorization: Basic …`"),
        key("headers", TEMPLATES, "headers by name"),
        key("client_certificate", OneOf(&["tls"]), "`tls`: no header, but the client certificate of the source's `tls`"),
        key("login", Record(&LOGIN), "a request that returns the session token, which is `{login}`"),
        key("jwt", Record(&JWT), "a JSON Web Token that the exporter signs, which is `{jwt}`: here without a `login`, else in the login"),
        key("github_app", Record(&GITHUB_APP), "the installation token of a GitHub App"),
        key("aws_sigv4", Record(&AWS_SIGV4), "signs each request with AWS Signature Version 4"),
        key("ovh_signature", Record(&OVH_SIGNATURE), "signs each request like OVH's clients"),
        key("akamai_edgegrid", Record(&AKAMAI_EDGEGRID), "signs each request like Akamai's clients"),
    ])
.named("scheme", "An authentication scheme")
.help("Exactly one of `bearer`, `basic`, `headers`, `client_certificate`, `github_app`, `aws_sigv4`, `ovh_signature` and `akamai_edgegrid`. Templates here may \
use `{credential}`, `{login}` and `{jwt}`. A key that this version does not know is a method of a later version: only sources that use it fail.")
.open();

static BASIC: Table = Table::new(&[must("user", TEMPLATE, "the user"), must("password", TEMPLATE, "the password")])
    .named("basic", "Basic authentication");

static GITHUB_APP: Table = Table::new(&[
    must("app_id", TEMPLATE, "the client ID of the App"),
    must("private_key", TEMPLATE, "its private key (PEM)"),
    must("organization", TEMPLATE, "the organization in which it is installed"),
])
.named("github_app", "A GitHub App");

static JWT: Table = Table::new(&[
    Key::or("algorithm", OneOf(&["RS256", "PS256", "ES256"]), "RS256", "the algorithm of the signature"),
    must("key", TEMPLATE, "the private key (PEM)"),
    key("certificate", TEMPLATE, "its certificate (PEM), of which the header gets the thumbprint `x5t#S256`"),
    key("header", TEMPLATES, "the header; `alg` and `typ` are added"),
    must("claims", Map(&Any), "the claims; their strings are templates, `iat` and `exp` are added"),
    Key::or("lifetime", DURATION, "5m", "from `iat` to `exp`; without a `login` the token is used for 90% of it"),
])
.named("jwt", "A signed JSON Web Token")
.help("Its templates may use `{credential}`, `{now}` (in seconds since 1970), `{random}` (a UUID) and, for an RSA key, `{key_sha256}`: the SHA-256 of \
the public key in base64.");

static AWS_SIGV4: Table = Table::new(&[
    must("service", TEMPLATE, "the name of the service, such as `iam`"),
    must("region", TEMPLATE, "the region"),
    key("access_key_id", TEMPLATE, "the access key's id"),
    key("secret_access_key", TEMPLATE, "the access key's secret"),
])
.named("aws_sigv4", "AWS Signature Version 4")
.help("Without an access key here it is looked for where AWS's tools do: environment variables, the shared credentials file, and what AWS \
issues to a pod, a container or a machine.");

static OVH_SIGNATURE: Table = Table::new(&[
    must("application_key", TEMPLATE, "the application's key"),
    must("application_secret", TEMPLATE, "the application's secret"),
    must("consumer_key", TEMPLATE, "the consumer key"),
])
.named("ovh_signature", "OVH's signature");

static AKAMAI_EDGEGRID: Table = Table::new(&[
    must("client_token", TEMPLATE, "the client token"),
    must("client_secret", TEMPLATE, "the client secret"),
    must("access_token", TEMPLATE, "the access token"),
])
.named("akamai_edgegrid", "Akamai EdgeGrid");

static LOGIN: Table = Table::new(&[
    key("basic", Record(&BASIC), "the client's own user and password for this request"),
    must("token", JQ, "the token in the response"),
    key("lifetime", JQ, "its lifetime in seconds"),
])
.named("login", "A login")
.help("Its templates may use `{credential}` and `{jwt}`. It is repeated when its token expires or is rejected.")
.including(&[&REQUEST]);

const ONLY_READS: &str = "is not allowed: the exporter only reads; use `get` or `post`";

/// What is sent.
static REQUEST: Table = Table::new(&[
    key("get", TEMPLATE, "the path, relative to the setting `url`, or to another one of type `url`: `{login_url}/…`"),
    key("post", TEMPLATE, "the same, sent as POST"),
    key(
        "query",
        Map(&Domain(&PARAMETER)),
        "parameters: a template, a number, a flag, or a list of those; null and unset ones are omitted",
    ),
    key("headers", TEMPLATES, "headers, which override the definition's; an empty one is omitted"),
    key("body", Any, "the body of a `post`, sent as JSON; its strings are templates"),
    key("form", TEMPLATES, "the body of a `post`, sent as a form"),
    key("failed", FAILED, FAILED_HELP),
    key("retry", STATUSES, "further statuses after which it is repeated; replaces those of the definition"),
    key("service", Text, "with `aws_sigv4`: the service for which it is signed, if it is not that of the scheme"),
    key("permission", Text, "the permission that is missing if the request is refused"),
])
.named("request", "A request")
.help("Either `get` or `post` is required.")
.refusing(&[
    ("put", ONLY_READS),
    ("patch", ONLY_READS),
    ("delete", ONLY_READS),
    ("method", "is not a key; write the path as `get: /…` or `post: /…`"),
]);

/// Which responses are empty, and how times in them are read.
static RESPONSE: Table = Table::new(&[
    key("none", OneOrList(0, &Record(&NONE)), "this response means: complete and empty"),
    key("times", TIMES, "how the times in this response are written"),
    key(
        "never",
        Domain(&NEVER),
        "further values that mean never in this response; `{after: 50y}`: also every expiry further ahead; `false`: null, absent and \"\" \
         do not mean never",
    ),
])
.named("response", "A response");

/// What a response contains.
static ROWS: Table = Table::new(&[
    key("rows", JQ, "the list in the response; anything else is a failure"),
    key("row", JQ, "the one object in the response"),
    key("take", JQ, "maps a row to zero, one or several rows"),
    key("next", WordOr("link", &Record(&NEXT)), "where the next page is; needs `rows`"),
    key("more", JQ, "whether there are more pages, in place of the usual signs; needs `rows`"),
    key("total", JQ, "the number of rows on all pages, if the vendor returns it: fewer are a failure; needs `rows`"),
    key("one_page", Text, "why the first response has all rows, in prose, if there is no `next`"),
])
.named("rows", "The rows of a response")
.help("`rows` or `row`; without either, the whole response is the only row.");

static NONE: Table = Table::new(&[
    must("status", Count(200, 599), "its status code"),
    key("if", JQ, "a condition on its body"),
    Key::or(
        "if_others_succeed",
        Flag,
        "false",
        "in the last request of a listing: only if the same request succeeds for another element of the step; otherwise a failure",
    ),
])
.named("none", "An empty response");

/// The reasons that a response with a status of success can have.
static REASONS: [&str; 6] = ["decode", "unauthorized", "forbidden", "not_found", "rate_limited", "server_error"];

static FAILED_RESPONSE: Table = Table::new(&[
    must("if", JQ, "a condition on the response"),
    Key::or(
        "reason",
        OneOf(&REASONS),
        "decode",
        "the reason of the failure; with `forbidden` it names the missing permission",
    ),
    key(
        "remedy",
        Text,
        "what to do, as a phrase that ends the message; also of a status that has this reason by itself, such as 404",
    ),
])
.named("failed", "A failure by the content of the response");

static NEXT: Table = Table::new(&[
    key("url", JQ, "a URL in the response; its path and query are requested with GET from the configured origin"),
    key("cursor", JQ, "a cursor in the response; null, absent and \"\" end the listing"),
    key("param", Text, "with `cursor`: the parameter for it; in a body a dotted path"),
    key("page", Text, "the parameter for the page number"),
    Key::or("from", NUMBER, "1", "with `page`: the number of the first page"),
    key("offset", Text, "the parameter for the number of rows to skip"),
    key("last", JQ, "with `page` or `offset`: whether this page is the last; without it, a page without rows is"),
    Key::or("in", OneOf(&["query", "body", "header"]), "query", "where the parameter is sent"),
])
.named("next", "The next page")
.help("`next: link` follows the header `Link`. Otherwise one of `url`, `cursor`, `page` and `offset` is required.");

static SELF: Table = Table::new(&[
    key("when", JQ, "a condition on the settings"),
    key("expires_at", JQ, "the expiry in the response"),
    key(
        "jwt",
        TEMPLATE,
        "the part of the credential that is a JSON Web Token, such as `{credential}`: its claim `exp` is the expiry",
    ),
    key("listing", Domain(&NAME), "the listing that lists it"),
    key("is", JQ, "whether a row is it; of several the soonest to expire counts"),
    key("hint", JQ, "the beginning of the secret as the vendor shows it, or its beginning and end"),
])
.named("self", "The exporter's own credential")
.help("A request with `expires_at`, a `listing` that lists it too, or `jwt`.")
.including(&[&REQUEST, &RESPONSE]);

static LOOKUP: Table = Table::new(&[
    key("help", Text, "what it is for"),
    key("when", JQ, "it is filled only if this condition on the settings is true; otherwise it stays empty"),
    key("key", JQ, "the key of a row"),
    key("for", JQ, "the key, from the result of `take` in a listing"),
    Key::or("keep", DURATION, "24h", "with `for`: how long a value is reused"),
    must("value", JQ, "the value: from a row, or with `for` from the response"),
])
.named("map", "A look-up table")
.help("With `key` all rows are loaded at once; with `for` each key has its own request, which uses it as `{key}`.")
.including(&[&REQUEST, &ROWS, &RESPONSE]);

static LISTING: Table = Table::new(&[
    must("name", Domain(&NAME), "its name: the value of the label `listing`"),
    key("help", Text, "what it lists"),
    must("kind", Text, "the kind of its tokens, unless `token.kind` sets another"),
    Key::or("opt_in", Flag, "false", "it runs only if the source names it"),
    Key::or(
        "replaces",
        Flag,
        "true",
        "a newer token replaces an older one with the same name; false if active tokens share names",
    ),
    Key::or(
        "owner_name",
        OneOf(&["display", "login"]),
        "display",
        "what the name in `token.owner` is: a `login`, which the provider keeps unique, or a `display` name, which people choose \
         themselves; only a login is matched with the owners directory",
    ),
    key("when", JQ, "it runs only if this condition on the settings is true"),
    key(
        "require",
        REQUIREMENTS,
        "conditions for treating a missing token as revoked; otherwise the listing is `forbidden`. `unknowable`: the provider omits \
         what the credential may not see, without an error, and no request reveals it",
    ),
    key("for_each", OneOrList(0, &Record(&STEP)), "the fan-out: a step, or a list of nested steps"),
    key("recheck", DURATION, "how long a response is reused"),
    must("token", Record(&TOKEN), "how a row becomes a token"),
])
.named("listing", "A listing")
.including(&[&REQUEST, &ROWS, &RESPONSE]);

static LOCATIONS: Table = Table::new(&[
    must("name", Domain(&NAME), "its name: the value of the label `listing`; no listing of tokens may have it"),
    key("help", Text, "what it lists"),
    key("when", JQ, "it runs only if this condition on the settings is true"),
    key("require", REQUIREMENTS, "conditions for a complete listing; otherwise it is `forbidden`"),
    key("for_each", OneOrList(0, &Record(&STEP)), "the fan-out: a step, or a list of nested steps"),
    key(
        "back",
        DURATION,
        "the rows are a log, the newest first: pages are requested back to the newest entry that is known, the first time as far as this",
    ),
    must("location", Record(&LOCATION), "how a row becomes a location"),
])
.named("locations", "A listing of locations")
.help("It runs only if the source names it in `listings`.")
.including(&[&REQUEST, &ROWS, &RESPONSE]);

static LOCATION_KINDS: [&str; 4] = [
    LocationKind::Secret.label(),
    LocationKind::File.label(),
    LocationKind::Variable.label(),
    LocationKind::Address.label(),
];

static LOCATION: Table = Table::new(&[
    must(
        "kind",
        OneOf(&LOCATION_KINDS),
        "what the place is; an `address` is an IP address, which is never a metric label",
    ),
    must("place", JQ, "the place, a string; null: the row is skipped"),
    key("token", JQ, "the id of a token of this source; null: the row is skipped"),
    key("values", JQ, "a string, or a list of strings, in which the credentials of all sources are looked for"),
    key(
        "hidden",
        JQ,
        "with `values`: a condition on the row; if it is true, the provider does not return the value, and the place counts as not searched",
    ),
    key("group", JQ, "with `values`: who can write there, such as a namespace; credentials of one group share a limit"),
    key("own", JQ, "with `values`: the id of the token of this source that is the credential"),
    key("last_seen", JQ, "a time; required with `back`"),
])
.named("location", "A location")
.help("Either `token` or `values` is required.");

static IDENTIFY: Table = Table::new(&[
    key("when", JQ, "a condition on the settings; the first of several whose condition is true counts"),
    must("prefix", OneOrList(1, &Domain(&super::TEMPLATE)), "how its credentials begin, as the vendor publishes it: at least two characters"),
    Key::or(
        "rest",
        Text,
        "[A-Za-z0-9._~+/=-]{11,4000}[A-Za-z0-9_=-]",
        "a regular expression for what follows the prefix",
    ),
    key("id", JQ, "the id of the token, in the response; without a request, in the value; null: the provider reports none; required without `listing`"),
    key("listing", Domain(&NAME), "instead of a request: the listing whose rows show a part of each credential"),
    key(
        "hint",
        JQ,
        "with `listing`: the beginning of the credential as a row shows it, or its beginning and end, with at least 6 characters besides `prefix`",
    ),
    key("touches", Text, "what the request changes at the provider, such as the time of last use; required with a request"),
])
.named("identify", "A found credential")
.help("With a request, `{value}` in its headers or its body is the credential. If a header has it, the exporter's own credential is not \
sent. A response that `none` matches means that the provider does not accept the credential. With a `listing`, nothing of the credential is sent.")
.including(&[&REQUEST, &RESPONSE]);

static REQUIRE: Table =
    Table::new(&[must("that", JQ, "a condition on the response; if it is not true, the listing is `forbidden`")])
        .named("require", "A requirement")
        .help("A response with any 2xx status counts.")
        .including(&[&REQUEST]);

static STEP: Table = Table::new(&[
    key("in", JQ, "a list, such as `$settings.groups`"),
    must(
        "as",
        Domain(&NAME),
        "the name of each element: `{NAME}` in templates, `$NAME` in the expressions that follow",
    ),
    key("recheck", DURATION, "how long the elements are reused, such as a list of users; needs a request"),
])
.named("step", "A step of a fan-out")
.help("Either `in`, or a request whose rows are the elements.")
.including(&[&REQUEST, &ROWS, &RESPONSE]);

static TOKEN: Table = Table::new(&[
    must("id", JQ, "a string or a number, unique within the source"),
    must("expires_at", JQ, "a time, or a value that means never"),
    key("name", JQ, "a string"),
    key("kind", JQ, "a string, or null for the listing's"),
    key(
        "owner",
        JQ,
        "`{id, name, email, active}`, or a string, which is the name; `active: false` is a deactivated account",
    ),
    key("created_at", JQ, "a time"),
    key("last_used_at", JQ, "a time"),
    key("lifetime", JQ, "a duration, if the expiry moves with each renewal: seconds, `P30D`, `720h`"),
    key(
        "renews_at",
        JQ,
        "a time before `expires_at` at which the provider renews it by itself: it is due only if that is overdue",
    ),
    key("scopes", JQ, "a list, or a string with spaces"),
    key("disabled", JQ, "a boolean"),
    key("manage_url", JQ, "the page where it is renewed, if it shows every reader this token and not his own ones"),
    key("labels", JQ, "an object of strings, numbers and booleans; null and \"\" are omitted"),
    key(
        "same_as",
        JQ,
        "the id of another token of this source that is the same credential: while that one is listed, this one is not",
    ),
])
.named("token", "A token")
.help("A row with an unreadable `id` or `expires_at` is malformed; other unreadable fields are omitted and counted.");

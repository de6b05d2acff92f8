//! The keys of a definition: one table per construct. The reader refuses what is not in them, and the table in
//! `docs/definitions.md` and the JSON Schema are written from them.

use super::{Construct, Form, Key};

const fn key(name: &'static str, form: Form, help: &'static str) -> Key {
    Key { name, form, required: false, default: "", help }
}

const fn must(name: &'static str, form: Form, help: &'static str) -> Key {
    Key { name, form, required: true, default: "", help }
}

const fn or(name: &'static str, form: Form, default: &'static str, help: &'static str) -> Key {
    Key { name, form, required: false, default, help }
}

/// The document.
pub(crate) const DEFINITION: Construct = Construct {
    name: "definition",
    title: "The definition",
    help: "",
    keys: &[&[
        must("format", Form::OneOf(&["1"]), "the version of this format"),
        must("provider", Form::Name, "its name, by which sources choose it; the value of the label `provider`"),
        or("override", Form::Flag, "false", "this definition wins over a built-in one of the same name"),
        key("aliases", Form::List(&Form::Name), "other names that sources may use"),
        must("title", Form::Text, "its name as people write it"),
        must("docs", Form::Text, "the vendor's documentation"),
        must("expiry", Form::Text, "what its ends mean, in words"),
        key("permission", Form::Text, "the permission that the credential needs, in words"),
        key("interval", Form::Duration, "how often a source is collected, unless it says so itself"),
        key("limits", Form::Is(&LIMITS), "how fast the provider may be asked"),
        key("settings", Form::MapOf(&SETTING), "what a source may, or must, set"),
        key(
            "auth",
            Form::BearerOr(&SCHEME),
            "how to authenticate: `bearer`, a scheme, or a list of schemes, the first of which is the default",
        ),
        key("headers", Form::Templates, "headers of every request"),
        key(
            "error",
            Form::Jq,
            "picks the vendor's own words out of a refusal: the one part of a body that is ever shown",
        ),
        key("failed", Form::Jq, "a 2xx of which this is true is a failure"),
        or("times", Form::Times, "iso", "how the times in its answers are written"),
        key("never", Form::Never, "further values that mean never; `false`: null, absent and \"\" do not mean never"),
        key("self", Form::Is(&OWN), "how the end of the exporter's own credential is found"),
        key("maps", Form::MapOf(&MAP), "look-up tables that expressions read as `$maps.NAME`"),
        must("listings", Form::ListOf(&LISTING), "what it lists"),
    ]],
};

const LIMITS: Construct = Construct {
    name: "limits",
    title: "Limits",
    help: "",
    keys: &[&[
        key("concurrency", Form::Count, "requests under way at once"),
        key("rate", Form::Rate, "so many requests in so long a time, such as `150/1m`"),
    ]],
};

const SETTING: Construct = Construct {
    name: "setting",
    title: "A setting",
    help: "Without a `default` a source must set it.",
    keys: &[&[
        or(
            "type",
            Form::OneOf(&["text", "url", "flag", "number", "list"]),
            "text",
            "what it holds; a list is one of texts",
        ),
        key("default", Form::Json, "its value where the source sets none; null: none"),
        must("help", Form::Text, "what it is for"),
    ]],
};

const SCHEME: Construct = Construct {
    name: "scheme",
    title: "A way to authenticate",
    help: "One of `bearer`, `basic`, `headers` and a signer. Its templates may use `{credential}`, `{credential.PART}` and `{login}`.",
    keys: &[&[
        key(
            "name",
            Form::Name,
            "its name, for `auth` in a source and `$settings.auth`; needed where there are several",
        ),
        key("permission", Form::Text, "the permission that it needs"),
        key("bearer", Form::Template, "`Authorization: Bearer …`"),
        key("basic", Form::Is(&BASIC), "`Authorization: Basic …`"),
        key("headers", Form::Templates, "headers by name"),
        key("login", Form::Is(&LOGIN), "a request that brings the session's token, which is `{login}`"),
        key("github_app", Form::Is(&GITHUB_APP), "the installation token of a GitHub App"),
        key("google_service_account", Form::Templates, "not supported yet"),
        key("ovh_signature", Form::Templates, "not supported yet"),
        key("akamai_edgegrid", Form::Templates, "not supported yet"),
        key("snowflake_key_pair", Form::Templates, "not supported yet"),
    ]],
};

const BASIC: Construct = Construct {
    name: "basic",
    title: "Basic authentication",
    help: "",
    keys: &[&[must("user", Form::Template, "the user"), must("password", Form::Template, "the password")]],
};

const GITHUB_APP: Construct = Construct {
    name: "github_app",
    title: "A GitHub App",
    help: "",
    keys: &[&[
        must("app_id", Form::Template, "the App's client id"),
        must("private_key", Form::Template, "its private key, PEM"),
        must("organization", Form::Template, "the organization where it is installed"),
    ]],
};

const LOGIN: Construct = Construct {
    name: "login",
    title: "A login",
    help: "Its templates may use `{credential}`. It is asked again when its token ends or is refused.",
    keys: &[
        &[
            key("basic", Form::Is(&BASIC), "the client's own name and password for this request"),
            key("form", Form::Templates, "the body, as a form"),
            must("token", Form::Jq, "the token in the answer"),
            key("lifetime", Form::Jq, "for how many seconds it holds"),
        ],
        ASK,
    ],
};

/// How something is asked.
const ASK: &[Key] = &[
    key(
        "get",
        Form::Template,
        "the path, under the setting `url` or beginning with another url setting: `{login_url}/…`",
    ),
    key("post", Form::Template, "the same, sent as POST; one of the two is needed"),
    key(
        "query",
        Form::Query,
        "parameters: a template, a number, a flag, or a list of those; null and unset ones are left out",
    ),
    key("headers", Form::Templates, "headers, over the definition's; an empty one is left out"),
    key("body", Form::Json, "the body of a `post`, sent as JSON; its texts are templates"),
    key("failed", Form::Jq, "a 2xx of which this is true is a failure"),
    key("permission", Form::Text, "the permission that a refusal lacks"),
];

/// Which answer means nothing, and how its times are read.
const ANSWER: &[Key] = &[
    key("none", Form::OneOrList(&NOTHING), "this answer means: complete, and nothing there"),
    key("times", Form::Times, "how the times in this answer are written"),
    key("never", Form::Never, "further values that mean never in this answer; `false`: absent does not mean never"),
];

/// What an answer holds.
const ROWS: &[Key] = &[
    key("rows", Form::Jq, "the list in the answer; anything else there is a failure"),
    key("row", Form::Jq, "the one object in the answer"),
    key("take", Form::Jq, "makes nothing, itself or several out of a row"),
    key("next", Form::Next(&NEXT), "where the next page is: `link`, or a map; needs `rows`"),
];

const NOTHING: Construct = Construct {
    name: "none",
    title: "An answer that means nothing",
    help: "",
    keys: &[&[must("status", Form::Count, "its status"), key("if", Form::Jq, "and this is true of its body")]],
};

const NEXT: Construct = Construct {
    name: "next",
    title: "The next page",
    help: "`next: link` follows the header `Link`. Else one of `url`, `cursor`, `page` and `offset`.",
    keys: &[&[
        key("url", Form::Jq, "a URL in the answer, asked with GET; it must be of the same origin"),
        key("cursor", Form::Jq, "a cursor in the answer; null, absent and \"\" end"),
        key("param", Form::Text, "with `cursor`: the parameter that carries it; in a body a dotted path"),
        key("page", Form::Text, "the parameter that carries the page's number"),
        or("from", Form::Count, "1", "with `page`: the first page's number"),
        key("offset", Form::Text, "the parameter that says how many rows to skip"),
        key("last", Form::Jq, "with `page` or `offset`: whether this page is the last; else a page without rows ends"),
        or("in", Form::OneOf(&["query", "body", "header"]), "query", "where the parameter is sent"),
    ]],
};

const OWN: Construct = Construct {
    name: "self",
    title: "The exporter's own credential",
    help: "Either a request and `expires_at`, or a `listing` that lists it too.",
    keys: &[
        &[
            key("when", Form::Jq, "only if this is true of the settings"),
            key("expires_at", Form::Jq, "the end, in the answer"),
            key("listing", Form::Name, "the listing that lists it"),
            key("is", Form::Jq, "whether a row is it; of several the soonest end counts"),
            key("hint", Form::Jq, "the beginning of the secret, as the vendor shows it, or its beginning and end"),
        ],
        ASK,
        ANSWER,
    ],
};

const MAP: Construct = Construct {
    name: "map",
    title: "A look-up table",
    help: "With `key` all rows are read at once; with `for` each key is asked for, as `{key}` in the request.",
    keys: &[
        &[
            key("help", Form::Text, "what it is for"),
            key("key", Form::Jq, "a row's key"),
            key("for", Form::Jq, "the key, of what `take` gave in a listing"),
            or("keep", Form::Duration, "24h", "with `for`: how long a value is used again"),
            must("value", Form::Jq, "the value: of a row, or with `for` of the answer"),
        ],
        ASK,
        ROWS,
        ANSWER,
    ],
};

const LISTING: Construct = Construct {
    name: "listing",
    title: "A listing",
    help: "",
    keys: &[
        &[
            must("name", Form::Name, "its name: the value of the label `listing`"),
            key("help", Form::Text, "what it lists"),
            must("kind", Form::Text, "the kind of its tokens, unless `token.kind` says otherwise"),
            or("opt_in", Form::Flag, "false", "it runs only where the source names it"),
            or(
                "replaces",
                Form::Flag,
                "true",
                "a newer token of a name replaces the older; false where live ones share a name",
            ),
            key("when", Form::Jq, "it runs only if this is true of the settings"),
            key(
                "require",
                Form::Is(&REQUIRE),
                "what must be true of the credential before the listing's silence counts",
            ),
            key("for_each", Form::OneOrList(&STEP), "the fan-out: a step, or a list of steps"),
            key("recheck", Form::Duration, "for how long an answer is used again"),
            must("token", Form::Is(&TOKEN), "how a row becomes a token"),
        ],
        ASK,
        ROWS,
        ANSWER,
    ],
};

const REQUIRE: Construct = Construct {
    name: "require",
    title: "A requirement",
    help: "",
    keys: &[&[must("that", Form::Jq, "what must be true of the answer; else the listing is `forbidden`")], ASK],
};

const STEP: Construct = Construct {
    name: "step",
    title: "A step of a fan-out",
    help: "Either `in`, or a request whose rows are the elements.",
    keys: &[
        &[
            key("in", Form::Jq, "a list, such as `$settings.groups`"),
            must(
                "as",
                Form::Name,
                "what each element is called: `{NAME}` in templates, `$NAME` in expressions to the right",
            ),
        ],
        ASK,
        ROWS,
        ANSWER,
    ],
};

const TOKEN: Construct = Construct {
    name: "token",
    title: "A token",
    help: "A row whose `id` or `expires_at` cannot be read is odd; another field that cannot be read is left out and counted.",
    keys: &[&[
        must("id", Form::Jq, "a text or a number, unique within the source"),
        must("expires_at", Form::Jq, "a time, or what means never"),
        key("name", Form::Jq, "a text"),
        key("kind", Form::Jq, "a text, or null for the listing's"),
        key("owner", Form::Jq, "`{id, name, email}`, or a text, which is the name"),
        key("created_at", Form::Jq, "a time"),
        key("last_used_at", Form::Jq, "a time"),
        key("lifetime", Form::Jq, "a duration, where the end slides: seconds, `P30D`, `720h`"),
        key("scopes", Form::Jq, "a list, or a text with blanks"),
        key("disabled", Form::Jq, "a flag"),
        key("manage_url", Form::Jq, "the page where a person renews it"),
        key("labels", Form::Jq, "an object of texts, numbers and flags; null and \"\" are left out"),
    ]],
};

/// All constructs, in the order of the documentation.
pub(crate) const ALL: [&Construct; 15] = [
    &DEFINITION,
    &SETTING,
    &LIMITS,
    &SCHEME,
    &BASIC,
    &GITHUB_APP,
    &LOGIN,
    &OWN,
    &MAP,
    &LISTING,
    &REQUIRE,
    &STEP,
    &NOTHING,
    &NEXT,
    &TOKEN,
];

/// The keys of every request, which the documentation tells once.
pub(crate) const REQUEST: [(&str, &[Key]); 3] = [("ask", ASK), ("rows", ROWS), ("answer", ANSWER)];

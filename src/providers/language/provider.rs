//! A provider: a definition with every name resolved and every expression compiled.
//!
//! The seam between the language (`definition`, `expression`, `template`, and the compiling half of this module) and the
//! engine that runs it (`ask`, `walk`, `map`, `auth`, `own`, `token`).

use std::time::Duration;

use super::expression::{Expression, Variables};
use super::template::Template;
use crate::core::time::TimeFormat;
use crate::providers::provider_info::Setting;

/// A provider, ready to run for any number of sources.
#[derive(Debug)]
pub struct Provider {
    /// Its name, such as `atlassian-cloud`: the value of the label `provider`.
    pub name: String,
    /// Whether it wins over a built-in definition of the same name.
    pub overrides: bool,
    /// Other names that a configuration may use for it.
    pub aliases: Vec<String>,
    /// Its name as people write it.
    pub title: String,
    /// The vendor's documentation.
    pub docs: String,
    /// What its ends mean, in words.
    pub expiry: String,
    /// The permission that its credential needs, in words.
    pub permission: Option<String>,
    /// How often a source is collected unless the configuration says so; at least this where a sweep is costly.
    pub interval: Option<Duration>,
    /// How fast it may be asked.
    pub limits: Limits,
    /// What a source may set.
    pub settings: Vec<Setting>,
    /// The ways to authenticate; the first is the default.
    pub schemes: Vec<AuthScheme>,
    /// Headers of every request.
    pub headers: Vec<(String, Template)>,
    /// Picks the vendor's own words out of a refusal: the one part of a body that may be shown.
    pub error: Option<Expression>,
    /// How the end of the exporter's own credential is found.
    pub own: Option<OwnCredential>,
    /// Look-up tables that expressions use as `$maps.NAME`.
    pub maps: Vec<LookupTable>,
    /// The listings.
    pub listings: Vec<Listing>,
    /// Every expression, in the order of compilation.
    #[cfg(test)]
    pub(crate) expressions: Vec<Expression>,
    /// The keys of every source, for suggestions.
    pub source_keys: Vec<&'static str>,
}

/// How fast a provider may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way at once.
    pub concurrency: Option<usize>,
    /// So many requests in so long a time.
    pub rate: Option<(u32, Duration)>,
}

/// One way to authenticate.
#[derive(Debug)]
pub struct AuthScheme {
    /// Its name, for `auth:` in a source; empty where a provider has but one.
    pub name: String,
    /// The permission that it needs, in words.
    pub permission: Option<String>,
    /// What it adds to each request.
    pub means: AuthMethod,
    /// Where a token for the session is had first. Its answer is `{login}`.
    pub login: Option<Login>,
}

/// What a scheme adds to each request. Templates may use `{credential}`, `{credential.PART}` and `{login}`.
#[derive(Debug)]
pub enum AuthMethod {
    /// `Authorization: Bearer …`.
    Bearer(Template),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        user: Template,
        /// The password.
        password: Template,
    },
    /// Headers by name.
    Headers(Vec<(String, Template)>),
    /// The installation token of a GitHub App.
    GithubApp {
        /// The App's client id.
        app_id: Template,
        /// Its private key, PEM.
        private_key: Template,
        /// Where it is installed.
        organization: Template,
    },
}

/// Where a token for the session is had.
#[derive(Debug)]
pub struct Login {
    /// The request; its `rows` is not used.
    pub request: Request,
    /// The client's own name and password for this one request.
    pub basic: Option<(Template, Template)>,
    /// The token in the answer.
    pub token: Expression,
    /// For how many seconds it holds.
    pub lifetime: Option<Expression>,
}

/// One request, with all its pages.
#[derive(Debug)]
pub struct Request {
    /// How it is sent.
    pub method: Method,
    /// The setting of shape `url` that the path stands under.
    pub base: String,
    /// The path under it, with a leading slash.
    pub path: Template,
    /// Query parameters.
    pub query: Vec<(String, Template)>,
    /// Headers, over the provider's. An empty value leaves the header out.
    pub headers: Vec<(String, Template)>,
    /// The body of a `post`.
    pub body: Option<Body>,
    /// What an answer holds.
    pub rows: Rows,
    /// Makes nothing, itself or several out of a row.
    pub take: Option<Expression>,
    /// Where the next page is.
    pub next: Option<Pagination>,
    /// Answers that mean: complete, and nothing there.
    pub none: Vec<EmptyResponse>,
    /// A 2xx of which this is true is a failure.
    pub failed: Option<Expression>,
    /// The permission that a refusal lacks.
    pub permission: Option<String>,
    /// How the times in the answer are read.
    pub times: TimeFormat,
    /// All its expressions.
    pub expressions: Vec<Expression>,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// The body of a `post`.
#[derive(Debug)]
pub enum Body {
    /// JSON; its texts are templates.
    Json(JsonTemplate),
    /// A form.
    Form(Vec<(String, Template)>),
}

/// A JSON value whose texts are templates. A text that is nothing but one `{name}` keeps the value's type.
#[derive(Debug)]
pub enum JsonTemplate {
    /// Null, a flag or a number.
    Plain(serde_json::Value),
    /// A text.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// A map.
    Map(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// The templates in it.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::List(list) => list.iter().flat_map(Self::templates).collect(),
            Self::Map(map) => map.iter().flat_map(|(_, element)| element.templates()).collect(),
        }
    }
}

/// What an answer holds.
#[derive(Debug)]
pub enum Rows {
    /// The list that this expression yields; anything else is a failure.
    List(Expression),
    /// The one object that this expression yields.
    One(Expression),
    /// The whole answer, as one.
    Whole,
}

/// Where the next page is.
#[derive(Debug)]
pub enum Pagination {
    /// In the `Link` header, as `rel="next"`.
    Link,
    /// A URL in the answer; asked with GET, at the same origin only.
    Url(Expression),
    /// A cursor in the answer, sent with everything else of the request; null, absent or "" ends.
    Cursor {
        /// The cursor.
        cursor: Expression,
        /// The parameter's name; in a body a dotted path.
        parameter: String,
        /// Where it is sent.
        at: ParamLocation,
    },
    /// Page numbers. Ends at a page without rows, or where `last` is true.
    Page {
        /// The parameter's name; in a body a dotted path.
        parameter: String,
        /// The first page's number.
        from: u64,
        /// Whether this page is the last.
        last: Option<Expression>,
        /// Where it is sent.
        at: ParamLocation,
    },
    /// How many rows to skip. Ends at a page without rows, or where `last` is true.
    Offset {
        /// The parameter's name; in a body a dotted path.
        parameter: String,
        /// Whether this page is the last.
        last: Option<Expression>,
        /// Where it is sent.
        at: ParamLocation,
    },
}

/// Where a paging parameter is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamLocation {
    /// In the query.
    Query,
    /// In the body.
    Body,
    /// In a header.
    Header,
}

/// A response that means: complete, and nothing there.
#[derive(Debug)]
pub struct EmptyResponse {
    pub status: u16,
    /// A condition on its body.
    pub condition: Option<Expression>,
}

impl EmptyResponse {
    pub(crate) fn matches(&self, status: u16, variables: &Variables) -> bool {
        let holds = |condition: &Expression| condition.truth(variables, variables.body.clone());
        let matches = self.status == status && self.condition.as_ref().is_none_or(holds);
        #[cfg(test)]
        crate::providers::tests::coverage::record(self, matches);
        matches
    }
}

/// A listing.
#[derive(Debug)]
pub struct Listing {
    /// Its name: the value of the label `listing`.
    pub name: String,
    /// What it lists.
    pub help: Option<String>,
    /// The kind of its tokens, unless their own expression says otherwise.
    pub kind: String,
    /// Whether it runs only where the source names it.
    pub opt_in: bool,
    /// Whether its tokens can replace one another: false where live credentials share a name.
    pub replaces: bool,
    /// Runs only if this is true (it sees `$settings`).
    pub when: Option<Expression>,
    /// What must be true of the credential before the listing's silence counts.
    pub require: Option<Require>,
    /// The fan-out.
    pub for_each: Vec<Step>,
    /// The look-up tables that its expressions use, by number.
    pub maps: Vec<usize>,
    /// For how long a scope is cached.
    pub recheck: Option<Duration>,
    /// The last request, whose rows are tokens.
    pub request: Request,
    /// How a row becomes a token.
    pub token: TokenMap,
}

/// What must be true of the credential before a listing's silence counts.
#[derive(Debug)]
pub struct Require {
    /// What is asked.
    pub request: Request,
    /// What must be true of the answer; else the listing is `forbidden`.
    pub that: Expression,
}

/// A step of a fan-out.
#[derive(Debug)]
pub enum Step {
    /// The elements of a list.
    Values {
        /// The list; its input is null.
        list: Expression,
        /// What each is called.
        name: String,
    },
    /// The rows of a request.
    Request {
        /// The request.
        request: Box<Request>,
        /// What each row is called.
        name: String,
    },
}

/// How a row becomes a token: one expression a field.
#[derive(Debug)]
pub struct TokenMap {
    /// Must be a text or a number.
    pub id: Expression,
    /// Must be readable as a time, or mean "never" or "unknown".
    pub expires_at: Expression,
    /// A text.
    pub name: Option<Expression>,
    /// A text, or null for the listing's.
    pub kind: Option<Expression>,
    /// `{id, name, email}`, or a text, which is the name.
    pub owner: Option<Expression>,
    /// A time.
    pub created_at: Option<Expression>,
    /// A time.
    pub last_used_at: Option<Expression>,
    /// A duration.
    pub lifetime: Option<Expression>,
    /// A list, or a text with blanks.
    pub scopes: Option<Expression>,
    /// A flag.
    pub disabled: Option<Expression>,
    /// A URL.
    pub manage_url: Option<Expression>,
    /// An object of texts, numbers and flags; null and "" are left out.
    pub labels: Option<Expression>,
}

/// A look-up table.
#[derive(Debug)]
pub struct LookupTable {
    /// Its name in `$maps`.
    pub name: String,
    /// What it is for.
    pub help: Option<String>,
    /// How it is filled.
    pub fill: LookupFill,
    /// The request.
    pub request: Request,
    /// The value: of a row in a sweep, of the answer in a look-up.
    pub value: Expression,
}

/// How a look-up table is filled.
#[derive(Debug)]
pub enum LookupFill {
    /// All at once, before the first listing that reads it; this is a row's key.
    All(Expression),
    /// One request for each key that tokens bring; `{key}` in the request.
    PerKey {
        /// The key, of what `take` gave.
        key: Expression,
        /// For how long a value is used again.
        keep: Duration,
    },
}

/// How the end of the exporter's own credential is found.
#[derive(Debug)]
pub enum OwnCredential {
    /// It is asked for.
    Request {
        /// Only if this is true (it sees `$settings`).
        when: Option<Expression>,
        /// What is asked.
        request: Box<Request>,
        /// The end.
        expires_at: Expression,
    },
    /// It is among those that a listing lists. Of several that could be it, the soonest end counts.
    Listing {
        /// Only if this is true (it sees `$settings`).
        when: Option<Expression>,
        /// The listing.
        listing: String,
        /// Whether this row is it.
        is: Option<Expression>,
        /// The beginning of the secret, as the vendor shows it.
        hint: Option<Expression>,
    },
}

//! A compiled definition: every name is resolved, every expression compiled. What the language hands to the engine.

use std::time::Duration;

use super::expression::{Expression, Val, Variables};
use super::template::Template;
use super::{aws_query, value};
use crate::core::failure::Reason;
use crate::core::location::LocationKind;
use crate::core::renewal::Renewals;
use crate::core::time::TimeFormat;
use crate::providers::provider_info::{Guide, Setting};

/// A provider, for any number of sources. Fields that are not documented here are those of
/// [`ProviderInfo`](crate::providers::provider_info::ProviderInfo).
#[derive(Debug)]
pub struct Provider {
    pub name: String,
    /// Whether it replaces a built-in definition of the same name.
    pub overrides: bool,
    pub aliases: Vec<String>,
    pub title: String,
    pub docs: String,
    pub expiry: String,
    pub permission: Option<String>,
    pub guide: Guide,
    pub interval: Option<Duration>,
    pub limits: Limits,
    pub settings: Vec<Setting>,
    /// The ways to authenticate; the first is the default.
    pub schemes: Vec<AuthScheme>,
    /// Whether a source may have a kubeconfig.
    pub reads_kubeconfig: bool,
    /// Headers of every request.
    pub headers: Vec<(String, Template)>,
    /// Whether responses are XML of AWS's query protocol instead of JSON.
    pub is_aws_query: bool,
    /// Selects the provider's message from an error response: the only part of a body that is shown.
    pub error: Option<Expression>,
    /// How the expiry of the exporter's own credential is found.
    pub own: Option<OwnCredential>,
    /// How a credential that was found somewhere is recognised, and which token it is.
    pub identify: Vec<Identify>,
    pub maps: Vec<LookupTable>,
    /// Those of tokens, then those of locations.
    pub listings: Vec<Listing>,
    /// How its tokens are renewed, by kind.
    pub renewals: Renewals,
    /// Every expression, in the order of compilation.
    #[cfg(test)]
    pub(crate) expressions: Vec<Expression>,
    /// The keys of every source, for suggestions.
    pub source_keys: Vec<&'static str>,
}

impl Provider {
    /// Decodes a response. `None` if it is neither JSON nor, if the definition says so, XML of AWS's query protocol.
    pub(crate) fn decode(&self, body: &[u8]) -> Option<Val> {
        if self.is_aws_query { aws_query::decode(body) } else { value::decode(body) }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum requests in flight.
    pub concurrency: Option<usize>,
    /// Maximum requests per period.
    pub rate: Option<(u32, Duration)>,
}

/// One way to authenticate.
#[derive(Debug)]
pub struct AuthScheme {
    /// The value of `auth` in a source; empty if the provider has only one.
    pub name: String,
    pub permission: Option<String>,
    pub method: AuthMethod,
    /// The token that is `{jwt}` in the templates of the login, or of `method` if there is none.
    pub jwt: Option<SignedJwt>,
    /// The request for a session token, which is `{login}` in the templates of `method`.
    pub login: Option<Login>,
    /// The fields that its templates use if the credential is a JSON document.
    pub json_parts: Option<Vec<String>>,
}

/// A JSON Web Token that the exporter signs. Templates may use `{credential}`, `{now}`, `{random}` and `{key_sha256}`.
#[derive(Debug)]
pub struct SignedJwt {
    pub algorithm: JwtAlgorithm,
    /// In PEM.
    pub key: Template,
    /// In PEM; the header has its thumbprint.
    pub certificate: Option<Template>,
    pub header: Vec<(String, Template)>,
    pub claims: Vec<(String, JsonTemplate)>,
    pub lifetime: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JwtAlgorithm {
    #[default]
    Rs256,
    Ps256,
    Es256,
}

/// An AWS access key.
#[derive(Debug)]
pub struct AwsKeyTemplates {
    pub access_key_id: Template,
    pub secret_access_key: Template,
}

/// The headers that authenticate each request. Templates may use `{credential}`, `{credential.PART}` and `{login}`.
#[derive(Debug)]
pub enum AuthMethod {
    /// `Authorization: Bearer …`.
    Bearer(Template),
    /// `Authorization: Basic …`.
    Basic {
        user: Template,
        password: Template,
    },
    Headers(Vec<(String, Template)>),
    /// No header, but the client certificate of the connection.
    ClientCertificate,
    /// The installation token of a GitHub App.
    GithubApp {
        /// The App's client id.
        app_id: Template,
        /// In PEM.
        private_key: Template,
        /// Where the App is installed.
        organization: Template,
    },
    /// Each request is signed. Without keys the usual places have them.
    AwsSigv4 {
        service: Template,
        region: Template,
        keys: Option<AwsKeyTemplates>,
    },
    OvhSignature {
        application_key: Template,
        application_secret: Template,
        consumer_key: Template,
    },
    AkamaiEdgegrid {
        client_token: Template,
        client_secret: Template,
        access_token: Template,
    },
    /// A method of this name, which this version does not have: its sources fail, others are not affected.
    Unknown(String),
}

/// The exchange of the credential for a session token.
#[derive(Debug)]
pub struct Login {
    /// Its `rows` are not used.
    pub request: Request,
    /// User and password for this request.
    pub basic: Option<(Template, Template)>,
    pub token: Expression,
    /// In seconds.
    pub lifetime: Option<Expression>,
}

/// One request, with all its pages.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// The setting of type `url` with the base URL.
    pub base: String,
    /// The path under the base URL, with a leading slash.
    pub path: Template,
    /// A name may occur several times.
    pub query: Vec<(String, Template)>,
    /// In addition to the provider's, or in place of them. An empty value removes the header.
    pub headers: Vec<(String, Template)>,
    pub body: Option<Body>,
    pub rows: Rows,
    /// Maps a row to zero, one or several rows.
    pub take: Option<Expression>,
    pub next: Option<Pagination>,
    /// Whether there are more pages, in place of the usual signs.
    pub more: Option<Expression>,
    /// The number of rows on all pages.
    pub total: Option<Expression>,
    /// Responses that mean: complete, and empty.
    pub none: Vec<EmptyResponse>,
    /// Why the first response has all rows.
    #[cfg(test)]
    pub(crate) one_page: Option<String>,
    /// The responses that are failures by their content; the first that matches counts.
    pub failed: Vec<FailedResponse>,
    /// Whether every 2xx status is successful, not only 200 and 206.
    pub accepts_2xx: bool,
    /// Further statuses that are retried.
    pub retry: Vec<u16>,
    /// The AWS service for which it is signed, in place of the scheme's.
    pub service: Option<String>,
    /// The permission that is missing if access is denied.
    pub permission: Option<String>,
    /// The format of times in the response.
    pub times: TimeFormat,
    /// All its expressions.
    pub expressions: Vec<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

#[derive(Debug)]
pub enum Body {
    Json(JsonTemplate),
    Form(Vec<(String, Template)>),
}

/// A JSON value whose strings are templates. A string that is a single `{name}` keeps the type of the value.
#[derive(Debug)]
pub enum JsonTemplate {
    /// Null, a boolean or a number.
    Plain(serde_json::Value),
    Text(Template),
    List(Vec<JsonTemplate>),
    Map(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::List(list) => list.iter().flat_map(Self::templates).collect(),
            Self::Map(map) => map.iter().flat_map(|(_, element)| element.templates()).collect(),
        }
    }
}

/// The rows of a response.
#[derive(Debug)]
pub enum Rows {
    /// The list that this expression yields; anything else is a failure.
    List(Expression),
    /// The object that this expression yields; anything else is a failure.
    One(Expression),
    /// The whole response is one row.
    Whole,
}

/// How the next page is requested. `parameter` is a name, or in a body a dotted path.
#[derive(Debug)]
pub enum Pagination {
    /// The `Link` header with `rel="next"`.
    Link,
    /// A URL in the response, requested from the configured origin.
    Url(Expression),
    /// A cursor in the response, added to the request. Null, absent or "" on the last page.
    Cursor { cursor: Expression, parameter: String, at: ParamLocation },
    /// A page number. The last page has no rows, or matches `last`.
    Page {
        parameter: String,
        /// The number of the first page.
        from: u64,
        last: Option<Expression>,
        at: ParamLocation,
    },
    /// The number of rows to skip. The last page has no rows, or matches `last`.
    Offset { parameter: String, last: Option<Expression>, at: ParamLocation },
}

/// The part of a request with the pagination parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamLocation {
    Query,
    Body,
    Header,
}

/// A response that is a failure by its content.
#[derive(Clone, Debug)]
pub struct FailedResponse {
    pub condition: Expression,
    pub reason: Reason,
    /// What to do, in prose.
    pub remedy: Option<String>,
}

/// A response that means: complete, and empty.
#[derive(Debug)]
pub struct EmptyResponse {
    pub status: u16,
    /// A condition on its body.
    pub condition: Option<Expression>,
    /// Whether it counts only if the same request succeeds for another element of the step.
    pub if_others_succeed: bool,
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

/// A listing. Fields that are not documented here are those of
/// [`ListingInfo`](crate::providers::provider_info::ListingInfo).
#[derive(Debug)]
pub struct Listing {
    pub name: String,
    pub help: Option<String>,
    pub kind: String,
    pub opt_in: bool,
    /// Whether its tokens can replace one another: false if live credentials share a name.
    pub replaces: bool,
    /// Whether the names of the tokens' owners are logins.
    pub owner_is_login: bool,
    /// The listing runs only if this is true of the settings.
    pub when: Option<Expression>,
    /// All of them must hold.
    pub require: Vec<Require>,
    /// Whether the provider omits what the credential may not see, without an error, and no request reveals it.
    pub is_unknowable: bool,
    /// The fan-out.
    pub for_each: Vec<Step>,
    /// The numbers of the look-up tables that its expressions use.
    pub maps: Vec<usize>,
    /// How long a scope is cached.
    pub recheck: Option<Duration>,
    /// The last request, whose rows are tokens.
    pub request: Request,
    pub rows: RowMap,
}

/// What the rows of a listing are.
#[derive(Debug)]
pub enum RowMap {
    Token(Box<TokenMap>),
    Location(Box<LocationMap>),
}

/// How a row becomes a location.
#[derive(Debug)]
pub struct LocationMap {
    pub kind: LocationKind,
    pub place: Expression,
    pub of: LocationOf,
    /// A time.
    pub last_seen: Option<Expression>,
    /// How far back the first collection reads, if the rows are a log with the newest entry first.
    pub log: Option<Duration>,
}

/// Whose location it is.
#[derive(Debug)]
pub enum LocationOf {
    /// The id of a token of the same source.
    Token(Expression),
    Values {
        /// Text, or a list of texts, in which credentials are looked for.
        values: Expression,
        /// Whether the provider does not return the value.
        hidden: Option<Expression>,
        /// Who can write there.
        group: Option<Expression>,
        /// The id of the token of the same source that is the credential.
        own: Option<Expression>,
    },
}

/// How a credential that was found somewhere is recognised, and which token it is.
#[derive(Debug)]
pub struct Identify {
    /// It is used only if this is true of the settings; the first of several that can be.
    pub when: Option<Expression>,
    /// How a credential begins.
    pub prefixes: Vec<Template>,
    /// A regular expression for what follows.
    pub rest: String,
    pub by: IdentifyBy,
}

/// What says which token a credential is.
#[derive(Debug)]
pub enum IdentifyBy {
    /// The response to a request.
    Request {
        request: Box<Request>,
        /// The id of the token in the response.
        id: Expression,
        /// What the request changes at the provider, in prose.
        touches: String,
    },
    /// The credential itself, by this expression.
    Value { id: Expression },
    /// The rows of a listing, which show how a credential begins and ends.
    Hint { listing: String, hint: Expression },
}

impl Identify {
    pub fn request(&self) -> Option<&Request> {
        match &self.by {
            IdentifyBy::Request { request, .. } => Some(request),
            IdentifyBy::Value { .. } | IdentifyBy::Hint { .. } => None,
        }
    }
}

/// The condition for treating a missing token as revoked; otherwise the listing is `forbidden`.
#[derive(Debug)]
pub struct Require {
    pub request: Request,
    /// What must be true of the response.
    pub that: Expression,
}

/// A step of the fan-out. `name` is the variable of each element.
#[derive(Debug)]
pub enum Step {
    /// The elements of a list in the definition or the settings.
    Values { list: Expression, name: String },
    /// The rows of a request, which are reused for the time of `recheck`.
    Request { request: Box<Request>, name: String, recheck: Option<Duration> },
}

/// Maps a row to a token: one expression per field. An unreadable field is omitted, except `id` and `expires_at`.
#[derive(Debug)]
pub struct TokenMap {
    /// A string or a number.
    pub id: Expression,
    /// A time, or a value that means never.
    pub expires_at: Expression,
    pub name: Option<Expression>,
    /// Null for the listing's.
    pub kind: Option<Expression>,
    /// `{id, name, email, active}`, or a string: the name.
    pub owner: Option<Expression>,
    /// A time.
    pub created_at: Option<Expression>,
    /// A time.
    pub last_used_at: Option<Expression>,
    /// A duration.
    pub lifetime: Option<Expression>,
    /// A time.
    pub renews_at: Option<Expression>,
    /// The id of the token of this source that is the same credential.
    pub same_as: Option<Expression>,
    /// A list, or a string separated by spaces.
    pub scopes: Option<Expression>,
    /// A boolean.
    pub disabled: Option<Expression>,
    /// An http(s) URL.
    pub manage_url: Option<Expression>,
    /// An object of strings, numbers and booleans.
    pub labels: Option<Expression>,
}

/// A look-up table, `$maps.NAME` in expressions.
#[derive(Debug)]
pub struct LookupTable {
    pub name: String,
    /// The table is filled only if this is true of the settings.
    pub when: Option<Expression>,
    pub fill: LookupFill,
    pub request: Request,
    /// The value of a row, or of the response to the look-up of a key.
    pub value: Expression,
}

#[derive(Debug)]
pub enum LookupFill {
    /// At once, before the first listing that uses the table, with these keys of the rows.
    All(Expression),
    /// One request for each key of a row. `keep` is how long a value is cached.
    PerKey { key: Expression, keep: Duration },
}

/// How the expiry of the exporter's own credential is found, if `when` is true of the settings.
#[derive(Debug)]
pub enum OwnCredential {
    Request {
        when: Option<Expression>,
        request: Box<Request>,
        expires_at: Expression,
    },
    /// In its own claims.
    Jwt {
        when: Option<Expression>,
        /// The part of the credential that is a JSON Web Token.
        token: Template,
    },
    /// Among the tokens of a listing. Of several candidates the soonest expiry counts.
    Listing {
        when: Option<Expression>,
        listing: String,
        /// Whether a row is a candidate.
        is: Option<Expression>,
        /// The beginning of the secret, and optionally its end, as the vendor shows them.
        hint: Option<Expression>,
    },
}

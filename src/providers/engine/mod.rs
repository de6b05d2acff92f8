//! Runs a compiled definition: requests, pages, look-up tables, fan-out, authentication, caches. Knows no YAML.
//!
//! In reading order; each module uses only those above it:
//!
//! 1. `build_request` fills a request's templates; `more_pages` finds signs of more
//!    pages, and `next_page` derives the next page's request from a response.
//! 2. `messages` names requests in errors and picks the provider's message out of a response.
//! 3. `signed_jwt` signs tokens, for `github_app` too; `signature` signs requests, by `aws_sigv4`, `ovh_signature` and
//!    `akamai_edgegrid`; `aws_credentials` and `aws_issued` find AWS keys; `secrets` keeps secrets out of messages; `refusal` stops after a wrong password; `page_limit`
//!    bounds the pages in memory; `session` logs in and sends.
//! 4. `pages` reads one request to its last page, and yields rows; `identify` says which token a found credential is.
//! 5. `circuit_breaker`, `scope_cache`, `token` (a row becomes a token) and `location` (or locations) stand alone.
//! 6. `lookup` fills the look-up tables behind `$maps`.
//! 7. `context` is one collection: what its listings share, and all that they call.
//! 8. `own_credential`, `fan_out`, `collect_scopes` and `collect_listing` are what a collection does.
//! 9. `http_source` is the source that the collector sees.

mod akamai_edgegrid;
mod aws_credentials;
mod aws_issued;
mod aws_keys;
mod aws_sigv4;
mod build_request;
mod circuit_breaker;
mod collect_listing;
mod collect_scopes;
mod context;
mod extra_headers;
mod fan_out;
mod github_app;
mod hint;
pub mod http_source;
mod identify;
mod location;
mod lookup;
mod messages;
mod more_pages;
mod next_page;
mod ovh_signature;
mod own_credential;
pub(super) mod page_limit;
mod pages;
pub(super) mod refusal;
mod same_token;
mod scope_cache;
mod secrets;
mod session;
mod signature;
mod signed_jwt;
mod stated_reason;
mod token;

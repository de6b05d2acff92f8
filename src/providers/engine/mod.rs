//! The engine that runs a compiled provider: requests, pages, look-ups, listings, authentication, caches. No YAML.

mod auth;
mod build_request;
mod circuit_breaker;
mod collect_listing;
mod context;
mod lookup;
pub(crate) mod next_page;
mod own_credential;
mod pages;
mod probe;
mod scope_cache;
mod signers;
pub mod source;
mod token;

//! The HTTP client of the providers.
//!
//! `client` sends one `message` and returns one response. It waits for the limits (`limit`), sends the request
//! (`transport`, `tls`, `no_proxy`), decodes the response (`content_coding`), follows redirects (`redirect`) within its `origin`, and decides when to retry (`retry`), also by the rate
//! limit that the provider reports (`quota`). `page_guard` checks next pages.

pub mod client;
mod content_coding;
mod error;
mod limit;
pub mod message;
mod no_proxy;
pub mod options;
mod origin;
pub mod page_guard;
pub mod quota;
pub(crate) mod redact;
mod redirect;
pub mod retry;
mod tls;
mod transport;

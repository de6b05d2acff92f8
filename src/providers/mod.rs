//! Providers: the definitions, the engine that runs them, and the few sources that are not HTTP APIs.
//!
//! In reading order: `provider_info` (a provider as others show it), `source` (the interface to the configuration and the
//! collector), `language` (what a definition means), `engine` (how it runs), `native` (providers without a definition),
//! `catalogue` (all of them by name).

mod catalogue;
pub mod engine;
pub mod language;
pub mod native;
pub mod provider_info;
mod source;
#[cfg(test)]
mod tests;

pub use catalogue::Catalogue;
pub use source::{Candidate, Identified, KnownToken, Source, SourceSpec};

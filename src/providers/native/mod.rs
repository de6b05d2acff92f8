//! Providers that are not HTTP APIs, written in Rust instead of as a definition.

pub mod files;
pub mod local;
mod manual;

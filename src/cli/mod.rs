//! Draft.
pub mod args;
pub mod demo;
mod log;
/// Draft
pub const BUILD: &str = "x";

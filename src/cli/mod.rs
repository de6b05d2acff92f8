//! Draft.
pub mod demo;

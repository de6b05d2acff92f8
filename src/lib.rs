//! Draft.
pub mod config;
pub mod core;
pub mod http;
pub mod providers;
pub mod yaml;

//! Draft.
pub mod app;
pub mod cli;
pub mod collector;
pub mod config;
pub mod core;
pub mod exposition;
pub mod http;
pub mod providers;
pub mod storage;
pub mod web;
pub mod yaml;

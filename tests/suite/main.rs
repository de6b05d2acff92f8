//! All tests that look at the program from outside, in one crate, so that they link once.

#![allow(
    clippy::expect_used,
    clippy::float_cmp,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

mod alerts;
mod cli;
mod collector;
mod compose;
mod config;
mod dashboards;
mod definitions;
mod demo;
mod docs;
mod equipment;
mod examples;
mod exposition;
mod faults;
mod health;
mod http;
mod layout;
mod licences;
mod openbao;
mod prism;
mod providers;
mod sample;
mod shards;
mod web;
mod workflows;

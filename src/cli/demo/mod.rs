//! Draft.
mod atlassian;
mod control;
mod expected;
mod organisation;
mod people;
mod story;
mod vault;
mod world;
mod config;
/// Draft.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {}

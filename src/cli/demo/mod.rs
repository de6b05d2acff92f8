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

pub(super) async fn run(_: DemoArgs) -> Result<u8, crate::app::Fault> { Ok(0) }

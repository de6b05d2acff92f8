//! `schema`: the JSON Schema of the configuration, or of a definition.

use super::args::SchemaArgs;
use super::exit::{Exit, Failure};
use super::print;
use crate::app::config_schema::config_schema;
use crate::app::setup::catalogue;
use crate::providers::language::definition::definition_schema;

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.definitions {
        true => definition_schema(),
        false => config_schema(&catalogue(args.providers.as_deref())?),
    };
    print::output(&format!("{schema:#}\n"))?;
    Ok(Exit::Success)
}

//! `schema`: the JSON Schema of the configuration, or of a definition.

use super::args::SchemaArgs;
use super::print;
use crate::app::RunError;
use crate::app::config_schema::config_schema;
use crate::app::setup::catalogue;
use crate::providers::language::definition::definition_schema;

pub(super) fn run(args: &SchemaArgs) -> Result<u8, RunError> {
    let schema = match args.definitions {
        true => definition_schema(),
        false => config_schema(&catalogue(args.providers.as_deref())?),
    };
    print::output(&format!("{schema:#}\n"));
    Ok(0)
}

//! `schema`: what editors need to complete and check a configuration, or a definition.

use super::args::SchemaArgs;
use super::print;
use crate::app::RunError;
use crate::app::setup::catalogue;
use crate::config::{self, ProviderSchema, SettingSchema, SettingShape};
use crate::providers::language::definition::definition_schema;
use crate::providers::language::provider::{Setting, SettingType};
use crate::providers::{Catalogue, Entry};

pub(super) fn run(args: &SchemaArgs) -> Result<u8, RunError> {
    let schema = if args.definitions {
        definition_schema()
    } else {
        config::schema(&providers(&catalogue(args.providers.as_deref())?))
    };
    print::output(&format!("{schema:#}\n"));
    Ok(0)
}

/// Every provider, in the alphabetical order of their names.
fn providers(catalogue: &Catalogue) -> Vec<ProviderSchema> {
    catalogue.names().filter_map(|name| catalogue.get(name)).map(provider).collect()
}

fn provider(entry: Entry<'_>) -> ProviderSchema {
    ProviderSchema {
        name: entry.name.to_owned(),
        aliases: entry.aliases.to_vec(),
        title: entry.title.to_owned(),
        settings: entry.settings.iter().map(|setting| shown(setting, entry.native)).collect(),
        listings: entry.listings.iter().map(|listing| listing.name.to_owned()).collect(),
        schemes: entry.schemes.iter().map(|&scheme| scheme.to_owned()).collect(),
    }
}

fn shown(setting: &Setting, native: bool) -> SettingSchema {
    let shape = match setting.shape {
        // What a native provider reads has more shapes than a definition can name.
        _ if native => SettingShape::Any,
        SettingType::Text => SettingShape::Text,
        SettingType::Url => SettingShape::Url,
        SettingType::Flag => SettingShape::Flag,
        SettingType::Number => SettingShape::Number,
        SettingType::List => SettingShape::List,
    };
    SettingSchema { name: setting.name.clone(), shape, default: setting.default.clone(), help: setting.help.clone() }
}

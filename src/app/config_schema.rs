//! The JSON Schema of the configuration with the settings of every provider.

use serde_json::{Map, Value, json};

use crate::config;
use crate::exposition::families::{FAMILIES, Family};
use crate::exposition::selection::optional_families;
use crate::providers::Catalogue;
use crate::providers::provider_info::{ProviderInfo, Setting};
use crate::schema::json_schema;

/// The JSON Schema of the configuration, in which the settings of a source are those of its provider.
pub fn config_schema(catalogue: &Catalogue) -> Value {
    let providers: Vec<_> = catalogue.providers().collect();
    let mut schema = config::schema();
    let names = |families: Vec<&Family>| families.iter().map(|family| family.name).collect::<Value>();
    let metrics = &mut schema["properties"]["metrics"]["properties"];
    metrics["allow"]["items"]["enum"] = names(FAMILIES.iter().collect());
    metrics["deny"]["items"]["enum"] = names(optional_families().collect());
    let source = &mut schema["definitions"]["source"];
    source["properties"]["provider"]["enum"] = providers.iter().flat_map(|info| provider_names(info)).collect();
    source["allOf"] = providers.iter().map(|info| source_of(info)).collect();
    schema
}

fn provider_names(provider: &ProviderInfo) -> impl Iterator<Item = &str> {
    [&provider.name].into_iter().chain(&provider.aliases).map(String::as_str)
}

/// What applies to a source of this provider.
fn source_of(provider: &ProviderInfo) -> Value {
    let has_effect = |key: &&str| *key != "kubeconfig" || provider.reads_kubeconfig;
    let common = config::source_keys().into_iter().filter(has_effect).map(|key| (key.to_owned(), true.into()));
    let mut properties: Map<_, _> = common.collect();
    properties.extend(provider.settings.iter().map(|s| (s.name.clone(), setting(s, provider.native))));
    let schemes: Vec<_> = provider.schemes.iter().map(|scheme| &scheme.name).filter(|name| !name.is_empty()).collect();
    if !schemes.is_empty() {
        properties.insert("auth".into(), json!({"enum": schemes}));
    }
    let listings: Vec<_> = provider.listings.iter().map(|listing| &listing.name).collect();
    properties.insert("listings".into(), json!({"items": {"enum": listings}}));
    let required = provider.settings.iter().filter(|setting| setting.default.is_none()).map(|setting| &setting.name);
    json!({
        "if": {"properties": {"provider": {"enum": provider_names(provider).collect::<Vec<_>>()}}, "required": ["provider"]},
        "then": {
            "title": provider.title,
            "properties": properties,
            "required": required.collect::<Vec<_>>(),
            "additionalProperties": false,
        },
    })
}

/// The value of a setting; null leaves it unset. A native provider reads more than a definition can declare.
fn setting(setting: &Setting, native: bool) -> Value {
    let mut schema = match native {
        true => json!({}),
        false => {
            json!({"anyOf": [json_schema::value(setting.setting_type.value_type(), &mut Map::new()), {"type": "null"}]})
        }
    };
    schema["description"] = setting.help.as_str().into();
    if let Some(default) = setting.default.as_ref().filter(|default| !default.is_null()) {
        schema["default"] = default.clone();
    }
    schema
}

//! The JSON Schema of the configuration file, with which editors complete and check it.

use serde_json::Value;

/// What the schema says of a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderSchema {
    /// Its name.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Its name as people write it.
    pub title: String,
    /// What a source of it may, or must, set.
    pub settings: Vec<SettingSchema>,
    /// Its listings' names.
    pub listings: Vec<String>,
    /// The names of its authentication schemes; one empty name, or none, where a source has no choice.
    pub schemes: Vec<String>,
}

/// What the schema says of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingSchema {
    /// Its key.
    pub name: String,
    /// What it may hold.
    pub shape: SettingShape,
    /// Its value where the source does not set it; none where the source must.
    pub default: Option<Value>,
    /// What it is for.
    pub help: String,
}

/// What a setting may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingShape {
    /// A text.
    Text,
    /// An absolute http or https URL.
    Url,
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// A list of texts.
    List,
    /// What a provider without a definition reads by itself.
    Any,
}

/// The JSON Schema of the configuration file, with these providers.
pub fn schema(providers: &[ProviderSchema]) -> Value {
    let _ = providers;
    Value::Null
}

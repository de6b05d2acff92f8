//! The JSON Schema of the configuration file, with which editors complete and check it.

use serde_json::{Map, Value, json};

use super::duration::written;
use super::keys::{FILE, Key, ORIGIN, RULE, SOURCE, Shape, Standard};
use super::labels;

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

/// What a text that stands for a duration looks like. A schema cannot compare durations: limits are in the description.
const DURATION: &str = "^(0|(?=[0-9])([0-9.]+y)?([0-9.]+w)?([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?([0-9.]+ms)?)$";

/// The JSON Schema of the configuration file, with these providers: draft 7, which editors know best.
///
/// It is as strict as the reader or a little stricter; what it cannot say (limits of durations, names that stand twice,
/// files that cannot be read) is left to `check`.
pub fn schema(providers: &[ProviderSchema]) -> Value {
    let mut schema = map(FILE);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "The configuration of token-expiry-exporter".into();
    schema["definitions"] = json!({
        "credential": {"anyOf": [
            {"$ref": "#/definitions/origin"},
            {"type": "object", "minProperties": 1, "additionalProperties": {"$ref": "#/definitions/origin"}},
        ]},
        "origin": origin(),
        "source": source(providers),
        "rule": map(RULE),
    });
    schema
}

/// A map of these keys and no others.
fn map(keys: &[Key]) -> Value {
    let mut schema = open_map(keys);
    schema["additionalProperties"] = false.into();
    schema
}

/// A map of these keys, and of others that are not described here.
fn open_map(keys: &[Key]) -> Value {
    let properties: Map<_, _> = keys.iter().map(|key| (key.name.to_owned(), described(key))).collect();
    let required: Vec<_> =
        keys.iter().filter(|key| matches!(key.standard, Standard::Required(_))).map(|key| key.name).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// Where a secret comes from: one key of the two.
fn origin() -> Value {
    let mut schema = map(ORIGIN);
    schema["minProperties"] = 1.into();
    schema["maxProperties"] = 1.into();
    schema
}

/// A value, with what it is for and its default.
fn described(key: &Key) -> Value {
    let limits = match key.shape {
        Shape::Duration(least, most) | Shape::Bound(least, most) => {
            format!("; from {} to {}", written(least), written(most))
        }
        _ => String::new(),
    };
    let mut schema = value(&key.shape);
    // Draft 7 ignores what stands beside a `$ref`.
    if let Some(reference) = schema.get("$ref").cloned() {
        schema = json!({"allOf": [{"$ref": reference}]});
    }
    schema["description"] = format!("{}{limits}", key.help).into();
    match key.standard {
        Standard::Duration(standard) => schema["default"] = written(standard).into(),
        Standard::Flag(standard) => schema["default"] = standard.into(),
        Standard::Count(standard) => schema["default"] = standard.into(),
        Standard::Required(_) | Standard::Words(_) => {}
    }
    schema
}

/// What a value of each shape looks like.
fn value(shape: &Shape) -> Value {
    let duration = || json!({"type": "string", "pattern": DURATION});
    // Not `format: regex`: that is JavaScript's, which does not know `(?i)`.
    let pattern = || json!({"type": "string", "minLength": 1});
    match shape {
        Shape::Ignored => json!({"type": "string"}),
        Shape::Duration(..) => json!({"anyOf": [duration(), {"const": 0}]}),
        Shape::Bound(..) => json!({"anyOf": [duration(), {"enum": ["never", null]}]}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Count(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Text => text(),
        Shape::Name => json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,63}$"}),
        Shape::Variable => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
        Shape::Texts => json!({"type": "array", "minItems": 1, "items": text()}),
        Shape::Choice => json!({"anyOf": [text(), {"type": "array", "minItems": 1, "items": text()}]}),
        Shape::Pattern => pattern(),
        Shape::Patterns => json!({"type": "object", "additionalProperties": pattern()}),
        Shape::Labels => json!({
            "type": "object",
            "propertyNames": {"pattern": "^(?!__|token_)[A-Za-z_][A-Za-z0-9_]*$", "not": {"enum": labels::taken()}},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        }),
        Shape::Address => json!({"type": "string", "format": "email"}),
        Shape::Proxy => json!({"type": "string", "format": "uri", "pattern": "^(https?|socks5h?)://"}),
        Shape::File => json!({"type": "string", "minLength": 1}),
        Shape::Map(keys) => map(keys),
        Shape::Credential => json!({"$ref": "#/definitions/credential"}),
        Shape::Sources => json!({"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/source"}}),
        Shape::Rules => json!({"type": "array", "items": {"$ref": "#/definitions/rule"}}),
    }
}

/// A text; the reader takes a number or a flag as it is written.
fn text() -> Value {
    json!({"type": ["string", "number", "boolean"], "minLength": 1})
}

/// A source: the keys of all, and by its provider that one's own.
fn source(providers: &[ProviderSchema]) -> Value {
    let mut schema = open_map(SOURCE);
    let names: Vec<_> = providers.iter().flat_map(ProviderSchema::names).collect();
    if !names.is_empty() {
        schema["properties"]["provider"]["enum"] = json!(names);
        schema["allOf"] = providers.iter().map(of_provider).collect();
    }
    schema
}

impl ProviderSchema {
    fn names(&self) -> impl Iterator<Item = &str> {
        [&self.name].into_iter().chain(&self.aliases).map(String::as_str)
    }
}

/// What holds of a source of this provider.
fn of_provider(provider: &ProviderSchema) -> Value {
    let mut properties: Map<_, _> = SOURCE.iter().map(|key| (key.name.to_owned(), true.into())).collect();
    properties.extend(provider.settings.iter().map(|setting| (setting.name.clone(), of_setting(setting))));
    let several = provider.schemes.iter().filter(|name| !name.is_empty()).collect::<Vec<_>>();
    if !several.is_empty() {
        properties.insert("auth".into(), json!({"enum": several}));
    }
    if !provider.listings.is_empty() {
        properties.insert("listings".into(), json!({"items": {"enum": provider.listings}}));
    }
    let required: Vec<_> =
        provider.settings.iter().filter(|setting| setting.default.is_none()).map(|setting| &setting.name).collect();
    json!({
        "if": {"properties": {"provider": {"enum": provider.names().collect::<Vec<_>>()}}, "required": ["provider"]},
        "then": {
            "title": provider.title,
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
    })
}

/// A provider's setting. Null leaves it unset.
fn of_setting(setting: &SettingSchema) -> Value {
    let mut schema = match setting.shape {
        SettingShape::Text => json!({"type": ["string", "number", "boolean", "null"]}),
        SettingShape::Url => json!({"type": ["string", "null"], "format": "uri", "pattern": "^https?://"}),
        SettingShape::Flag => json!({"type": ["boolean", "null"]}),
        SettingShape::Number => json!({"type": ["integer", "null"]}),
        SettingShape::List => json!({"type": ["array", "null"], "items": {"type": ["string", "number", "boolean"]}}),
        SettingShape::Any => json!({}),
    };
    schema["description"] = setting.help.as_str().into();
    if let Some(standard) = setting.default.as_ref().filter(|standard| !standard.is_null()) {
        schema["default"] = standard.clone();
    }
    schema
}

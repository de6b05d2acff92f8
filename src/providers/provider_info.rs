//! What the command line, the configuration's schema and the documentation show of a provider.

use std::sync::Arc;
use std::time::Duration;

use crate::core::renewal::{Renewal, Renewals};

/// The groups of providers, in the order of lists.
pub const GROUPS: [&str; 8] =
    ["atlassian", "code", "clouds", "observability", "ai", "platforms", "secret-stores", "local"];

/// The heading of a group; of none: those that users added.
pub fn group_title(group: &str) -> &'static str {
    match group {
        "atlassian" => "Atlassian",
        "code" => "Code and CI",
        "clouds" => "Clouds and identity",
        "observability" => "Observability and data",
        "ai" => "AI",
        "platforms" => "Platforms",
        "secret-stores" => "Secret stores",
        "local" => "Files, and by hand",
        _ => "Added by --providers.dir",
    }
}

/// What a listing omits whose completeness cannot be checked.
pub const UNKNOWABLE: &str = "what the credential may not see is missing without an error";

/// A provider, whether it has a definition or is native.
#[derive(Clone, Debug)]
pub struct ProviderInfo {
    /// The value of the label `provider`.
    pub name: String,
    /// Other values of `provider` in a configuration.
    pub aliases: Vec<String>,
    pub title: String,
    /// The URL of the vendor's documentation, or a page of ours.
    pub docs: String,
    /// The meaning of its expiries, in prose.
    pub expiry: String,
    /// The permission that its credential needs, in prose.
    pub permission: Option<String>,
    pub guide: Guide,
    /// The minimum of the default collection interval.
    pub interval: Option<Duration>,
    pub settings: Vec<Setting>,
    /// Whether a source may have a kubeconfig.
    pub reads_kubeconfig: bool,
    /// The ways to authenticate; the first is the default.
    pub schemes: Vec<SchemeInfo>,
    pub listings: Vec<ListingInfo>,
    /// How its tokens are renewed, by kind.
    pub renewals: Arc<Renewals>,
    /// How it is learnt which token a credential is that was found somewhere; empty if it cannot be.
    pub identify: Vec<IdentifyInfo>,
    /// Whether it is written in Rust instead of as a definition.
    pub native: bool,
}

/// What a reader learns about a provider before its first use. Built-in definitions have all of it.
#[derive(Clone, Debug, Default)]
pub struct Guide {
    /// The group under which it is listed; empty: none.
    pub group: String,
    /// How to create the credential.
    pub credential: Option<String>,
    /// The settings of an example source, as YAML.
    pub example: Option<String>,
    /// The requests of a collection, in prose.
    pub cost: Option<String>,
    /// What the API does not list.
    pub not_listed: Vec<String>,
    /// What the scenarios rest on: `server`, `api-description` or `documentation`.
    pub tested_against: Option<String>,
}

impl Guide {
    /// What the scenarios rest on, for people.
    pub fn tested_against(&self) -> Option<&'static str> {
        Some(match self.tested_against.as_deref()? {
            "server" => "a real server",
            "api-description" => "the vendor's API description",
            _ => "the vendor's documentation",
        })
    }
}

impl ProviderInfo {
    /// How a token of this kind is renewed.
    pub fn renew(&self, kind: &str) -> Option<&Renewal> {
        self.renewals.of_kind(kind)
    }

    /// What the API does not list, and the listings that omit tokens without an error.
    pub fn not_listed(&self) -> Vec<String> {
        let texts = self.guide.not_listed.iter().map(|text| text.trim_end().to_owned());
        let unknowable = self.listings.iter().filter(|listing| listing.is_unknowable);
        let omits = |listing: &ListingInfo| {
            format!("of the listing `{}`: {UNKNOWABLE}, and no request reveals it", listing.name)
        };
        texts.chain(unknowable.map(omits)).collect()
    }

    /// The configuration of an example source.
    pub fn example(&self) -> Option<String> {
        let lines = self.guide.example.as_ref()?.trim_end().lines();
        let settings: String = lines.map(|line| format!("    {line}\n")).collect();
        let name = &self.name;
        Some(format!("sources:\n  - name: {name}\n    provider: {name}\n{settings}"))
    }
}

#[derive(Clone, Debug)]
pub struct SchemeInfo {
    /// The value of `auth` in a source; empty if the provider has only one.
    pub name: String,
    pub permission: Option<String>,
}

/// One way to learn which token a credential is.
#[derive(Clone, Debug)]
pub struct IdentifyInfo {
    pub permission: Option<String>,
    /// What the request changes at the provider, in prose.
    pub touches: String,
}

#[derive(Clone, Debug, Default)]
pub struct ListingInfo {
    /// The value of the label `listing`.
    pub name: String,
    pub help: Option<String>,
    /// The default kind of its tokens.
    pub kind: String,
    /// Every kind that its tokens can have, with `*` for any text; `None` if unknown.
    pub kinds: Option<Vec<String>>,
    /// The names of every label that its tokens can have; `None` if unknown.
    pub labels: Option<Vec<String>>,
    pub permission: Option<String>,
    /// Whether it runs only if a source names it.
    pub opt_in: bool,
    /// Whether the provider omits what the credential may not see, without an error, and no request reveals it.
    pub is_unknowable: bool,
}

/// A setting of a source of this provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub name: String,
    pub setting_type: SettingType,
    /// `None` if the setting is required.
    pub default: Option<serde_json::Value>,
    pub help: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingType {
    Text,
    /// An absolute http(s) URL without query; stored without a trailing slash.
    Url,
    Flag,
    /// An integer.
    Number,
    /// A list of strings.
    List,
}

//! What the command line, the configuration's schema and the documentation show of a provider.

use std::sync::Arc;
use std::time::Duration;

use crate::core::renewal::{Renewal, Renewals};

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
    /// The minimum of the default collection interval.
    pub interval: Option<Duration>,
    pub settings: Vec<Setting>,
    /// The ways to authenticate; the first is the default.
    pub schemes: Vec<SchemeInfo>,
    pub listings: Vec<ListingInfo>,
    /// How its tokens are renewed, by kind.
    pub renewals: Arc<Renewals>,
    /// Whether it is written in Rust instead of as a definition.
    pub native: bool,
}

impl ProviderInfo {
    /// How a token of this kind is renewed.
    pub fn renew(&self, kind: &str) -> Option<&Renewal> {
        self.renewals.of_kind(kind)
    }
}

#[derive(Clone, Debug)]
pub struct SchemeInfo {
    /// The value of `auth` in a source; empty if the provider has only one.
    pub name: String,
    pub permission: Option<String>,
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

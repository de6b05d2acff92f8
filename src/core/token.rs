//! Tokens.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::address::without_domains;
use super::label_values::label_values;
use super::renewal::Renewal;

/// One credential as its provider last reported it: an API token, a key, a client secret, a robot account.
///
/// Never contains the secret itself or a hash of it. A source may have a million tokens: values that many of them have in common
/// are shared (see [`super::intake`]), and an id and a name have no spare capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The provider's own identifier, unique within its source.
    pub id: Box<str>,
    /// Not unique, may be empty.
    pub name: Box<str>,
    /// The type of credential, such as `api-token`.
    pub kind: Arc<str>,
    pub owner: Option<triomphe::Arc<Owner>>,
    pub created_at: Option<DateTime<Utc>>,
    pub expires: Expiry,
    pub last_used: LastUse,
    /// Its permissions, as the provider names them.
    pub scopes: Arc<Vec<String>>,
    /// Blocked, locked or deactivated, but not deleted.
    pub disabled: bool,
    /// The lifetime that each renewal grants, if it differs from the time between creation and expiry (renewable tokens).
    #[serde(with = "seconds")]
    pub lifetime: Option<Lifetime>,
    /// How long before its expiry its provider renews it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds")]
    pub renews_before: Option<Lifetime>,
    /// The page on which it is renewed. It shows every reader this token, not his own ones.
    pub manage_url: Option<Arc<str>>,
    /// How it is renewed, if its entry says so; else its definition does, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew: Option<Arc<Renewal>>,
    /// Additional labels, set by the provider's definition.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Whether the provider reports the expiry as seconds from now, so that it varies with the latency of each response.
    pub approximate: bool,
}

/// With its counter 160 bytes, which is a size class of the allocator; the next one is 192.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Token>() <= 152, "a million tokens need 32 MB more");

impl Token {
    /// A token without optional fields.
    pub fn new(id: impl Into<Box<str>>, kind: impl Into<Arc<str>>, expires: Expiry) -> Self {
        Self {
            id: id.into(),
            name: Box::default(),
            kind: kind.into(),
            owner: None,
            created_at: None,
            expires,
            last_used: LastUse::NotReported,
            scopes: Arc::default(),
            disabled: false,
            lifetime: None,
            renews_before: None,
            manage_url: None,
            renew: None,
            labels: Arc::default(),
            approximate: false,
        }
    }
}

/// A lifetime in whole seconds. It needs four bytes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime(NonZeroU32);

impl Lifetime {
    /// `None` for less than a second. A lifetime of more than 136 years counts as 136 years.
    pub fn new(duration: TimeDelta) -> Option<Self> {
        let seconds = duration.num_seconds().clamp(0, i64::from(u32::MAX));
        u32::try_from(seconds).ok().and_then(NonZeroU32::new).map(Self)
    }

    pub fn duration(self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.0.get()))
    }
}

/// The person, account or team that owns a token. At least one of id, name and address is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    pub id: Option<Box<str>>,
    pub name: Option<Box<str>>,
    /// One address in lower case, see [`super::address`].
    pub email: Option<Box<str>>,
    /// Whether the provider reports the owner's account as deactivated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
}

impl Owner {
    /// Whether nobody is named.
    pub fn is_nobody(&self) -> bool {
        self.id.is_none() && self.name.is_none() && self.email.is_none()
    }

    /// The label `token_owner`: the name, or else the identifier, never the address.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.id.as_deref())
    }

    /// Whether the label contains an address.
    pub(super) fn has_address_in_label(&self) -> bool {
        self.label().is_some_and(|label| *without_domains(label) != *label)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// As reported by the provider.
    At(DateTime<Utc>),
    /// The token never expires, but the configuration requires its rotation (`rotate_after`).
    Policy(DateTime<Utc>),
    Never,
    /// The provider's value is unreadable, or missing although the token must expire.
    Unknown,
}

impl Expiry {
    /// All values of the label `expiry`.
    pub const LABELS: [&'static str; 4] = ["at", "policy", "never", "unknown"];

    pub fn timestamp(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) | Self::Policy(at) => Some(at),
            Self::Never | Self::Unknown => None,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::At(_) => "at",
            Self::Policy(_) => "policy",
            Self::Never => "never",
            Self::Unknown => "unknown",
        }
    }
}

/// When a token was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastUse {
    /// The provider does not report it.
    #[serde(rename = "untold")]
    NotReported,
    /// The provider reports that the token was never used.
    Never,
    At(DateTime<Utc>),
}

label_values! {
    /// The state of a token. If several apply, the first of `Disabled`, `Replaced`, `Expired`.
    pub enum State {
        Active = "active",
        Expired = "expired",
        /// A newer token of the same kind, owner and name expires later.
        Replaced = "replaced",
        /// Blocked at the provider.
        Disabled = "disabled",
    }
}

/// Lifetimes are stored in whole seconds.
mod seconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Lifetime;

    #[allow(clippy::ref_option)] // serde's `with` asks for this shape
    pub(super) fn serialize<S: Serializer>(value: &Option<Lifetime>, to: S) -> Result<S::Ok, S::Error> {
        value.map(|lifetime| lifetime.duration().num_seconds()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Lifetime>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.and_then(TimeDelta::try_seconds).and_then(Lifetime::new))
    }
}

//! A token: one credential with an end.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// One credential as its provider last listed it: an API token, a key, a client secret, a robot account.
///
/// It never holds the secret itself, nor a hash of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The provider's own identifier, unique within its source.
    pub id: String,
    /// What people call it; not unique. May be empty.
    pub name: String,
    /// What sort of credential it is, such as `api-token`.
    pub kind: String,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires: Expiry,
    /// When it was last used, as far as the provider tells.
    pub last_used: LastUse,
    /// What it may do, in the provider's words.
    pub scopes: Vec<String>,
    /// Blocked, locked or switched off, but not deleted.
    pub disabled: bool,
    /// How long the provider lets it live at each renewal, where that is not the time from its making to its end
    /// (a sliding or renewable end).
    #[serde(with = "seconds")]
    pub lifetime: Option<TimeDelta>,
    /// The page where a person renews it.
    pub manage_url: Option<String>,
    /// Further facts that the provider's definition, or a rule, names.
    pub labels: BTreeMap<String, String>,
    /// Whether its end was told as seconds from now, and so wavers by the latency of each answer.
    pub approximate: bool,
}

/// The person, account or team that a token belongs to. Each field may be missing, never all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// The provider's identifier of the owner.
    pub id: Option<String>,
    /// The name that people know.
    pub name: Option<String>,
    /// One bare address in lower case, or nothing.
    pub email: Option<String>,
}

impl Owner {
    /// The name, or else the identifier: what `token_owner` shows. An address is never shown here.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.id.as_deref())
    }
}

/// When a token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// At this instant, says the provider.
    At(DateTime<Utc>),
    /// At this instant it is to be renewed, says a rule of the configuration (`rotate_after`).
    Policy(DateTime<Utc>),
    /// Never.
    Never,
    /// The provider said something that could not be read, or nothing where an end was due.
    Unknown,
}

impl Expiry {
    /// The values of the label `expiry`, all of them.
    pub const LABELS: [&'static str; 4] = ["at", "policy", "never", "unknown"];

    /// The instant, if there is one.
    pub fn instant(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) | Self::Policy(at) => Some(at),
            Self::Never | Self::Unknown => None,
        }
    }

    /// The value of the label `expiry`.
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
    /// The provider does not tell.
    #[serde(rename = "untold")]
    NotReported,
    /// The provider tells, and knows of no use.
    Never,
    /// At this instant.
    At(DateTime<Utc>),
}

/// What has become of a token. Exactly one holds; where several could, the first of `Disabled`, `Replaced`, `Expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works, as far as is known.
    Active,
    /// Its end has passed.
    Expired,
    /// A newer one of the same kind, owner and name outlives it.
    Replaced,
    /// The provider says that it is blocked.
    Disabled,
}

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Active, Self::Expired, Self::Replaced, Self::Disabled];

    /// The value of the label `state`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Disabled => "disabled",
        }
    }
}

/// Lifetimes are kept in whole seconds.
mod seconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option)] // serde's `with` asks for this shape
    pub(super) fn serialize<S: Serializer>(value: &Option<TimeDelta>, to: S) -> Result<S::Ok, S::Error> {
        value.map(|lifetime| lifetime.num_seconds()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TimeDelta>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.and_then(TimeDelta::try_seconds))
    }
}

//! The order of tokens: `sort=owner`, descending with `sort=-owner`.

use chrono::{DateTime, Utc};

use super::parameters::{Parameters, one_of};
use crate::core::inventory::TokenView;
use crate::core::label_values::label_values;
use crate::core::token::LastUse;
use crate::exposition::Labels;
use crate::pages::display::display_name;

label_values! {
    /// The value by which tokens are ordered.
    #[derive(Default)]
    pub enum SortKey {
        #[default]
        Expiry = "expiry",
        Name = "name",
        Owner = "owner",
        Source = "source",
        Kind = "kind",
        LastUsed = "last_used",
    }
}

/// The order of tokens. Those without the value come last in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    pub key: SortKey,
    pub is_descending: bool,
}

impl Sort {
    /// Sorts tokens. Equal ones are ordered by expiry, and then as they were.
    pub fn apply(self, tokens: &mut Vec<TokenView<'_>>, labels: Labels) {
        if self != Self::default() {
            tokens.sort_by_key(expiry_order);
        }
        match self.key {
            SortKey::Expiry => self.by(tokens, |view| view.expires.timestamp()),
            SortKey::Name => self.by(tokens, |view| Some(display_name(view).to_lowercase())),
            SortKey::Owner => self.by(tokens, |view| Some(labels.owner_name(view)?.to_lowercase())),
            SortKey::Source => self.by(tokens, |view| Some(view.source)),
            SortKey::Kind => self.by(tokens, |view| Some(&*view.token.kind)),
            // Never used: before every use.
            SortKey::LastUsed => self.by(tokens, |view| match view.token.last_used {
                LastUse::NotReported => None,
                LastUse::Never => Some(DateTime::<Utc>::MIN_UTC),
                LastUse::At(at) => Some(at),
            }),
        }
    }

    /// Sorts by a value that is made once for each token.
    fn by<'a, K: Ord>(self, tokens: &mut Vec<TokenView<'a>>, key: impl Fn(&TokenView<'a>) -> Option<K>) {
        let mut keyed: Vec<(Option<K>, TokenView<'a>)> = tokens.drain(..).map(|view| (key(&view), view)).collect();
        keyed.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) if self.is_descending => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        });
        tokens.extend(keyed.into_iter().map(|(_, view)| view));
    }
}

/// Sort key: the next to expire first, tokens that never expire last. A stable sort keeps the inventory's order otherwise.
pub(crate) fn expiry_order(view: &TokenView<'_>) -> DateTime<Utc> {
    view.expires.timestamp().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Parameters for Sort {
    fn names(&self) -> &'static [&'static str] {
        &["sort"]
    }

    fn set(&mut self, _: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let key = value.strip_prefix('-');
        *self =
            Self { key: one_of(key.unwrap_or(value), &SortKey::ALL, SortKey::label)?, is_descending: key.is_some() };
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let sign = if self.is_descending { "-" } else { "" };
        let pair = ("sort", format!("{sign}{}", self.key.label()));
        if *self == Self::default() { Vec::new() } else { vec![pair] }
    }
}

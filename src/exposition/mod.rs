//! The exposition: the inventory and the exporter's own metrics for Prometheus.
//!
//! [`families`] defines all metrics, [`text`] the formats. [`tokens`] and [`sources`] write the inventory, [`exporter`] the
//! exporter's own metrics, [`external_url`] the links to its pages. [`parts`] keeps the compressed samples of tokens, by the groups of sources that [`groups`] forms, and
//! [`page`] keeps everything ready for a scrape.

pub mod alerts;
mod counts;
pub mod exporter;
pub mod external_url;
pub mod families;
mod groups;
mod gzip;
mod label;
pub mod page;
mod parts;
mod process;
pub mod reference;
pub mod selection;
mod sources;
pub mod text;
mod tokens;

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::core::address;
use crate::core::adjustment::Adjustment;
use crate::core::inventory::{Inventory, TokenView};
use crate::core::token::Owner;
use counts::TokenCounts;
use external_url::ExternalUrl;
use selection::Selection;
use sources::SourceStatus;
use text::{Format, Writer};

/// Which owner labels are exposed, on `/metrics`, the status page, in `list` and in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    pub owner: bool,
    pub owner_email: bool,
}

impl Default for Labels {
    fn default() -> Self {
        Self { owner: true, owner_email: false }
    }
}

impl Labels {
    /// The owner's name, or else its id, if it is exposed.
    pub fn owner_name<'a>(self, view: &TokenView<'a>) -> Option<Cow<'a, str>> {
        self.owner_text(view.owner.and_then(Owner::label))
    }

    /// A name or id of an owner, if it is exposed; without the domains of addresses, if these are not.
    pub fn owner_text(self, text: Option<&str>) -> Option<Cow<'_, str>> {
        let text = text.filter(|_| self.owner)?;
        Some(if self.owner_email { Cow::Borrowed(text) } else { address::without_domains(text) })
    }

    /// Whether an adjustment applies: addresses are hidden in names only if names are exposed and addresses are not.
    pub(crate) fn applies(self, adjustment: Adjustment) -> bool {
        adjustment != Adjustment::HiddenAddress || self.owner && !self.owner_email
    }

    /// The owner's address, if it is exposed.
    pub fn owner_email<'a>(self, view: &TokenView<'a>) -> Option<&'a str> {
        view.owner.and_then(|owner| owner.email.as_deref()).filter(|_| self.owner_email)
    }
}

/// What is exposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    pub labels: Labels,
    pub selection: Arc<Selection>,
    /// For links to the exporter's pages; `None`: there are none.
    pub external_url: Option<ExternalUrl>,
}

impl From<Labels> for Exposure {
    fn from(labels: Labels) -> Self {
        Self { labels, ..Self::default() }
    }
}

/// Tokens and sources in the text format 0.0.4, for `list --output prom`.
pub fn render(inventory: &Inventory, exposure: impl Into<Exposure>, now: DateTime<Utc>) -> String {
    let exposure = exposure.into();
    let mut writer = Writer::new(Format::Text);
    for family in tokens::FAMILIES {
        let has_samples = |view: &TokenView<'_>| {
            let series = exposure.selection.tokens_of(view.source);
            exposure.selection.has_samples(series, family.family, view)
        };
        let views = inventory.tokens(now).filter(has_samples);
        views.for_each(|view| (family.write)(&mut writer, &view, &exposure));
    }
    let status = |(name, source)| {
        let counts = Arc::new(TokenCounts::of(inventory.source_tokens(name, now)));
        SourceStatus { name, source, counts }
    };
    let sources: Vec<_> = inventory.sources().map(status).collect();
    sources::write_gauges(&mut writer, &sources, &exposure, now);
    for (_, write) in sources::counters(&exposure.selection) {
        write(&mut writer, &sources);
    }
    writer.into_text()
}

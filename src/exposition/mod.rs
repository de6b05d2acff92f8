//! The exposition: the inventory and the exporter's own metrics for Prometheus.
//!
//! [`families`] defines all metrics, [`text`] the formats. [`tokens`] and [`sources`] write the inventory, [`exporter`] the
//! exporter's own metrics, and [`page`] keeps the result ready for a scrape.

pub mod exporter;
pub mod families;
mod gzip;
mod label;
pub mod page;
mod process;
pub mod reference;
mod sources;
pub mod text;
mod tokens;

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::core::address;
use crate::core::inventory::{Adjustment, Inventory, Source, TokenView};
use crate::core::token::Owner;
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
    pub(super) fn applies(self, adjustment: Adjustment) -> bool {
        adjustment != Adjustment::HiddenAddress || self.owner && !self.owner_email
    }

    /// The owner's address, if it is exposed.
    pub fn owner_email<'a>(self, view: &TokenView<'a>) -> Option<&'a str> {
        view.owner.and_then(|owner| owner.email.as_deref()).filter(|_| self.owner_email)
    }
}

/// Tokens and sources in the text format 0.0.4, for `list --output prom`.
pub fn render(inventory: &Inventory, labels: Labels, now: DateTime<Utc>) -> String {
    let contents = Contents::of(inventory, now);
    let mut writer = Writer::new(Format::Text);
    contents.write_gauges(&mut writer, labels, now);
    contents.write_counters(&mut writer);
    writer.into_text()
}

/// The inventory at a given time, derived once for all families.
struct Contents<'a> {
    sources: Vec<(&'a str, &'a Source)>,
    tokens: Vec<TokenView<'a>>,
}

impl<'a> Contents<'a> {
    fn of(inventory: &'a Inventory, now: DateTime<Utc>) -> Self {
        Self { sources: inventory.sources().collect(), tokens: inventory.tokens(now).collect() }
    }

    /// The families that are the same in both formats: nearly everything.
    fn write_gauges(&self, writer: &mut Writer, labels: Labels, now: DateTime<Utc>) {
        tokens::write(writer, &self.tokens, labels);
        sources::write_gauges(writer, &self.sources, &self.tokens, labels, now);
    }

    /// The families whose header differs between the formats.
    fn write_counters(&self, writer: &mut Writer) {
        sources::write_counters(writer, &self.sources);
    }
}

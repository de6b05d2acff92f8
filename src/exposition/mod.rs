//! The inventory as Prometheus reads it.
//!
//! [`families`] says what there is, [`text`] how it is written, [`tokens`] and [`sources`] fill it from the inventory,
//! [`program`] adds what the program says of itself, and [`page`] keeps the result ready for a scrape.

pub mod families;
mod gzip;
mod label;
pub mod page;
mod process;
pub mod program;
pub mod reference;
mod sources;
pub mod text;
mod tokens;

use chrono::{DateTime, Utc};

use crate::core::inventory::{Inventory, Source, TokenView};
use text::{Format, Writer};

/// What of an owner may be shown: on `/metrics`, the status page, in the list and in the calendar alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The label `token_owner`.
    pub owner: bool,
    /// The label `token_owner_email`.
    pub owner_email: bool,
}

impl Default for Labels {
    fn default() -> Self {
        Self { owner: true, owner_email: false }
    }
}

/// Everything that is known of tokens and sources, in the text format 0.0.4, as `list --output prom` prints it.
pub fn render(inventory: &Inventory, labels: Labels, now: DateTime<Utc>) -> String {
    let known = Known::of(inventory, now);
    let mut writer = Writer::new(Format::Text);
    known.gauges(&mut writer, labels, now);
    known.counters(&mut writer);
    writer.into_text()
}

/// The inventory at one instant, looked through once for all families.
struct Known<'a> {
    sources: Vec<(&'a str, &'a Source)>,
    tokens: Vec<TokenView<'a>>,
}

impl<'a> Known<'a> {
    fn of(inventory: &'a Inventory, now: DateTime<Utc>) -> Self {
        Self { sources: inventory.sources().collect(), tokens: tokens::without_repeats(inventory.tokens(now)) }
    }

    /// The families that are written alike in both formats: nearly everything.
    fn gauges(&self, writer: &mut Writer, labels: Labels, now: DateTime<Utc>) {
        tokens::write(writer, &self.tokens, labels);
        sources::write_gauges(writer, &self.sources, &self.tokens, now);
    }

    /// The families whose header differs between the formats.
    fn counters(&self, writer: &mut Writer) {
        sources::write_counters(writer, &self.sources);
    }
}

//! The one language in which pages, API, calendar and commands select, order and divide tokens: query parameters and flags.
//!
//! [`Filter`] selects, [`Sort`] orders, [`Window`] divides; each is a set of [`Parameters`], so that a page may accept more of
//! them. The same parameters, written back, are the links of a page.

mod parameters;
mod search;
mod selection;
mod sort;
mod window;

use chrono::{DateTime, Utc};

use crate::core::inventory::{Inventory, TokenView};
use crate::exposition::Labels;

pub(super) use parameters::one_of;
pub use parameters::{Parameters, parse, query_string};
pub use selection::Filter;
pub(crate) use sort::expiry_order;
pub use sort::{Sort, SortKey};
pub use window::Window;

/// The selected tokens, in order. A [`Window`] takes a part of them.
pub fn select<'a>(
    inventory: &'a Inventory,
    filter: &Filter,
    sort: Sort,
    labels: Labels,
    now: DateTime<Utc>,
) -> Vec<TokenView<'a>> {
    let mut found: Vec<TokenView<'a>> =
        inventory.tokens(now).filter(|view| filter.matches(view, labels, now)).collect();
    sort.apply(&mut found, labels);
    found
}

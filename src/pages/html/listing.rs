//! A list of tokens: selected, ordered and divided as the URL says, and as a table.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::bar::bar;
use super::context::Context;
use super::layout::{badge, minute};
use super::link::query;
use super::table::{Column, SortLink, table};
use super::words::{finding_title, status, time_left};
use crate::core::inventory::{Finding, Inventory, TokenView};
use crate::core::lead::{Band, Bands};
use crate::core::owners::TEAM_LABEL;
use crate::core::token::{Expiry, State};
use crate::pages::display::{display_name, manage_url};
use crate::pages::filter::{Filter, Sort, SortKey, Window, expiry_order, query_string, select};
use crate::pages::humanize::rfc3339;

/// Rows of a page without `limit`, and the most.
const ROWS: usize = 50;
const MAX_ROWS: usize = 500;

/// A list of tokens at an address.
pub(super) struct Listing {
    /// The link to the page of the list, without the parameters below.
    pub(super) here: String,
    pub(super) filter: Filter,
    /// Whether the filter is a part of the URL; otherwise the page has a fixed one.
    pub(super) has_filter_in_url: bool,
    /// Whether the table has a column for the owner; the page of an owner needs none.
    pub(super) shows_owner: bool,
    pub(super) sort: Sort,
    pub(super) window: Window,
}

/// The tokens of one page of a list.
pub(super) struct Selected {
    rows: Vec<Row>,
    pub(super) total: usize,
}

/// What the table shows of a token; copied, so that the inventory is not locked while the page is rendered.
struct Row {
    source: String,
    id: String,
    name: String,
    kind: String,
    owner: Option<String>,
    team: Option<String>,
    expires: Expiry,
    state: State,
    band: Option<Band>,
    bands: Option<Bands>,
    findings: Vec<Finding>,
    location: Option<String>,
    locations: usize,
    manage_url: Option<String>,
}

impl Listing {
    /// A list with the default order, on its first page.
    pub(super) fn new(here: String) -> Self {
        let (sort, window) = (Sort::default(), Window::new(ROWS, MAX_ROWS));
        Self { here, filter: Filter::default(), has_filter_in_url: false, shows_owner: true, sort, window }
    }

    /// The link to the list in this order, on this page.
    fn link(&self, sort: Sort, window: &Window) -> String {
        let query = if self.has_filter_in_url {
            query_string(&[&self.filter, &sort, window])
        } else {
            query_string(&[&sort, window])
        };
        with_query(&self.here, &query)
    }

    /// Sorts by a column; if the list is already sorted by it, in the other direction.
    fn sort_link(&self, key: SortKey) -> SortLink {
        let is_current = self.sort.key == key;
        let is_descending = is_current && !self.sort.is_descending;
        let order = if self.sort.is_descending { "descending" } else { "ascending" };
        let href = self.link(Sort { key, is_descending }, &self.window.at(0));
        SortLink { href, order: is_current.then_some(order) }
    }

    /// The tokens of this page of the list.
    pub(super) fn select(&self, context: &Context<'_>, inventory: &Inventory) -> Selected {
        let mut found = select(inventory, &self.filter, self.sort, context.labels, context.now);
        if self.sort == Sort::default() {
            found.sort_by_key(|view| (rank(view), expiry_order(view)));
        }
        let rows = self.window.of(&found).iter().map(|view| Row::of(view, context)).collect();
        Selected { rows, total: found.len() }
    }

    pub(super) fn table(&self, context: &Context<'_>, selected: &Selected, caption: &str) -> Markup {
        let has_locations = selected.rows.iter().any(|row| row.location.is_some());
        let has_owner = self.shows_owner && context.labels.owner;
        let has_links = selected.rows.iter().any(|row| row.manage_url.is_some());
        let mut columns = vec![
            Column::text("Token").sorted_by(self.sort_link(SortKey::Name)),
            Column::text("Expires").sorted_by(self.sort_link(SortKey::Expiry)),
            Column::text("Status"),
        ];
        columns.extend(has_owner.then(|| Column::text("Owner").sorted_by(self.sort_link(SortKey::Owner))));
        columns.extend(has_locations.then(|| Column::text("Used in")));
        columns.extend(has_links.then(|| Column::text("Renewal")));
        let rows = selected.rows.iter().map(|row| {
            let mut cells = vec![row.name_cell(context), row.expiry_cell(context.now), row.status_cell(context)];
            cells.extend(has_owner.then(|| row.owner_cell(context)));
            cells.extend(has_locations.then(|| row.location_cell()));
            cells.extend(has_links.then(|| row.link_cell()));
            cells
        });
        html! {
            @if selected.rows.is_empty() {
                p.empty { "No token." }
            } @else {
                (table(&html! { span.hidden { (caption) } }, &columns, rows))
            }
            (self.pager(selected.total))
        }
    }

    fn pager(&self, total: usize) -> Markup {
        let link = |window: Option<Window>| window.map(|window| self.link(self.sort, &window));
        let (previous, next) = (link(self.window.previous(total)), link(self.window.next(total)));
        html! {
            @if previous.is_some() || next.is_some() {
                nav.pager aria-label="Pages of the list" {
                    @if let Some(href) = previous { a rel="prev" href=(href) { "← Previous" } }
                    span.soft { (self.range(total)) }
                    @if let Some(href) = next { a rel="next" href=(href) { "Next →" } }
                }
            }
        }
    }

    /// `1 to 50 of 342 tokens`.
    pub(super) fn range(&self, total: usize) -> String {
        let last = self.window.offset.saturating_add(self.window.limit).min(total);
        match total {
            0 => "No tokens".to_owned(),
            1 if last == 1 => "1 token".to_owned(),
            _ if self.window.offset == 0 && last == total => format!("{total} tokens"),
            _ if self.window.offset >= last => format!("None of {total} tokens on this page"),
            _ => format!("{} to {last} of {total} tokens", self.window.offset + 1),
        }
    }
}

/// A link with further parameters.
pub(super) fn with_query(href: &str, query: &str) -> String {
    let separator = if href.contains('?') { '&' } else { '?' };
    if query.is_empty() { href.to_owned() } else { format!("{href}{separator}{query}") }
}

/// Due tokens come first, then those that will be. A short-lived token always expires soon, and nobody has to act.
fn rank(view: &TokenView<'_>) -> u8 {
    match (view.band, view.bands, view.state) {
        (Some(_), _, _) => 0,
        (None, Some(_), State::Active) => 1,
        (None, _, State::Active) => 2,
        _ => 3,
    }
}

impl Row {
    fn of(view: &TokenView<'_>, context: &Context<'_>) -> Self {
        let mut locations = view.locations.iter();
        Self {
            source: view.source.to_owned(),
            id: view.token.id.to_string(),
            name: display_name(view).to_owned(),
            kind: view.token.kind.to_string(),
            owner: context.labels.owner_name(view).map(Cow::into_owned),
            team: view.labels.get(TEAM_LABEL).cloned(),
            expires: view.expires,
            state: view.state,
            band: view.band,
            bands: view.bands,
            findings: view.findings.iter().collect(),
            location: locations.next().map(ToString::to_string),
            locations: view.locations.iter().count(),
            manage_url: manage_url(view),
        }
    }

    fn name_cell(&self, context: &Context<'_>) -> Markup {
        html! {
            a.token href=(context.links.token(&self.source, &self.id)) { bdi { (self.name) } }
            span.soft.line { bdi { (self.kind) } " at " a.quiet href=(context.links.source(&self.source)) { (self.source) } }
        }
    }

    fn expiry_cell(&self, now: DateTime<Utc>) -> Markup {
        html! {
            (time_left_of(self.expires, now))
            @if let Some(at) = self.expires.timestamp() { span.soft.line { (minute(at)) } }
            @if let Some(bands) = &self.bands { (bar(bands, self.band, now)) }
        }
    }

    fn status_cell(&self, context: &Context<'_>) -> Markup {
        let (class, text) = status(self.state, self.band);
        html! {
            (badge(class, text))
            @for finding in &self.findings {
                " " a.{ "badge finding" } href=(context.links.finding(*finding)) { (finding_title(*finding)) }
            }
        }
    }

    fn owner_cell(&self, context: &Context<'_>) -> Markup {
        html! {
            @match &self.owner {
                Some(owner) if !owner.is_empty() => a href=(context.links.owner(owner)) { bdi { (owner) } },
                _ => span.soft { "nobody" },
            }
            @if let Some(team) = &self.team {
                span.soft.line { "team " a.quiet href=(context.links.tokens(&query(&[("team", team)]))) { bdi { (team) } } }
            }
        }
    }

    fn link_cell(&self) -> Markup {
        html! {
            @if let Some(url) = &self.manage_url {
                a href=(url) rel="noreferrer" { "Renew" span.hidden { " " (self.name) } }
            }
        }
    }

    fn location_cell(&self) -> Markup {
        html! {
            @if let Some(location) = &self.location { bdi { (location) } }
            @if self.locations > 1 { span.soft.line { "and " (self.locations - 1) " more" } }
        }
    }
}

/// The time left, with the timestamp as tooltip.
fn time_left_of(expires: Expiry, now: DateTime<Utc>) -> Markup {
    let words = time_left(expires, now);
    html! {
        @match expires.timestamp() {
            Some(at) => time.left datetime=(rfc3339(at)) title=(rfc3339(at)) { (words) },
            None => span.left { (words) },
        }
    }
}

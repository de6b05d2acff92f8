//! The replicas that share a store.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::layout::{badge, time};
use super::table::{Column, table};
use crate::core::fleet_status::FleetStatus;

/// The most sources that are named for a replica.
const MAX_HELD: usize = 20;

/// The replicas, and the sources that each of them last collected.
pub(super) fn section(fleet: &FleetStatus, now: DateTime<Utc>) -> Markup {
    let rows = fleet.members.iter().map(|member| {
        let held: Vec<&str> =
            fleet.holders.iter().filter(|(_, holder)| *holder == member).map(|(source, _)| source.as_str()).collect();
        vec![
            html! { (member) @if *member == fleet.replica { " (this one)" } },
            html! { (held.iter().take(MAX_HELD).copied().collect::<Vec<_>>().join(", ")) @if held.len() > MAX_HELD { ", …" } },
            html! { (held.len()) },
        ]
    });
    let (class, text) = if fleet.is_up { ("good", "available") } else { ("bad", "not available") };
    let columns = [Column::text("Replica"), Column::text("Last collected"), Column::number("Sources")];
    html! {
        section aria-labelledby="replicas" {
            h2 #replicas { "Replicas" }
            p { "Shared store: " (badge(class, text)) " last read " (time(fleet.last_seen, now)) }
            (table(&html! { span.hidden { "Replicas and the sources that they last collected" } }, &columns, rows))
        }
    }
}

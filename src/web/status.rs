//! `/`: how the sources are doing, and what ends next. One page without scripts or anything else to load.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::html::{Escaped, web_link};
use super::tokens::soonest;
use super::words::{exact, relative};
use super::{Surface, path};
use crate::core::inventory::{Source, TokenView};
use crate::core::lead::Band;
use crate::core::token::State as TokenState;
use crate::exposition::Labels;

/// Rows of the table of ends.
const MOST_ENDS: usize = 50;

pub(super) const STYLE: &str = include_str!("status.css");

pub(super) async fn answer(State(surface): State<Arc<Surface>>) -> Response {
    let writing = Arc::clone(&surface);
    match surface.desk.write("the status page", move || Ok(page(&writing).into_bytes())).await {
        Ok(page) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(),
        Err(refusal) => refusal,
    }
}

/// What the tokens of one source come to.
#[derive(Default)]
struct Sum {
    tokens: u64,
    due: BTreeMap<Band, u64>,
}

fn page(surface: &Surface) -> String {
    let now = (surface.clock)();
    let inventory = surface.inventory();
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut ends = Vec::new();
    for view in inventory.tokens(now) {
        let sum = sums.entry(view.source).or_default();
        sum.tokens += 1;
        if let Some(band) = view.band {
            *sum.due.entry(band).or_default() += 1;
        }
        if view.expires.instant().is_some() && (view.band.is_some() || view.state == TokenState::Active) {
            ends.push(view);
        }
    }
    // First those that people are to be told of: a short-lived token is always about to end, and concerns nobody.
    ends.sort_by_key(|view| (view.band.is_none(), soonest(view)));
    let sources: Vec<(&str, &Source)> = inventory.sources().collect();

    let mut html = String::new();
    write_head(&mut html, surface, now);
    write_sources(&mut html, &sources, &sums, now);
    write_gaps(&mut html, &sources);
    write_ends(&mut html, &ends, surface.page.labels(), now);
    html.push_str("</body>\n</html>\n");
    html
}

// Writing to a text cannot fail, in all of these.

fn write_head(html: &mut String, surface: &Surface, now: DateTime<Utc>) {
    let (version, telemetry) = (Escaped(&surface.version), Escaped(&surface.telemetry_path));
    let (tokens, calendar) = (path::TOKENS, path::CALENDAR);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Token expiry</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Token expiry</h1>\n\
         <p class=\"soft\">token-expiry-exporter {version} · {}</p>\n\
         <nav><a href=\"{telemetry}\">Metrics</a><a href=\"{tokens}\">Tokens as JSON</a>\
         <a href=\"{calendar}\">Calendar</a></nav>\n",
        exact(now)
    );
}

fn write_sources(html: &mut String, sources: &[(&str, &Source)], sums: &BTreeMap<&str, Sum>, now: DateTime<Utc>) {
    html.push_str("<h2>Sources</h2>\n");
    if sources.is_empty() {
        html.push_str("<p>No source is configured.</p>\n");
        return;
    }
    html.push_str(
        "<div class=\"scroll\"><table>\n<tr><th>Source<th>Provider<th>Last collection<th>Complete<th>Tried\
         <th class=\"number\">Tokens<th class=\"number\">Warning<th class=\"number\">Critical<th class=\"number\">Expired</tr>\n",
    );
    let nothing = Sum::default();
    for (name, source) in sources {
        let sum = sums.get(name).unwrap_or(&nothing);
        let (class, up) = match source.up {
            Some(true) => ("good", "complete"),
            Some(false) => ("bad", "incomplete"),
            None => ("soft", "not yet"),
        };
        let _ = write!(
            html,
            "<tr><td>{}<td>{}<td class=\"{class}\">{up}<td>{}<td>{}<td class=\"number\">{}",
            Escaped(name),
            Escaped(&source.policy.provider),
            time(source.last_success, now),
            time(source.last_attempt, now),
            sum.tokens
        );
        for band in Band::ALL {
            let count = sum.due.get(&band).copied().unwrap_or_default();
            let class = if count == 0 { "" } else { band.label() };
            let _ = write!(html, "<td class=\"number {class}\">{count}");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

fn write_gaps(html: &mut String, sources: &[(&str, &Source)]) {
    let mut rows = String::new();
    for (name, source) in sources {
        for (listing, health) in &source.listings {
            for (reason, count) in health.gaps.iter().filter(|(_, count)| **count > 0) {
                let _ = writeln!(
                    rows,
                    "<tr><td>{}<td>{}<td class=\"bad\">{reason}<td class=\"number\">{count}<td class=\"number\">{}</tr>",
                    Escaped(name),
                    Escaped(listing),
                    health.scopes
                );
            }
        }
    }
    if rows.is_empty() {
        return;
    }
    let _ = write!(
        html,
        "<h2>Gaps</h2>\n<p class=\"soft\">What did not answer. Its tokens are shown as they were listed before; the log \
         says more.</p>\n<div class=\"scroll\"><table>\n<tr><th>Source<th>Listing<th>Reason<th class=\"number\">Scopes\
         <th class=\"number\">of</tr>\n{rows}</table></div>\n"
    );
}

fn write_ends(html: &mut String, ends: &[TokenView<'_>], labels: Labels, now: DateTime<Utc>) {
    html.push_str("<h2>Next to end</h2>\n");
    if ends.is_empty() {
        html.push_str("<p>No active token with an end is known.</p>\n");
        return;
    }
    html.push_str(
        "<div class=\"scroll\"><table>\n<tr><th>Ends<th>Name<th>Owner<th>Kind<th>Source<th>Band<th>Renewal</tr>\n",
    );
    for view in ends.iter().take(MOST_ENDS) {
        let name = if view.token.name.is_empty() { &view.token.id } else { &view.token.name };
        let owner = view.owner.and_then(|owner| owner.label()).filter(|_| labels.owner).unwrap_or_default();
        let band = view.band.map_or("", Band::label);
        let link = view
            .token
            .manage_url
            .as_deref()
            .and_then(web_link)
            .map(|url| format!("<a href=\"{}\" rel=\"noreferrer\">renew</a>", Escaped(url)));
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td class=\"{band}\">{band}<td>{}</tr>",
            time(view.expires.instant(), now),
            Escaped(name),
            Escaped(owner),
            Escaped(&view.token.kind),
            Escaped(view.source),
            link.unwrap_or_default()
        );
    }
    html.push_str("</table></div>\n");
    if ends.len() > MOST_ENDS {
        let _ = writeln!(html, "<p class=\"soft\">The first {MOST_ENDS} of {}.</p>", ends.len());
    }
}

/// An instant in words, with the exact one to hover over.
fn time(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    match at {
        Some(at) => format!("<time datetime=\"{0}\" title=\"{0}\">{1}</time>", exact(at), relative(at, now)),
        None => "<span class=\"soft\">never</span>".to_owned(),
    }
}

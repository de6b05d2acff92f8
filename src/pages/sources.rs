//! `/api/v1/sources`: the status of every source.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::api::{Depends, Format, Page, Request, bad_request};
use super::csv;
use super::filter::{Parameters, Window};
use super::humanize::rfc3339;
use super::json::location;
use super::state::AppState;
use crate::core::inventory::{Inventory, Source};
use crate::core::lead::Band;
use crate::core::location::UnlistedCredential;

/// `source` and `provider`.
#[derive(Default)]
struct SourceFilter {
    sources: Vec<String>,
    providers: Vec<String>,
}

impl Parameters for SourceFilter {
    fn names(&self) -> &'static [&'static str] {
        &["source", "provider"]
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let values = if name == "source" { &mut self.sources } else { &mut self.providers };
        values.extend((!value.is_empty()).then(|| value.to_owned()));
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let sources = self.sources.iter().map(|name| ("source", name.clone()));
        sources.chain(self.providers.iter().map(|name| ("provider", name.clone()))).collect()
    }
}

pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let mut filter = SourceFilter::default();
    let query = query.unwrap_or_default();
    let request = Request::parse(&state, &headers, &query, &mut [&mut filter], Depends::Status)
        .map_err(|why| bad_request(&why))?;
    request.respond(state, "sources", move |state, format, window| list(state, &filter, format, window)).await
}

fn list(state: &AppState, filter: &SourceFilter, format: Format, window: Window) -> Page {
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let is_wanted = |wanted: &[String], name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let sources = inventory.sources().filter(|(name, source)| {
        is_wanted(&filter.sources, name) && is_wanted(&filter.providers, &source.policy.provider)
    });
    let found: Vec<(&str, &Source)> = sources.collect();
    let total = found.len();
    let mut unlisted: BTreeMap<&str, Vec<UnlistedCredential<'_>>> = BTreeMap::new();
    for credential in inventory.unlisted_credentials() {
        unlisted.entry(credential.source).or_default().push(credential);
    }
    let rows = window.of(&found).iter().map(|(name, source)| {
        let unlisted = unlisted.get(name).map(Vec::as_slice).unwrap_or_default();
        to_json(&inventory, name, source, unlisted, now)
    });
    match format {
        Format::Json => Page::json(state, "sources", total, window, rows.collect()),
        Format::Csv => Page { total, body: csv::table(&COLUMNS, rows.map(|row| cells(&row))) },
    }
}

/// The columns of CSV, by their paths in JSON.
const COLUMNS: [&str; 13] = [
    "source",
    "provider",
    "up",
    "last_attempt",
    "last_success",
    "interval_seconds",
    "tokens",
    "warning",
    "critical",
    "expired",
    "dropped",
    "filtered",
    "failed_scopes",
];

fn cells(row: &Value) -> Vec<String> {
    let cell = |column: &str| match (column, &row[column]) {
        ("tokens", _) => row["tokens"]["total"].to_string(),
        ("warning" | "critical" | "expired", _) => row["tokens"][column].to_string(),
        ("failed_scopes", Value::Array(failed)) => {
            let count = |failed: &Value| failed["count"].as_u64().unwrap_or_default();
            failed.iter().map(count).sum::<u64>().to_string()
        }
        (_, Value::Null) => String::new(),
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    };
    COLUMNS.iter().map(|column| cell(column)).collect()
}

fn unlisted_credential(credential: &UnlistedCredential<'_>) -> Value {
    json!({
        "token_id": credential.token_id,
        "found_by": credential.found_by,
        "location": location(credential.location),
    })
}

fn to_json(
    inventory: &Inventory,
    name: &str,
    source: &Source,
    unlisted: &[UnlistedCredential<'_>],
    now: DateTime<Utc>,
) -> Value {
    let mut counts = BTreeMap::new();
    let mut total = 0_u64;
    for view in inventory.source_tokens(name, now) {
        total += 1;
        *counts.entry(view.band).or_insert(0_u64) += 1;
    }
    let count = |band| counts.get(&Some(band)).copied().unwrap_or_default();
    let failed = source.listings.iter().flat_map(|(listing, health)| {
        let gaps = health.gaps.iter().filter(|(_, count)| **count > 0);
        gaps.map(move |(reason, count)| {
            json!({"listing": listing, "reason": reason.label(), "count": count, "scopes": health.scopes})
        })
    });
    let credential = source.credential_expiry.map(|expiry| {
        json!({
            "expiry": expiry.label(),
            "expires_at": expiry.timestamp().map(rfc3339),
            "band": source.credential_band(now).map(Band::label),
        })
    });
    json!({
        "source": name,
        "provider": source.policy.provider,
        "up": source.up,
        "last_attempt": source.last_attempt.map(rfc3339),
        "last_success": source.last_success.map(rfc3339),
        "last_duration_seconds": source.last_duration.map(|took| took.as_seconds_f64()),
        "interval_seconds": source.policy.interval.num_seconds(),
        "tokens": {
            "total": total,
            "warning": count(Band::Warning),
            "critical": count(Band::Critical),
            "expired": count(Band::Expired),
        },
        "failed_scopes": failed.collect::<Vec<_>>(),
        "credential": credential,
        "refused_at": source.refusal.map(|refusal| rfc3339(refusal.at())),
        "dropped": source.dropped,
        "filtered": source.filtered,
        "unlisted_credentials": unlisted.iter().map(unlisted_credential).collect::<Vec<_>>(),
    })
}

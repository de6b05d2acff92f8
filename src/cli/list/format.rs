//! The output formats of `list` for programs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::core::inventory::TokenView;
use crate::exposition::Labels;
use crate::pages::csv;
use crate::pages::humanize::rfc3339;
use crate::pages::json::to_json;

/// As `/api/v1/tokens`. `total` counts the selected tokens before `--offset` and `--limit`.
pub(super) fn json(views: &[TokenView<'_>], total: usize, labels: Labels, now: DateTime<Utc>) -> String {
    let tokens: Vec<Value> = views.iter().map(|view| to_json(view, labels)).collect();
    format!("{:#}\n", json!({"now": rfc3339(now), "total": total, "tokens": tokens}))
}

pub(super) fn csv(views: &[TokenView<'_>], labels: Labels) -> String {
    String::from_utf8_lossy(&csv::tokens(views, labels)).into_owned()
}

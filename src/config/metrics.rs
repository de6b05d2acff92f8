//! Which metrics are exposed.

use super::Metrics;
use crate::core::token_series::TokenSeries;
use crate::schema::reader::Reader;
use crate::schema::record::Record;

/// What `metrics.tokens` sets.
pub(super) fn tokens(values: &Record<'_>) -> Option<TokenSeries> {
    let written = values.text("metrics.tokens")?;
    TokenSeries::ALL.into_iter().find(|series| series.label() == written)
}

/// Reads the lists of metrics. Both at once is an error: which of them wins could only be guessed.
pub(super) fn read(reader: &mut Reader, file: &Record<'_>) -> Metrics {
    let (allow, deny) = (file.texts("metrics.allow"), file.texts("metrics.deny"));
    if file.is_given("metrics.allow") && file.is_given("metrics.deny") {
        let message = "metrics: both `allow` and `deny` are set; keep one of them";
        reader.error(file.key_at("metrics.deny"), message.to_owned());
    }
    Metrics { allow, deny, at: file.key_at("metrics") }
}

//! The top of the file.

use std::sync::Arc;

use super::environment::{Environment, FileEnvironment};
use super::table::FILE;
use super::{Config, OwnerLabels, SharedSettings, lead, metrics, owners, redaction, rule, secrets, source};
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText};
use crate::schema::reader::Reader;
use crate::schema::record::Record;
use crate::schema::yaml;

/// Reads a configuration: its content, unless it is not YAML or empty, and every error.
pub(super) fn read(text: SourceText, environment: Arc<dyn Environment>) -> (Option<Config>, Diagnostics) {
    let hidden = redaction::redacted_lines(text.content());
    let is_hidden = |line| hidden.contains(&line);
    let root = match yaml::parse(&text) {
        Ok(root) => root,
        Err(error) => return (None, Diagnostics::from(error).hide_lines(is_hidden)),
    };
    if root.is_null() {
        let message = "the file is empty; it needs at least one source under `sources`";
        return (None, Diagnostic::in_file(text.name(), message).into());
    }
    let environment = FileEnvironment::new(text.name(), environment);
    let mut reader = Reader::new(text);
    secrets::report(&mut reader, &root);
    let values = reader.read(&root, "", &FILE);
    let (config, in_owners_file) = config(&mut reader, &environment, &values);
    let mut errors = reader.finish(is_hidden).err().unwrap_or_default();
    errors.extend(in_owners_file);
    (Some(config), errors)
}

/// The content of the file, and the errors in the owners file that it names. An invalid value, which is reported, has its default.
fn config(reader: &mut Reader, environment: &FileEnvironment, values: &Record<'_>) -> (Config, Diagnostics) {
    let defaults = SharedSettings::read(values, SharedSettings::default());
    lead::check(reader, values, defaults.alert_lead, "the default");
    let (sources, credentials): (Vec<_>, Vec<_>) =
        source::read(reader, environment, values, defaults).into_iter().unzip();
    let (rules, rule_names) = rule::read(reader, values, &sources);
    let (owners, errors) = owners::read(reader, environment, values, &sources);
    let mut label_names: Vec<_> = rules.iter().flat_map(|rule| rule.labels.keys().cloned()).collect();
    label_names.sort();
    label_names.dedup();
    let flag = |key| values.flag(key).unwrap_or_default();
    let config = Config {
        text: reader.text.clone(),
        interval: values.period("interval").unwrap_or_default(),
        defaults,
        metrics: metrics::read(reader, values),
        labels: OwnerLabels { owner: flag("labels.owner"), owner_email: flag("labels.owner_email") },
        sources,
        rules: rules.into(),
        label_names,
        credentials: credentials.into_iter().flatten().collect(),
        rule_names,
        owners,
    };
    (config, errors)
}

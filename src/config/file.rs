//! The top of the file.

use std::sync::Arc;

use super::config_reader::ConfigReader;
use super::environment::Environment;
use super::keys::FILE;
use super::rule::{self, Known};
use super::values::Values;
use super::{Bounds, Config, Labels, lead, redaction, secrets, source};
use crate::core::lead::Lead;
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText};
use crate::schema::yaml;
use crate::schema::yaml::Node;

/// Reads a configuration: what it says, where it is one at all, and every mistake.
pub(super) fn read(text: SourceText, surroundings: Arc<dyn Environment>) -> (Option<Config>, Diagnostics) {
    let root = match yaml::parse(&text) {
        Ok(root) => root,
        Err(fault) => {
            let line = fault.line_number();
            let hidden = redaction::lines(text.content()).contains(&line);
            return (None, if hidden { fault.hide_line() } else { fault }.into());
        }
    };
    if root.is_null() {
        let message = "the file is empty; it needs at least one source under `sources`";
        return (None, Diagnostic::in_file(text.name(), message).into());
    }
    let mut reading = ConfigReader::new(text.clone(), surroundings);
    secrets::refuse(&mut reading, &root);
    let config = config(&mut reading, text, &root);
    let mistakes = reading.finish().err().unwrap_or_default();
    (Some(config), mistakes)
}

/// What the file says, the defaults where it is wrong: those mistakes are noted.
fn config(reading: &mut ConfigReader, text: SourceText, root: &Node) -> Config {
    let values = Values::read(reading, root, "", FILE);
    let lead = file_lead(reading, &values);
    let (sources, credentials) = match values.node("sources") {
        Some(node) => source::read(reading, node, lead),
        None => Default::default(),
    };
    let known = Known { sources: &sources, lead };
    let (rules, rule_providers) = match values.node("rules") {
        Some(node) => rule::read(reading, node, &known),
        None => Default::default(),
    };
    let mut label_names: Vec<_> = rules.iter().flat_map(|rule| rule.labels.keys().cloned()).collect();
    label_names.sort();
    label_names.dedup();
    Config {
        text,
        interval: values.period("interval").unwrap_or_default(),
        timeout: values.period("timeout").unwrap_or_default(),
        alert_lead: lead,
        min_lifetime: values.duration("min_lifetime").unwrap_or_default(),
        expired_retention: values.duration("expired_retention").unwrap_or_default(),
        token_limit: values.count("token_limit").unwrap_or_default(),
        labels: Labels {
            owner: values.map("labels").flag("owner").unwrap_or_default(),
            owner_email: values.map("labels").flag("owner_email").unwrap_or_default(),
        },
        policy: Bounds {
            max_lifetime: values.map("policy").bound("max_lifetime").flatten(),
            unused_after: values.map("policy").bound("unused_after").flatten(),
        },
        sources,
        rules: rules.into(),
        label_names,
        credentials,
        rule_providers,
    }
}

/// The file's lead.
fn file_lead(reading: &mut ConfigReader, values: &Values<'_>) -> Lead {
    let values = values.map("alert_lead");
    let lead = Lead {
        warning: values.duration("warning").unwrap_or_default(),
        critical: values.duration("critical").unwrap_or_default(),
    };
    lead::check(reading, values, lead, "the default");
    lead
}

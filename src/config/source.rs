//! The sources.

use std::sync::Arc;

use super::config_reader::ConfigReader;
use super::credential::{self, Origins};
use super::keys::SOURCE;
use super::values::Values;
use super::{BoundsChange, SourceConfig, lead, secrets, tls};
use crate::core::lead::{Lead, LeadChange};
use crate::core::secret::{NoCredential, SharedCredentials};
use crate::schema::yaml::{Kind, Node};

/// What messages call a source: by its name, or by its number where it has none.
pub(super) fn called(node: &Node, index: usize) -> String {
    let name = match &node.kind {
        Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == "name").and_then(|(_, value)| value.as_text()),
        _ => None,
    };
    match name {
        Some(name) if !name.is_empty() && name.len() <= 63 && !secrets::looks_like_one(name) => {
            format!("sources.{name}")
        }
        _ => format!("sources[{index}]"),
    }
}

/// Reads the sources, and hands out their credentials too, as they were configured.
pub(super) fn read(reading: &mut ConfigReader, node: &Node, lead: Lead) -> (Vec<SourceConfig>, Vec<Arc<Origins>>) {
    match &node.kind {
        Kind::List(list) if !list.is_empty() => {}
        Kind::List(_) => {
            let message = "sources: the list is empty, and so nothing is collected; add one such as `- {name: gitlab, \
                           provider: gitlab, credential: {file: PATH}}`";
            reading.error(node.at, message);
        }
        _ => {
            let message =
                format!("sources: expected a list, found {}; each source begins with `- name:`", node.describe());
            reading.error(node.at, message);
            return Default::default();
        }
    }
    let mut sources: Vec<SourceConfig> = Vec::new();
    let mut credentials = Vec::new();
    for (index, node) in reading.reader.list(node, "sources", false).into_iter().enumerate() {
        let Some((source, origins)) = source(reading, node, &called(node, index), lead) else { continue };
        let (name, at) = &source.name;
        if let Some(first) = sources.iter().find(|other| other.name.0 == *name) {
            let line = reading.line(first.name.1);
            reading.error(*at, format!("sources: the name `{name}` stands twice, first in line {line}; take another"));
        }
        sources.push(source);
        credentials.extend(origins);
    }
    (sources, credentials)
}

/// Reads one source. None where it has no name or provider to go by.
fn source(
    reading: &mut ConfigReader,
    node: &Node,
    what: &str,
    lead: Lead,
) -> Option<(SourceConfig, Option<Arc<Origins>>)> {
    let (values, rest) = Values::read_open(reading, node, what, SOURCE);
    let credential = values.node("credential");
    let origins = credential.and_then(|node| credential::read(reading, node, &values.name("credential")));
    let credentials: SharedCredentials = match &origins {
        Some(origins) => origins.clone(),
        None => Arc::new(NoCredential),
    };
    let certificates = tls::read(reading, values.map("tls"));
    let alert_lead = lead_change(values.map("alert_lead"));
    if values.given("alert_lead") {
        lead::check(reading, values.map("alert_lead"), lead.changed(alert_lead), "from the top of the file");
    }
    let source = SourceConfig {
        name: values.placed("name")?,
        provider: values.placed("provider")?,
        at: node.at,
        auth: values.placed("auth"),
        listings: values.texts("listings"),
        settings: rest.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        credentials,
        credential_at: credential.map(|node| node.at),
        interval: values.period("interval"),
        timeout: values.period("timeout"),
        alert_lead,
        min_lifetime: values.duration("min_lifetime"),
        expired_retention: values.duration("expired_retention"),
        token_limit: values.count("token_limit"),
        policy: BoundsChange {
            max_lifetime: values.map("policy").bound("max_lifetime"),
            unused_after: values.map("policy").bound("unused_after"),
        },
        certificates,
        proxy: values.proxy("proxy"),
    };
    Some((source, origins))
}

/// A lead that changes another in part.
pub(super) fn lead_change(values: &Values<'_>) -> LeadChange {
    LeadChange { warning: values.duration("warning"), critical: values.duration("critical") }
}

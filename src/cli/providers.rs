//! `providers`: what the program knows, and what each provider needs.

use std::fmt::Write as _;

use super::args::ProvidersArgs;
use super::print;
use crate::app::RunError;
use crate::app::setup::catalogue;
use crate::providers::language::provider::Setting;
use crate::providers::{Catalogue, Entry, ListingEntry};
use crate::schema::diagnostic::{Diagnostic, did_you_mean};

pub(super) fn run(args: &ProvidersArgs) -> Result<u8, RunError> {
    let catalogue = catalogue(args.providers.as_deref())?;
    let Some(name) = &args.name else {
        print::output(&all(&catalogue));
        return Ok(0);
    };
    match catalogue.get(name) {
        Some(entry) => {
            print::output(&one(&entry));
            Ok(0)
        }
        None => {
            let hint = did_you_mean(name, catalogue.names());
            let message = format!("no provider is called `{name}`{hint}");
            Err(RunError::Diagnostics(Diagnostic::in_file("providers", message).into()))
        }
    }
}

fn all(catalogue: &Catalogue) -> String {
    let rows = catalogue.names().filter_map(|name| catalogue.get(name)).map(|entry| {
        let listings: Vec<&str> = entry.listings.iter().map(|listing| listing.name).collect();
        vec![entry.name.to_owned(), entry.title.to_owned(), listings.join(", ")]
    });
    print::table(&["NAME", "PROVIDER", "LISTINGS"], rows)
}

fn one(entry: &Entry<'_>) -> String {
    let mut text = format!("{}: {}\n\n", entry.name, entry.title);
    let mut fact = |name: &str, value: &str| {
        let value = value.trim_end().replace('\n', "\n                 ");
        let _ = writeln!(text, "  {name:<14} {value}");
    };
    if !entry.aliases.is_empty() {
        fact("other names", &entry.aliases.join(", "));
    }
    fact("documentation", entry.docs);
    fact("ends", entry.expiry);
    if let Some(permission) = entry.permission {
        fact("permission", permission);
    }
    let schemes: Vec<&str> = entry.schemes.iter().copied().filter(|scheme| !scheme.is_empty()).collect();
    if !schemes.is_empty() {
        fact("auth", &format!("{} (the first unless the source says otherwise)", schemes.join(", ")));
    }
    if let Some(interval) = entry.interval {
        fact("interval", &format!("at least {} s unless the source says otherwise", interval.as_secs()));
    }
    text.push_str("\nSettings\n\n");
    text.push_str(&indented(&print::table(&["NAME", "DEFAULT", "MEANING"], entry.settings.iter().map(setting))));
    text.push_str("\nListings\n\n");
    text.push_str(&indented(&print::table(
        &["NAME", "KIND", "LISTS", "PERMISSION"],
        entry.listings.iter().map(listing),
    )));
    text
}

fn setting(setting: &Setting) -> Vec<String> {
    let default = match &setting.default {
        None => "needed".to_owned(),
        Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    vec![setting.name.clone(), default, setting.help.clone()]
}

fn listing(listing: &ListingEntry<'_>) -> Vec<String> {
    let opt_in = if listing.opt_in { " (only where a source names it)" } else { "" };
    vec![
        listing.name.to_owned(),
        listing.kind.to_owned(),
        format!("{}{opt_in}", listing.help.unwrap_or_default()),
        listing.permission.unwrap_or_default().trim_end().to_owned(),
    ]
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect()
}

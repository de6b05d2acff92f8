//! `providers`: the known providers, and what each of them requires.

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
    let text = match &args.name {
        None => all(&catalogue),
        Some(name) => one(&catalogue.get(name).ok_or_else(|| {
            let hint = did_you_mean(name, catalogue.names());
            RunError::Diagnostics(Diagnostic::in_file("providers", format!("unknown provider `{name}`{hint}")).into())
        })?),
    };
    print::output(&text);
    Ok(0)
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
        if !value.is_empty() {
            let value = value.trim_end().replace('\n', "\n                 ");
            let _ = writeln!(text, "  {name:<14} {value}");
        }
    };
    fact("aliases", &entry.aliases.join(", "));
    fact("documentation", entry.docs);
    fact("expiry", entry.expiry);
    fact("permission", entry.permission.unwrap_or_default());
    let schemes: Vec<&str> = entry.schemes.iter().copied().filter(|scheme| !scheme.is_empty()).collect();
    if !schemes.is_empty() {
        fact("auth", &format!("{} (default: the first)", schemes.join(", ")));
    }
    if let Some(interval) = entry.interval {
        fact("interval", &format!("at least {} s by default", interval.as_secs()));
    }
    let mut section = |title, header: &[&str], rows: Vec<Vec<String>>| {
        let _ = writeln!(text, "\n{title}\n");
        for line in print::table(header, rows).lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    };
    section("Settings", &["NAME", "DEFAULT", "MEANING"], entry.settings.iter().map(setting).collect());
    let listings = entry.listings.iter().map(listing).collect();
    section("Listings", &["NAME", "KIND", "LISTS", "PERMISSION"], listings);
    text
}

fn setting(setting: &Setting) -> Vec<String> {
    let default = match &setting.default {
        None => "required".to_owned(),
        Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    vec![setting.name.clone(), default, setting.help.clone()]
}

fn listing(listing: &ListingEntry<'_>) -> Vec<String> {
    let opt_in = if listing.opt_in { " (opt-in)" } else { "" };
    vec![
        listing.name.to_owned(),
        listing.kind.to_owned(),
        format!("{}{opt_in}", listing.help.unwrap_or_default()),
        listing.permission.unwrap_or_default().trim_end().to_owned(),
    ]
}

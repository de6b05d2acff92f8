//! `providers`: the known providers, and what each of them requires.

use std::fmt::Write as _;

use super::args::ProvidersArgs;
use super::exit::{Exit, Failure, invalid};
use super::print;
use crate::app::setup::catalogue;
use crate::core::renewal::Renewal;
use crate::providers::Catalogue;
use crate::providers::provider_info::{GROUPS, ListingInfo, ProviderInfo, Setting, group_title};
use crate::schema::diagnostic::did_you_mean;

pub(super) fn run(args: &ProvidersArgs) -> Result<Exit, Failure> {
    let catalogue = catalogue(args.providers.as_deref())?;
    let text = match &args.name {
        None => all(&catalogue),
        Some(name) => one(catalogue.get(name).ok_or_else(|| {
            let hint = did_you_mean(name, catalogue.names());
            invalid("providers", format!("unknown provider `{name}`{hint}"))
        })?),
    };
    print::output(&text)?;
    Ok(Exit::Success)
}

fn all(catalogue: &Catalogue) -> String {
    let mut text = String::new();
    for group in GROUPS.into_iter().chain([""]) {
        let members = catalogue.providers().filter(|info| info.guide.group == group);
        let rows: Vec<_> = members
            .map(|info| {
                let listings: Vec<&str> = info.listings.iter().map(|listing| &*listing.name).collect();
                vec![info.name.clone(), info.title.clone(), listings.join(", ")]
            })
            .collect();
        if !rows.is_empty() {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{gap}{}\n\n", group_title(group));
            indent(&mut text, &print::table(&["NAME", "PROVIDER", "LISTINGS"], rows));
        }
    }
    text
}

fn indent(text: &mut String, block: &str) {
    for line in block.lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
}

fn one(info: &ProviderInfo) -> String {
    let mut text = format!("{}: {}\n\n", info.name, info.title);
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let value = value.trim_end().replace('\n', "\n                 ");
            let _ = writeln!(text, "  {name:<14} {value}");
        }
    };
    fact("aliases", &info.aliases.join(", "));
    fact("documentation", &info.docs);
    fact("expiry", &info.expiry);
    fact("permission", info.permission.as_deref().unwrap_or_default());
    let guide = &info.guide;
    fact("credential", guide.credential.as_deref().unwrap_or_default());
    fact("requests", guide.cost.as_deref().unwrap_or_default());
    fact("not listed", &info.not_listed().join("\n"));
    fact("tested against", guide.tested_against().unwrap_or_default());
    let schemes: Vec<&str> = info.schemes.iter().map(|scheme| &*scheme.name).filter(|name| !name.is_empty()).collect();
    if !schemes.is_empty() {
        fact("auth", &format!("{} (default: the first)", schemes.join(", ")));
    }
    let touched: Vec<&str> = info.identify.iter().map(|way| &*way.touches).collect();
    if !touched.is_empty() {
        fact("identify", &format!("changes {}", touched.join("; or ")));
    }
    if let Some(interval) = info.interval {
        fact("interval", &format!("at least {} s by default", interval.as_secs()));
    }
    let mut section = |title, header: &[&str], rows: Vec<Vec<String>>| {
        let _ = writeln!(text, "\n{title}\n");
        indent(&mut text, &print::table(header, rows));
    };
    section("Settings", &["NAME", "DEFAULT", "MEANING"], info.settings.iter().map(setting).collect());
    let listings = info.listings.iter().map(listing).collect();
    section("Listings", &["NAME", "KIND", "LISTS", "PERMISSION"], listings);
    section(
        "Renewal",
        &["KIND", "STEPS"],
        info.renewals.iter().flat_map(|(kind, steps)| renewal(kind, steps)).collect(),
    );
    if let Some(example) = info.example() {
        text.push_str("\nExample\n\n");
        indent(&mut text, &example);
    }
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

fn listing(listing: &ListingInfo) -> Vec<String> {
    let opt_in = if listing.opt_in { " (opt-in)" } else { "" };
    vec![
        listing.name.clone(),
        listing.kind.clone(),
        format!("{}{opt_in}", listing.help.as_deref().unwrap_or_default()),
        listing.permission.as_deref().unwrap_or_default().lines().collect::<Vec<_>>().join("; "),
    ]
}

/// A row for each step; the first has the kind.
fn renewal(kind: &str, renewal: &Renewal) -> Vec<Vec<String>> {
    let steps = renewal.steps.iter().chain(&renewal.docs);
    let kinds = std::iter::once(kind).chain(std::iter::repeat(""));
    kinds.zip(steps).map(|(kind, step)| vec![kind.to_owned(), step.clone()]).collect()
}

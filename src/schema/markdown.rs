//! A table as Markdown, for the documentation.

use chrono::TimeDelta;

use super::record::format_duration;
use super::table::{DefaultValue, Table, ValueType};

/// The table and those that it names: for each a heading of the third level and a row per key.
pub fn markdown(table: &'static Table) -> String {
    let mut sections = Vec::new();
    section(table, &mut sections);
    let sections: Vec<_> = sections.into_iter().map(|(_, section)| section).collect();
    sections.join("\n")
}

fn section(table: &'static Table, sections: &mut Vec<(&'static str, String)>) {
    if sections.iter().any(|(name, _)| *name == table.name) {
        return;
    }
    let number = sections.len();
    sections.push((table.name, String::new()));
    let shared: Vec<_> = table.includes.iter().map(|table| link(table)).collect();
    let shared =
        if shared.is_empty() { String::new() } else { format!("Also has the keys of {}.", shared.join(" and ")) };
    let help = [table.help, &shared].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let mut text = format!("### {}\n\n{help}{}", table.title, if help.is_empty() { "" } else { "\n\n" });
    text += "| key | value | default | meaning |\n|---|---|---|---|\n";
    rows(&mut text, "", table);
    sections[number].1 = text;
    table.includes.iter().for_each(|table| section(table, sections));
    for key in table.keys {
        within(&key.value, sections);
    }
}

/// The sections of the tables that a type names.
fn within(of: &'static ValueType, sections: &mut Vec<(&'static str, String)>) {
    match of {
        ValueType::Record(table) if !table.name.is_empty() => section(table, sections),
        ValueType::Record(table) => table.keys.iter().for_each(|key| within(&key.value, sections)),
        ValueType::WordOr(_, of)
        | ValueType::ScalarOr(_, of)
        | ValueType::List(_, of)
        | ValueType::OneOrList(_, of)
        | ValueType::Map(of) => within(of, sections),
        _ => {}
    }
}

/// A row for each key; those of a table without a name are below the key that has it.
fn rows(text: &mut String, prefix: &str, table: &'static Table) {
    for key in table.keys {
        let default = match key.default {
            DefaultValue::Required(_) => "required".to_owned(),
            DefaultValue::Value(value) => format!("`{value}`"),
            DefaultValue::Described(phrase) => phrase.to_owned(),
        };
        *text += &format!("| `{prefix}{}` | {} | {default} | {} |\n", key.name, words(&key.value), key.help);
        if let ValueType::Record(table @ Table { name: "", .. }) = key.value {
            rows(text, &format!("{prefix}{}.", key.name), table);
        }
    }
}

fn words(of: &ValueType) -> String {
    match of {
        ValueType::Any => "any YAML".into(),
        ValueType::Text | ValueType::Line => "string".into(),
        ValueType::Flag => "`true` or `false`".into(),
        ValueType::Count(0, u64::MAX) => "number".into(),
        ValueType::Count(min, u64::MAX) => format!("number, at least {min}"),
        ValueType::Count(min, max) => format!("number, {min} to {max}"),
        ValueType::Duration(_, TimeDelta::MAX) => "duration".into(),
        ValueType::Duration(min, max) => format!("duration, {} to {}", format_duration(*min), format_duration(*max)),
        ValueType::Limit(min, max) => {
            format!("duration, {} to {}; `never` or null: no limit", format_duration(*min), format_duration(*max))
        }
        ValueType::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        ValueType::Record(table) if table.name.is_empty() => "map".into(),
        ValueType::Record(table) => link(table),
        ValueType::WordOr(word, of) => format!("`{word}`, or {}", words(of)),
        ValueType::ScalarOr(domain, of) => format!("{}, or {}", domain.words, words(of)),
        ValueType::List(_, of) => format!("list: {}", words(of)),
        ValueType::OneOrList(_, of) => format!("{}, or a list", words(of)),
        ValueType::Map(of) => format!("map: name → {}", words(of)),
        ValueType::Domain(domain) => domain.words.into(),
    }
}

/// A link to a table's section. Markdown's anchor of a heading is in lower case, with hyphens for blanks.
fn link(table: &Table) -> String {
    let anchor = table.title.to_lowercase().replace(' ', "-");
    let anchor: String = anchor.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect();
    let (first, rest) = table.title.split_at(1);
    format!("[{}{rest}](#{anchor})", first.to_lowercase())
}

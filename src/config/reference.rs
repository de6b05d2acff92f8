//! The tables of keys for the documentation.

use super::duration::written;
use super::keys::{FILE, Key, ORIGIN, RULE, SOURCE, Shape, Standard};

/// The keys of the configuration file as Markdown: a heading of the third level and a table for each part.
pub fn reference() -> String {
    let parts = [
        ("The file", FILE),
        ("A source, an item of `sources`", SOURCE),
        ("Where a secret comes from, under `credential`", ORIGIN),
        ("A rule, an item of `rules`", RULE),
    ];
    let mut text = String::new();
    for (title, keys) in parts {
        text += &format!("### {title}\n\n| key | value | default | meaning |\n|---|---|---|---|\n");
        rows(&mut text, "", keys);
        text += "\n";
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// A row for each key, those of a map within below its own.
fn rows(text: &mut String, above: &str, keys: &[Key]) {
    for key in keys {
        let name = format!("{above}{}", key.name);
        *text += &format!("| `{name}` | {} | {} | {} |\n", value(&key.shape), standard(key.standard), key.help);
        rows(text, &format!("{name}."), key.inner().unwrap_or_default());
    }
}

/// What a key holds, in words.
fn value(shape: &Shape) -> String {
    match shape {
        Shape::Duration(least, most) => format!("duration, {} to {}", written(*least), written(*most)),
        Shape::Bound(least, most) => {
            format!("duration, {} to {}; `never` or null: no bound", written(*least), written(*most))
        }
        Shape::Count(least, most) => format!("number, {least} to {most}"),
        other => match other {
            Shape::Flag => "`true` or `false`",
            Shape::Variable => "a variable's name",
            Shape::Texts => "list of texts",
            Shape::Choice => "text, or list of texts",
            Shape::Pattern => "regular expression",
            Shape::Patterns => "map of label names to regular expressions",
            Shape::Labels => "map of label names to texts",
            Shape::Address => "mail address",
            Shape::Proxy => "URL",
            Shape::File => "path; a relative one stands under the folder of this file",
            Shape::Map(_) => "map",
            Shape::Credential => "`{file: PATH}` or `{env: NAME}`; with several secrets `{PART: {file: PATH}, …}`",
            Shape::Sources | Shape::Rules => "list of maps",
            _ => "text",
        }
        .to_owned(),
    }
}

/// What holds where a key is left out, in words.
fn standard(standard: Standard) -> String {
    match standard {
        Standard::Required(_) => "required".into(),
        Standard::Words(words) => words.to_owned(),
        Standard::Duration(duration) => format!("`{}`", written(duration)),
        Standard::Flag(flag) => format!("`{flag}`"),
        Standard::Count(count) => format!("`{count}`"),
    }
}

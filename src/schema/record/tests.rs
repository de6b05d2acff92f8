#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;
use crate::core::time::parse_duration;
use crate::schema::json_schema::json_schema;
use crate::schema::markdown::markdown;
use crate::schema::table::{DomainType, Key as TableKey};

static FILE: Table = Table {
    name: "file",
    title: "The file",
    help: "",
    includes: &[&SHARED],
    open: false,
    refused: &[("color", "is not a key")],
    keys: &[
        TableKey::required("name", ValueType::Line, "shop", "its name"),
        TableKey::or("every", ValueType::Duration(TimeDelta::zero(), TimeDelta::days(1)), "15m", "the interval"),
        TableKey::or("limit", ValueType::Limit(TimeDelta::seconds(1), TimeDelta::days(1)), "1h", "the limit"),
        TableKey::optional("size", ValueType::Record(&SIZE), "the size"),
        TableKey::optional("items", ValueType::List(1, &ValueType::Record(&ITEM)), "the items"),
        TableKey::optional("named", ValueType::Map(&ValueType::Record(&ITEM)), "items by name"),
        TableKey::optional("mode", ValueType::WordOr("auto", &ValueType::Record(&SIZE)), "the mode"),
    ],
};

static SHARED: Table = Table {
    name: "shared",
    title: "Shared keys",
    ..Table::new(&[TableKey::optional("even", ValueType::Domain(&EVEN), "an even number")])
};

static SIZE: Table = Table::new(&[TableKey::or("width", ValueType::Count(1, 9), "3", "the width")]);

static ITEM: Table = Table {
    name: "item",
    title: "An item",
    open: true,
    ..Table::new(&[
        TableKey::required("name", ValueType::Text, "", "its name"),
        TableKey::optional("kinds", ValueType::OneOrList(0, &ValueType::OneOf(&["a", "b"])), "its kinds"),
    ])
};

static EVEN: DomainType = DomainType {
    words: "even number",
    json_schema: || json!({"multipleOf": 2}),
    check: |reader, node, path| {
        if node.to_json().as_u64().is_none_or(|number| number % 2 > 0) {
            reader.wrong_type(node, path, "an even number");
        }
    },
};

fn text(content: &str) -> SourceText {
    SourceText::new("file.yaml", content)
}

#[test]
fn read_gives_values_and_defaults() {
    let text = text(
        "name: 12\nlimit: never\nitems:\n  - {name: one, kinds: a, more: 1}\n  - {name: two}\nnamed: {x: {name: y}}\nmode: auto\n",
    );
    let root = yaml::parse(&text).unwrap();
    let mut reader = Reader::new(text);
    let record = reader.read(&root, "", &FILE);
    assert_eq!(record.text("name").as_deref(), Some("12"), "a number is a text as it is written");
    assert_eq!((record.duration("every"), record.is_given("every")), (parse_duration("15m"), false));
    assert_eq!(record.limit("limit"), Some(None));
    assert_eq!((record.count("size.width"), record.is_given("size")), (Some(3), false));
    let paths: Vec<_> = record.records("items").iter().map(|item| item.path.as_str()).collect();
    assert_eq!(paths, ["items.one", "items.two"]);
    let first = &record.records("items")[0];
    assert_eq!(first.texts("kinds").unwrap()[0].0, "a");
    assert_eq!(first.rest[0].0.name, "more");
    assert_eq!(record.record("named").unwrap().key_name(), "x");
    reader.finish(|_| false).unwrap();
}

#[test]
fn read_reports_every_error_with_position_and_remedy() {
    let text = text(
        "nmae: x\nevery: 2d\nlimit: 5\neven: 3\nsize: {width: 10, hight: 1}\nitems: []\nnamed: {x: {kinds: [a, c]}}\nmode: off\n",
    );
    let root = yaml::parse(&text).unwrap();
    let mut reader = Reader::new(text);
    let record = reader.read(&root, "", &FILE);
    assert_eq!(record.duration("every"), parse_duration("15m"), "an invalid value has its default");
    assert_eq!((record.count("even"), record.is_given("even")), (None, true));
    assert_eq!(record.first_invalid(), Some("name"));
    insta::assert_snapshot!(reader.finish(|_| false).unwrap_err(), @"
    file.yaml:1:1: unknown key `nmae`; did you mean `name`?
    1 | nmae: x
      | ^^^^

    file.yaml:2:8: every: `2d` is too long; the maximum is 1d
    2 | every: 2d
      |        ^^

    file.yaml:3:8: limit: `5` has no unit; expected a duration such as `15m`, `12h` or `7d`
    3 | limit: 5
      |        ^

    file.yaml:4:7: even: expected an even number, found a number
    4 | even: 3
      |       ^

    file.yaml:5:15: size.width: 10 is not between 1 and 9
    5 | size: {width: 10, hight: 1}
      |               ^^

    file.yaml:5:19: unknown key `size.hight`; expected `width`
    5 | size: {width: 10, hight: 1}
      |                   ^^^^^

    file.yaml:6:8: items: the list is empty; add an element or omit `items`
    6 | items: []
      |        ^

    file.yaml:7:13: named.x: `name` is missing
    7 | named: {x: {kinds: [a, c]}}
      |             ^^^^^

    file.yaml:7:24: named.x.kinds[1]: unknown value `c`; expected `a` or `b`
    7 | named: {x: {kinds: [a, c]}}
      |                        ^

    file.yaml:8:7: mode: expected `auto` or a map, found a string
    8 | mode: off
      |       ^^^
    ");
}

#[test]
fn null_is_absent_unless_it_is_refused() {
    let text = text("name: x\nevery:\nsize: ~\n");
    let root = yaml::parse(&text).unwrap();
    let mut lenient = Reader::new(text.clone());
    lenient.read(&root, "", &FILE);
    lenient.finish(|_| false).unwrap();
    let mut strict = Reader::refusing_null(text);
    strict.read(&root, "", &FILE);
    insta::assert_snapshot!(strict.finish(|_| false).unwrap_err(), @"
    file.yaml:2:6: every: expected a duration such as `15m`, found nothing
    2 | every:
      |      ^

    file.yaml:3:7: size: expected a map, found nothing
    3 | size: ~
      |       ^
    ");
}

#[test]
fn secret_is_neither_read_nor_shown() {
    let text = text("name: DO-NOT-LEAK\nitems: [{name: x, kinds: DO-NOT-LEAK}]\nevery: x\n");
    let root = yaml::parse(&text).unwrap();
    let mut reader = Reader::new(text);
    reader.secret(root.get("name").unwrap().at, "name: a secret");
    let kinds = root.get("items").unwrap().elements()[0].get("kinds").unwrap();
    reader.secret(kinds.at, "kinds: a secret");
    let record = reader.read(&root, "", &FILE);
    assert_eq!(record.text("name"), None);
    assert_eq!(record.records("items")[0].texts("kinds"), None);
    insta::assert_snapshot!(reader.finish(|_| false).unwrap_err(), @"
    file.yaml:1:7: name: a secret

    file.yaml:2:26: kinds: a secret

    file.yaml:3:8: every: `x` is not a duration; expected a duration such as `15m`, `12h` or `7d`
    3 | every: x
      |        ^
    ");
}

#[test]
fn format_duration_can_be_parsed() {
    let cases =
        [(0, "0s"), (1, "1ms"), (10_000, "10s"), (900_000, "15m"), (5_400_000, "1h30m"), (31_622_400_000, "366d")];
    for (milliseconds, expected) in cases {
        let duration = TimeDelta::milliseconds(milliseconds);
        assert_eq!(format_duration(duration), expected);
        assert_eq!(parse_duration(expected), Some(duration));
    }
}

#[test]
fn markdown_has_a_section_per_named_table() {
    insta::assert_snapshot!(markdown(&FILE), @"
    ### The file

    Also has the keys of [shared keys](#shared-keys).

    | key | value | default | meaning |
    |---|---|---|---|
    | `name` | string | required | its name |
    | `every` | duration, 0s to 1d | `15m` | the interval |
    | `limit` | duration, 1s to 1d; `never` or null: no limit | `1h` | the limit |
    | `size` | map |  | the size |
    | `size.width` | number, 1 to 9 | `3` | the width |
    | `items` | list: [an item](#an-item) |  | the items |
    | `named` | map: name → [an item](#an-item) |  | items by name |
    | `mode` | `auto`, or map |  | the mode |

    ### Shared keys

    | key | value | default | meaning |
    |---|---|---|---|
    | `even` | even number |  | an even number |

    ### An item

    | key | value | default | meaning |
    |---|---|---|---|
    | `name` | string | required | its name |
    | `kinds` | `a`, `b`, or a list |  | its kinds |
    ");
}

#[test]
fn json_schema_accepts_what_the_reader_accepts() {
    let schema = jsonschema::validator_for(&json_schema(&FILE, "A file")).unwrap();
    for content in [
        "name: x",
        "{name: x, every: 0, limit: null, even: 2, size: {width: 1}, mode: auto}",
        "{name: x, every: 1h30m, limit: never, items: [{name: y, kinds: [a, b], more: 1}], mode: {width: 2}}",
        "{name: x, named: {a: {name: y, kinds: b}}}",
        "{}",
        "{name: x, every: 5}",
        "{name: x, limit: sometimes}",
        "{name: x, even: 3}",
        "{name: x, size: {width: 10}}",
        "{name: x, size: {height: 1}}",
        "{name: x, items: []}",
        "{name: x, items: [{kinds: a}]}",
        "{name: x, named: {a: {name: y, kinds: c}}}",
        "{name: x, mode: off}",
        "{name: x, more: 1}",
    ] {
        let text = text(content);
        let root = yaml::parse(&text).unwrap();
        let mut reader = Reader::new(text);
        reader.read(&root, "", &FILE);
        assert_eq!(schema.is_valid(&root.to_json()), reader.finish(|_| false).is_ok(), "{content}");
    }
}

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use serde_json::{Value, json};

fn scope() -> ([String; 2], [String; 1], [String; 2]) {
    (["admin", "days"].map(String::from), ["users"].map(String::from), ["group", "user"].map(String::from))
}

fn compiled(code: &str) -> Result<Expression, Vec<Slip>> {
    let (settings, maps, names) = scope();
    Expression::compile("test", code, &Scope { settings: &settings, maps: &maps, names: &names })
}

fn value(json: Value) -> Val {
    serde_json::from_value(json).unwrap()
}

fn variables() -> Variables {
    Variables {
        settings: value(json!({"admin": true, "days": 90})),
        maps: value(json!({"users": {"7": {"name": "ada"}}})),
        headers: value(json!({"link": "x"})),
        status: value(json!(200)),
        names: vec![value(json!({"id": 12})), value(json!("u"))],
        ..Variables::default()
    }
}

fn run(code: &str, input: Value) -> Result<Vec<String>, Unreadable> {
    let expression = compiled(code).unwrap_or_else(|slips| panic!("{code}: {slips:?}"));
    Ok(expression.run(&variables(), value(input))?.iter().map(ToString::to_string).collect())
}

#[test]
fn first_light() {
    assert_eq!(run(".a", json!({"a": 1})), Ok(vec!["1".into()]));
}

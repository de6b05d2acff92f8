#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn text(content: &str) -> SourceText {
    SourceText::new("config.yaml", content)
}

/// The most common messages, with their positions.
#[test]
fn parse_reports_the_first_syntax_error() {
    let cases = [
        ("a: [1, 2\n", "1:4: this `[` is never closed"),
        ("a: {b: 1", "1:4: this `{` is never closed"),
        ("a: {b: 1\nc: 2\n", "2:2: a `,` or `}` is missing before this: a `{` is still open"),
        ("a: [1, 2\nb: 3\n", "2:2: unexpected `:`: a `[` is still open"),
        ("a: ]\n", "1:4: this bracket closes nothing"),
        ("ä: 'x\nb: 1\n", "1:4: this quote is never closed"),
        ("a: 'x' y\n", "1:8: nothing can follow a closing quote; double a quote within a quoted string"),
        ("a: \"\\q\"\n", "1:4: unknown escape; in single quotes a `\\` is an ordinary character"),
        ("a:\n  - b: c\n\td: e\n", "3:1: a tab cannot indent or separate; use spaces, or quote the string"),
        ("a:\n\tb: 1\n", "2:1: a tab cannot indent or separate; use spaces, or quote the string"),
        ("a: b: c\n", "1:5: unexpected `:`; begin all keys of a map in one column, quote a string with `: `"),
        ("a:\n  b: 1\n c: 2\n", "3:2: a key is missing; begin all keys of a map in one column"),
        ("- a\nb: 1\n", "2:1: a `- ` is missing; begin all elements of a list in one column"),
        ("a: - b\n", "1:4: put the elements of a list on lines of their own, below its key"),
        ("a: 1\nb\n", "2:1: this line is neither `key: value` nor `- element`"),
        ("a: *x\n", "1:4: unknown anchor: nothing above has this name with `&`; quote a string that begins with `*`"),
        ("a: &x\n  b: *x\n", "2:6: this `*` contains itself"),
        ("a: @x\n", "1:4: quote a string that begins with `@`"),
        ("a: \u{1}\n", "1:4: control characters are not allowed"),
        ("a: 1\nb: 2\na: 3\n", "3:1: duplicate key `a`"),
        ("a: 1\n---\nb: 2\n", "3:1: a second document begins here; a file has one, without `---` in it"),
        ("? [a]\n: b\n", "1:3: a key must be a string, not a list or a map"),
        ("~: 1\n", "1:1: a key is missing; quote a key that is called `null` or `~`"),
        ("<<: 3\n", "1:5: `<<` takes a map, such as `<<: *defaults`"),
        ("a: .nan\n", "1:4: `.nan` is not a finite number"),
        ("a: !!int x\n", "1:10: the value does not have the type of its `!!`; remove the `!!`"),
    ];
    for (content, expected) in cases {
        let broken = parse(&text(content)).expect_err(content).to_string();
        let first = broken.lines().next().unwrap_or_default();
        assert_eq!(first, format!("config.yaml:{expected}"), "{content:?}");
    }
}

#[test]
fn parse_refuses_exponential_aliases() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let repeated = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{repeated}]\n");
    }
    let broken = parse(&text(&bomb)).expect_err("refused");
    assert_eq!(broken.message(), "too large, too deep, or repeated too often by `*`");
}

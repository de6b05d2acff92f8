#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn text(content: &str) -> SourceText {
    SourceText::new("config.yaml", content)
}

/// The messages that people meet most, one text each; the place is where the caret stands.
#[test]
fn what_is_no_yaml_is_one_mistake_in_plain_words() {
    let cases = [
        ("a: [1, 2\n", "1:4: this `[` is never closed"),
        ("a: {b: 1", "1:4: this `{` is never closed"),
        ("a: {b: 1\nc: 2\n", "2:2: a `,` or `}` is missing before this: a `{` is still open"),
        ("a: [1, 2\nb: 3\n", "2:2: a `:` cannot stand here: a `[` is still open"),
        ("a: ]\n", "1:4: this bracket closes nothing"),
        ("ä: 'x\nb: 1\n", "1:4: this quote is never closed"),
        ("a: 'x' y\n", "1:8: nothing can follow a closing quote; a quote within the text is doubled"),
        ("a: \"\\q\"\n", "1:4: an unknown `\\` in this text; in single quotes a `\\` is a character like any other"),
        (
            "a:\n  - b: c\n\td: e\n",
            "3:1: a tab cannot indent a line or part its words: use blanks, or put the text in quotes",
        ),
        ("a:\n\tb: 1\n", "2:1: a tab cannot indent a line or part its words: use blanks, or put the text in quotes"),
        (
            "a: b: c\n",
            "1:5: a `:` cannot stand here: the keys of a map begin in one column, and a text with `: ` in it stands in \
             quotes",
        ),
        ("a:\n  b: 1\n c: 2\n", "3:2: a key is missing here: all keys of a map begin in one column"),
        ("- a\nb: 1\n", "2:1: a `- ` is missing here: all items of a list begin in one column"),
        ("a: - b\n", "1:4: the items of a list begin on lines of their own, below its key"),
        ("a: 1\nb\n", "2:1: this line is neither `key: value` nor `- item`"),
        ("a: *x\n", "1:4: nothing above this is named so with `&`; a text that begins with `*` stands in quotes"),
        ("a: &x\n  b: *x\n", "2:6: this `*` contains itself"),
        ("a: @x\n", "1:4: a text that begins with `@` stands in quotes"),
        ("a: \u{1}\n", "1:4: a control character, which no text may hold"),
        ("a: 1\nb: 2\na: 3\n", "3:1: the key `a` stands twice"),
        ("a: 1\n---\nb: 2\n", "3:1: a second document begins here; a file holds one, without `---` in it"),
        ("? [a]\n: b\n", "1:3: a key is a text, never a list or a map"),
        ("~: 1\n", "1:1: a key is missing; one that is called `null` or `~` stands in quotes"),
        ("<<: 3\n", "1:5: `<<` takes a map, such as `<<: *defaults`"),
        ("a: .nan\n", "1:4: `.nan` is not a number that can be used"),
        ("a: !!int x\n", "1:10: the value is not of the type that its `!!` says; leave the `!!` out"),
    ];
    for (content, expected) in cases {
        let broken = parse(&text(content)).expect_err(content).to_string();
        let first = broken.lines().next().unwrap_or_default();
        assert_eq!(first, format!("config.yaml:{expected}"), "{content:?}");
    }
}

#[test]
fn a_file_that_multiplies_by_aliases_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let repeated = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{repeated}]\n");
    }
    let broken = parse(&text(&bomb)).expect_err("refused");
    assert_eq!(broken.message(), "too large, too deep, or too often repeated by `*`");
}

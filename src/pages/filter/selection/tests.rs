#![allow(clippy::unwrap_used)]

use super::*;
use crate::pages::filter::{Sort, Window, parse, query_string};

fn error(query: &str) -> String {
    let (mut filter, mut sort, mut window) = (Filter::default(), Sort::default(), Window::new(10, 100));
    parse(query, &mut [&mut filter, &mut sort, &mut window]).unwrap_err()
}

#[test]
fn parse_rejects_unknown_parameters_and_values() {
    for (query, expected) in [
        ("bnad=critical", "unknown parameter `bnad`; did you mean `band`?"),
        ("limt=1", "unknown parameter `limt`; did you mean `limit`?"),
        ("x=1", "unknown parameter `x`"),
        ("band=red", "band: unknown value `red`; expected one of `warning`, `critical`, `expired`"),
        ("band=critcal", "band: unknown value `critcal`; did you mean `critical`?"),
        ("state=Active", "state: unknown value `Active`; did you mean `active`?"),
        ("finding=no_owners", "finding: unknown value `no_owners`; did you mean `no_owner`?"),
        ("within=week", "within: `week` is not a duration; expected one such as 7d, 12h or 1d12h"),
        ("sort=-expires", "sort: unknown value `expires`; did you mean `expiry`?"),
        ("offset=-1", "offset: `-1` is not a whole number"),
        ("limit=101", "limit: at most 100; use `offset` for the rest"),
    ] {
        assert_eq!(error(query), expected, "{query}");
    }
}

#[test]
fn written_query_selects_the_same_and_equal_selections_are_written_equally() {
    for (query, written) in [
        ("", ""),
        ("source=&owner=&q=+&within=&sort=&limit=", ""),
        ("source=b&source=a&source=b", "source=a&source=b"),
        ("owner=J%C3%84NE&team=Platform", "owner=j%C3%A4ne&team=platform"),
        ("within=168h", "within=7d"),
        ("within=1h30m&within=90s", "within=90m"),
        ("within=0", "within=0d"),
        ("within=1ms", "within=1ms"),
        ("q=a%26b+%3D&band=expired&band=warning", "band=warning&band=expired&q=a%26b+%3D"),
        ("sort=-last_used&limit=3&offset=6&state=disabled", "state=disabled&sort=-last_used&offset=6&limit=3"),
        ("sort=expiry&limit=10&offset=0", ""),
    ] {
        let parsed = |query: &str| {
            let (mut filter, mut sort, mut window) = (Filter::default(), Sort::default(), Window::new(10, 100));
            parse(query, &mut [&mut filter, &mut sort, &mut window]).unwrap();
            (filter, sort, window)
        };
        let (filter, sort, window) = parsed(query);
        let text = query_string(&[&filter, &sort, &window]);
        assert_eq!(text, written, "{query}");
        assert_eq!(parsed(&text), (filter, sort, window), "{query}");
    }
}

#[test]
fn search_finds_all_words_in_any_case() {
    for (text, word, found) in [
        ("Deploy-CI", "ploy-c", true),
        ("Deploy", "deployx", false),
        ("", "a", false),
        ("JÄNE", "jän", true),
        ("STRASSE", "straße", false),
        ("ΑΣ", "ας", true),
    ] {
        assert_eq!(contains(text, word), found, "{text} {word}");
    }
    let search = Search::parse("  Deploy CI ").unwrap();
    assert!(search.matches(|word| ["deploy", "ci"].contains(&word)));
    assert!(!search.matches(|word| word == "ci"), "every word counts");
}

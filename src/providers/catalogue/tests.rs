#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

#[test]
fn the_built_in_definitions_are_without_mistakes() {
    if let Err(mistakes) = Catalogue::builtin() {
        panic!("{mistakes}");
    }
}

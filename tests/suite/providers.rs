//! Every scenario of every provider, played through the real HTTP client against a server on this machine.
//!
//! A scenario (`tests/providers/NAME/*.yaml`) says what is configured, what is asked and answered, and what must come of it.
//! `SCENARIO=gitlab/own cargo test --test providers` plays those whose name holds that text.

mod player;

use std::sync::OnceLock;

use player::Played;

fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(player::play_all)
}

#[test]
fn every_scenario_comes_out_as_it_is_told() {
    let played = played();
    assert!(played.count > 0, "no scenario was found");
    let told: String =
        played.failed.iter().map(|(name, faults)| format!("\n{name}\n  {}\n", faults.join("\n  "))).collect();
    assert!(played.failed.is_empty(), "{} of {} scenarios:\n{told}", played.failed.len(), played.count);
}

#[test]
fn every_part_of_a_definition_is_reached_by_a_scenario() {
    let missing = &played().unreached;
    assert!(missing.is_empty(), "what no scenario reaches is not tested:\n  {}", missing.join("\n  "));
}

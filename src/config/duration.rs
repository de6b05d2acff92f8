//! Durations as the file writes them.

use chrono::TimeDelta;

use super::config_reader::ConfigReader;
use crate::core::time::parse_duration;
use crate::schema::yaml::{Kind, Node};

/// The way out.
const HOW: &str = "a duration is written such as `15m`, `12h` or `7d`";

/// Reads a duration within limits.
pub(super) fn read(
    reading: &mut ConfigReader,
    node: &Node,
    what: &str,
    least: TimeDelta,
    most: TimeDelta,
) -> Option<TimeDelta> {
    let text = match &node.kind {
        Kind::Text(text) => text.trim(),
        Kind::Number(number) if number.as_u64() == Some(0) => "0",
        Kind::Number(number) => {
            reading.error(node.at, format!("{what}: `{number}` has no unit; {HOW}"));
            return None;
        }
        _ => {
            reading.wrong_type(node, what, "a duration such as `15m`");
            return None;
        }
    };
    match parse_duration(text) {
        None => reading.error(node.at, format!("{what}: `{text}` is not a duration; {HOW}")),
        Some(found) if found < least => {
            reading.error(node.at, format!("{what}: `{text}` is too short; the least is {}", written(least)));
        }
        Some(found) if found > most => {
            reading.error(node.at, format!("{what}: `{text}` is too long; the most is {}", written(most)));
        }
        Some(found) => return Some(found),
    }
    None
}

/// A duration as a person would write it.
pub(super) fn written(duration: TimeDelta) -> String {
    let mut rest = duration.num_seconds();
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text += &format!("{}{unit}", rest / seconds);
            rest %= seconds;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_so_that_it_can_be_read_again() {
        let cases = [(0, "0s"), (10, "10s"), (900, "15m"), (5400, "1h30m"), (86_400, "1d"), (31_622_400, "366d")];
        for (seconds, expected) in cases {
            let duration = TimeDelta::seconds(seconds);
            assert_eq!(written(duration), expected);
            assert_eq!(parse_duration(expected), Some(duration));
        }
    }
}

//! Numbers in responses: JSON numbers, and numbers in strings.

use serde_json::Value;

/// One, in billionths.
pub(super) const ONE: i128 = 1_000_000_000;

/// Larger numbers are clamped, so that nothing overflows. They are not a time or duration in any unit.
const LIMIT: i128 = 100_000_000_000_000_000_000;

/// The number in billionths, so that integers stay exact. `None` if the value is not a number.
pub(super) fn billionths(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole.map(scale).or_else(|| number.as_f64().and_then(fraction))
        }
        Value::String(text) => {
            let text = text.trim();
            let numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
            if !text.chars().all(numeric) {
                return None;
            }
            text.parse().ok().map(scale).or_else(|| text.parse().ok().and_then(fraction))
        }
        _ => None,
    }
}

fn scale(whole: i128) -> i128 {
    whole.clamp(-LIMIT, LIMIT) * ONE
}

fn fraction(number: f64) -> Option<i128> {
    if number.is_nan() {
        return None;
    }
    // Casts saturate, and `scale` clamps: infinity becomes the limit.
    #[allow(clippy::cast_possible_truncation)]
    let (whole, rest) = (number.trunc() as i128, (number.fract() * 1e9).round() as i128);
    Some(scale(whole) + rest)
}

//! Names of labels that a configuration or a definition adds to a token.

use super::families::token;

/// Whether a label can be added to the exporter's own. Names that are not allowed are reported when the configuration is
/// loaded; here they are omitted, so that the exposition is valid with any name.
pub(super) fn is_allowed(name: &str) -> bool {
    let is_own = || [token::DUE, token::FINDING, token::INFO].iter().any(|family| family.labels.contains(&name));
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
        && !is_own()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_label_is_valid_and_not_one_of_the_exporter() {
        for (name, allowed) in [
            ("team", true),
            ("_x9", true),
            ("", false),
            ("9x", false),
            ("a-b", false),
            ("ü", false),
            ("__x", false),
            ("band", false),
            ("state", false),
            ("finding", false),
            ("token_id", false),
        ] {
            assert_eq!(is_allowed(name), allowed, "{name}");
        }
    }
}

//! Names of labels that a configuration or a definition may add to a token.

/// Names that the program itself writes on a token's series, and that a configured label can therefore not have.
const TAKEN: [&str; 12] = [
    "source",
    "provider",
    "token_id",
    "token_kind",
    "token_name",
    "token_owner",
    "token_owner_email",
    "token_manage_url",
    "band",
    "expiry",
    "state",
    "finding",
];

/// Whether a configured label can stand beside the program's own. The configuration refuses the others with their place;
/// here they are left out, so that the page stays readable whatever comes.
pub(crate) fn is_free(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
        && !TAKEN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_ones_own_is_a_name_and_not_taken() {
        for (name, free) in [
            ("team", true),
            ("_x9", true),
            ("", false),
            ("9x", false),
            ("a-b", false),
            ("ü", false),
            ("__x", false),
            ("band", false),
        ] {
            assert_eq!(is_free(name), free, "{name}");
        }
    }
}

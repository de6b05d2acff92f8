//! Invalid values are rejected with the message in their file, which must not contain the secret.

use super::{template, value_sets};

/// The secret in the value sets.
const SECRET: &str = "hunter2";

#[test]
fn chart_rejects_invalid_values_with_a_remedy() {
    let sets = value_sets("bad");
    assert!(sets.len() >= 20, "{} invalid sets", sets.len());
    let mut failures = Vec::new();
    for (name, path) in sets {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# error: ")).collect();
        assert!(!expected.is_empty(), "{name}: no line `# error: …`");
        match template(&path, &[]) {
            Ok(_) => failures.push(format!("{name}: accepted")),
            Err(message) => {
                let missing = expected.iter().filter(|part| !message.contains(**part));
                failures.extend(missing.map(|part| format!("{name}: expected `{part}`:\n{message}")));
                if message.contains(SECRET) {
                    failures.push(format!("{name}: the message contains the secret:\n{message}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

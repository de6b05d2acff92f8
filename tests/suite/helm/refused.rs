//! Values that are wrong are refused, each with the message that its file names, and no secret in it.

use super::{sets, template};

/// What every bad set has where a person would have put the secret.
const SECRET: &str = "hunter2";

#[test]
fn what_is_wrong_is_refused_with_the_way_out() {
    let sets = sets("bad");
    assert!(sets.len() >= 20, "{} bad sets", sets.len());
    let mut wrong = Vec::new();
    for (name, path) in sets {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# refused: ")).collect();
        assert!(!expected.is_empty(), "{name} does not say what it is refused with");
        match template(&path, &[]) {
            Ok(_) => wrong.push(format!("{name} is accepted")),
            Err(said) => {
                let missing = expected.iter().filter(|part| !said.contains(**part));
                wrong.extend(missing.map(|part| format!("{name} should say `{part}`:\n{said}")));
                if said.contains(SECRET) {
                    wrong.push(format!("{name} repeats the secret:\n{said}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::TARGETS;
use super::mutate::{Chance, mutated};

/// For so long each target is given new inputs, and for so many of them.
const LONGEST: Duration = Duration::from_millis(1_200);
const MOST: usize = 20_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        std::fs::read_dir(fuzz().join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn whatever_strangers_write_is_read_or_refused() {
    for target in TARGETS {
        let corpus = corpus(target.name);
        assert!(corpus.len() >= 3, "{} has a corpus", target.name);
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        let begun = Instant::now();
        let made = (0..MOST).map_while(|number| {
            let (input, other) = (&corpus[number % corpus.len()], &corpus[(number / 7) % corpus.len()]);
            (begun.elapsed() < LONGEST).then(|| mutated(input, other, &mut chance))
        });
        for input in corpus.iter().cloned().chain(made) {
            let result = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(result.is_ok(), "{}: keep this input in fuzz/corpus: b\"{}\"", target.name, input.escape_ascii());
        }
    }
}

#[test]
fn every_target_has_its_program() {
    for target in TARGETS {
        let name = target.name;
        let program = std::fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("run(\"{name}\", input)")), "{name}");
    }
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

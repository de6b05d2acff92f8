//! The fuzz targets, on their stored corpora and on mutations of them.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

mod mutate;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::{Rng, mutate};
use targets::TARGETS;

/// Limits of the mutations of one target.
const MAX_TIME: Duration = Duration::from_millis(1_200);
const MAX_INPUTS: usize = 20_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory().join("corpus").join(name)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn fuzz_targets_accept_or_reject_every_input() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 3, "{name}: too few inputs in the corpus");
        let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
        let started = Instant::now();
        let mutations = (0..MAX_INPUTS).map_while(|number| {
            let (input, other) = (&corpus[number % corpus.len()], &corpus[(number / 7) % corpus.len()]);
            (started.elapsed() < MAX_TIME).then(|| mutate(input, other, &mut rng))
        });
        for input in corpus.iter().cloned().chain(mutations) {
            let result = std::panic::catch_unwind(|| target(&input));
            assert!(result.is_ok(), "{name}: add this input to fuzz/corpus: b\"{}\"", input.escape_ascii());
        }
    }
}

#[test]
fn every_fuzz_target_has_a_binary() {
    for (name, _) in TARGETS {
        let program = std::fs::read_to_string(directory().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("token_expiry_exporter_fuzz::{name}")), "{name}");
    }
    let manifest = std::fs::read_to_string(directory().join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

//! Every seed of the fuzzer holds its target's laws, and every target has its program and its seeds.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs::{read, read_dir};
use std::path::{Path, PathBuf};

use alscope_fuzz_targets::TARGETS;

fn listed(path: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz")
        .join(path);
    let entries = read_dir(directory).expect("the directory exists");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn names(path: &str) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    listed(path).into_iter().map(name).collect()
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("src/bin"), targets);
    assert_eq!(names("seeds"), targets);
}

#[test]
fn every_seed_holds_the_laws() {
    for (name, target) in TARGETS {
        let seeds = listed(&format!("seeds/{name}"));
        assert!(seeds.len() > 1, "{name} has {} seeds", seeds.len());
        for seed in seeds {
            // The name of the seed that fails, among the output of this test.
            println!("{}", seed.display());
            target(&read(&seed).expect("the seed"));
        }
    }
}

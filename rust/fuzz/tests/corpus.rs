//! Every input of the corpus, run in a plain build: what fuzzing once found stays found, without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use aether_fuzz::TARGETS;

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a corpus for each target")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    paths
}

fn run(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let inputs = inputs(name);
    assert!(inputs.len() > 30, "a corpus of its size is not lost unseen");
    for path in inputs {
        let data = fs::read(&path).expect("a readable file");
        // The name of the input that fails stands before the panic.
        eprintln!("{}", path.display());
        target(&data);
    }
}

#[test]
fn channel() {
    run("channel");
}

#[test]
fn heap() {
    run("heap");
}

#[test]
fn medium() {
    run("medium");
}

#[test]
fn outlines() {
    run("outlines");
}

#[test]
fn records() {
    run("records");
}

#[test]
fn routes() {
    run("routes");
}

#[test]
fn segment() {
    run("segment");
}

#[test]
fn the_empty_input_is_a_sound_one() {
    for (_, target) in TARGETS {
        target(&[]);
    }
}

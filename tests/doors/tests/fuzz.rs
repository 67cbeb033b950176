//! The doors without a fuzzer: every committed input, and seeded mutations of honest bytes. A failure names its door,
//! and the case to run again: `NEONPRO_FUZZ_CASE=12345 cargo test -p neonpro-doors`.
//! `NEONPRO_FUZZ_EXECUTIONS` says how many per door; `NEONPRO_WRITE_CORPUS=1` writes the seeds to `fuzz/corpus` again.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

use neonpro_doors::{DOORS, Door, door, mutated};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Executions of a cheap door. The trial of a change builds documents: it gets a tenth.
const EXECUTIONS: u64 = 20_000;
/// Bytes of the committed corpus: it is copied with every clone.
const CORPUS_BYTES_MAX: u64 = 300 * 1024;
/// Inputs that once broke something begin so; the others are the doors' own seeds.
const FOUND: &str = "found-";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn corpus(door: &Door) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(door.name)
}

/// Every committed input of a door, by file name.
fn inputs(door: &Door) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(corpus(door)).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

fn survives(door: &Door, input: &[u8]) -> bool {
    catch_unwind(|| (door.run)(input)).is_ok()
}

fn fuzz(door: &Door, executions: u64) {
    for (name, input) in inputs(door) {
        assert!(survives(door, &input), "fuzz/corpus/{}/{name}", door.name);
    }
    let seeds: Vec<Vec<u8>> = (door.seeds)().into_iter().map(|(_, seed)| seed).collect();
    let given = number("NEONPRO_FUZZ_CASE");
    let first = given.unwrap_or_else(|| u64::from(std::process::id()) << 32);
    let count = if given.is_some() { 1 } else { number("NEONPRO_FUZZ_EXECUTIONS").unwrap_or(executions) };
    eprintln!("{}: {count} cases from {first}", door.name);
    for case in first..first + count {
        let input = mutated(door, &seeds, case);
        assert!(survives(door, &input), "{}: NEONPRO_FUZZ_CASE={case}", door.name);
    }
}

#[test]
fn no_mutated_envelope_breaks_the_reader() {
    fuzz(&door("envelope"), EXECUTIONS);
}

#[test]
fn no_mutated_frame_breaks_the_reader() {
    fuzz(&door("frames"), EXECUTIONS);
}

#[test]
fn no_mutated_change_harms_a_document_or_the_next_change() {
    fuzz(&door("admission"), EXECUTIONS / 10);
}

#[test]
fn no_mutated_identifier_breaks_its_reader() {
    fuzz(&door("identifiers"), EXECUTIONS);
}

#[test]
fn a_case_is_the_same_input_every_time() {
    for door in DOORS {
        let seeds: Vec<Vec<u8>> = (door.seeds)().into_iter().map(|(_, seed)| seed).collect();
        assert_eq!(mutated(&door, &seeds, 7), mutated(&door, &seeds, 7));
        assert!((0..64).any(|case| !seeds.contains(&mutated(&door, &seeds, case))), "{} mutates", door.name);
    }
}

#[test]
fn the_committed_seeds_are_what_the_doors_make() {
    let mut bytes = 0;
    for door in DOORS {
        let seeds = (door.seeds)();
        if std::env::var_os("NEONPRO_WRITE_CORPUS").is_some() {
            std::fs::create_dir_all(corpus(&door)).unwrap();
            for (name, _) in inputs(&door).iter().filter(|(name, _)| !name.starts_with(FOUND)) {
                std::fs::remove_file(corpus(&door).join(name)).unwrap();
            }
            for (name, seed) in &seeds {
                std::fs::write(corpus(&door).join(name), seed).unwrap();
            }
        }
        let mut committed = inputs(&door);
        bytes += committed.iter().map(|(_, input)| input.len() as u64).sum::<u64>();
        committed.retain(|(name, _)| !name.starts_with(FOUND));
        committed.sort();
        let mut made: Vec<(String, Vec<u8>)> =
            seeds.into_iter().map(|(name, seed)| (name.to_owned(), seed)).collect();
        made.sort();
        assert!(committed == made, "{}: write the corpus again, see the top of this file", door.name);
    }
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes");
}

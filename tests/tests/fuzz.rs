//! Seeded mutations of honest bytes at every door. A failure names its door, and the case to run again:
//! `NEONPRO_FUZZ_CASE=12345 cargo test -p neonpro-tests --test fuzz`. `NEONPRO_FUZZ_EXECUTIONS` says how many per door.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

use neonpro_tests::fuzz::{TARGETS, Target, mutated};
use std::panic::catch_unwind;

/// Executions of a cheap door. The trial of a change builds documents: it gets a tenth.
const EXECUTIONS: u64 = 20_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn fuzz(target: &Target, executions: u64) {
    let seeds = (target.seeds)();
    for seed in &seeds {
        (target.run)(seed);
    }
    let given = number("NEONPRO_FUZZ_CASE");
    let first = given.unwrap_or_else(|| u64::from(std::process::id()) << 32);
    let count = if given.is_some() { 1 } else { number("NEONPRO_FUZZ_EXECUTIONS").unwrap_or(executions) };
    eprintln!("{}: {count} cases from {first}", target.name);
    for case in first..first + count {
        let input = mutated(&seeds, case);
        let survived = catch_unwind(|| (target.run)(&input));
        assert!(survived.is_ok(), "{}: NEONPRO_FUZZ_CASE={case}", target.name);
    }
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

#[test]
fn no_mutated_envelope_breaks_the_reader() {
    fuzz(&target("envelope"), EXECUTIONS);
}

#[test]
fn no_mutated_frame_breaks_the_reader() {
    fuzz(&target("frames"), EXECUTIONS);
}

#[test]
fn no_mutated_change_harms_a_document_or_the_next_change() {
    fuzz(&target("admission"), EXECUTIONS / 10);
}

#[test]
fn no_mutated_identifier_breaks_its_reader() {
    fuzz(&target("identifiers"), EXECUTIONS);
}

#[test]
fn a_case_is_the_same_input_every_time() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert_eq!(mutated(&seeds, 7), mutated(&seeds, 7));
        assert!((0..64).any(|case| !seeds.contains(&mutated(&seeds, case))), "{} mutates", target.name);
    }
}

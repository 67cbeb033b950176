//! Simulated worlds: chaos first, then rest, and everything that must always hold.

use neonpro_tests::sim::{Settings, Sum, run};

fn settings(seed: u64, hours: f64) -> Settings {
    Settings { seed, hours, echo: false, place: None }
}

fn holds(seed: u64, hours: f64, sum: &mut Sum) {
    let outcome = run(&settings(seed, hours));
    eprintln!("{}", outcome.summary());
    if let Some(violation) = &outcome.violation {
        panic!("{}\nseed {seed}, {hours} h: {violation}", outcome.tail);
    }
    sum.add(&outcome);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let (first, second) = (run(&settings(11, 0.5)), run(&settings(11, 0.5)));
    assert_eq!((first.lines, first.hash), (second.lines, second.hash));
}

#[test]
fn seeds_that_once_failed_hold() {
    let mut sum = Sum::default();
    for line in include_str!("../sim-seeds.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(seed), Some(hours)) = (words.next(), words.next()) else { continue };
        holds(seed.parse().unwrap(), hours.parse().unwrap(), &mut sum);
    }
}

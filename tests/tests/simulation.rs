//! Simulated worlds, a few of them, short: enough to find what breaks often. `./dev sim` lives through as many as one wants.

use neonpro_tests::cluster;
use neonpro_tests::sim::{self, Settings, Traces};
use std::io::Write as _;
use std::ops::ControlFlow;

/// Worlds that everybody lives through.
const SEEDS: [u64; 4] = [1, 2, 3, 5];
/// Worlds that are lived through twice: a quiet one, and three whose runs once parted.
const SEEDS_TWICE: [u64; 4] = [4, 1, 8, 11];
/// Hours of each.
const HOURS: f64 = 0.5;

/// Lives through worlds; says how each went, at once, and what its seed is.
fn live(worlds: Vec<Settings>) {
    let mut wrong = Vec::new();
    let mut traces = Traces::default();
    sim::run_all(worlds, 2, |outcome, took| {
        // Written past the test's capture: one wants to see it while it goes on.
        let _ = writeln!(std::io::stderr(), "  {} ({:.0} s)", outcome.summary(), took.as_secs_f64());
        let hours = outcome.hours;
        if let Some(what) = outcome.violation.clone().or(traces.part(outcome)) {
            let again = format!("./dev sim --seed {} --hours {hours}", outcome.seed);
            wrong.push(format!("{}\nseed {}: {what}\nagain: {again}", outcome.tail, outcome.seed));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn world(seed: u64, hours: f64) -> Settings {
    Settings { seed, hours, echo: false, place: sim::memory() }
}

#[test]
fn worlds_hold_and_one_seed_is_one_trace() {
    if let Some(place) = sim::memory() {
        cluster::place(&place);
    }
    let _ = writeln!(std::io::stderr(), "  simulated worlds: seeds {SEEDS:?}, and {SEEDS_TWICE:?} twice");
    let twice = SEEDS_TWICE.into_iter().flat_map(|seed| [seed, seed]);
    let once = SEEDS.into_iter().filter(|seed| !SEEDS_TWICE.contains(seed));
    let worlds = once.chain(twice).map(|seed| world(seed, HOURS)).collect();
    live(worlds);
}

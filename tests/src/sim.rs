//! Simulated worlds: many tablets, the real server, a real Postgres, a hostile network and a clock that runs as it likes.
//!
//! One seed is one world. Everything in it is the product's own code; only time, the line and chance are the world's.
//! After each stretch of chaos the faults stop, the world comes to rest, and what must always hold is checked.

mod acts;
mod apart;
mod checks;
mod consent;
mod counts;
mod edits;
mod faults;
mod ledger;
mod line;
mod many;
mod model;
mod moment;
mod node;
mod operator;
mod rng;
mod stock;
mod sum;
mod tablet;
mod time;
mod trace;
mod witness;
mod world;

pub use counts::Counts;
pub use many::{Traces, memory, run_all};
pub use rng::Rng;
pub use sum::{SITUATIONS, Sum};

use std::path::PathBuf;
use world::{Event, World};

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
/// A stretch of chaos, µs.
const CHAOS_US: i64 = 30 * 60 * SECOND_US;
/// I6: how long after the last fault everything must have come to rest, µs.
const CALM_US: i64 = 60 * SECOND_US;

/// One world.
#[derive(Debug, Clone)]
pub struct Settings {
    pub seed: u64,
    /// Hours of its time.
    pub hours: f64,
    /// Print what happens.
    pub echo: bool,
    /// Where the tablets' files are; the system's temporary directory if nowhere else.
    pub place: Option<PathBuf>,
}

/// How a world went.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub seed: u64,
    /// Hours it was to last.
    pub hours: f64,
    pub simulated_us: i64,
    pub transitions: Counts,
    pub faults: Counts,
    pub reached: Counts,
    /// Lines of the trace, and their hash.
    pub lines: u64,
    pub hash: String,
    /// What did not hold.
    pub violation: Option<String>,
    /// The last lines of the trace.
    pub tail: String,
    pub edits: usize,
}

impl Outcome {
    /// One line for a person.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "seed {}: {:.1} h, {} transitions, {} edits, {} faults, {} lines, trace {}: {}",
            self.seed,
            self.simulated_us as f64 / HOUR_US as f64,
            self.transitions.total(),
            self.edits,
            self.faults.total(),
            self.lines,
            self.hash.get(..16).unwrap_or_default(),
            if self.violation.is_some() { "VIOLATED" } else { "held" }
        )
    }
}

/// Runs one world, on a thread and a runtime of its own.
#[must_use]
pub fn run(settings: &Settings) -> Outcome {
    let settings = settings.clone();
    let world = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(&settings))
    });
    world.join().unwrap()
}

async fn live(settings: &Settings) -> Outcome {
    let mut world = World::new(settings).await;
    let end_us = (settings.hours * HOUR_US as f64) as i64;
    // Everybody gets a first copy in peace.
    rest(&mut world, 60 * SECOND_US).await;
    while world.wrong.is_none() && world.now_us < end_us {
        world.chaos = true;
        world.schedule(0, Event::Act);
        let until_us = (world.now_us + CHAOS_US).min(end_us);
        world.run_until(until_us).await;
        rest(&mut world, CALM_US).await;
    }
    let World { now_us, transitions, faults, reached, trace, wrong, ledger, node, .. } = world;
    let outcome = Outcome {
        seed: settings.seed,
        hours: settings.hours,
        simulated_us: now_us,
        transitions,
        faults,
        reached,
        lines: trace.lines(),
        hash: trace.hash(),
        violation: wrong,
        tail: trace.tail(),
        edits: ledger.edits.len(),
    };
    node.database.remove().await;
    outcome
}

/// The faults stop; after so much time everything must have come to rest.
async fn rest(world: &mut World, for_us: i64) {
    if world.wrong.is_some() {
        return;
    }
    world.chaos = false;
    world.heal();
    let until_us = world.now_us + for_us;
    world.run_until(until_us).await;
    if world.wrong.is_none() {
        checks::all(world).await;
        world.note("at rest");
    }
}

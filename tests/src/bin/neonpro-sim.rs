//! `./dev sim`: simulated worlds, one per seed, and a table of what they came to.

use clap::Parser;
use neonpro_tests::{cluster, sim};
use std::path::Path;
use std::process::ExitCode;

/// Lives through simulated worlds and checks what must always hold.
#[derive(Parser)]
struct Arguments {
    /// Hours of simulated time per seed.
    #[arg(long, default_value_t = 2.0)]
    hours: f64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print every line of the trace as it comes.
    #[arg(long)]
    trace: bool,
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Files that live as long as a run are kept in memory where the system has such a place.
    let memory = Path::new("/dev/shm");
    let place = memory.is_dir().then(|| memory.to_owned());
    if let Some(place) = &place {
        cluster::place(place);
    }
    let mut sum = sim::Sum::default();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let settings =
            sim::Settings { seed, hours: arguments.hours, echo: arguments.trace, place: place.clone() };
        let began = std::time::Instant::now();
        let outcome = sim::run(&settings);
        println!("{} ({:.0} s)", outcome.summary(), began.elapsed().as_secs_f64());
        if let Some(violation) = &outcome.violation {
            println!("\n{}\nVIOLATION with seed {seed}: {violation}", outcome.tail);
            println!("again: ./dev sim --seed {seed} --hours {}", arguments.hours);
            return ExitCode::FAILURE;
        }
        sum.add(&outcome);
    }
    println!("\n{}", sum.table());
    let missing = sum.missing();
    if !missing.is_empty() && arguments.seeds > 1 {
        println!("situations no seed has reached: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

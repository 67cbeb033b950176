//! `./dev sim`: simulated worlds, one per seed, and a table of what they came to.

use clap::Parser;
use neonpro_tests::{cluster, sim};
use std::ops::ControlFlow;
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
    /// Worlds at a time.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Live through each world twice: the traces must be the same.
    #[arg(long)]
    twice: bool,
    /// Go on after a world in which something did not hold.
    #[arg(long)]
    keep_going: bool,
    /// Print every line of the trace as it comes.
    #[arg(long)]
    trace: bool,
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.trace {
        // What the product itself has to say, between the lines of the trace.
        let log = tracing_subscriber::fmt().with_writer(std::io::stderr).without_time();
        log.with_max_level(tracing::Level::WARN).init();
    }
    let place = sim::memory();
    if let Some(place) = &place {
        cluster::place(place);
    }
    let mut worlds = Vec::new();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let world =
            sim::Settings { seed, hours: arguments.hours, echo: arguments.trace, place: place.clone() };
        worlds.extend(std::iter::repeat_n(world, if arguments.twice { 2 } else { 1 }));
    }
    let (mut sum, mut traces, mut failed) = (sim::Sum::default(), sim::Traces::default(), false);
    sim::run_all(worlds, arguments.threads, |outcome, took| {
        println!("{} ({:.0} s)", outcome.summary(), took.as_secs_f64());
        let parted = traces.part(outcome);
        if let Some(what) = outcome.violation.as_ref().or(parted.as_ref()) {
            println!("\n{}\nVIOLATION with seed {}: {what}", outcome.tail, outcome.seed);
            println!("again: ./dev sim --seed {} --hours {}", outcome.seed, arguments.hours);
            failed = true;
            return if arguments.keep_going { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        }
        sum.add(outcome);
        ControlFlow::Continue(())
    });
    println!("\n{}", sum.table());
    let missing = sum.missing();
    if !missing.is_empty() {
        println!("situations no seed has reached: {}", missing.join(", "));
        failed = true;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

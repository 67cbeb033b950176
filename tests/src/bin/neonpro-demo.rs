//! `neonpro-demo`: the whole system on this machine, to be tried by hand or checked by its own story.

use clap::Parser;
use neonpro_tests::demo::{Options, run};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a server, three tablets and a page that leads to them; all on loopback.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Tell the story of the demo once, verify every step, and end.
    #[arg(long)]
    check: bool,
    /// Where everything is kept (default: `.demo` here; a fresh directory for --check).
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Patients of the demo network, when it is made.
    #[arg(long, default_value_t = 2_000)]
    patients: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { check, dir, patients } = Arguments::parse();
    match run(Options { check, dir, patients }).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("neonpro-demo: {problem}");
            let mut cause = problem.source();
            while let Some(because) = cause {
                eprintln!("  because: {because}");
                cause = because.source();
            }
            ExitCode::FAILURE
        }
    }
}

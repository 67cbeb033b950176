//! The demo: the real server and real tablets on this machine, to be tried by hand or told as a story that checks itself.
//!
//! Owns the processes it starts and the directory it keeps them in. Never talks to anything but loopback, never touches a
//! database or a tablet it did not make. Invariant: when the demo ends, however it ends, so does everything it started.

pub mod answer;
pub mod books;
pub mod check;
pub mod child;
pub mod http;
pub mod metrics;
pub mod page;
pub mod place;
pub mod script;
pub mod server;
pub mod show;
pub mod tablet;
pub mod view;

use std::path::PathBuf;

/// Why the demo does not go on, in words for whoever started it.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// What happens, or why not.
pub type Outcome<T> = Result<T, Problem>;

/// How the demo runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tell the story once and verify it, instead of waiting for a person.
    pub check: bool,
    /// Where everything is kept.
    pub dir: Option<PathBuf>,
    /// Patients of the demo network.
    pub patients: u32,
}

/// Runs the demo. `false` when the story was told and something in it was not as it should be.
///
/// # Errors
/// What could not be started.
///
/// # Cancel safety
/// Dropping it ends what it started.
pub async fn run(options: Options) -> Outcome<bool> {
    if options.check { check::run(&options).await } else { show::run(&options).await.map(|()| true) }
}

/// Prints one line for whoever started the demo.
#[expect(clippy::print_stdout, reason = "the command-line output of the binary")]
pub fn say(line: &str) {
    println!("{line}");
}

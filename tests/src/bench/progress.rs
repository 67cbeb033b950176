//! What is being measured right now, on standard error: a long run is never silent.

#![expect(clippy::print_stderr, reason = "progress belongs on standard error")]

use std::time::Instant;

/// Says how far a workload is.
#[derive(Debug)]
pub struct Progress {
    name: &'static str,
    began: Instant,
}

impl Progress {
    /// Begins a workload.
    #[must_use]
    pub fn begin(name: &'static str, what: &str) -> Self {
        eprintln!("{name}: {what}");
        Self { name, began: Instant::now() }
    }

    /// Something of it is done.
    pub fn tell(&self, what: &str) {
        eprintln!("{}: {what} ({:.1} s)", self.name, self.began.elapsed().as_secs_f64());
    }
}

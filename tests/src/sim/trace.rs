//! What happened, as lines: the last ones for a person, a running hash for the comparison of two runs.

use ring::digest::{Context, SHA256, digest};
use std::collections::VecDeque;

/// Lines kept for a person.
const TAIL: usize = 400;

/// The trace of one run.
pub struct Trace {
    context: Context,
    tail: VecDeque<String>,
    lines: u64,
    /// Print every line as it comes.
    pub echo: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self { context: Context::new(&SHA256), tail: VecDeque::new(), lines: 0, echo: false }
    }
}

impl Trace {
    /// Notes what happened at an instant of the world (µs since it began).
    pub fn note(&mut self, at_us: i64, what: &str) {
        let line = format!("{:>12.3} {what}", at_us as f64 / 1e6);
        self.context.update(line.as_bytes());
        self.context.update(b"\n");
        self.lines += 1;
        if self.echo {
            eprintln!("{line}");
        }
        self.tail.push_back(line);
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
    }

    /// Takes bytes on a line into the hash. A person sees their length and the beginning of their own hash.
    pub fn bytes(&mut self, what: &str, bytes: &[u8]) {
        let hash = digest(&SHA256, bytes);
        self.context.update(what.as_bytes());
        self.context.update(hash.as_ref());
        if self.echo {
            let short: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            eprintln!("             | {what} {} bytes {short}", bytes.len());
        }
    }

    /// Lines so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// A hash over every line.
    #[must_use]
    pub fn hash(&self) -> String {
        self.context.clone().finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The last lines.
    #[must_use]
    pub fn tail(&self) -> String {
        self.tail.iter().map(|line| format!("{line}\n")).collect()
    }
}

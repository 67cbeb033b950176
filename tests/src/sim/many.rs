//! Many worlds, a few at a time, each on a thread and a database of its own.

use super::{Outcome, Settings, run};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

/// What a place in memory must have free for the files of a run, KiB.
const MEMORY_KIB_MIN: u64 = 2 * 1024 * 1024;

/// A place in memory for files that live as long as a run, where the system has one that is large enough.
#[must_use]
pub fn memory() -> Option<PathBuf> {
    let place = Path::new("/dev/shm");
    let told = Command::new("df").arg("-Pk").arg(place).output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let free: u64 = told.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    (free >= MEMORY_KIB_MIN).then(|| place.to_owned())
}

/// Lives through worlds, so many at a time, and hands each outcome over as it comes, with the time it took. A break lets
/// those under way end and begins no more.
pub fn run_all(
    worlds: Vec<Settings>,
    threads: usize,
    mut took: impl FnMut(&Outcome, Duration) -> ControlFlow<()>,
) {
    let queue = Mutex::new(VecDeque::from(worlds));
    let (done, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (queue, done) = (&queue, done.clone());
            scope.spawn(move || {
                while let Some(world) = next(queue) {
                    let began = Instant::now();
                    // Nobody listens any more only after a break.
                    let _ = done.send((run(&world), began.elapsed()));
                }
            });
        }
        drop(done);
        for (outcome, span) in outcomes {
            if took(&outcome, span).is_break() {
                queue.lock().unwrap().clear();
            }
        }
    });
}

fn next(queue: &Mutex<VecDeque<Settings>>) -> Option<Settings> {
    queue.lock().unwrap().pop_front()
}

/// I14: the traces seen so far, by seed.
#[derive(Debug, Default)]
pub struct Traces(BTreeMap<u64, (u64, String)>);

impl Traces {
    /// Says how a world's trace differs from the one the same seed gave before.
    pub fn part(&mut self, outcome: &Outcome) -> Option<String> {
        let trace = (outcome.lines, outcome.hash.clone());
        let before = self.0.entry(outcome.seed).or_insert_with(|| trace.clone());
        (*before != trace).then(|| {
            format!(
                "I14: two traces of one seed: {} lines ({}), {} lines ({})",
                before.0, before.1, trace.0, trace.1
            )
        })
    }
}

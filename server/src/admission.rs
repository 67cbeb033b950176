//! Admission: every change is merged in a process of its own before this process lets Automerge see it.
//!
//! Automerge trusts its input: a valid document of 16 KB may ask for gigabytes, a change may panic, or be accepted and
//! leave a document that no longer loads. So a pool of workers, the same program confined in memory and CPU time, merges
//! each change on a copy of its document, saves it, loads it again and compares. A worker that dies takes nobody with
//! it. Owns the workers and the trial; never judges an edit and never touches the database. Invariant: nothing skips
//! admission, and without a worker nothing is merged.

mod message;
mod pool;
mod scratch;
pub mod worker;

pub use message::{Base, Batch, Step, Verdict};
pub use pool::{Admission, AdmissionConfig, AdmissionError, Run};
pub use scratch::Scratch;

use std::time::Duration;

/// Address space of a worker, bytes. The program itself maps some 100 MB; an honest batch needs a few more.
pub const WORKER_MEMORY_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// CPU time of one edit after which the system ends the worker, s. The kernel counts whole seconds.
pub const EDIT_CPU_SECONDS_MAX: u64 = 2;
/// CPU time of one edit beyond which it is not admitted: the server would spend as much on it. The largest paste costs
/// a tenth of it.
pub const EDIT_CPU_MAX: Duration = Duration::from_secs(1);
/// Longest a batch may take, sleeping included, before its worker is killed.
pub const BATCH_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the trials of one merge may keep its clinic's head locked. A quarter of the time a revocation may take; an
/// honest group needs some milliseconds.
pub const LOCKED_WAIT_MAX: Duration = Duration::from_millis(500);
/// Times an edit is tried apart, each time on the documents as they are by then, before its push has to come back later.
pub const APART_ROUNDS_MAX: u32 = 3;
/// Edits remembered as guilty: what waits on the server is not tried again at every merge.
pub const GUILTY_REMEMBERED_MAX: usize = 1_024;
/// Edits in one batch: enough to make a round trip cheap.
pub const BATCH_EDITS_MAX: usize = 64;
/// Bytes of one batch. Eight documents of the largest size.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one verdict: heads of an edit's documents.
pub const VERDICT_BYTES_MAX: usize = 256 * 1024;
/// Times a worker must die on an edit, each time in another process, before the edit is held guilty.
pub const DEATHS_PER_EDIT: u32 = 2;
/// Guilty edits of one device in one push after which its other edits of that push that need a worker are kept aside
/// untried.
pub const GUILTY_PER_DEVICE_MAX: u32 = 3;
/// Workers that may be started at once before starting waits.
pub const STARTS_BURST: u32 = 20;
/// Pause between two starts beyond the burst.
pub const START_INTERVAL: Duration = Duration::from_millis(100);

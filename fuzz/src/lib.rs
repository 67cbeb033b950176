//! Between libFuzzer and the doors.
//!
//! The worker's trial catches panics of the CRDT library: that is its purpose, and no finding. So a panic ends the
//! process only when it leaves the door.

use libfuzzer_sys::fuzzer_mutate;
use neonpro_doors::{Door, Random};
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

type Hook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Send + Sync>;

/// The hook that prints, kept for what is a finding.
static PRINTS: Mutex<Option<Hook>> = Mutex::new(None);

/// Silences panics. libFuzzer's own hook would end the process at the first.
pub fn quiet() {
    drop(take_hook());
    // What is left after that is the standard library's own.
    let standard = take_hook();
    *PRINTS.lock().unwrap() = Some(standard);
    set_hook(Box::new(|_| {}));
}

/// Runs one input; a broken promise is said and ends the process.
pub fn run(door: &Door, input: &[u8]) {
    if catch_unwind(|| (door.run)(input)).is_err() {
        if let Some(prints) = PRINTS.lock().unwrap().take() {
            set_hook(prints);
        }
        // The same once more, aloud.
        let _ = catch_unwind(|| (door.run)(input));
        std::process::abort();
    }
}

/// One mutation in place; the new size.
pub fn mutate(door: &Door, data: &mut [u8], size: usize, size_max: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed));
    let mutated = (door.reshape)(&data[..size], &mut random, &mut |piece| {
        let size = piece.len();
        piece.resize(size_max.max(size), 0);
        let size = fuzzer_mutate(piece, size, size_max.max(1));
        piece.truncate(size);
    });
    let size = mutated.len().min(size_max);
    data[..size].copy_from_slice(&mutated[..size]);
    size
}

/// The whole of a target: a door's name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        static DOOR: std::sync::LazyLock<neonpro_doors::Door> =
            std::sync::LazyLock::new(|| neonpro_doors::door($name));
        libfuzzer_sys::fuzz_target!(init: neonpro_fuzz::quiet(), |input: &[u8]| neonpro_fuzz::run(&DOOR, input));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            neonpro_fuzz::mutate(&DOOR, data, size, max_size, seed)
        });
    };
}

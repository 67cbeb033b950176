//! Time and randomness, the two things a replica is given instead of taking them.
//!
//! Owns the one place in this crate that reads the system's clock. Invariant: with a manual clock and a seed,
//! a replica does the same twice.

use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

type Now = dyn Fn() -> i64 + Send + Sync;
type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// Where a replica reads the time (µs since the epoch) and draws randomness.
#[derive(Clone)]
pub struct Clock {
    now: Arc<Now>,
    fill: Arc<Fill>,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// The system's clock and randomness.
    #[must_use]
    pub fn system() -> Self {
        let random = SystemRandom::new();
        let fallback = AtomicU64::new(0);
        let fill = move |bytes: &mut [u8]| {
            if random.fill(bytes).is_err() {
                // Ids must stay distinct even where the system has no entropy left; keys are never made here.
                hashed(now_us(), fallback.fetch_add(1, Ordering::Relaxed), bytes);
            }
        };
        Self { now: Arc::new(now_us), fill: Arc::new(fill) }
    }

    /// A clock that only moves when told to, starting at an instant (µs).
    #[must_use]
    pub fn manual(start_us: i64) -> (Self, ManualClock) {
        let hand = ManualClock(Arc::new(AtomicI64::new(start_us)));
        let read = hand.clone();
        (Self { now: Arc::new(move || read.0.load(Ordering::SeqCst)), ..Self::system() }, hand)
    }

    /// The same clock with randomness derived from a seed.
    #[must_use]
    pub fn seeded(self, seed: i64) -> Self {
        let counter = AtomicU64::new(0);
        let fill = move |bytes: &mut [u8]| hashed(seed, counter.fetch_add(1, Ordering::SeqCst), bytes);
        Self { fill: Arc::new(fill), ..self }
    }

    /// The time, µs since the epoch.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        (self.now)()
    }

    /// Random bytes. Good for ids and jitter; keys come from `ring` directly.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        (self.fill)(&mut bytes);
        bytes
    }

    /// A random number.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        u64::from_be_bytes(self.random())
    }
}

/// The hand of a manual clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Moves the clock by so many µs, forwards or backwards.
    pub fn advance_us(&self, by_us: i64) {
        self.0.fetch_add(by_us, Ordering::SeqCst);
    }

    /// Sets the clock to an instant (µs).
    pub fn set_us(&self, at_us: i64) {
        self.0.store(at_us, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the system's clock")]
fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Fills bytes with SHA-256 of a seed and a counter.
fn hashed(seed: i64, counter: u64, bytes: &mut [u8]) {
    for (block, chunk) in bytes.chunks_mut(32).enumerate() {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(&seed.to_be_bytes());
        context.update(&counter.to_be_bytes());
        context.update(&block.to_be_bytes());
        for (to, from) in chunk.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_manual_clock_repeats_itself() {
        let draw = || {
            let (clock, hand) = Clock::manual(5);
            let clock = clock.seeded(7);
            hand.advance_us(1);
            (clock.now_us(), clock.random::<40>(), clock.random_u64())
        };
        assert_eq!(draw(), draw());
        assert_eq!(draw().0, 6);
    }
}

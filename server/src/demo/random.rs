//! A small deterministic generator (splitmix64, Steele, Lea and Flood 2014). Never for secrets.
//!
//! Invariant: the same seed gives the same numbers on every machine and in every version.

use neonpro_contract::ids;
use uuid::Uuid;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own, so that what one part draws does not move what another draws.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 if there is none. The bias of the remainder is below 2⁻³² for our bounds.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let bits = self.next() >> 32;
        u32::try_from(bits.checked_rem(u64::from(bound)).unwrap_or(0)).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u32::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or(0);
        low.saturating_add(i64::from(self.below(span)))
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of some things.
    pub(super) fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let bound = u32::try_from(things.len()).unwrap_or(u32::MAX);
        things.get(usize::try_from(self.below(bound)).unwrap_or(0))
    }

    /// One of some words, or the empty one if there are none.
    pub(super) fn word(&mut self, words: &[&'static str]) -> &'static str {
        self.pick(words).copied().unwrap_or_default()
    }

    /// ASCII digits.
    pub(super) fn digits<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| b'0'.saturating_add(u8::try_from(self.below(10)).unwrap_or(0)))
    }

    /// An id of an instant in µs.
    pub(super) fn id(&mut self, at_us: i64) -> Uuid {
        let (high, low) = (self.next().to_be_bytes(), self.next().to_be_bytes());
        let mut bytes = [0u8; 10];
        for (to, from) in bytes.iter_mut().zip(high.into_iter().chain(low)) {
            *to = from;
        }
        ids::fresh(at_us, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}

//! A small deterministic generator, and mutations that are a function of a number.

use crate::Door;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound.max(1) as u64) as usize
    }

    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// One mutated input of a door: a seed, changed by what the door knows of its form.
#[must_use]
pub fn mutated(door: &Door, seeds: &[Vec<u8>], case: u64) -> Vec<u8> {
    let mut random = Random(case);
    let mut input = random.one(seeds);
    for _ in 0..=random.below(3) {
        let mut bytes = Random(random.number());
        input = (door.reshape)(&input, &mut random, &mut |piece| scramble(piece, &mut bytes));
    }
    input
}

/// Flips, sets, inserts, cuts or doubles a few bytes.
pub fn scramble(bytes: &mut Vec<u8>, random: &mut Random) {
    const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0x7e, 0xfe, 0x40];
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 if !bytes.is_empty() => bytes[at] = random.one(&EDGES),
            3 => bytes.insert(at, random.one(&EDGES)),
            4 => bytes.truncate(at),
            _ => {
                let end = (at + random.below(16)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

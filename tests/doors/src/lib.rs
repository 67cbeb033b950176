//! The doors through which bytes from outside come, as functions of bytes: what the fuzzer and the seeded mutations run.
//!
//! Owns, for each door, honest seeds made by the product's own code, a mutator that knows the form of its bytes, and
//! what must hold whatever comes. Never opens a socket or a database. Invariant: everything is a function of its input,
//! so a failing input is the whole report.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    missing_docs,
    reason = "this crate is test support: a broken promise should stop the test where it broke"
)]

mod admission;
mod envelope;
mod frames;
mod identifiers;
pub mod poison;
mod random;
mod reshape;
mod sample;
mod trial;

pub use random::{Random, mutated};

/// Changes bytes without knowing what they mean: the fuzzer's own mutator, or the seeded one of the tests.
pub type Raw<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// A door. `run` panics where a promise is broken.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    pub name: &'static str,
    /// Honest bytes, and bytes of known attacks, each under a name.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
    pub run: fn(&[u8]),
    /// Mutates bytes so that what must fit (lengths, checksums, compression, signatures) fits again.
    pub reshape: fn(&[u8], &mut Random, Raw<'_>) -> Vec<u8>,
}

/// Every door.
pub const DOORS: [Door; 4] = [envelope::DOOR, frames::DOOR, admission::DOOR, identifiers::DOOR];

/// The door of a name.
#[must_use]
pub fn door(name: &str) -> Door {
    *DOORS.iter().find(|door| door.name == name).unwrap_or_else(|| panic!("no door is called {name}"))
}

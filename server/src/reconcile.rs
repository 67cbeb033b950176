//! What a machine must not decide: each file recognises one kind of matter after a merge and opens its item.
//!
//! Never changes what was merged. Invariant: the same matter is open at most once, and closes by itself when a later
//! edit settles it.

pub mod agenda;
pub mod consent;
pub mod deadlines;
pub mod duplicates;
pub mod fields;
pub mod purges;
pub mod scope;
pub mod stock;

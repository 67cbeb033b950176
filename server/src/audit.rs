//! The audit's guard: checkpoints signed outside the database, and the walk that finds what was tampered with.
//!
//! The log itself is written by `store/audit`. Invariant: a checkpoint is signed only after the stretch since the one
//! before was recomputed from its entries, so tampering is never signed over.

mod key;
mod notary;
mod verify;

pub use key::{AuditKey, KeyError, public_key_of};
pub use notary::Notary;
pub(crate) use notary::open_item;
pub use verify::{Finding, Report, Tamper, verify_clinic};

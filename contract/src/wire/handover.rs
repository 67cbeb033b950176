//! What a person decided on the tablet about an edit that was set aside.

use crate::fate::Code;
use crate::ids::{AuthorId, EditId};
use crate::time::DeviceInstant;
use minicbor::{Decode, Encode, bytes::ByteVec};

/// Decisions, oldest first. The server answers each by an entry of the feed ([`super::Entry::Fate`]).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Handover {
    /// At most [`crate::limits::HANDOVER_EDITS_MAX`].
    #[n(0)]
    pub decided: Vec<Decided>,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Decision {
    /// The administrator shall decide.
    #[n(0)]
    HandedOver,
    /// It shall not be merged: given up, or corrected by another edit.
    #[n(1)]
    Dismissed,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Decided {
    /// The edit.
    #[n(0)]
    pub edit: EditId,
    /// Who decided: a record of `professionals`.
    #[n(1)]
    pub by: AuthorId,
    /// When, by the tablet's clock.
    #[n(2)]
    pub at: DeviceInstant,
    /// What.
    #[n(3)]
    pub decision: Decision,
    /// Why the edit had been set aside.
    #[n(4)]
    pub code: Code,
    /// The edit as meant, JSON of [`crate::edit::Intent`]: the server may not have its content. Empty when dismissed.
    #[n(5)]
    pub intent: ByteVec,
    /// What was signed. Empty when dismissed.
    #[n(6)]
    pub envelope: ByteVec,
    /// Its signature. Empty when dismissed.
    #[n(7)]
    pub signature: ByteVec,
}

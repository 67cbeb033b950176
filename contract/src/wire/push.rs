//! Edits to the server, fates back.

use crate::edit::SignedEdit;
use crate::fate::Fate;
use crate::ids::EditId;
use minicbor::{Decode, Encode};

/// Signed edits, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Push {
    /// The edits.
    #[n(0)]
    pub edits: Vec<SignedEdit>,
}

/// The fate of one edit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EditFate {
    /// Which edit; `None` for one whose envelope could not be read.
    #[n(0)]
    pub edit: Option<EditId>,
    /// Its fate.
    #[n(1)]
    pub fate: Fate,
}

/// One answer per push, in the order of its edits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Fates {
    /// One per edit.
    #[n(0)]
    pub fates: Vec<EditFate>,
}

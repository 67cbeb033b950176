//! Purge receipts: what a tablet answers to a withdrawal once the bytes are gone, and the server's word that it has
//! them.

use crate::edit::DocumentId;
use crate::time::DeviceInstant;
use minicbor::{Decode, Encode};

/// A withdrawn document is gone from this tablet: its values, its history and the write-ahead log that held them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// Feed number of the withdrawal it answers.
    #[n(0)]
    pub seq: i64,
    /// The document.
    #[n(1)]
    pub document: DocumentId,
    /// When the bytes were gone, by the tablet's corrected clock.
    #[n(2)]
    pub purged_at: DeviceInstant,
}

/// Receipts of a tablet, at most [`crate::limits::RECEIPTS_MAX`]. It keeps them until they are confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receipts {
    /// Oldest first.
    #[n(0)]
    pub receipts: Vec<Receipt>,
}

/// The server has committed these receipts: the tablet may forget them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Received {
    /// Feed numbers of the withdrawals answered.
    #[n(0)]
    pub seqs: Vec<i64>,
}

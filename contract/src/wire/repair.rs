//! Repair when digests disagree: sums per bucket, then only the documents of the buckets that differ.

use super::{Entry, WireError, pack, unpack};
use crate::digest::Digest;
use crate::edit::DocumentId;
use minicbor::{Decode, Encode, bytes::ByteVec};

/// Number of buckets. 256 sums are 4 kB; one differing document costs 1/256 of the replica.
pub const BUCKETS: usize = 256;

/// The bucket of a document: the last byte of its record's id.
#[must_use]
pub fn bucket(document: &DocumentId) -> u8 {
    document.record.0.as_bytes().last().copied().unwrap_or(0)
}

/// The tablet's sums at its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Buckets {
    /// Cursor at which they hold.
    #[n(0)]
    pub cursor: i64,
    /// [`BUCKETS`] sums.
    #[n(1)]
    pub sums: Vec<Digest>,
}

/// The server's documents of some buckets, as they stand at `to`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Repair {
    /// Cursor at which they hold.
    #[n(0)]
    pub to: i64,
    /// The buckets this frame answers completely.
    #[n(1)]
    pub buckets: Vec<u8>,
    /// Packed CBOR array of [`Entry::Snapshot`]: every document the device may see in those buckets. What it
    /// holds beyond them is not the server's.
    #[n(2)]
    pub body: ByteVec,
}

impl Repair {
    /// Packs snapshots.
    #[must_use]
    pub fn new(to: i64, buckets: Vec<u8>, entries: &Vec<Entry>) -> Self {
        // Writing to memory cannot fail.
        Self { to, buckets, body: pack(&minicbor::to_vec(entries).unwrap_or_default()) }
    }

    /// Unpacks the snapshots.
    ///
    /// # Errors
    /// A body that does not unpack within the limits.
    pub fn entries(&self) -> Result<Vec<Entry>, WireError> {
        minicbor::decode(&unpack(&self.body)?).map_err(|_| WireError::Body)
    }
}

//! A stretch of the clinic's feed, as the receiving device may see it.

use super::{WireError, pack, unpack};
use crate::catalogue::TableId;
use crate::digest::Digest;
use crate::edit::DocumentId;
use crate::fate::Fate;
use crate::ids::{AuthorId, EditId, RecordId};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::row::RowStamp;
use crate::time::ServerInstant;
use minicbor::{Decode, Encode, bytes::ByteArray, bytes::ByteVec};

/// A document's saved bytes and the merge instants of changes whose capture time lay ahead of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LiveDocument {
    /// Automerge document, uncompressed.
    #[n(0)]
    pub saved: ByteVec,
    /// Change hash → when it was merged.
    #[n(1)]
    pub clamps: Vec<(ByteArray<32>, ServerInstant)>,
}

/// One entry of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Entry {
    /// Somebody else's change.
    #[n(0)]
    Change {
        /// Feed number.
        #[n(0)]
        seq: i64,
        /// The document.
        #[n(1)]
        document: DocumentId,
        /// Its epoch.
        #[n(2)]
        epoch: u32,
        /// When it was merged.
        #[n(3)]
        merged_at: ServerInstant,
        /// The raw change.
        #[n(4)]
        change: ByteVec,
    },
    /// The receiving device's own edit: header only.
    #[n(1)]
    Own {
        /// Feed number.
        #[n(0)]
        seq: i64,
        /// The edit.
        #[n(1)]
        edit: EditId,
        /// The document this number belongs to.
        #[n(2)]
        document: DocumentId,
        /// When it was merged.
        #[n(3)]
        merged_at: ServerInstant,
    },
    /// You may now see this document, or it has a new epoch: here it is.
    #[n(2)]
    Snapshot {
        /// Feed number.
        #[n(0)]
        seq: i64,
        /// The document.
        #[n(1)]
        document: DocumentId,
        /// Its epoch.
        #[n(2)]
        epoch: u32,
        /// The row's bookkeeping.
        #[n(3)]
        stamp: RowStamp,
        /// CBOR of a [`crate::row::Row`] holding this facet's fields (and, with the primary facet, derived ones).
        #[n(4)]
        row: ByteVec,
        /// Live changes since the epoch began, if any.
        #[n(5)]
        live: Option<LiveDocument>,
    },
    /// Fields the server owns.
    #[n(3)]
    Row {
        /// Feed number.
        #[n(0)]
        seq: i64,
        /// The table.
        #[n(1)]
        table: TableId,
        /// The record.
        #[n(2)]
        record: RecordId,
        /// The row's bookkeeping.
        #[n(3)]
        stamp: RowStamp,
        /// CBOR of a [`crate::row::Row`]: the whole row of a server table, only derived fields of others.
        #[n(4)]
        row: ByteVec,
    },
    /// Purge this document and its blobs, then say so.
    #[n(4)]
    Withdraw {
        /// Feed number.
        #[n(0)]
        seq: i64,
        /// The document.
        #[n(1)]
        document: DocumentId,
    },
    /// What became of an edit of the receiving device after its push was answered.
    #[n(5)]
    Fate {
        /// Feed number.
        #[n(0)]
        seq: i64,
        /// The edit.
        #[n(1)]
        edit: EditId,
        /// Its fate now. `Rebase` for one that was set aside: it is released, express it again.
        #[n(2)]
        fate: Fate,
        /// Who decided, if a person did.
        #[n(3)]
        by: Option<AuthorId>,
        /// Why, in that person's words.
        #[n(4)]
        reason: Option<String>,
    },
}

/// Entries after `from` up to `to`; numbers in between that the device may not see are skipped.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Page {
    /// The cursor the page follows.
    #[n(0)]
    pub from: i64,
    /// The cursor after it.
    #[n(1)]
    pub to: i64,
    /// Digest at `to`, when `to` was the head.
    #[n(2)]
    pub digest: Option<Digest>,
    /// Packed CBOR array of [`Entry`].
    #[n(3)]
    pub body: ByteVec,
}

impl Page {
    /// Packs entries.
    #[must_use]
    pub fn new(from: i64, to: i64, digest: Option<Digest>, entries: &Vec<Entry>) -> Self {
        // Writing to memory cannot fail.
        let raw = minicbor::to_vec(entries).unwrap_or_default();
        Self { from, to, digest, body: pack(&raw) }
    }

    /// Unpacks the entries.
    ///
    /// # Errors
    /// A body that does not unpack within the limits.
    pub fn entries(&self) -> Result<Vec<Entry>, WireError> {
        let entries: Vec<Entry> = minicbor::decode(&unpack(&self.body)?).map_err(|_| WireError::Body)?;
        if entries.len() <= PAGE_ENTRIES_MAX { Ok(entries) } else { Err(WireError::Body) }
    }
}

/// Applied up to `cursor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    /// Last feed number applied and committed; -1 while the first sync runs.
    #[n(0)]
    pub cursor: i64,
    /// Bytes of pages consumed since the last ack: the server may send as many more.
    #[n(1)]
    pub credit: u64,
}

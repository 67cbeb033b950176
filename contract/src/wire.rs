//! The wire: binary CBOR frames over one WebSocket, versioned, size-checked before they are decoded.
//!
//! Owns every byte between tablet and server. Never touches a socket. Invariant: decoding hostile bytes costs at
//! most what their length allows, and every page's expansion is bounded before it is allocated.

mod body;
mod handover;
mod handshake;
mod page;
mod push;
mod reads;
mod receipts;
mod repair;
mod rows;

pub use body::{pack, unpack};
pub use handover::{Decided, Decision, Handover};
pub use handshake::{Bye, ByeCode, Challenge, Hello, Welcome, hello_bytes, wiped_bytes};
pub use page::{Ack, Entry, LiveDocument, Page};
pub use push::{EditFate, Fates, Push};
pub use reads::{Audited, Read, Reads};
pub use receipts::{Receipt, Receipts, Received};
pub use repair::{BUCKETS, Buckets, Repair, bucket};
pub use rows::{BootstrapRecord, Position, RecordFacet, RowsPage};

use crate::limits::FRAME_BYTES_MAX;
use minicbor::{Decode, Encode};

/// Version of the protocol spoken here. The server also speaks the two before it.
pub const PROTOCOL: u16 = 1;
/// WebSocket path.
pub const SYNC_PATH: &str = "/sync";

/// Any frame, in either direction.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Frame {
    /// Server → tablet, first: prove who you are.
    #[n(0)]
    Challenge(#[n(0)] Challenge),
    /// Tablet → server: who I am and where I stand.
    #[n(1)]
    Hello(#[n(0)] Hello),
    /// Server → tablet: where the clinic stands.
    #[n(2)]
    Welcome(#[n(0)] Welcome),
    /// Tablet → server: signed edits.
    #[n(3)]
    Push(#[n(0)] Push),
    /// Server → tablet: what became of them, after commit.
    #[n(4)]
    Fates(#[n(0)] Fates),
    /// Server → tablet: a stretch of the feed.
    #[n(5)]
    Page(#[n(0)] Page),
    /// Server → tablet: records of a first sync, or reference data.
    #[n(6)]
    Rows(#[n(0)] RowsPage),
    /// Tablet → server: applied up to here, and how many more bytes may be sent.
    #[n(7)]
    Ack(#[n(0)] Ack),
    /// Tablet → server: the digests differ, here are my sums.
    #[n(8)]
    Buckets(#[n(0)] Buckets),
    /// Server → tablet: the documents of the buckets that differ.
    #[n(9)]
    Repair(#[n(0)] Repair),
    /// Either side: closing, and when to come back.
    #[n(10)]
    Bye(#[n(0)] Bye),
    /// Tablet → server: withdrawn documents are gone from here.
    #[n(11)]
    Receipts(#[n(0)] Receipts),
    /// Server → tablet: these receipts are kept.
    #[n(12)]
    Received(#[n(0)] Received),
    /// Tablet → server: what was read here.
    #[n(13)]
    Reads(#[n(0)] Reads),
    /// Server → tablet: reads that are in the audit now, and its newest checkpoint.
    #[n(14)]
    Audited(#[n(0)] Audited),
    /// Tablet → server: what people decided about edits that were set aside.
    #[n(15)]
    Handover(#[n(0)] Handover),
}

/// Bytes that are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than a frame may be.
    #[error("the message is longer than {FRAME_BYTES_MAX} bytes")]
    TooLong,
    /// Not one whole frame of this protocol.
    #[error("the message is not a frame of this protocol")]
    Malformed,
    /// A page's body is not what its header says, or would expand too far.
    #[error("the page's body does not unpack within the limits")]
    Body,
}

impl Frame {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Writing to memory cannot fail.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads exactly one frame.
    ///
    /// # Errors
    /// Bytes over the size limit, or anything that is not one whole frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(WireError::TooLong);
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let frame = decoder.decode().map_err(|_| WireError::Malformed)?;
        if decoder.position() == bytes.len() { Ok(frame) } else { Err(WireError::Malformed) }
    }

    /// The frame's name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Challenge(_) => "challenge",
            Self::Hello(_) => "hello",
            Self::Welcome(_) => "welcome",
            Self::Push(_) => "push",
            Self::Fates(_) => "fates",
            Self::Page(_) => "page",
            Self::Rows(_) => "rows",
            Self::Ack(_) => "ack",
            Self::Buckets(_) => "buckets",
            Self::Repair(_) => "repair",
            Self::Bye(_) => "bye",
            Self::Reads(_) => "reads",
            Self::Audited(_) => "audited",
            Self::Receipts(_) => "receipts",
            Self::Received(_) => "received",
            Self::Handover(_) => "handover",
        }
    }
}

#[cfg(test)]
mod tests;

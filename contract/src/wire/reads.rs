//! What was read on a tablet, told once there is a connection; and what the server says about its audit.

use crate::audit::Checkpoint;
use crate::catalogue::TableId;
use crate::ids::{AuthorId, RecordId};
use crate::time::DeviceInstant;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// One read of patient content: a record, or a free query.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Read {
    /// Its id, made on the tablet: told twice, it is kept once.
    #[n(0)]
    pub id: ByteArray<16>,
    /// When, by the device's clock corrected by the last measured offset.
    #[n(1)]
    pub at: DeviceInstant,
    /// Who was using the tablet, if someone had said so.
    #[n(2)]
    pub person: Option<AuthorId>,
    /// Table of the record.
    #[n(3)]
    pub table: Option<TableId>,
    /// The record.
    #[n(4)]
    pub record: Option<RecordId>,
    /// Bit i: facet i of the record was shown.
    #[n(5)]
    pub facets: u8,
    /// SHA-256 of the statement of a free query. Its words and its rows stay on the tablet.
    #[n(6)]
    pub query: Option<ByteArray<32>>,
}

/// Reads, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Reads {
    /// The reads.
    #[n(0)]
    pub reads: Vec<Read>,
}

/// The server has these reads in its audit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Audited {
    /// Ids of committed reads.
    #[n(0)]
    pub reads: Vec<ByteArray<16>>,
    /// The newest checkpoint of the clinic's audit.
    #[n(1)]
    pub checkpoint: Option<Checkpoint>,
}

//! The strict envelope in front of Automerge: what a change from outside must look like before it is applied.
//!
//! Automerge's own decoder trusts its input more than a server may (6-proof 6.2): only raw, uncompressed change
//! chunks within our caps get past this file.

use super::Header;
use crate::limits::{
    ACTOR_BYTES, CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, CHANGE_MESSAGE_BYTES_MAX, CHANGE_OPS_MAX,
};
use automerge::{Change, ChangeHash};

/// First bytes of every Automerge chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Chunk type of an uncompressed change. Type 2 is deflated: 1 MB of it can expand to gigabytes.
const CHUNK_CHANGE: u8 = 1;

/// A change that does not pass the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Over a cap, or not one uncompressed change chunk.
    #[error("not one uncompressed change within the limits")]
    Shape,
    /// The bytes do not decode.
    #[error("the change does not decode")]
    Undecodable,
    /// The header is missing or misspelt.
    #[error("the change's header does not read")]
    Header,
}

/// A decoded change within the caps.
#[derive(Debug, Clone)]
pub struct ParsedChange {
    change: Change,
    header: Header,
}

impl ParsedChange {
    /// Decodes a change from outside. A panic inside the decoder is caught and counts as undecodable.
    ///
    /// # Errors
    /// A shape over the caps, bytes that do not decode, or a header that does not read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChangeError> {
        let shape_ok = bytes.len() <= CHANGE_BYTES_MAX
            && bytes.starts_with(&MAGIC)
            && bytes.get(8).copied() == Some(CHUNK_CHANGE);
        if !shape_ok {
            return Err(ChangeError::Shape);
        }
        let change = std::panic::catch_unwind(|| Change::from_bytes(bytes.to_vec()))
            .map_err(|_| ChangeError::Undecodable)?
            .map_err(|_| ChangeError::Undecodable)?;
        let within = change.len() <= CHANGE_OPS_MAX
            && change.deps().len() <= CHANGE_DEPS_MAX
            && change.actor_id().to_bytes().len() == ACTOR_BYTES
            && change.extra_bytes().is_empty()
            && change.raw_bytes() == bytes
            // The chunk's checksum is the start of its hash; the decoder does not compare them.
            && bytes.get(4..8) == change.hash().0.get(..4);
        if !within {
            return Err(ChangeError::Shape);
        }
        let header = change
            .message()
            .filter(|message| message.len() <= CHANGE_MESSAGE_BYTES_MAX)
            .and_then(|message| Header::parse(message, change.timestamp()))
            .ok_or(ChangeError::Header)?;
        Ok(Self { change, header })
    }

    /// Its SHA-256.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.change.hash().0
    }

    /// Who wrote it, and when.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The actor's bytes.
    #[must_use]
    pub fn actor(&self) -> &[u8] {
        self.change.actor_id().to_bytes()
    }

    /// What it builds on.
    #[must_use]
    pub fn deps(&self) -> &[ChangeHash] {
        self.change.deps()
    }

    /// The chunk's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.change.raw_bytes()
    }

    /// Ids put into registers of the document's root: the records a new record points at.
    #[must_use]
    pub fn root_ids(&self) -> Vec<(String, uuid::Uuid)> {
        use automerge::legacy::{Key, ObjectId, OpType};
        let ops = self.change.decode().operations;
        ops.iter()
            .filter(|op| op.obj == ObjectId::Root)
            .filter_map(|op| match (&op.key, &op.action) {
                (Key::Map(key), OpType::Put(automerge::ScalarValue::Bytes(bytes))) => {
                    Some((key.to_string(), uuid::Uuid::from_slice(bytes).ok()?))
                }
                _ => None,
            })
            .collect()
    }

    pub(super) fn inner(&self) -> &Change {
        &self.change
    }
}

//! A change from outside: read strictly, decoded by Automerge only when it is applied.
//!
//! Automerge's own decoder trusts its input more than a server may: [`ParsedChange::parse`] never calls it. On the
//! server, a process of its own applies the change first.

use super::chunk::{self, Chunk};
use super::{Header, strict};
use crate::validate::br::date;
use automerge::{Change, ChangeHash};

/// A change that does not pass the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Over a cap, or not one uncompressed change such as a tablet writes.
    #[error("not one uncompressed change within the limits")]
    Shape,
    /// The header is missing, misspelt or of another age.
    #[error("the change's header does not read")]
    Header,
}

/// A change within the caps, not yet shown to Automerge.
#[derive(Debug, Clone)]
pub struct ParsedChange {
    bytes: Vec<u8>,
    read: strict::Strict,
    deps: Vec<ChangeHash>,
    header: Header,
    /// It only writes maps, in canonical bytes.
    plain: bool,
}

impl ParsedChange {
    /// Reads a change from outside.
    ///
    /// # Errors
    /// Anything that is not one change of a tablet within the caps, or a header that does not read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChangeError> {
        let read = strict::read(bytes).ok_or(ChangeError::Shape)?;
        // A capture outside 1900–2200 is no clock's error: no column could hold it.
        let header = Header::parse(&read.message, read.time_us)
            .filter(|header| date::check_instant_us(header.capture.at.0).is_ok())
            .ok_or(ChangeError::Header)?;
        let deps = read.deps.iter().map(|hash| ChangeHash(*hash)).collect();
        let plain = chunk::read(bytes).is_some_and(|cut| cut.rest.is_empty());
        Ok(Self { bytes: bytes.to_vec(), read, deps, header, plain })
    }

    /// Its SHA-256.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.read.hash
    }

    /// Who wrote it, and when.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The actor's bytes.
    #[must_use]
    pub fn actor(&self) -> &[u8] {
        &self.read.actor
    }

    /// What it builds on.
    #[must_use]
    pub fn deps(&self) -> &[ChangeHash] {
        &self.deps
    }

    /// The chunk's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Ids put into registers of the document's root: the records a new record points at.
    #[must_use]
    pub fn root_ids(&self) -> Vec<(String, uuid::Uuid)> {
        self.read.root_ids.clone()
    }

    /// Whether it only writes maps, in canonical bytes: then a document of maps takes it without Automerge.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    pub(super) fn chunk(&self) -> Option<Chunk<'_>> {
        if self.plain { chunk::reread(&self.bytes) } else { None }
    }

    /// The counter of its first operation.
    pub(super) fn start_op(&self) -> u64 {
        self.read.start_op
    }

    /// The change as Automerge decodes it. A panic inside the decoder is caught.
    pub(super) fn decode(&self) -> Option<Change> {
        let bytes = self.bytes.clone();
        std::panic::catch_unwind(|| Change::from_bytes(bytes)).ok()?.ok()
    }
}

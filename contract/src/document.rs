//! Row ⇄ Automerge: one facet of one record as a CRDT document.
//!
//! Owns the mapping in both directions and nothing else: no storage, no policy. Invariant: two replicas that
//! open the same facet at the same epoch from the same row build byte-identical first changes, so what they
//! edit afterwards always merges.
//!
//! A document starts with a *root* change that creates every container (fixed bytes per table and facet) and, when
//! the facet already has values, a *genesis* change that is a pure function of (record, epoch, values).
//!
//! It is kept in one of two forms that mean the same: as a *map* document, whose changes only wrote registers, sets and
//! JSON leaves (nearly all of them), or *whole*, in Automerge's hands.

mod change;
mod chunk;
mod genesis;
mod header;
mod json_leaves;
mod map;
mod map_read;
mod map_write;
mod read;
mod recover;
mod root;
mod strict;
mod text_diff;
mod write;

pub use change::{ChangeError, ParsedChange};
pub use header::Header;
pub use read::{Clamps, Dispute, DisputedValue};
pub use write::EditError;

use crate::catalogue::{FacetId, Table};
use crate::edit::DocumentId;
use crate::ids::{DeviceId, EditId};
use crate::limits::{ACTOR_BYTES, DOCUMENT_BYTES_MAX};
use crate::row::Row;
use automerge::{ActorId, AutoCommit, ChangeHash};
use map::MapDocument;

/// Why a document could not be read or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The document id names no facet of the catalogue.
    #[error("no such table or facet")]
    UnknownFacet,
    /// The saved bytes do not load.
    #[error("the document's bytes do not load")]
    Unreadable,
    /// A field holds a value of another type than its column.
    #[error("field {0} holds a value of another type")]
    WrongType(&'static str),
    /// The document holds a field the catalogue does not know.
    #[error("the document holds an unknown field")]
    UnknownField,
    /// Automerge could not take an operation.
    #[error("the document could not be written")]
    Write,
    /// The change builds on changes the document lacks.
    #[error("a dependency of the change is missing")]
    MissingDependency,
    /// The actor already has another change at this sequence number.
    #[error("the actor has another change at this place")]
    ActorForked,
    /// The change's operations are not numbered right behind what it builds on.
    #[error("the change does not count on from what it builds on")]
    Miscounted,
}

/// The actor of a device's changes: bound to the device and its generation, so a copied or restored replica that
/// takes a new generation can never fork an old actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor([u8; ACTOR_BYTES]);

impl Actor {
    /// The actor of a device's generation.
    #[must_use]
    pub fn of(device: DeviceId, generation: u32) -> Self {
        let mut bytes = [0u8; ACTOR_BYTES];
        let tag = device.0.as_bytes().iter().skip(8);
        for (to, from) in bytes.iter_mut().zip(tag.chain(&generation.to_be_bytes())) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The actor of an edit the server expresses again: bound to the edit, so releasing it twice (after a restore) gives
    /// the same one, and no device has it.
    #[must_use]
    pub fn of_release(edit: EditId) -> Self {
        let mut bytes = [0u8; ACTOR_BYTES];
        for (to, from) in bytes.iter_mut().zip(edit.0.as_bytes().iter().skip(4)) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Whether an actor id belongs to the device, in whatever generation.
    #[must_use]
    pub fn belongs_to(actor: &[u8], device: DeviceId) -> bool {
        actor.len() == ACTOR_BYTES && device.0.as_bytes().iter().skip(8).eq(actor.iter().take(8))
    }

    fn id(self) -> ActorId {
        ActorId::from(self.0.to_vec())
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How a document is kept.
#[derive(Clone)]
enum Form {
    /// As its changes, all of which wrote only maps.
    Map(Box<MapDocument>),
    /// By Automerge.
    Whole(Box<AutoCommit>),
}

/// One facet of one record.
#[derive(Clone)]
pub struct Document {
    id: DocumentId,
    table: &'static Table,
    form: Form,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({})", self.id)
    }
}

impl Document {
    /// The document of a row at an epoch: root, then genesis if the facet has values.
    ///
    /// # Errors
    /// An unknown facet, or a row whose values do not fit it.
    pub fn genesis(id: DocumentId, epoch: u32, row: &Row) -> Result<Self, DocumentError> {
        let table = facet_of(&id)?;
        let form = match MapDocument::genesis(&id, epoch, row) {
            Some(map) => Form::Map(Box::new(map)),
            None => Form::Whole(Box::new(genesis::build(&id, epoch, row)?)),
        };
        Ok(Self { id, table, form })
    }

    /// Loads saved bytes of a document this replica wrote itself. Never for bytes from outside.
    ///
    /// # Errors
    /// Bytes that do not load.
    pub fn load(id: DocumentId, bytes: &[u8]) -> Result<Self, DocumentError> {
        let table = facet_of(&id)?;
        let form = match MapDocument::load(&id, bytes) {
            Some(map) => Form::Map(Box::new(map)),
            None => Form::Whole(Box::new(open_whole(bytes)?)),
        };
        Ok(Self { id, table, form })
    }

    /// The document in Automerge's hands, where it stays.
    fn whole(&mut self) -> Result<&mut AutoCommit, DocumentError> {
        if let Form::Map(map) = &self.form {
            self.form = Form::Whole(Box::new(open_whole(&map.saved)?));
        }
        match &mut self.form {
            Form::Whole(doc) => Ok(doc),
            Form::Map(_) => Err(DocumentError::Unreadable),
        }
    }

    /// The document's id.
    #[must_use]
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// Its table.
    #[must_use]
    pub fn table(&self) -> &'static Table {
        self.table
    }

    fn facet(&self) -> FacetId {
        self.id.facet
    }

    /// The bytes that [`Document::load`] reads.
    #[must_use]
    pub fn save(&mut self) -> Vec<u8> {
        match &mut self.form {
            Form::Map(map) => map.saved.clone(),
            Form::Whole(doc) => doc.save_nocompress(),
        }
    }

    /// Hashes of the changes nothing else builds on.
    #[must_use]
    pub fn heads(&mut self) -> Vec<[u8; 32]> {
        match &mut self.form {
            Form::Map(map) => map.heads.clone(),
            Form::Whole(doc) => doc.get_heads().into_iter().map(|hash| hash.0).collect(),
        }
    }

    /// Whether the change is already part of the history.
    #[must_use]
    pub fn contains(&mut self, hash: &[u8; 32]) -> bool {
        match &mut self.form {
            Form::Map(map) => map.contains(hash),
            Form::Whole(doc) => doc.get_change_meta_by_hash(&ChangeHash(*hash)).is_some(),
        }
    }

    /// Whether a change builds on everything that is here.
    #[must_use]
    pub fn is_ahead(&mut self, change: &ParsedChange) -> bool {
        let mut heads = self.heads();
        let mut deps: Vec<[u8; 32]> = change.deps().iter().map(|hash| hash.0).collect();
        heads.sort_unstable();
        deps.sort_unstable();
        heads == deps
    }

    /// Adds a change after checking that everything it builds on is here: Automerge itself answers Ok to a change
    /// whose dependency is missing and keeps it invisible. And that it counts on from there: one change near the end
    /// of the counters would leave no room for the next.
    ///
    /// # Errors
    /// A missing dependency, a wrong count, a forked actor, or a change Automerge refuses.
    pub fn apply(&mut self, change: &ParsedChange) -> Result<(), DocumentError> {
        let mut last_op = 0;
        for hash in change.deps() {
            last_op = last_op.max(self.max_op_of(&hash.0).ok_or(DocumentError::MissingDependency)?);
        }
        if change.start_op() != last_op.saturating_add(1) {
            return Err(DocumentError::Miscounted);
        }
        if self.contains(&change.hash()) || self.apply_plain(change) {
            return Ok(());
        }
        self.apply_whole(change)
    }

    /// Adds a change without Automerge, if the document and the change are of that kind; says whether it did. What is
    /// refused here may still be one [`Document::apply`] takes.
    pub fn apply_plain(&mut self, change: &ParsedChange) -> bool {
        let (Form::Map(map), Some(chunk)) = (&mut self.form, change.chunk()) else { return false };
        let cut = chunk::Cut { chunk, hash: change.hash(), bytes: change.bytes(), rest: &[] };
        let mut next = map.clone();
        let admitted = next.admit(&cut).is_some() && next.saved.len() <= DOCUMENT_BYTES_MAX;
        if admitted {
            *map = next;
        }
        admitted
    }

    /// Counter of the last operation of a change of the history.
    fn max_op_of(&mut self, hash: &[u8; 32]) -> Option<u64> {
        match &mut self.form {
            Form::Map(map) => map.changes.iter().find(|known| known.hash == *hash).map(|known| known.max_op),
            Form::Whole(doc) => doc.get_change_meta_by_hash(&ChangeHash(*hash)).map(|meta| meta.max_op),
        }
    }

    fn apply_whole(&mut self, change: &ParsedChange) -> Result<(), DocumentError> {
        let decoded = change.decode().ok_or(DocumentError::Write)?;
        let doc = self.whole()?;
        // Automerge was seen to panic on changes that passed its own checks, some only when the document is saved.
        // Callers drop a document that failed, so a half-applied one is never used.
        let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            doc.apply_changes([decoded]).map(|()| drop(doc.save_nocompress()))
        }));
        applied.map_err(|_| DocumentError::Write)?.map_err(|error| match error {
            automerge::AutomergeError::DuplicateSeqNumber(..) => DocumentError::ActorForked,
            _ => DocumentError::Write,
        })?;
        if self.contains(&change.hash()) { Ok(()) } else { Err(DocumentError::MissingDependency) }
    }
}

fn open_whole(bytes: &[u8]) -> Result<AutoCommit, DocumentError> {
    AutoCommit::load(bytes).map_err(|_| DocumentError::Unreadable)
}

fn facet_of(id: &DocumentId) -> Result<&'static Table, DocumentError> {
    let table = id.table().ok_or(DocumentError::UnknownFacet)?;
    table.facet(id.facet).ok_or(DocumentError::UnknownFacet)?;
    Ok(table)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod equality;

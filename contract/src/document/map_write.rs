//! Writing into a map document: the same operations, in the same bytes, as the CRDT library would make.

use super::chunk::{Chunk, ChunkOpId, Cut, write};
use super::map::{Held, MapDocument, Slot, Written};
use super::write::Sheet;
use super::{DocumentError, Header, root};
use crate::catalogue::Field;
use std::collections::BTreeSet;

/// One operation of a draft.
struct DraftOp {
    slot: Slot,
    value: Option<Held>,
    /// What it overwrites: actor, by place in the document's, and counter.
    pred: Vec<(usize, u64)>,
}

/// A change that is being made, on a copy of the document.
pub(super) struct Draft {
    before: MapDocument,
    /// The document with the operations made so far, not yet in its history.
    now: MapDocument,
    actor: usize,
    seq: u64,
    deps: Vec<[u8; 32]>,
    start_op: u64,
    ops: Vec<DraftOp>,
}

impl Draft {
    /// Begins a change by an actor.
    pub fn new(document: &MapDocument, actor: &[u8]) -> Option<Self> {
        let mut before = document.clone();
        let mut deps = before.heads.clone();
        let last = before.last_of(actor).map(|(_, last)| (last.seq, last.hash));
        // An actor's change always builds on its last one.
        if let Some((_, hash)) = last.filter(|(_, hash)| !deps.contains(hash)) {
            deps.push(hash);
            deps.sort_unstable();
        }
        let actor = before.intern(actor);
        Some(Self {
            now: before.clone(),
            actor,
            seq: last.map_or(0, |(seq, _)| seq).checked_add(1)?,
            deps,
            start_op: before.max_op().checked_add(1)?,
            ops: Vec::new(),
            before,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The document with the change, the change's bytes and its hash.
    pub fn commit(mut self, header: &Header) -> Option<(MapDocument, Vec<u8>, [u8; 32])> {
        let containers = self.ops.iter().any(|op| !op.slot.1.is_empty());
        let named: BTreeSet<&[u8]> = self
            .ops
            .iter()
            .flat_map(|op| &op.pred)
            .filter_map(|(actor, _)| self.now.actors.get(*actor).map(Vec::as_slice))
            .chain(containers.then_some(root::ACTOR.as_slice()))
            .collect();
        let own = self.now.actors.get(self.actor)?.as_slice();
        let actors: Vec<&[u8]> =
            std::iter::once(own).chain(named.into_iter().filter(|actor| *actor != own)).collect();
        let place = |actor: &[u8]| actors.iter().position(|known| *known == actor).map(|at| at as u64);
        let root = place(&root::ACTOR).unwrap_or(0);
        let mut ops = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            let pred = op.pred.iter().map(|(actor, counter)| {
                Some(ChunkOpId { actor: place(self.now.actors.get(*actor)?)?, counter: *counter })
            });
            let value = op.value.as_ref().map(Held::scalar);
            ops.push(self.now.op(&op.slot, value, pred.collect::<Option<_>>()?, root)?);
        }
        let message = header.message();
        let chunk = Chunk {
            deps: self.deps.clone(),
            actors,
            seq: self.seq,
            start_op: self.start_op,
            time: header.capture.at.0,
            message: &message,
            ops,
        };
        let (bytes, hash) = write(&chunk);
        self.before.admit(&Cut { chunk, hash, bytes: &bytes, rest: &[] })?;
        Some((self.before, bytes, hash))
    }

    fn overwrite(&mut self, slot: Slot, value: Option<Held>, spared: Option<(usize, u64)>) -> Option<()> {
        let counter = self.start_op.checked_add(self.ops.len() as u64)?;
        let ids = self.now.standing(&slot).into_iter().map(|written| (written.actor, written.counter));
        let pred: Vec<(usize, u64)> = ids.filter(|id| Some(*id) != spared).collect();
        let (actor, change) = (self.actor, self.now.changes.len());
        let written = self.now.slots.entry(slot.clone()).or_default();
        for one in written.iter_mut().filter(|one| pred.contains(&(one.actor, one.counter))) {
            one.stands = false;
        }
        if let Some(value) = value.clone() {
            written.push(Written { actor, counter, change, value, stands: true });
        }
        self.ops.push(DraftOp { slot, value, pred });
        Some(())
    }
}

impl Sheet for Draft {
    fn values(&self, _: &'static Field, slot: &Slot) -> Result<Vec<Held>, DocumentError> {
        Ok(self.now.standing(slot).into_iter().map(|written| written.value.clone()).collect())
    }

    fn keys(&self, _: &'static Field, index: usize) -> Result<Vec<String>, DocumentError> {
        Ok(self.now.keys(index).map(|slot| slot.1.clone()).collect())
    }

    fn put(&mut self, _: &'static Field, slot: Slot, value: Held) -> Result<(), DocumentError> {
        let standing = self.now.standing(&slot);
        let shown = standing.last().filter(|written| written.value == value);
        let shown = shown.map(|written| (written.actor, written.counter));
        let alone = standing.len() == 1;
        let done = match shown {
            Some(_) if alone => Some(()),
            // The value already shown stays; the change only settles that it does.
            Some(id) => self.overwrite(slot, None, Some(id)),
            None => self.overwrite(slot, Some(value), None),
        };
        done.ok_or(DocumentError::Write)
    }

    fn delete(&mut self, _: &'static Field, slot: Slot) -> Result<(), DocumentError> {
        if self.now.standing(&slot).is_empty() {
            return Ok(());
        }
        self.overwrite(slot, None, None).ok_or(DocumentError::Write)
    }

    fn put_text(&mut self, _: &'static Field, text: &str) -> Result<(), DocumentError> {
        // A map document holds no long text: only to leave one empty is nothing to do.
        if text.is_empty() { Ok(()) } else { Err(DocumentError::Write) }
    }
}

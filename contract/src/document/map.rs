//! A document in which only maps were written, kept as its changes: registers, sets and JSON leaves, no long text.
//!
//! Owns what such a history means without building it in the CRDT library: which operations exist, which of them stand,
//! which changes there are. Whatever it does not know for certain it refuses, and Automerge decides. Invariant: its
//! bytes are the root's change and the later ones in an order that respects their dependencies, each canonical, so
//! Automerge loads the same history from them.

use super::chunk::{Chunk, ChunkOpId, Cut, Op, Scalar, read, write};
use super::root::{self, Root};
use super::{Header, json_leaves};
use crate::catalogue::{Kind, Table};
use crate::edit::DocumentId;
use crate::row::Row;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A scalar that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Null,
    Bool(bool),
    Int(i64),
    Str(String),
    Bytes(Vec<u8>),
}

impl Held {
    /// The scalar a document keeps for a register's value.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) | Value::Instant(number) => Self::Int(*number),
            Value::Decimal(number) => Self::Str(number.to_string()),
            Value::Text(text) => Self::Str(text.clone()),
            Value::Uuid(id) => Self::Bytes(id.as_bytes().to_vec()),
            Value::Date(date) => Self::Str(date.to_string()),
            Value::Texts(_) | Value::Uuids(_) | Value::Json(_) => return None,
        })
    }

    pub fn scalar(&self) -> Scalar<'_> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(flag) => Scalar::Bool(*flag),
            Self::Int(number) => Scalar::Int(*number),
            Self::Str(text) => Scalar::Str(text),
            Self::Bytes(bytes) => Scalar::Bytes(bytes),
        }
    }
}

impl From<Scalar<'_>> for Held {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(flag) => Self::Bool(flag),
            Scalar::Int(number) => Self::Int(number),
            Scalar::Str(text) => Self::Str(text.to_owned()),
            Scalar::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// One place a value stands: a register (with an empty key), or a key of a field's own map.
pub(super) type Slot = (usize, String);

/// One operation that wrote a value.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Which actor, by place in `actors`.
    pub actor: usize,
    pub counter: u64,
    /// Which change, by place in `changes`.
    pub change: usize,
    pub value: Held,
    /// Nothing overwrote it.
    pub stands: bool,
}

/// One change of the history.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub hash: [u8; 32],
    pub actor: usize,
    pub seq: u64,
    pub max_op: u64,
    pub deps: Vec<usize>,
    pub header: Option<Header>,
}

/// The document.
#[derive(Clone)]
pub(super) struct MapDocument {
    pub table: &'static Table,
    pub root: &'static Root,
    /// The changes' bytes, one after the other.
    pub saved: Vec<u8>,
    pub actors: Vec<Vec<u8>>,
    /// The changes; the first is the root.
    pub changes: Vec<Known>,
    /// In order.
    pub heads: Vec<[u8; 32]>,
    pub slots: BTreeMap<Slot, Vec<Written>>,
}

impl MapDocument {
    /// The document that only has its root.
    fn new(id: &DocumentId) -> Option<Self> {
        let (table, root) = (id.table()?, root::of(id).ok()?);
        let first =
            Known { hash: root.hash, actor: 0, seq: 1, max_op: root.max_op, deps: Vec::new(), header: None };
        Some(Self {
            table,
            root,
            saved: root.chunk.clone(),
            actors: vec![root::ACTOR.to_vec()],
            changes: vec![first],
            heads: vec![root.hash],
            slots: BTreeMap::new(),
        })
    }

    /// The document of a row at an epoch. `None` when the facet holds a long text, or what only Automerge may judge.
    pub fn genesis(id: &DocumentId, epoch: u32, row: &Row) -> Option<Self> {
        let mut document = Self::new(id)?;
        let mut puts: Vec<(Slot, Held)> = Vec::new();
        for (index, field) in document.table.facet_fields(id.facet) {
            let value = row.at(index);
            match (field.kind, value) {
                (_, value) if value.is_empty() => {}
                (Kind::Register, value) => puts.push(((index, String::new()), Held::of(value)?)),
                (Kind::Set, Value::Texts(members)) => {
                    puts.extend(members.iter().map(|member| ((index, member.clone()), Held::Int(0))));
                }
                (Kind::Set, Value::Uuids(members)) => {
                    puts.extend(members.iter().map(|member| ((index, member.to_string()), Held::Int(0))));
                }
                (Kind::Json, Value::Json(json)) => {
                    let leaves = json_leaves::flatten(json)?;
                    puts.extend(leaves.into_iter().map(|(key, leaf)| ((index, key), Held::Str(leaf))));
                }
                _ => return None,
            }
        }
        let distinct: BTreeSet<&Slot> = puts.iter().map(|(slot, _)| slot).collect();
        if distinct.len() != puts.len() {
            return None;
        }
        if puts.is_empty() {
            return Some(document);
        }
        let mut actor = id.record.0.as_bytes().to_vec();
        actor.extend_from_slice(&epoch.to_be_bytes());
        let actors = vec![actor.as_slice(), root::ACTOR.as_slice()];
        let ops: Vec<Op<'_>> = puts
            .iter()
            .map(|(slot, held)| document.op(slot, Some(held.scalar()), Vec::new(), 1))
            .collect::<Option<_>>()?;
        let named = if ops.iter().any(|op| op.object.is_some()) { 2 } else { 1 };
        let chunk = Chunk {
            deps: document.heads.clone(),
            actors: actors.into_iter().take(named).collect(),
            seq: 1,
            start_op: document.root.max_op.checked_add(1)?,
            time: 0,
            message: "",
            ops,
        };
        let (bytes, hash) = write(&chunk);
        document.admit(&Cut { chunk, hash, bytes: &bytes, rest: &[] })?;
        Some(document)
    }

    /// Reads saved bytes. `None` when they are not such a document's.
    pub fn load(id: &DocumentId, bytes: &[u8]) -> Option<Self> {
        let mut document = Self::new(id)?;
        let mut rest = bytes.strip_prefix(document.root.chunk.as_slice())?;
        while !rest.is_empty() {
            let cut = read(rest)?;
            document.admit(&cut)?;
            rest = cut.rest;
        }
        Some(document)
    }

    /// An operation as it is written; `root` is the place of the root's actor among the chunk's.
    pub fn op<'a>(
        &self,
        slot: &'a Slot,
        value: Option<Scalar<'a>>,
        pred: Vec<ChunkOpId>,
        root: u64,
    ) -> Option<Op<'a>> {
        let field = self.table.columns().nth(slot.0)?;
        if field.kind == Kind::Register {
            return Some(Op { object: None, key: field.name, value, pred });
        }
        let made = self.root.containers.iter().find(|(_, index)| *index == slot.0);
        let object = made.map(|(counter, _)| ChunkOpId { actor: root, counter: *counter })?;
        Some(Op { object: Some(object), key: &slot.1, value, pred })
    }

    pub fn contains(&self, hash: &[u8; 32]) -> bool {
        self.changes.iter().any(|change| change.hash == *hash)
    }

    /// Counter of the last operation.
    pub fn max_op(&self) -> u64 {
        self.changes.iter().map(|change| change.max_op).max().unwrap_or(0)
    }

    /// The last change of an actor.
    pub fn last_of(&self, actor: &[u8]) -> Option<(usize, &Known)> {
        let index = self.actors.iter().position(|known| known == actor)?;
        let of_actor = self.changes.iter().enumerate().filter(|(_, change)| change.actor == index);
        of_actor.max_by_key(|(_, change)| change.seq)
    }

    /// Operations that stand at a slot, in the order of their ids: the last is the one Automerge shows.
    pub fn standing(&self, slot: &Slot) -> Vec<&Written> {
        let mut found: Vec<&Written> =
            self.slots.get(slot).into_iter().flatten().filter(|written| written.stands).collect();
        found.sort_by_key(|written| (written.counter, self.actors.get(written.actor)));
        found
    }

    /// Adds a change. `None` when it is not one an honest replica would have made here: the document is half changed
    /// then and must be built anew from what it had saved.
    pub fn admit(&mut self, cut: &Cut<'_>) -> Option<()> {
        let chunk = &cut.chunk;
        let deps: Vec<usize> = chunk
            .deps
            .iter()
            .map(|dep| self.changes.iter().position(|change| change.hash == *dep))
            .collect::<Option<_>>()?;
        let seen = self.closure(&deps);
        let before =
            deps.iter().filter_map(|dep| self.changes.get(*dep)).map(|change| change.max_op).max()?;
        let expected_seq = match self.last_of(chunk.actors.first()?) {
            Some((at, last)) if seen.get(at) == Some(&true) => last.seq.checked_add(1)?,
            Some(_) => return None,
            None => 1,
        };
        if chunk.start_op != before.checked_add(1)? || chunk.seq != expected_seq || chunk.ops.is_empty() {
            return None;
        }
        let header = match chunk.message {
            "" => None,
            message => Some(Header::parse(message, chunk.time)?),
        };
        let actors: Vec<usize> = chunk.actors.iter().map(|actor| self.intern(actor)).collect();
        let own = *actors.first()?;
        let change = self.changes.len();
        let mut counter = chunk.start_op;
        for op in &chunk.ops {
            self.admit_op(op, &actors, &seen, (own, counter, change))?;
            counter = counter.checked_add(1)?;
        }
        let max_op = counter.checked_sub(1)?;
        self.changes.push(Known { hash: cut.hash, actor: own, seq: chunk.seq, max_op, deps, header });
        self.heads.retain(|head| !chunk.deps.contains(head));
        self.heads.push(cut.hash);
        self.heads.sort_unstable();
        self.saved.extend_from_slice(cut.bytes);
        Some(())
    }

    fn admit_op(
        &mut self,
        op: &Op<'_>,
        actors: &[usize],
        seen: &[bool],
        (own, counter, change): (usize, u64, usize),
    ) -> Option<()> {
        let slot = self.slot_of(op, actors)?;
        let written = self.slots.entry(slot).or_default();
        for pred in &op.pred {
            let actor = *actors.get(usize::try_from(pred.actor).ok()?)?;
            let known = written.iter_mut().find(|w| w.actor == actor && w.counter == pred.counter)?;
            let in_past = known.change == change || seen.get(known.change) == Some(&true);
            if !in_past {
                return None;
            }
            known.stands = false;
        }
        let twice = written.iter().any(|known| known.change == change && known.stands);
        match op.value {
            Some(_) if twice => return None,
            Some(value) => {
                written.push(Written { actor: own, counter, change, value: value.into(), stands: true });
            }
            None if op.pred.is_empty() => return None,
            None => {}
        }
        Some(())
    }

    /// The slot an operation writes, if it is one of this facet's registers, sets or JSON fields.
    fn slot_of(&self, op: &Op<'_>, actors: &[usize]) -> Option<Slot> {
        let Some(object) = op.object else {
            let (index, field) = self.table.field(op.key)?;
            let register = field.kind == Kind::Register && self.root.facet == field.facet;
            return register.then(|| (index, String::new()));
        };
        let by_root = *actors.get(usize::try_from(object.actor).ok()?)? == 0;
        let (_, index) = self.root.containers.iter().find(|(made, _)| *made == object.counter)?;
        let map = matches!(self.table.columns().nth(*index)?.kind, Kind::Set | Kind::Json);
        (by_root && map).then(|| (*index, op.key.to_owned()))
    }

    /// The place of an actor, which is a new one if it was not known.
    pub fn intern(&mut self, actor: &[u8]) -> usize {
        if let Some(known) = self.actors.iter().position(|known| known == actor) {
            return known;
        }
        self.actors.push(actor.to_vec());
        self.actors.len().saturating_sub(1)
    }

    /// Which changes these build on, themselves included.
    fn closure(&self, deps: &[usize]) -> Vec<bool> {
        let mut seen = vec![false; self.changes.len()];
        let mut open = deps.to_vec();
        while let Some(at) = open.pop() {
            if let Some(mark) = seen.get_mut(at).filter(|mark| !**mark) {
                *mark = true;
                open.extend(self.changes.get(at).into_iter().flat_map(|change| &change.deps));
            }
        }
        seen
    }
}

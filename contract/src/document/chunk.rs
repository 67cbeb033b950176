//! One change in its canonical bytes, read and written without the CRDT library.
//!
//! Owns the form of changes that only write scalars into maps: which is what nearly every edit is. Never says whether a
//! change fits a document. Invariant: what [`read`] returns is written back by [`write`] byte for byte, so such a change
//! is exactly what Automerge itself would have written for its operations, and nothing else hides in its bytes.

mod columns;

use columns::{Reader, leb, read_flags, read_runs, signed_leb, write_flags, write_runs};

/// First bytes of every Automerge chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Chunk type of an uncompressed change.
const CHANGE: u8 = 1;
/// Operations above which a change is left to Automerge: a person fills in one screen at a time.
const OPS_MAX: usize = 1_024;
/// The actions of the format this file knows.
const PUT: u64 = 1;
const DELETE: u64 = 3;

/// Column numbers of the format (id of the column, then its type in the low three bits).
mod column {
    pub(super) const OBJECT_ACTOR: u64 = 1;
    pub(super) const OBJECT_COUNTER: u64 = 2;
    pub(super) const KEY: u64 = 21;
    pub(super) const INSERT: u64 = 52;
    pub(super) const ACTION: u64 = 66;
    pub(super) const VALUE_META: u64 = 86;
    pub(super) const VALUE: u64 = 87;
    pub(super) const PRED_COUNT: u64 = 112;
    pub(super) const PRED_ACTOR: u64 = 113;
    pub(super) const PRED_COUNTER: u64 = 115;
}

/// An operation's name inside a chunk: which of its actors, and that one's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChunkOpId {
    pub actor: u64,
    pub counter: u64,
}

/// A scalar, borrowed from the bytes or from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Str(&'a str),
    Bytes(&'a [u8]),
}

/// One operation on one key of one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Op<'a> {
    /// The map; `None` for the document's root.
    pub object: Option<ChunkOpId>,
    pub key: &'a str,
    /// `None` deletes the key.
    pub value: Option<Scalar<'a>>,
    /// Operations it overwrites.
    pub pred: Vec<ChunkOpId>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// What it builds on, in order.
    pub deps: Vec<[u8; 32]>,
    /// The author, then the others it names, in order.
    pub actors: Vec<&'a [u8]>,
    pub seq: u64,
    pub start_op: u64,
    pub time: i64,
    pub message: &'a str,
    pub ops: Vec<Op<'a>>,
}

/// A chunk cut off the front of some bytes.
pub(super) struct Cut<'a> {
    pub chunk: Chunk<'a>,
    pub hash: [u8; 32],
    /// Its own bytes.
    pub bytes: &'a [u8],
    pub rest: &'a [u8],
}

/// Reads the first chunk. `None` when it is not a change of this form in its canonical bytes.
pub(super) fn read(bytes: &[u8]) -> Option<Cut<'_>> {
    let mut reader = Reader(bytes);
    let magic = reader.take(4)?;
    let checksum = reader.take(4)?;
    if magic != MAGIC || reader.take(1)? != [CHANGE] {
        return None;
    }
    let length = reader.size()?;
    let body = reader.take(length)?;
    let (own, rest) = bytes.split_at_checked(bytes.len().checked_sub(reader.0.len())?)?;
    let chunk = read_body(&mut Reader(body))?;
    let (written, hash) = write(&chunk);
    let canonical = names_what_it_uses(&chunk) && written == own && hash.get(..4) == Some(checksum);
    canonical.then_some(Cut { chunk, hash, bytes: own, rest })
}

/// Whether the actors beside the author are those the operations name, each once and in order.
fn names_what_it_uses(chunk: &Chunk<'_>) -> bool {
    let mut used = vec![false; chunk.actors.len()];
    let named = chunk.ops.iter().flat_map(|op| op.object.iter().chain(&op.pred));
    for id in named {
        let place = usize::try_from(id.actor).ok().and_then(|actor| used.get_mut(actor));
        let Some(place) = place else { return false };
        *place = true;
    }
    let Some((author, others)) = chunk.actors.split_first() else { return false };
    let ordered = others.is_sorted_by(|one, next| one < next) && !others.contains(author);
    ordered && used.iter().skip(1).all(|used| *used)
}

/// Reads again what [`read`] took whole before: what it found canonical then is so now.
pub(super) fn reread(bytes: &[u8]) -> Option<Chunk<'_>> {
    let mut reader = Reader(bytes.get(9..)?);
    let length = reader.size()?;
    read_body(&mut Reader(reader.take(length)?))
}

fn read_body<'a>(reader: &mut Reader<'a>) -> Option<Chunk<'a>> {
    let deps = (0..reader.few()?).map(|_| reader.array::<32>()).collect::<Option<Vec<_>>>()?;
    let mut actors = vec![reader.prefixed()?];
    let (seq, start_op, time) = (reader.unsigned()?, reader.unsigned()?, reader.signed()?);
    let message = std::str::from_utf8(reader.prefixed()?).ok()?;
    for _ in 0..reader.few()? {
        actors.push(reader.prefixed()?);
    }
    let mut specs = Vec::new();
    for _ in 0..reader.few()? {
        specs.push((reader.unsigned()?, reader.size()?));
    }
    let mut found = Columns::default();
    for (number, length) in specs {
        *found.slot(number)? = reader.take(length)?;
    }
    // Bytes after the columns belong to no change written here.
    let ops = reader.0.is_empty().then(|| read_ops(&found))??;
    Some(Chunk { deps, actors, seq, start_op, time, message, ops })
}

/// The bytes of each column; empty when it is absent.
#[derive(Default)]
struct Columns<'a> {
    object_actor: &'a [u8],
    object_counter: &'a [u8],
    key: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value: &'a [u8],
    pred_count: &'a [u8],
    pred_actor: &'a [u8],
    pred_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    fn slot(&mut self, number: u64) -> Option<&mut &'a [u8]> {
        Some(match number {
            column::OBJECT_ACTOR => &mut self.object_actor,
            column::OBJECT_COUNTER => &mut self.object_counter,
            column::KEY => &mut self.key,
            column::INSERT => &mut self.insert,
            column::ACTION => &mut self.action,
            column::VALUE_META => &mut self.value_meta,
            column::VALUE => &mut self.value,
            column::PRED_COUNT => &mut self.pred_count,
            column::PRED_ACTOR => &mut self.pred_actor,
            column::PRED_COUNTER => &mut self.pred_counter,
            _ => return None,
        })
    }
}

fn read_ops<'a>(columns: &Columns<'a>) -> Option<Vec<Op<'a>>> {
    let numbers = |bytes| read_runs(bytes, OPS_MAX, Reader::unsigned);
    let actions = numbers(columns.action)?;
    let keys = read_runs(columns.key, OPS_MAX, |reader: &mut Reader<'a>| {
        std::str::from_utf8(reader.prefixed()?).ok()
    })?;
    let (metas, counts) = (numbers(columns.value_meta)?, numbers(columns.pred_count)?);
    let same = [keys.len(), metas.len(), counts.len()].iter().all(|length| *length == actions.len());
    if !same || read_flags(columns.insert, actions.len())?.iter().any(|insert| *insert) {
        return None;
    }
    let (mut object_actors, mut object_counters) =
        (numbers(columns.object_actor)?.into_iter(), numbers(columns.object_counter)?.into_iter());
    let mut preds = read_preds(columns)?.into_iter();
    let mut values = Reader(columns.value);
    let mut ops = Vec::with_capacity(actions.len());
    for (((action, key), meta), count) in actions.into_iter().zip(keys).zip(metas).zip(counts) {
        let object = match (object_actors.next().flatten(), object_counters.next().flatten()) {
            (Some(actor), Some(counter)) => Some(ChunkOpId { actor, counter }),
            (None, None) => None,
            _ => return None,
        };
        let value = read_value(&mut values, meta?)?;
        let value = match action? {
            PUT => Some(value),
            DELETE if value == Scalar::Null => None,
            _ => return None,
        };
        let count = usize::try_from(count?).ok().filter(|count| *count <= OPS_MAX)?;
        let pred = preds.by_ref().take(count).collect();
        ops.push(Op { object, key: key?, value, pred });
    }
    Some(ops)
}

fn read_preds(columns: &Columns<'_>) -> Option<Vec<ChunkOpId>> {
    let actors = read_runs(columns.pred_actor, OPS_MAX, Reader::unsigned)?;
    let steps = read_runs(columns.pred_counter, OPS_MAX, Reader::signed)?;
    if actors.len() != steps.len() {
        return None;
    }
    let mut at = 0i64;
    actors
        .into_iter()
        .zip(steps)
        .map(|(actor, step)| {
            at = at.checked_add(step?)?;
            Some(ChunkOpId { actor: actor?, counter: u64::try_from(at).ok()? })
        })
        .collect()
}

fn read_value<'a>(values: &mut Reader<'a>, meta: u64) -> Option<Scalar<'a>> {
    let raw = values.take(usize::try_from(meta >> 4).ok()?)?;
    Some(match (meta & 15, raw) {
        (0, []) => Scalar::Null,
        (1, []) => Scalar::Bool(false),
        (2, []) => Scalar::Bool(true),
        (4, raw) => Scalar::Int(Reader(raw).signed()?),
        (6, raw) => Scalar::Str(std::str::from_utf8(raw).ok()?),
        (7, raw) => Scalar::Bytes(raw),
        _ => return None,
    })
}

/// The bytes of a change, as Automerge writes them, and its hash.
pub(super) fn write(chunk: &Chunk<'_>) -> (Vec<u8>, [u8; 32]) {
    let mut body = Vec::with_capacity(256);
    leb(chunk.deps.len() as u64, &mut body);
    for dep in &chunk.deps {
        body.extend_from_slice(dep);
    }
    let prefixed = |bytes: &[u8], out: &mut Vec<u8>| {
        leb(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    };
    let (author, others) = chunk.actors.split_first().unwrap_or((&(&[] as &[u8]), &[]));
    prefixed(author, &mut body);
    leb(chunk.seq, &mut body);
    leb(chunk.start_op, &mut body);
    signed_leb(chunk.time, &mut body);
    prefixed(chunk.message.as_bytes(), &mut body);
    leb(others.len() as u64, &mut body);
    for actor in others {
        prefixed(actor, &mut body);
    }
    write_ops(&chunk.ops, &mut body);
    let mut hashed = Vec::with_capacity(body.len().saturating_add(16));
    hashed.push(CHANGE);
    leb(body.len() as u64, &mut hashed);
    hashed.extend_from_slice(&body);
    let digest = ring::digest::digest(&ring::digest::SHA256, &hashed);
    let mut hash = [0u8; 32];
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    let mut bytes = Vec::with_capacity(hashed.len().saturating_add(8));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend(hash.iter().take(4));
    bytes.extend_from_slice(&hashed);
    (bytes, hash)
}

fn write_ops(ops: &[Op<'_>], out: &mut Vec<u8>) {
    let mut data = Vec::with_capacity(128);
    let mut specs: Vec<(u64, usize)> = Vec::with_capacity(10);
    let mut column = |number: u64, data: &mut Vec<u8>, fill: &dyn Fn(&mut Vec<u8>)| {
        let before = data.len();
        fill(data);
        if data.len() > before {
            specs.push((number, data.len().saturating_sub(before)));
        }
    };
    let unsigned = |value: &u64, out: &mut Vec<u8>| leb(*value, out);
    let object = |pick: fn(ChunkOpId) -> u64| move |op: &Op<'_>| op.object.map(pick);
    column(column::OBJECT_ACTOR, &mut data, &|data| {
        write_runs(ops.iter().map(object(|id| id.actor)), data, unsigned);
    });
    column(column::OBJECT_COUNTER, &mut data, &|data| {
        write_runs(ops.iter().map(object(|id| id.counter)), data, unsigned);
    });
    column(column::KEY, &mut data, &|data| {
        write_runs(ops.iter().map(|op| Some(op.key)), data, |key, out| {
            leb(key.len() as u64, out);
            out.extend_from_slice(key.as_bytes());
        });
    });
    column(column::INSERT, &mut data, &|data| write_flags(ops.len(), data));
    column(column::ACTION, &mut data, &|data| {
        let action = |op: &Op<'_>| Some(if op.value.is_some() { PUT } else { DELETE });
        write_runs(ops.iter().map(action), data, unsigned);
    });
    column(column::VALUE_META, &mut data, &|data| {
        let meta = |op: &Op<'_>| Some(op.value.map_or(0, meta_of));
        write_runs(ops.iter().map(meta), data, unsigned);
    });
    column(column::VALUE, &mut data, &|data| {
        ops.iter().filter_map(|op| op.value).for_each(|value| write_value(value, data));
    });
    column(column::PRED_COUNT, &mut data, &|data| {
        write_runs(ops.iter().map(|op| Some(op.pred.len() as u64)), data, unsigned);
    });
    let preds = || ops.iter().flat_map(|op| &op.pred);
    column(column::PRED_ACTOR, &mut data, &|data| {
        write_runs(preds().map(|id| Some(id.actor)), data, unsigned);
    });
    column(column::PRED_COUNTER, &mut data, &|data| {
        let mut at = 0i64;
        let steps = preds().map(|id| {
            let counter = id.counter.cast_signed();
            let step = counter.wrapping_sub(at);
            at = counter;
            Some(step)
        });
        write_runs(steps, data, |step, out| signed_leb(*step, out));
    });
    leb(specs.len() as u64, out);
    for (number, length) in specs {
        leb(number, out);
        leb(length as u64, out);
    }
    out.extend_from_slice(&data);
}

fn meta_of(value: Scalar<'_>) -> u64 {
    let sized = |length: usize, kind: u64| (length as u64) << 4 | kind;
    match value {
        Scalar::Null => 0,
        Scalar::Bool(false) => 1,
        Scalar::Bool(true) => 2,
        Scalar::Int(number) => {
            let mut bytes = Vec::with_capacity(10);
            signed_leb(number, &mut bytes);
            sized(bytes.len(), 4)
        }
        Scalar::Str(text) => sized(text.len(), 6),
        Scalar::Bytes(bytes) => sized(bytes.len(), 7),
    }
}

fn write_value(value: Scalar<'_>, out: &mut Vec<u8>) {
    match value {
        Scalar::Null | Scalar::Bool(_) => {}
        Scalar::Int(number) => signed_leb(number, out),
        Scalar::Str(text) => out.extend_from_slice(text.as_bytes()),
        Scalar::Bytes(bytes) => out.extend_from_slice(bytes),
    }
}

//! The strict reader of one change chunk, in front of Automerge.
//!
//! Automerge's own decoder trusts its input more than a server may: a run of a few bytes can stand for a billion
//! operations, a chunk can be deflated, a column can be of a kind no tablet writes. This reader walks the same bytes
//! with every count capped before it is believed, and takes only what a tablet's edit can be: values put into a map,
//! characters put into a text, and deletions of either. Containers come from the document's root change alone, so
//! nothing that passes can nest. Invariant: memory and time are bounded by the chunk's length and the caps.

mod column;
mod ops;

use crate::limits::{
    ACTOR_BYTES, CHANGE_ACTORS_MAX, CHANGE_BYTES_MAX, CHANGE_COUNTER_MAX, CHANGE_DEPS_MAX,
    CHANGE_MESSAGE_BYTES_MAX,
};
use column::Reader;
use ops::Columns;
use uuid::Uuid;

/// First bytes of every Automerge chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Chunk type of an uncompressed change. Type 2 is deflated: 1 MB of it can expand to gigabytes.
const CHUNK_CHANGE: u8 = 1;
/// The longest actor in a document: record id and epoch of a genesis change.
const OTHER_ACTOR_BYTES_MAX: usize = 20;
/// Kinds of columns a change of ours has. One with the deflate bit (8) is none of them.
const COLUMNS: usize = 12;

/// What the strict reader learns of a change.
#[derive(Debug, Clone)]
pub(super) struct Strict {
    pub hash: [u8; 32],
    pub actor: [u8; ACTOR_BYTES],
    pub deps: Vec<[u8; 32]>,
    pub start_op: u64,
    pub time_us: i64,
    pub message: String,
    /// Ids put into registers of the document's root.
    pub root_ids: Vec<(String, Uuid)>,
}

/// Reads exactly one change chunk; `None` for anything a tablet does not write.
pub(super) fn read(bytes: &[u8]) -> Option<Strict> {
    if bytes.len() > CHANGE_BYTES_MAX {
        return None;
    }
    let mut reader = Reader::new(bytes);
    if reader.array::<4>()? != MAGIC {
        return None;
    }
    let checksum = reader.array::<4>()?;
    if reader.byte()? != CHUNK_CHANGE {
        return None;
    }
    let length = reader.size()?;
    if reader.left() != length {
        return None;
    }
    let hash = chunk_hash(reader.rest());
    if hash.get(..4)? != checksum {
        return None;
    }
    body(&mut reader, hash)
}

fn body(reader: &mut Reader<'_>, hash: [u8; 32]) -> Option<Strict> {
    let deps = list(reader, 1..=CHANGE_DEPS_MAX, Reader::array::<32>)?;
    let actor: [u8; ACTOR_BYTES] = reader.prefixed()?.try_into().ok()?;
    let seq = counter(reader)?;
    let start_op = counter(reader)?;
    let time_us = reader.sleb()?;
    let message = std::str::from_utf8(reader.prefixed()?).ok()?;
    if seq == 0 || start_op == 0 || message.len() > CHANGE_MESSAGE_BYTES_MAX {
        return None;
    }
    let others = list(reader, 0..=CHANGE_ACTORS_MAX, |reader| {
        reader.prefixed().filter(|other| (1..=OTHER_ACTOR_BYTES_MAX).contains(&other.len()))
    })?;
    if others.contains(&actor.as_slice()) {
        return None;
    }
    let columns = columns(reader)?;
    let actors = u64::try_from(others.len()).ok()?.checked_add(1)?;
    let root_ids = ops::walk(&columns, actors, start_op)?;
    let message = message.to_owned();
    Some(Strict { hash, actor, deps, start_op, time_us, message, root_ids })
}

/// A list with its length in front, without doubles.
fn list<'a, T: PartialEq>(
    reader: &mut Reader<'a>,
    sizes: std::ops::RangeInclusive<usize>,
    mut item: impl FnMut(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = reader.size().filter(|count| sizes.contains(count))?;
    let mut items = Vec::new();
    for _ in 0..count {
        let next = item(reader)?;
        if items.contains(&next) {
            return None;
        }
        items.push(next);
    }
    Some(items)
}

fn counter(reader: &mut Reader<'_>) -> Option<u64> {
    reader.uleb().filter(|number| *number <= CHANGE_COUNTER_MAX)
}

/// The columns' data, which must end the chunk: bytes behind it would travel unseen.
fn columns<'a>(reader: &mut Reader<'a>) -> Option<Columns<'a>> {
    let count = reader.size().filter(|count| *count <= COLUMNS)?;
    let mut described = Vec::with_capacity(count);
    for _ in 0..count {
        let (spec, length) = (reader.uleb()?, reader.size()?);
        let ascending = described.last().is_none_or(|(before, _)| *before < spec);
        if !ascending || length == 0 {
            return None;
        }
        described.push((spec, length));
    }
    let mut columns = Columns::default();
    for (spec, length) in described {
        *columns.slot(spec)? = reader.take(length)?;
    }
    (reader.left() == 0).then_some(columns)
}

/// SHA-256 over chunk type, length and content: the change's hash, whose first four bytes are the checksum.
fn chunk_hash(content: &[u8]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&[CHUNK_CHANGE]);
    let mut length = content.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            context.update(&[low]);
            break;
        }
        context.update(&[low | 0x80]);
    }
    context.update(content);
    let mut hash = [0u8; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

//! The operations of a change, row by row: each must be one a tablet's edit can hold.

use super::column::{Deltas, Flags, Reader, Runs};
use crate::document::root::ABOUT;
use crate::limits::{CHANGE_COUNTER_MAX, CHANGE_KEY_BYTES_MAX, CHANGE_OPS_MAX};
use uuid::Uuid;

/// Automerge's number of "put".
const PUT: u64 = 1;
/// Automerge's number of "delete".
const DELETE: u64 = 3;

/// The columns' bytes, by what they mean. One that is not there is empty.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    object_actor: &'a [u8],
    object_counter: &'a [u8],
    key_actor: &'a [u8],
    key_counter: &'a [u8],
    key_text: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value: &'a [u8],
    replaced_count: &'a [u8],
    replaced_actor: &'a [u8],
    replaced_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    /// Where a column of this specification (id × 16 + type) goes. Marks and deflated columns have no place.
    pub fn slot(&mut self, spec: u64) -> Option<&mut &'a [u8]> {
        Some(match spec {
            0x01 => &mut self.object_actor,
            0x02 => &mut self.object_counter,
            0x11 => &mut self.key_actor,
            0x13 => &mut self.key_counter,
            0x15 => &mut self.key_text,
            0x34 => &mut self.insert,
            0x42 => &mut self.action,
            0x56 => &mut self.value_meta,
            0x57 => &mut self.value,
            0x70 => &mut self.replaced_count,
            0x71 => &mut self.replaced_actor,
            0x73 => &mut self.replaced_counter,
            _ => return None,
        })
    }
}

/// A scalar as the catalogue knows them. No floats, counters, timestamps, unsigned or unknown ones.
#[derive(Debug, Clone, Copy)]
enum Scalar<'a> {
    Null,
    Other,
    Text(&'a str),
    Bytes(&'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key<'a> {
    Text(&'a str),
    /// Behind this character of a text; `None` at its beginning.
    Place(Option<(u64, u64)>),
}

struct Rows<'a> {
    object_actor: Runs<'a, u64>,
    object_counter: Runs<'a, u64>,
    key_actor: Runs<'a, u64>,
    key_counter: Deltas<'a>,
    key_text: Runs<'a, &'a str>,
    insert: Flags<'a>,
    action: Runs<'a, u64>,
    value_meta: Runs<'a, u64>,
    value: Reader<'a>,
    replaced_count: Runs<'a, u64>,
    replaced_actor: Runs<'a, u64>,
    replaced_counter: Deltas<'a>,
    /// Actors the change names, its own included.
    actors: u64,
    /// What the operation before this one took away.
    deleted: Option<(Option<(u64, u64)>, Key<'a>)>,
}

/// Walks every operation. Returns the ids put into the root's registers; `None` if anything is not as it must be.
pub(super) fn walk(columns: &Columns<'_>, actors: u64, start_op: u64) -> Option<Vec<(String, Uuid)>> {
    let ops_max = u64::try_from(CHANGE_OPS_MAX).ok()?;
    let ops = Runs::new(columns.action, Reader::uleb).count(ops_max)?;
    let replaced: u64 = sum(columns.replaced_count, ops, ops_max)?;
    if ops == 0 || start_op.checked_add(ops)? > CHANGE_COUNTER_MAX {
        return None;
    }
    let mut rows = Rows::new(columns, actors);
    let mut root_ids = Vec::new();
    for place in 0..ops {
        let own = start_op.checked_add(place)?;
        if let Some((name, id)) = rows.next(own)? {
            root_ids.push((name.to_owned(), id));
        }
    }
    (rows.is_done() && replaced <= ops_max).then_some(root_ids)
}

/// The sum of a column of counts, capped.
fn sum(column: &[u8], rows: u64, max: u64) -> Option<u64> {
    let mut counts = Runs::new(column, Reader::uleb);
    (0..rows).try_fold(0u64, |total, _| total.checked_add(counts.next()??).filter(|total| *total <= max))
}

fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    let bytes = reader.prefixed().filter(|bytes| bytes.len() <= CHANGE_KEY_BYTES_MAX)?;
    std::str::from_utf8(bytes).ok()
}

impl<'a> Rows<'a> {
    fn new(columns: &Columns<'a>, actors: u64) -> Self {
        Self {
            object_actor: Runs::new(columns.object_actor, Reader::uleb),
            object_counter: Runs::new(columns.object_counter, Reader::uleb),
            key_actor: Runs::new(columns.key_actor, Reader::uleb),
            key_counter: Deltas::new(columns.key_counter),
            key_text: Runs::new(columns.key_text, text),
            insert: Flags::new(columns.insert),
            action: Runs::new(columns.action, Reader::uleb),
            value_meta: Runs::new(columns.value_meta, Reader::uleb),
            value: Reader::new(columns.value),
            replaced_count: Runs::new(columns.replaced_count, Reader::uleb),
            replaced_actor: Runs::new(columns.replaced_actor, Reader::uleb),
            replaced_counter: Deltas::new(columns.replaced_counter),
            actors,
            deleted: None,
        }
    }

    /// The next operation, whose own counter is given. `Some(Some(…))` when it puts an id into the root.
    ///
    /// A run stands for many operations in a few bytes, so each must also come to something: a character that is none,
    /// or the same one taken away again and again, would make two hundred bytes a document of a hundred megabytes, on
    /// every tablet.
    fn next(&mut self, own: u64) -> Option<Option<(&'a str, Uuid)>> {
        let object = match (self.object_actor.next()?, self.object_counter.next()?) {
            (None, None) => None,
            (Some(actor), Some(counter)) => Some(self.earlier(actor, counter, own)?),
            _ => return None,
        };
        let key = self.key(own)?;
        let (insert, action) = (self.insert.next()?, self.action.next()??);
        let value = self.scalar()?;
        let replaced = self.replaced(own)?;
        let fits = match (&key, insert, action) {
            // The root's `_` says what the document is.
            (Key::Text(name), false, PUT) => object.is_some() || *name != ABOUT,
            (Key::Text(name), false, DELETE) => {
                (object.is_some() || *name != ABOUT) && matches!(value, Scalar::Null) && replaced > 0
            }
            (Key::Place(_), true, PUT) => {
                object.is_some() && matches!(value, Scalar::Text(text) if !text.is_empty()) && replaced == 0
            }
            (Key::Place(Some(_)), false, DELETE) => {
                object.is_some() && matches!(value, Scalar::Null) && replaced > 0
            }
            _ => false,
        };
        let taken_away = (action == DELETE).then_some((object, key));
        if !fits || (taken_away.is_some() && taken_away == self.deleted) {
            return None;
        }
        self.deleted = taken_away;
        Some(match (object, key, action, value) {
            (None, Key::Text(name), PUT, Scalar::Bytes(bytes)) => {
                Uuid::from_slice(bytes).ok().map(|id| (name, id))
            }
            _ => None,
        })
    }

    fn key(&mut self, own: u64) -> Option<Key<'a>> {
        match (self.key_actor.next()?, self.key_counter.next()?, self.key_text.next()?) {
            (None, None, Some(name)) => Some(Key::Text(name)),
            (None, Some(0), None) => Some(Key::Place(None)),
            (Some(actor), Some(counter), None) => {
                self.earlier(actor, counter, own).map(|id| Key::Place(Some(id)))
            }
            _ => None,
        }
    }

    /// How many earlier operations this one replaces.
    fn replaced(&mut self, own: u64) -> Option<u64> {
        let count = self.replaced_count.next()??;
        for _ in 0..count {
            let (actor, counter) = (self.replaced_actor.next()??, self.replaced_counter.next()??);
            self.earlier(actor, counter, own)?;
        }
        Some(count)
    }

    /// An operation that can exist: by an actor the change names, before the one that speaks of it.
    fn earlier(&self, actor: u64, counter: u64, own: u64) -> Option<(u64, u64)> {
        (actor < self.actors && (1..own).contains(&counter)).then_some((actor, counter))
    }

    fn scalar(&mut self) -> Option<Scalar<'a>> {
        let meta = self.value_meta.next()??;
        let bytes = self.value.take(usize::try_from(meta >> 4).ok()?)?;
        match meta & 0xf {
            0 if bytes.is_empty() => Some(Scalar::Null),
            1 | 2 if bytes.is_empty() => Some(Scalar::Other),
            4 => {
                let mut number = Reader::new(bytes);
                number.sleb().filter(|_| number.left() == 0).map(|_| Scalar::Other)
            }
            6 => std::str::from_utf8(bytes).ok().map(Scalar::Text),
            // The only bytes of a record are ids.
            7 if bytes.len() == 16 => Some(Scalar::Bytes(bytes)),
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        self.object_actor.is_done()
            && self.object_counter.is_done()
            && self.key_actor.is_done()
            && self.key_counter.is_done()
            && self.key_text.is_done()
            && self.insert.is_done()
            && self.action.is_done()
            && self.value_meta.is_done()
            && self.value.left() == 0
            && self.replaced_count.is_done()
            && self.replaced_actor.is_done()
            && self.replaced_counter.is_done()
    }
}

//! A document of plain registers without building it: its first changes and their hash straight from the row, and
//! what a change that follows everything before it puts where.
//!
//! Only a shortcut: it answers `None` wherever the document itself must be asked (texts, sets, objects, concurrent
//! changes). Invariant: the bytes and hashes are those of [`Document::genesis`].

use super::{Document, ParsedChange, read, root, write};
use crate::catalogue::{FacetId, Kind, Table, TableId};
use crate::edit::DocumentId;
use crate::row::Row;
use crate::value::Value;
use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ScalarValueRef};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::OnceLock;

/// The changes a document starts with, one chunk after the other, and the hash of the last.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Bytes [`Document::load`] reads; chunks of later changes may follow.
    pub chunks: Vec<u8>,
    /// Hash of the last change.
    pub head: [u8; 32],
}

struct Root {
    bytes: Vec<u8>,
    hash: ChangeHash,
    ops: u64,
}

static ROOTS: OnceLock<BTreeMap<(TableId, FacetId), Root>> = OnceLock::new();

fn root_of(id: &DocumentId) -> Option<&'static Root> {
    let build = || {
        let facets = crate::catalogue::TABLES
            .iter()
            .flat_map(|table| table.facet_ids().map(move |facet| (table.id, facet)));
        facets.filter_map(|(table, facet)| Some(((table, facet), read_root(table, facet)?))).collect()
    };
    ROOTS.get_or_init(build).get(&(id.table, id.facet))
}

fn read_root(table: TableId, facet: FacetId) -> Option<Root> {
    let id = DocumentId { table, record: crate::ids::RecordId(uuid::Uuid::nil()), facet };
    let mut doc = root::document(&id).ok()?;
    let change = doc.get_changes(&[]).into_iter().next()?;
    Some(Root {
        bytes: change.raw_bytes().to_vec(),
        hash: change.hash(),
        ops: u64::try_from(change.len()).ok()?,
    })
}

impl Outline {
    /// The start of the document of a row at an epoch; `None` if the facet holds more than registers.
    #[must_use]
    pub fn genesis(id: DocumentId, epoch: u32, row: &Row) -> Option<Self> {
        let root = root_of(&id)?;
        let mut operations = Vec::new();
        for (index, field) in id.table()?.facet_fields(id.facet) {
            let value = row.at(index);
            if value.is_empty() {
                continue;
            }
            if field.kind != Kind::Register {
                return None;
            }
            operations.push(Op {
                action: OpType::Put(write::scalar(value)?),
                obj: ObjectId::Root,
                key: Key::Map(field.name.into()),
                pred: Vec::new().into(),
                insert: false,
            });
        }
        let mut chunks = root.bytes.clone();
        if operations.is_empty() {
            return Some(Self { chunks, head: root.hash.0 });
        }
        let change = Change::from(ExpandedChange {
            operations,
            actor_id: ActorId::from(write::genesis_actor(id.record, epoch)),
            hash: None,
            seq: 1,
            start_op: NonZeroU64::new(root.ops.saturating_add(1))?,
            time: 0,
            message: None,
            deps: vec![root.hash],
            extra_bytes: Vec::new(),
            author: None,
        });
        chunks.extend_from_slice(change.raw_bytes());
        Some(Self { chunks, head: change.hash().0 })
    }
}

impl ParsedChange {
    /// Whether it was made with exactly these heads in sight, so nothing here is concurrent with it.
    #[must_use]
    pub fn follows(&self, heads: &[[u8; 32]]) -> bool {
        self.deps().len() == heads.len() && self.deps().iter().all(|hash| heads.contains(&hash.0))
    }

    /// What it puts into registers, by index in the row; `None` if it does anything else.
    #[must_use]
    pub fn registers(&self, table: &'static Table, facet: FacetId) -> Option<Vec<(usize, Value)>> {
        let operations = self.inner().decode().operations;
        operations
            .iter()
            .map(|op| {
                let (ObjectId::Root, Key::Map(key), OpType::Put(scalar), false) =
                    (&op.obj, &op.key, &op.action, op.insert)
                else {
                    return None;
                };
                let mut fields = table.facet_fields(facet);
                let (index, field) = fields.find(|(_, field)| field.name == key.as_str())?;
                if field.kind != Kind::Register {
                    return None;
                }
                let value = read::from_scalar(&ScalarValueRef::from(scalar.clone()), field.column)?;
                Some((index, value))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::table;
    use crate::ids::RecordId;

    fn rows() -> Vec<(DocumentId, Row)> {
        let id = |name: &str| DocumentId {
            table: table(name).unwrap().id,
            record: RecordId(uuid::Uuid::from_u128(0xabc)),
            facet: FacetId(0),
        };
        let mut appointment = Row::empty(table("appointments").unwrap());
        appointment.set("patient_id", Value::Uuid(uuid::Uuid::from_u128(1)));
        appointment.set("status", Value::Text("scheduled".into()));
        appointment.set("start_time", Value::Instant(1_700_000_000_000_001));
        appointment.set("duration_minutes", Value::Int(45));
        appointment.set("price", Value::Decimal("12.50".parse().unwrap()));
        let mut patient = Row::empty(table("patients").unwrap());
        patient.set("name", Value::Text("Conceição".into()));
        patient.set("date_of_birth", Value::Date("1990-05-17".parse().unwrap()));
        patient.set("is_active", Value::Bool(true));
        let empty = Row::empty(table("payments").unwrap());
        vec![(id("appointments"), appointment), (id("patients"), patient), (id("payments"), empty)]
    }

    #[test]
    fn the_outline_is_the_document_without_building_it() {
        for (id, row) in rows() {
            for epoch in [1, 2, 70_000] {
                let mut document = Document::genesis(id, epoch, &row).unwrap();
                let outline = Outline::genesis(id, epoch, &row).unwrap();
                assert_eq!(document.heads(), [outline.head], "{id}");
                let mut loaded = Document::load(id, &outline.chunks).unwrap();
                assert_eq!(loaded.heads(), [outline.head], "{id}");
                let mut read = Row::empty(row.table());
                loaded.project(&super::super::Clamps::new(), &mut read).unwrap();
                assert_eq!(read, row, "{id}");
            }
        }
    }

    #[test]
    fn a_facet_with_more_than_registers_has_no_outline() {
        let (id, mut row) = rows().remove(0);
        row.set("notes", Value::Text("x".into()));
        assert!(Outline::genesis(id, 1, &row).is_none());
    }
}

//! What a person did, read back from a change: for an edit that waited on the server until its base was gone.
//!
//! Owns the inverse of [`super::write`]. Never guesses: a change that says only "after that character" of a text that is
//! not here is not read back. Invariant: the operations, written again on the base the change had, give what it gave.

use super::{ParsedChange, read, root};
use crate::catalogue::{Field, Kind, Table};
use crate::edit::{DocumentId, FieldOp};
use crate::row::Row;
use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, ScalarValue};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

impl ParsedChange {
    /// The operations of the change, to be written on `current`. `None` when they can only be read with a base that is
    /// gone: then the tablet that made it has to express it again.
    #[must_use]
    pub fn operations(&self, id: &DocumentId, current: &Row) -> Option<Vec<FieldOp>> {
        let table = id.table()?;
        let change = self.decode()?.decode();
        let containers = root::containers(id)?;
        let mut ops = Vec::new();
        let mut leaves: BTreeMap<&'static str, BTreeMap<String, String>> = BTreeMap::new();
        let mut texts: BTreeMap<&'static str, Inserted> = BTreeMap::new();
        let start = change.start_op.get();
        for (counter, op) in (start..).zip(&change.operations) {
            match &op.obj {
                ObjectId::Root => ops.push(register(table, id, op)?),
                ObjectId::Id(object) => {
                    let field = *containers.get(object)?;
                    match field.kind {
                        Kind::Set => ops.push(member(field, op)?),
                        Kind::Json => {
                            let (path, leaf) = leaf(op)?;
                            leaves.entry(field.name).or_default().insert(path, leaf);
                        }
                        Kind::Text => {
                            texts.entry(field.name).or_default().insert(counter, &change.actor_id, op)?;
                        }
                        Kind::Register | Kind::Derived => return None,
                    }
                }
            }
        }
        for (field, leaves) in leaves {
            let patch = super::json_leaves::build(&leaves)?;
            ops.push(FieldOp::Merge { field: field.to_owned(), patch });
        }
        ops.extend(texts.into_iter().map(|(field, inserted)| FieldOp::Text {
            field: field.to_owned(),
            value: inserted.before(current.get(field).as_text().unwrap_or_default()),
        }));
        Some(ops)
    }
}

fn map_key(op: &Op) -> Option<&str> {
    match &op.key {
        Key::Map(key) => Some(key.as_str()),
        Key::Seq(_) => None,
    }
}

fn register(table: &'static Table, id: &DocumentId, op: &Op) -> Option<FieldOp> {
    let name = map_key(op)?;
    let (_, field) = table.facet_fields(id.facet).find(|(_, field)| field.name == name)?;
    let OpType::Put(scalar) = &op.action else { return None };
    if field.kind != Kind::Register {
        return None;
    }
    let value = read::from_scalar(read::owned(scalar), field.column)?;
    let value = if value.is_null() { Json::Null } else { value.to_json() };
    Some(FieldOp::Put { field: field.name.to_owned(), value })
}

fn member(field: &'static Field, op: &Op) -> Option<FieldOp> {
    let (field, member) = (field.name.to_owned(), map_key(op)?.to_owned());
    match &op.action {
        OpType::Put(ScalarValue::Int(_)) => Some(FieldOp::Add { field, member }),
        OpType::Put(ScalarValue::Str(reason)) => {
            Some(FieldOp::Remove { field, member, reason: reason.to_string() })
        }
        _ => None,
    }
}

fn leaf(op: &Op) -> Option<(String, String)> {
    let path = map_key(op)?.to_owned();
    match &op.action {
        OpType::Put(ScalarValue::Str(text)) => Some((path, text.to_string())),
        OpType::Delete => Some((path, json!(null).to_string())),
        _ => None,
    }
}

/// What was inserted at the beginning of a text, by position.
#[derive(Default)]
struct Inserted(Vec<(u64, String)>);

impl Inserted {
    /// Takes an insertion after the beginning or after something inserted here.
    fn insert(&mut self, counter: u64, actor: &ActorId, op: &Op) -> Option<()> {
        let (Key::Seq(after), OpType::Put(ScalarValue::Str(text)), true) = (&op.key, &op.action, op.insert)
        else {
            return None;
        };
        let at = match after {
            ElementId::Head => 0,
            ElementId::Id(OpId(of, by)) if by == actor => {
                self.0.iter().position(|(known, _)| known == of)?.saturating_add(1)
            }
            ElementId::Id(_) => return None,
        };
        self.0.insert(at, (counter, text.to_string()));
        Some(())
    }

    fn before(self, rest: &str) -> String {
        self.0.into_iter().map(|(_, text)| text).chain(std::iter::once(rest.to_owned())).collect()
    }
}

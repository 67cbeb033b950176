//! Writing into a document: a person's operations, in either form of it.

use super::map::{Held, MapDocument, Slot};
use super::map_write::Draft;
use super::{Actor, Document, DocumentError, Form, Header, json_leaves, text_diff};
use crate::catalogue::{FacetId, Field, Kind, Table};
use crate::edit::FieldOp;
use crate::validate::{self, Invalid};
use crate::value::Column;
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{AutoCommit, ObjId, ROOT, ReadDoc, ScalarValue};
use serde_json::Value as Json;

/// Why a person's edit cannot be expressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The field is not one of this facet's.
    #[error("{0} is not a field of this facet")]
    UnknownField(String),
    /// The field is fixed at creation.
    #[error("{0} cannot be changed after creation")]
    Fixed(&'static str),
    /// The operation is not one for this kind of field.
    #[error("{0} takes another operation")]
    WrongOperation(&'static str),
    /// The value does not fit.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The edit would change nothing.
    #[error("nothing would change")]
    NothingToDo,
    /// The document itself failed.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl Document {
    /// Expresses a person's operations as one change and returns its bytes and hash.
    ///
    /// # Errors
    /// Operations that do not fit the facet or its fields, or that change nothing. The document is then as before.
    pub fn edit(
        &mut self,
        actor: Actor,
        header: &Header,
        create: bool,
        ops: &[FieldOp],
    ) -> Result<(Vec<u8>, [u8; 32]), EditError> {
        let (table, facet) = (self.table, self.facet());
        if let Form::Map(map) = &mut self.form
            && !ops.iter().any(|op| writes_text(table, op))
        {
            return edit_map(map, facet, actor, header, create, ops);
        }
        let doc = self.whole()?;
        doc.set_actor(actor.id());
        for op in ops {
            let writing = Writing { table, facet, create, added_at: header.capture.at.0 };
            if let Err(error) = writing.write(doc, op) {
                doc.rollback();
                return Err(error);
            }
        }
        let options = CommitOptions::default().with_time(header.capture.at.0).with_message(header.message());
        let hash = doc.commit_with(options).ok_or(EditError::NothingToDo)?;
        let change = doc.get_change_by_hash(&hash).ok_or(DocumentError::Write)?;
        Ok((change.raw_bytes().to_vec(), hash.0))
    }
}

/// Whether an operation puts characters into a long text: a form of its own, which only Automerge keeps.
fn writes_text(table: &'static Table, op: &FieldOp) -> bool {
    let long = table.field(op.field()).is_some_and(|(_, field)| field.kind == Kind::Text);
    let empty = match op {
        FieldOp::Put { value, .. } => value.is_null() || value.as_str() == Some(""),
        FieldOp::Text { value, .. } => value.is_empty(),
        _ => false,
    };
    long && !empty
}

fn edit_map(
    map: &mut MapDocument,
    facet: FacetId,
    actor: Actor,
    header: &Header,
    create: bool,
    ops: &[FieldOp],
) -> Result<(Vec<u8>, [u8; 32]), EditError> {
    let writing = Writing { table: map.table, facet, create, added_at: header.capture.at.0 };
    let mut draft = Draft::new(map, actor.bytes()).ok_or(DocumentError::Write)?;
    for op in ops {
        writing.write(&mut draft, op)?;
    }
    if draft.is_empty() {
        return Err(EditError::NothingToDo);
    }
    let (document, bytes, hash) = draft.commit(header).ok_or(DocumentError::Write)?;
    *map = document;
    Ok((bytes, hash))
}

/// What a person's operations need of a document, in whatever form.
pub(super) trait Sheet {
    /// Values that stand at a slot, in the order of their operations.
    fn values(&self, field: &'static Field, slot: &Slot) -> Result<Vec<Held>, DocumentError>;
    /// Keys of a field's map.
    fn keys(&self, field: &'static Field, index: usize) -> Result<Vec<String>, DocumentError>;
    /// Writes a value; one that alone stands there already is no operation.
    fn put(&mut self, field: &'static Field, slot: Slot, value: Held) -> Result<(), DocumentError>;
    /// Deletes a key.
    fn delete(&mut self, field: &'static Field, slot: Slot) -> Result<(), DocumentError>;
    /// Replaces a long text by its difference.
    fn put_text(&mut self, field: &'static Field, text: &str) -> Result<(), DocumentError>;
}

struct Writing {
    table: &'static Table,
    facet: FacetId,
    create: bool,
    added_at: i64,
}

impl Writing {
    /// Members of a set hold the instant they were added: writing one again is a new operation, so it wins over a
    /// removal that had not seen it (Automerge drops a write of the value already there).
    fn write(&self, sheet: &mut impl Sheet, op: &FieldOp) -> Result<(), EditError> {
        let (index, field) = self
            .table
            .facet_fields(self.facet)
            .find(|(_, field)| field.name == op.field())
            .ok_or_else(|| EditError::UnknownField(op.field().to_owned()))?;
        if field.fixed && !self.create {
            return Err(EditError::Fixed(field.name));
        }
        let member =
            |sheet: &mut _, member: &str, value: Held| put_member(sheet, (index, field), member, value);
        match (field.kind, op) {
            (Kind::Register, FieldOp::Put { value, .. }) => put_register(sheet, index, field, value),
            (Kind::Text, FieldOp::Text { value, .. }) => put_text(sheet, field, value),
            (Kind::Text, FieldOp::Put { value: Json::String(value), .. }) => put_text(sheet, field, value),
            (Kind::Text, FieldOp::Put { value: Json::Null, .. }) => put_text(sheet, field, ""),
            (Kind::Set, FieldOp::Add { member: key, .. }) => member(sheet, key, Held::Int(self.added_at)),
            (Kind::Set, FieldOp::Remove { member: key, reason, .. }) => {
                let reason = validate::short_text(field, reason)?;
                member(sheet, key, Held::Str(reason))
            }
            (Kind::Set, FieldOp::Put { value: Json::Array(members), .. }) if self.create => {
                members.iter().try_for_each(|key| {
                    let key = key.as_str().ok_or(EditError::WrongOperation(field.name))?;
                    member(sheet, key, Held::Int(self.added_at))
                })
            }
            (Kind::Json, FieldOp::Merge { patch, .. } | FieldOp::Put { value: patch, .. }) => {
                merge_json(sheet, index, field, patch)
            }
            _ => Err(EditError::WrongOperation(field.name)),
        }
    }
}

fn put_register(
    sheet: &mut impl Sheet,
    index: usize,
    field: &'static Field,
    json: &Json,
) -> Result<(), EditError> {
    let value = validate::from_json(field, json)?;
    let held = Held::of(&value).ok_or(EditError::WrongOperation(field.name))?;
    let slot = (index, String::new());
    let unchanged = match sheet.values(field, &slot)?.as_slice() {
        [] => held == Held::Null,
        [current] => *current == held,
        _ => false,
    };
    if unchanged { Ok(()) } else { Ok(sheet.put(field, slot, held)?) }
}

fn put_text(sheet: &mut impl Sheet, field: &'static Field, text: &str) -> Result<(), EditError> {
    let text = validate::long_text(field, text)?;
    Ok(sheet.put_text(field, &text)?)
}

fn put_member(
    sheet: &mut impl Sheet,
    (index, field): (usize, &'static Field),
    member: &str,
    value: Held,
) -> Result<(), EditError> {
    let key = member_key(field, member)?;
    Ok(sheet.put(field, (index, key), value)?)
}

fn merge_json(
    sheet: &mut impl Sheet,
    index: usize,
    field: &'static Field,
    patch: &Json,
) -> Result<(), EditError> {
    let Json::Object(_) = patch else { return Err(EditError::WrongOperation(field.name)) };
    validate::json(field, patch)?;
    let leaves = json_leaves::flatten(patch)
        .ok_or_else(|| Invalid::new(field.name, "an object that is less deep and smaller"))?;
    for (path, leaf) in leaves {
        let below = format!("{path}/");
        let mut stale = sheet.keys(field, index)?;
        stale.retain(|key| *key == path || key.starts_with(&below));
        let removed = leaf == "null";
        for key in stale.into_iter().filter(|key| removed || *key != path) {
            sheet.delete(field, (index, key))?;
        }
        if !removed {
            sheet.put(field, (index, path), Held::Str(leaf))?;
        }
    }
    Ok(())
}

fn member_key(field: &'static Field, member: &str) -> Result<String, EditError> {
    let key = validate::short_text(field, member)?;
    if field.column == Column::UuidArray {
        let id: uuid::Uuid = key.parse().map_err(|_| Invalid::new(field.name, "an id (UUID)"))?;
        return Ok(id.to_string());
    }
    if key.is_empty() {
        return Err(Invalid::new(field.name, "a member that is not empty").into());
    }
    Ok(key)
}

/// The map a field has of its own.
pub(super) fn container(doc: &AutoCommit, field: &'static Field) -> Result<ObjId, DocumentError> {
    match doc.get(ROOT, field.name) {
        Ok(Some((automerge::Value::Object(_), id))) => Ok(id),
        _ => Err(DocumentError::WrongType(field.name)),
    }
}

/// A scalar in Automerge's type.
pub(super) fn scalar_value(held: Held) -> ScalarValue {
    match held {
        Held::Null => ScalarValue::Null,
        Held::Bool(flag) => ScalarValue::Boolean(flag),
        Held::Int(number) => ScalarValue::Int(number),
        Held::Str(text) => ScalarValue::Str(text.into()),
        Held::Bytes(bytes) => ScalarValue::Bytes(bytes),
    }
}

impl Sheet for AutoCommit {
    fn values(&self, field: &'static Field, _: &Slot) -> Result<Vec<Held>, DocumentError> {
        let found = self.get_all(ROOT, field.name).map_err(|_| DocumentError::Write)?;
        // A scalar that no field holds equals none that is written.
        let unknown = || Held::Str(String::new());
        Ok(found
            .iter()
            .map(|(value, _)| match value {
                automerge::Value::Scalar(scalar) => {
                    super::read::owned(scalar).map_or_else(unknown, Held::from)
                }
                automerge::Value::Object(_) => unknown(),
            })
            .collect())
    }

    fn keys(&self, field: &'static Field, _: usize) -> Result<Vec<String>, DocumentError> {
        let object = container(self, field)?;
        Ok(ReadDoc::keys(self, &object).collect())
    }

    fn put(&mut self, field: &'static Field, slot: Slot, value: Held) -> Result<(), DocumentError> {
        let value = scalar_value(value);
        let put = if field.kind == Kind::Register {
            Transactable::put(self, ROOT, field.name, value)
        } else {
            Transactable::put(self, &container(self, field)?, slot.1, value)
        };
        put.map_err(|_| DocumentError::Write)
    }

    fn delete(&mut self, field: &'static Field, slot: Slot) -> Result<(), DocumentError> {
        let object = container(self, field)?;
        Transactable::delete(self, &object, slot.1).map_err(|_| DocumentError::Write)
    }

    fn put_text(&mut self, field: &'static Field, text: &str) -> Result<(), DocumentError> {
        let object = container(self, field)?;
        let before = self.text(&object).map_err(|_| DocumentError::WrongType(field.name))?;
        let written = match text_diff::replacement(&before, text) {
            Some(middle) => self.splice_text(&object, middle.at, middle.gone, &middle.came),
            None => self.update_text(&object, text),
        };
        written.map_err(|_| DocumentError::Write)
    }
}

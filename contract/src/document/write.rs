//! Writing into a document: the genesis of a row, and a person's operations.

use super::{Actor, Document, DocumentError, Header, json_leaves};
use crate::catalogue::{Field, Kind};
use crate::edit::FieldOp;
use crate::row::Row;
use crate::validate::{self, Invalid};
use crate::value::{Column, Value};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutomergeError, ObjId, ROOT, ReadDoc, ScalarValue};
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

/// The scalar Automerge keeps for a register's value.
pub(super) fn scalar(value: &Value) -> Option<ScalarValue> {
    Some(match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(flag) => ScalarValue::Boolean(*flag),
        Value::Int(number) | Value::Instant(number) => ScalarValue::Int(*number),
        Value::Decimal(number) => ScalarValue::Str(number.to_string().into()),
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        Value::Uuid(id) => ScalarValue::Bytes(id.as_bytes().to_vec()),
        Value::Date(date) => ScalarValue::Str(date.to_string().into()),
        Value::Texts(_) | Value::Uuids(_) | Value::Json(_) => return None,
    })
}

fn member_keys(value: &Value) -> Vec<String> {
    match value {
        Value::Texts(members) => members.clone(),
        Value::Uuids(members) => members.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Adds the genesis change of a row, if the facet has any value: a pure function of record, epoch and values.
pub(super) fn genesis(document: &mut Document, epoch: u32, row: &Row) -> Result<(), DocumentError> {
    let mut actor = document.id.record.0.as_bytes().to_vec();
    actor.extend_from_slice(&epoch.to_be_bytes());
    document.doc.set_actor(ActorId::from(actor));
    for (index, field) in document.table.facet_fields(document.facet()) {
        let value = row.at(index);
        if !value.is_empty() {
            genesis_field(document, field, value).map_err(|_| DocumentError::WrongType(field.name))?;
        }
    }
    document.doc.commit_with(CommitOptions::default().with_time(0));
    Ok(())
}

fn genesis_field(
    document: &mut Document,
    field: &'static Field,
    value: &Value,
) -> Result<(), AutomergeError> {
    let doc = &mut document.doc;
    match (field.kind, value) {
        (Kind::Text, Value::Text(text)) => {
            let object = container(doc, field)?;
            doc.splice_text(&object, 0, 0, text)
        }
        (Kind::Set, members) => {
            let object = container(doc, field)?;
            member_keys(members).into_iter().try_for_each(|key| doc.put(&object, key, 0_i64))
        }
        (Kind::Json, Value::Json(json)) => {
            let object = container(doc, field)?;
            let leaves = json_leaves::flatten(json).ok_or(AutomergeError::Fail)?;
            leaves.into_iter().try_for_each(|(key, leaf)| doc.put(&object, key, leaf))
        }
        (_, value) => doc.put(ROOT, field.name, scalar(value).ok_or(AutomergeError::Fail)?),
    }
}

fn container(doc: &automerge::AutoCommit, field: &'static Field) -> Result<ObjId, AutomergeError> {
    match doc.get(ROOT, field.name)? {
        Some((automerge::Value::Object(_), id)) => Ok(id),
        _ => Err(AutomergeError::Fail),
    }
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
        self.doc.set_actor(actor.id());
        for op in ops {
            if let Err(error) = self.write(create, header.capture.at.0, op) {
                self.doc.rollback();
                return Err(error);
            }
        }
        let options = CommitOptions::default().with_time(header.capture.at.0).with_message(header.message());
        let hash = self.doc.commit_with(options).ok_or(EditError::NothingToDo)?;
        let change = self.doc.get_change_by_hash(&hash).ok_or(DocumentError::Write)?;
        Ok((change.raw_bytes().to_vec(), hash.0))
    }

    /// Members of a set hold the instant they were added: writing one again is a new operation, so it wins over a
    /// removal that had not seen it (Automerge drops a write of the value already there).
    fn write(&mut self, create: bool, added_at: i64, op: &FieldOp) -> Result<(), EditError> {
        let field = self
            .table
            .facet_fields(self.facet())
            .map(|(_, field)| field)
            .find(|field| field.name == op.field())
            .ok_or_else(|| EditError::UnknownField(op.field().to_owned()))?;
        if field.fixed && !create {
            return Err(EditError::Fixed(field.name));
        }
        match (field.kind, op) {
            (Kind::Register, FieldOp::Put { value, .. }) => self.put(field, value),
            (Kind::Text, FieldOp::Text { value, .. }) => self.put_text(field, value),
            (Kind::Text, FieldOp::Put { value: Json::String(value), .. }) => self.put_text(field, value),
            (Kind::Text, FieldOp::Put { value: Json::Null, .. }) => self.put_text(field, ""),
            (Kind::Set, FieldOp::Add { member, .. }) => {
                let key = member_key(field, member)?;
                self.put_key(field, key, ScalarValue::Int(added_at))
            }
            (Kind::Set, FieldOp::Remove { member, reason, .. }) => {
                let reason = validate::short_text(field, reason)?;
                let key = member_key(field, member)?;
                self.put_key(field, key, ScalarValue::Str(reason.as_str().into()))
            }
            (Kind::Set, FieldOp::Put { value: Json::Array(members), .. }) if create => {
                members.iter().try_for_each(|member| {
                    let member = member.as_str().ok_or(EditError::WrongOperation(field.name))?;
                    let key = member_key(field, member)?;
                    self.put_key(field, key, ScalarValue::Int(added_at))
                })
            }
            (Kind::Json, FieldOp::Merge { patch, .. } | FieldOp::Put { value: patch, .. }) => {
                self.merge_json(field, patch)
            }
            _ => Err(EditError::WrongOperation(field.name)),
        }
    }

    fn put(&mut self, field: &'static Field, json: &Json) -> Result<(), EditError> {
        let value = validate::from_json(field, json)?;
        let scalar = scalar(&value).ok_or(EditError::WrongOperation(field.name))?;
        let current = self.doc.get_all(ROOT, field.name).map_err(|_| DocumentError::Write)?;
        let unchanged = match current.as_slice() {
            [] => matches!(scalar, ScalarValue::Null),
            [(automerge::Value::Scalar(current), _)] => current.as_ref() == &scalar,
            _ => false,
        };
        if unchanged {
            return Ok(());
        }
        self.doc.put(ROOT, field.name, scalar).map_err(|_| DocumentError::Write.into())
    }

    fn put_text(&mut self, field: &'static Field, text: &str) -> Result<(), EditError> {
        let text = validate::long_text(field, text)?;
        let object = container(&self.doc, field).map_err(|_| DocumentError::WrongType(field.name))?;
        self.doc.update_text(&object, text).map_err(|_| DocumentError::Write.into())
    }

    fn put_key(&mut self, field: &'static Field, key: String, scalar: ScalarValue) -> Result<(), EditError> {
        let object = container(&self.doc, field).map_err(|_| DocumentError::WrongType(field.name))?;
        self.doc.put(&object, key, scalar).map_err(|_| DocumentError::Write.into())
    }

    fn merge_json(&mut self, field: &'static Field, patch: &Json) -> Result<(), EditError> {
        let Json::Object(_) = patch else { return Err(EditError::WrongOperation(field.name)) };
        validate::json(field, patch)?;
        let object = container(&self.doc, field).map_err(|_| DocumentError::WrongType(field.name))?;
        let leaves = json_leaves::flatten(patch)
            .ok_or_else(|| Invalid::new(field.name, "an object that is less deep and smaller"))?;
        for (path, leaf) in leaves {
            let below = format!("{path}/");
            let stale: Vec<String> =
                self.doc.keys(&object).filter(|key| *key == path || key.starts_with(&below)).collect();
            let removed = leaf == "null";
            for key in stale.into_iter().filter(|key| removed || *key != path) {
                self.doc.delete(&object, key).map_err(|_| DocumentError::Write)?;
            }
            if !removed {
                self.doc.put(&object, path, leaf).map_err(|_| DocumentError::Write)?;
            }
        }
        Ok(())
    }
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

//! Reading a document: the facet's values, and what is disputed.
//!
//! The winner among concurrent values is decided here, by the catalogue's rule and the change headers, never by
//! Automerge's internal order, so that SQL on the server and the screen on the tablet show the same value.

use super::chunk::Scalar;
use super::{Document, DocumentError, Form, Header, json_leaves, root};
use crate::catalogue::{FacetId, Field, Kind, Rule, Table};
use crate::ids::{AuthorId, EditId};
use crate::row::Row;
use crate::time::{DeviceInstant, ServerInstant};
use crate::value::{Column, Value};
use automerge::{AutoCommit, ChangeHash, ObjId, ROOT, ReadDoc, ScalarValue, ScalarValueRef};
use std::collections::BTreeMap;

/// One of several concurrent values of a guarded field.
#[derive(Debug, Clone, PartialEq)]
pub struct DisputedValue {
    /// The value.
    pub value: Value,
    /// Who wrote it.
    pub author: Option<AuthorId>,
    /// In which edit.
    pub edit: Option<EditId>,
    /// When, by that device's clock.
    pub captured_at: Option<DeviceInstant>,
}

/// A field with more than one value, the winning one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispute {
    /// The field.
    pub field: &'static Field,
    /// Its values.
    pub values: Vec<DisputedValue>,
}

/// When the server merged the changes whose capture time lies after that: hash → instant. Nearly always empty.
pub type Clamps = BTreeMap<[u8; 32], ServerInstant>;

/// One of the values of a field, and where it comes from.
pub(super) struct Candidate {
    pub value: Value,
    pub hash: [u8; 32],
    pub header: Option<Header>,
    pub effective_us: i64,
}

/// From when a change counts: its capture, but never later than its merge.
pub(super) fn effective_us(hash: &[u8; 32], header: Option<&Header>, clamps: &Clamps) -> i64 {
    let captured = header.map_or(DeviceInstant(0), |header| header.capture.at);
    clamps.get(hash).map_or(captured.0, |merged_at| captured.clamped(*merged_at))
}

impl Document {
    /// Writes the facet's values into the row and returns the fields whose rule is `guarded` and that have
    /// several values.
    ///
    /// # Errors
    /// A value of another type than its column. Unknown fields are ignored: a newer app wrote them.
    pub fn project(&self, clamps: &Clamps, row: &mut Row) -> Result<Vec<Dispute>, DocumentError> {
        row.clear_facet(self.facet());
        match &self.form {
            Form::Map(map) => map.project(self.facet(), clamps, row),
            Form::Whole(doc) => Whole { doc, table: self.table, facet: self.facet(), clamps }.project(row),
        }
    }

    /// Whether every field of the document is one of the facet's. The server takes no other.
    ///
    /// # Errors
    /// A field the catalogue does not know, or one of another facet.
    pub fn check_fields(&self) -> Result<(), DocumentError> {
        // The other form holds known fields alone.
        let Form::Whole(doc) = &self.form else { return Ok(()) };
        let known = |key: &str| {
            key == root::ABOUT || self.table.facet_fields(self.facet()).any(|(_, field)| field.name == key)
        };
        if doc.keys(ROOT).all(|key| known(&key)) { Ok(()) } else { Err(DocumentError::UnknownField) }
    }

    /// Whether several values of a guarded field may stand; `false` is certain.
    #[must_use]
    pub fn may_be_disputed(&self) -> bool {
        match &self.form {
            Form::Map(map) => map.has_several(|field| field.rule == Rule::Guarded),
            Form::Whole(_) => true,
        }
    }

    /// Reasons given for removed members of a set: member → reason.
    #[must_use]
    pub fn removal_reasons(&self, field: &'static Field) -> BTreeMap<String, String> {
        let doc = match &self.form {
            Form::Map(map) => return map.removal_reasons(field),
            Form::Whole(doc) => doc,
        };
        let Ok(Some((automerge::Value::Object(_), object))) = doc.get(ROOT, field.name) else {
            return BTreeMap::new();
        };
        let keys: Vec<String> = doc.keys(&object).collect();
        keys.into_iter()
            .filter_map(|key| match doc.get(&object, key.as_str()) {
                Ok(Some((automerge::Value::Scalar(scalar), _))) => {
                    scalar.as_str().map(|reason| (key, reason.to_owned()))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a place of an object field holds several different values, written by people who had not seen each other:
    /// all but one of them are not shown.
    #[must_use]
    pub fn is_contested(&self, name: &str) -> bool {
        // Asked rarely, and a document of maps says nothing of what it does not show: Automerge is asked on a copy.
        let mut copy = self.clone();
        let Ok(doc) = copy.whole() else { return false };
        let Ok(Some((automerge::Value::Object(_), object))) = doc.get(ROOT, name) else { return false };
        let keys: Vec<String> = doc.keys(&object).collect();
        keys.iter().any(|key| {
            let values = doc.get_all(&object, key.as_str()).unwrap_or_default();
            values.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a != b))
        })
    }
}

/// A document in Automerge's hands, being read.
struct Whole<'a> {
    doc: &'a AutoCommit,
    table: &'static Table,
    facet: FacetId,
    clamps: &'a Clamps,
}

impl Whole<'_> {
    fn project(&self, row: &mut Row) -> Result<Vec<Dispute>, DocumentError> {
        let mut disputes = Vec::new();
        for entry in self.doc.map_range(ROOT, ..) {
            let Some((index, field)) = self.table.field(&entry.key).filter(|(_, f)| f.facet == self.facet)
            else {
                continue;
            };
            let value = match field.kind {
                Kind::Derived => continue,
                Kind::Text => self.read_text(field, &entry.id())?,
                Kind::Set => self.read_set(field, &entry.id())?,
                Kind::Json => self.read_json(field, &entry.id())?,
                // Nearly always one value: it is at hand, and nobody's history need be asked.
                Kind::Register if !entry.conflict => match &entry.value {
                    automerge::ValueRef::Scalar(scalar) => from_scalar(borrowed(scalar), field.column)
                        .ok_or(DocumentError::WrongType(field.name))?,
                    automerge::ValueRef::Object(_) => return Err(DocumentError::WrongType(field.name)),
                },
                Kind::Register => settle(field, self.candidates(ROOT, field)?, &mut disputes),
            };
            row.set_at(index, value);
        }
        Ok(disputes)
    }

    fn read_text(&self, field: &'static Field, object: &ObjId) -> Result<Value, DocumentError> {
        let text = self.doc.text(object).map_err(|_| DocumentError::WrongType(field.name))?;
        Ok(if text.is_empty() { Value::Null } else { Value::Text(text) })
    }

    fn read_set(&self, field: &'static Field, object: &ObjId) -> Result<Value, DocumentError> {
        let wrong = || DocumentError::WrongType(field.name);
        let mut members = Vec::new();
        for key in self.doc.keys(object).collect::<Vec<_>>() {
            let values = self.doc.get_all(object, key.as_str()).map_err(|_| wrong())?;
            let added = values.iter().any(|(value, _)| value.is_int());
            if added {
                members.push(key);
            }
        }
        members.sort_unstable();
        set_of(field, members)
    }

    fn read_json(&self, field: &'static Field, object: &ObjId) -> Result<Value, DocumentError> {
        let wrong = || DocumentError::WrongType(field.name);
        let mut leaves = BTreeMap::new();
        for item in self.doc.map_range(object, ..) {
            let text = if item.conflict {
                let mut values: Vec<(i64, [u8; 32], String)> = self
                    .doc
                    .get_all(object, item.key.as_ref())
                    .map_err(|_| wrong())?
                    .into_iter()
                    .filter_map(|(value, id)| {
                        let (hash, effective_us, _) = self.origin(&id);
                        value.as_str().map(|text| (effective_us, hash, text.to_owned()))
                    })
                    .collect();
                values.sort_unstable();
                values.pop().map(|(_, _, text)| text).ok_or_else(wrong)?
            } else {
                match &item.value {
                    automerge::ValueRef::Scalar(ScalarValueRef::Str(text)) => text.to_string(),
                    _ => return Err(wrong()),
                }
            };
            leaves.insert(item.key.into_owned(), text);
        }
        json_of(&leaves).ok_or_else(wrong)
    }

    fn candidates(&self, object: ObjId, field: &'static Field) -> Result<Vec<Candidate>, DocumentError> {
        let wrong = || DocumentError::WrongType(field.name);
        let values = self.doc.get_all(object, field.name).map_err(|_| wrong())?;
        values
            .into_iter()
            .map(|(value, id)| {
                let automerge::Value::Scalar(scalar) = value else { return Err(wrong()) };
                let value = from_scalar(owned(&scalar), field.column).ok_or_else(wrong)?;
                let (hash, effective_us, header) = self.origin(&id);
                Ok(Candidate { value, hash, header, effective_us })
            })
            .collect()
    }

    /// Which change wrote an operation, and when it counts from.
    fn origin(&self, id: &ObjId) -> ([u8; 32], i64, Option<Header>) {
        let Some(hash) = self.doc.hash_for_opid(id) else { return ([0; 32], 0, None) };
        // Reading a change's metadata needs `&mut` only to close an open transaction; there never is one here.
        let mut doc = self.doc.clone();
        let header = doc
            .get_change_meta_by_hash(&ChangeHash(hash.0))
            .and_then(|change| Header::parse(change.message.as_deref()?, change.timestamp));
        (hash.0, effective_us(&hash.0, header.as_ref(), self.clamps), header)
    }
}

fn borrowed<'a>(scalar: &'a ScalarValueRef<'_>) -> Option<Scalar<'a>> {
    Some(match scalar {
        ScalarValueRef::Null => Scalar::Null,
        ScalarValueRef::Boolean(flag) => Scalar::Bool(*flag),
        ScalarValueRef::Int(number) => Scalar::Int(*number),
        ScalarValueRef::Str(text) => Scalar::Str(text),
        ScalarValueRef::Bytes(bytes) => Scalar::Bytes(bytes),
        _ => return None,
    })
}

pub(super) fn owned(scalar: &ScalarValue) -> Option<Scalar<'_>> {
    Some(match scalar {
        ScalarValue::Null => Scalar::Null,
        ScalarValue::Boolean(flag) => Scalar::Bool(*flag),
        ScalarValue::Int(number) => Scalar::Int(*number),
        ScalarValue::Str(text) => Scalar::Str(text),
        ScalarValue::Bytes(bytes) => Scalar::Bytes(bytes),
        _ => return None,
    })
}

/// A member is in the set if any concurrent value says so: adding wins over removing. Members come in order.
pub(super) fn set_of(field: &'static Field, members: Vec<String>) -> Result<Value, DocumentError> {
    if members.is_empty() {
        return Ok(Value::Null);
    }
    if field.column == Column::UuidArray {
        let wrong = |_| DocumentError::WrongType(field.name);
        let ids = members.iter().map(|member| member.parse().map_err(wrong)).collect::<Result<_, _>>()?;
        return Ok(Value::Uuids(ids));
    }
    Ok(Value::Texts(members))
}

/// The object of a JSON field's leaves. `None` for what no tablet writes.
pub(super) fn json_of(leaves: &BTreeMap<String, String>) -> Option<Value> {
    if leaves.is_empty() { Some(Value::Null) } else { json_leaves::build(leaves).map(Value::Json) }
}

/// The value a field shows; notes a dispute.
pub(super) fn settle(
    field: &'static Field,
    mut candidates: Vec<Candidate>,
    disputes: &mut Vec<Dispute>,
) -> Value {
    rank(field, &mut candidates);
    disputes.extend(dispute(field, &candidates));
    candidates.into_iter().next().map(|winner| winner.value).unwrap_or_default()
}

/// Sorts the winner to the front.
fn rank(field: &'static Field, candidates: &mut [Candidate]) {
    let stage = |value: &Value| match field.rule {
        Rule::StateMachine(order) => value
            .as_text()
            .and_then(|text| order.iter().position(|state| *state == text))
            .map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX)),
        _ => 0,
    };
    candidates.sort_by(|a, b| {
        (stage(&b.value), b.effective_us, b.hash).cmp(&(stage(&a.value), a.effective_us, a.hash))
    });
}

fn dispute(field: &'static Field, candidates: &[Candidate]) -> Option<Dispute> {
    let [first, rest @ ..] = candidates else { return None };
    let differ = rest.iter().any(|other| other.value != first.value);
    if !differ || field.rule != Rule::Guarded {
        return None;
    }
    let values = candidates
        .iter()
        .map(|candidate| DisputedValue {
            value: candidate.value.clone(),
            author: candidate.header.map(|header| header.author),
            edit: candidate.header.map(|header| header.edit),
            captured_at: candidate.header.map(|header| header.capture.at),
        })
        .collect();
    Some(Dispute { field, values })
}

/// The value a scalar stands for in a column. `None` for another type, or a scalar no field holds.
pub(super) fn from_scalar(scalar: Option<Scalar<'_>>, column: Column) -> Option<Value> {
    Some(match (scalar?, column) {
        (Scalar::Null, _) => Value::Null,
        (Scalar::Bool(flag), Column::Bool) => Value::Bool(flag),
        (Scalar::Int(number), Column::Int | Column::BigInt) => Value::Int(number),
        (Scalar::Int(number), Column::Instant) => Value::Instant(number),
        (Scalar::Str(text), Column::Text) => Value::Text(text.to_owned()),
        (Scalar::Str(text), Column::Numeric(..)) => {
            Value::Decimal(rust_decimal::Decimal::from_str_exact(text).ok()?)
        }
        (Scalar::Str(text), Column::Date) => Value::Date(text.parse().ok()?),
        (Scalar::Bytes(bytes), Column::Uuid) => Value::Uuid(uuid::Uuid::from_slice(bytes).ok()?),
        _ => return None,
    })
}

//! Reading a document: the facet's values, and what is disputed.
//!
//! The winner among concurrent values is decided here, by the catalogue's rule and the change headers, never by
//! Automerge's internal order, so that SQL on the server and the screen on the tablet show the same value.

use super::{Document, DocumentError, Header, json_leaves, root};
use crate::catalogue::{Field, Kind, Rule};
use crate::ids::{AuthorId, EditId};
use crate::row::Row;
use crate::time::{DeviceInstant, ServerInstant};
use crate::value::{Column, Value};
use automerge::{ChangeHash, ObjId, ROOT, ReadDoc, ScalarValueRef};
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

struct Candidate {
    value: Value,
    hash: [u8; 32],
    header: Option<Header>,
    effective_us: i64,
}

impl Document {
    /// Writes the facet's values into the row and returns the fields whose rule is `guarded` and that have
    /// several values.
    ///
    /// # Errors
    /// A value of another type than its column. Unknown fields are ignored: a newer app wrote them.
    pub fn project(&self, clamps: &Clamps, row: &mut Row) -> Result<Vec<Dispute>, DocumentError> {
        row.clear_facet(self.facet());
        let mut disputes = Vec::new();
        for entry in self.doc.map_range(ROOT, ..) {
            let Some((index, field)) = self.table.field(&entry.key).filter(|(_, f)| f.facet == self.facet())
            else {
                continue;
            };
            let value = match field.kind {
                Kind::Derived => continue,
                Kind::Text => self.read_text(field, &entry.id())?,
                Kind::Set => self.read_set(field, &entry.id())?,
                Kind::Json => self.read_json(field, &entry.id(), clamps)?,
                // Nearly always one value: it is at hand, and nobody's history need be asked.
                Kind::Register if !entry.conflict => match &entry.value {
                    automerge::ValueRef::Scalar(scalar) => {
                        from_scalar(scalar, field.column).ok_or(DocumentError::WrongType(field.name))?
                    }
                    automerge::ValueRef::Object(_) => return Err(DocumentError::WrongType(field.name)),
                },
                Kind::Register => {
                    let mut candidates = self.candidates(ROOT, field, clamps)?;
                    rank(field, &mut candidates);
                    if let Some(dispute) = dispute(field, &candidates) {
                        disputes.push(dispute);
                    }
                    candidates.into_iter().next().map(|winner| winner.value).unwrap_or_default()
                }
            };
            row.set_at(index, value);
        }
        Ok(disputes)
    }

    /// Whether every field of the document is one of the facet's. The server takes no other.
    ///
    /// # Errors
    /// A field the catalogue does not know, or one of another facet.
    pub fn check_fields(&self) -> Result<(), DocumentError> {
        let known = |key: &str| {
            key == root::ABOUT || self.table.facet_fields(self.facet()).any(|(_, field)| field.name == key)
        };
        if self.doc.keys(ROOT).all(|key| known(&key)) { Ok(()) } else { Err(DocumentError::UnknownField) }
    }

    /// Reasons given for removed members of a set: member → reason.
    #[must_use]
    pub fn removal_reasons(&self, field: &'static Field) -> BTreeMap<String, String> {
        let Ok(Some((automerge::Value::Object(_), object))) = self.doc.get(ROOT, field.name) else {
            return BTreeMap::new();
        };
        let keys: Vec<String> = self.doc.keys(&object).collect();
        keys.into_iter()
            .filter_map(|key| match self.doc.get(&object, key.as_str()) {
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
        let Ok(Some((automerge::Value::Object(_), object))) = self.doc.get(ROOT, name) else { return false };
        let keys: Vec<String> = self.doc.keys(&object).collect();
        keys.iter().any(|key| {
            let values = self.doc.get_all(&object, key.as_str()).unwrap_or_default();
            values.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a != b))
        })
    }

    fn read_text(&self, field: &'static Field, object: &ObjId) -> Result<Value, DocumentError> {
        let text = self.doc.text(object).map_err(|_| DocumentError::WrongType(field.name))?;
        Ok(if text.is_empty() { Value::Null } else { Value::Text(text) })
    }

    /// A member is in the set if any concurrent value says so: adding wins over removing.
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
        if members.is_empty() {
            return Ok(Value::Null);
        }
        members.sort_unstable();
        if field.column == Column::UuidArray {
            let ids =
                members.iter().map(|member| member.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
            return Ok(Value::Uuids(ids));
        }
        Ok(Value::Texts(members))
    }

    fn read_json(
        &self,
        field: &'static Field,
        object: &ObjId,
        clamps: &Clamps,
    ) -> Result<Value, DocumentError> {
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
                        let (hash, effective_us, _) = self.origin(&id, clamps);
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
        if leaves.is_empty() {
            return Ok(Value::Null);
        }
        json_leaves::build(&leaves).map(Value::Json).ok_or_else(wrong)
    }

    fn candidates(
        &self,
        object: ObjId,
        field: &'static Field,
        clamps: &Clamps,
    ) -> Result<Vec<Candidate>, DocumentError> {
        let wrong = || DocumentError::WrongType(field.name);
        let values = self.doc.get_all(object, field.name).map_err(|_| wrong())?;
        values
            .into_iter()
            .map(|(value, id)| {
                let automerge::Value::Scalar(scalar) = value else { return Err(wrong()) };
                let value = from_scalar(&ScalarValueRef::from(scalar.into_owned()), field.column)
                    .ok_or_else(wrong)?;
                let (hash, effective_us, header) = self.origin(&id, clamps);
                Ok(Candidate { value, hash, header, effective_us })
            })
            .collect()
    }

    /// Which change wrote an operation, and when it counts from.
    fn origin(&self, id: &ObjId, clamps: &Clamps) -> ([u8; 32], i64, Option<Header>) {
        let Some(hash) = self.doc.hash_for_opid(id) else { return ([0; 32], 0, None) };
        // Reading a change's metadata needs `&mut` only to close an open transaction; there never is one here.
        let mut doc = self.doc.clone();
        let header = doc
            .get_change_meta_by_hash(&ChangeHash(hash.0))
            .and_then(|change| Header::parse(change.message.as_deref()?, change.timestamp));
        let captured = header.map_or(DeviceInstant(0), |header| header.capture.at);
        let effective = clamps.get(&hash.0).map_or(captured.0, |merged_at| captured.clamped(*merged_at));
        (hash.0, effective, header)
    }
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

pub(super) fn from_scalar(scalar: &ScalarValueRef<'_>, column: Column) -> Option<Value> {
    Some(match (scalar, column) {
        (ScalarValueRef::Null, _) => Value::Null,
        (ScalarValueRef::Boolean(flag), Column::Bool) => Value::Bool(*flag),
        (ScalarValueRef::Int(number), Column::Int | Column::BigInt) => Value::Int(*number),
        (ScalarValueRef::Int(number), Column::Instant) => Value::Instant(*number),
        (ScalarValueRef::Str(text), Column::Text) => Value::Text(text.to_string()),
        (ScalarValueRef::Str(text), Column::Numeric(..)) => {
            Value::Decimal(rust_decimal::Decimal::from_str_exact(text).ok()?)
        }
        (ScalarValueRef::Str(text), Column::Date) => Value::Date(text.parse().ok()?),
        (ScalarValueRef::Bytes(bytes), Column::Uuid) => Value::Uuid(uuid::Uuid::from_slice(bytes).ok()?),
        _ => return None,
    })
}

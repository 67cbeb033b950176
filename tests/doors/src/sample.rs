//! Documents, rows and honest changes the doors are tried with.

use neonpro_contract::catalogue::{FacetId, table};
use neonpro_contract::document::{Actor, Document, Header, ParsedChange};
use neonpro_contract::edit::{DocumentId, FieldOp};
use neonpro_contract::ids::{AuthorId, DeviceId, EditId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::{Capture, DeviceInstant};
use neonpro_contract::value::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// The tablet whose changes are mutated, and one that stays honest.
pub const TABLET: u128 = 7;
pub const HONEST: u128 = 0xf00d;

pub fn document(name: &str, facet: u8) -> DocumentId {
    DocumentId {
        table: table(name).unwrap().id,
        record: RecordId(Uuid::from_u128(0xabc)),
        facet: FacetId(facet),
    }
}

pub fn put(field: &str, value: Json) -> FieldOp {
    FieldOp::Put { field: field.to_owned(), value }
}

pub fn add(field: &str, member: &str) -> FieldOp {
    FieldOp::Add { field: field.to_owned(), member: member.to_owned() }
}

pub fn remove(field: &str, member: &str) -> FieldOp {
    FieldOp::Remove { field: field.to_owned(), member: member.to_owned(), reason: "engano".to_owned() }
}

pub fn text(field: &str, value: &str) -> FieldOp {
    FieldOp::Text { field: field.to_owned(), value: value.to_owned() }
}

pub fn merge(field: &str, patch: Json) -> FieldOp {
    FieldOp::Merge { field: field.to_owned(), patch }
}

pub fn header() -> Header {
    Header {
        edit: EditId(Uuid::from_u128(1)),
        author: AuthorId(Uuid::from_u128(2)),
        capture: Capture { at: DeviceInstant(1_700_000_000_000_000), uncertainty_ms: 5 },
        seen_seq: 9,
    }
}

/// A tablet's edit of a document, which takes it.
pub fn edit(document: &mut Document, device: u128, ops: &[FieldOp]) -> Vec<u8> {
    document.edit(Actor::of(DeviceId(Uuid::from_u128(device)), 1), &header(), false, ops).unwrap().0
}

/// A patient, with or without a long text: with one, Automerge keeps the document.
pub fn patient(with_notes: bool) -> Row {
    let mut row = Row::empty(table("patients").unwrap());
    row.set("name", Value::Text("Ana".into()));
    row.set("phone", Value::Text("11 91234-5678".into()));
    row.set("is_active", Value::Bool(true));
    row.set("allergies", Value::Texts(vec!["iodo".into(), "látex".into()]));
    row.set("medical_history", Value::Json(json!({"a": {"b": 1}, "c": [1, "x"]})));
    if with_notes {
        row.set("notes", Value::Text("pele seca, sensível ao sol".into()));
    }
    row
}

pub fn visit() -> Row {
    let mut row = Row::empty(table("appointments").unwrap());
    row.set("patient_id", Value::Uuid(Uuid::from_u128(3)));
    row.set("status", Value::Text("scheduled".into()));
    row.set("start_time", Value::Instant(1_700_000_000_000_000));
    row.set("notes", Value::Text("trazer exames".into()));
    row
}

/// A document that two tablets edited without seeing each other.
pub fn forked(id: DocumentId, row: &Row, ops: [&[FieldOp]; 2]) -> Document {
    let mut merged = Document::genesis(id, 1, row).unwrap();
    let mut other = merged.clone();
    edit(&mut merged, 11, ops[0]);
    let change = edit(&mut other, 12, ops[1]);
    merged.apply(&ParsedChange::parse(&change).unwrap()).unwrap();
    merged
}

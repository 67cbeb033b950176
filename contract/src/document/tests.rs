//! What two replicas may rely on: shared roots, deterministic genesis, merges per rule.

use super::*;
use crate::catalogue::{FacetId, table};
use crate::edit::FieldOp;
use crate::ids::{AuthorId, EditId, RecordId};
use crate::time::{Capture, DeviceInstant, ServerInstant};
use crate::value::Value;
use serde_json::json;
use uuid::Uuid;

fn patient(facet: u8) -> DocumentId {
    DocumentId {
        table: table("patients").unwrap().id,
        record: RecordId(Uuid::from_u128(0xabc)),
        facet: FacetId(facet),
    }
}

fn header(n: u128, at: i64) -> Header {
    Header {
        edit: EditId(Uuid::from_u128(n)),
        author: AuthorId(Uuid::from_u128(n)),
        capture: Capture { at: DeviceInstant(at), uncertainty_ms: 0 },
        seen_seq: 3,
    }
}

fn actor(n: u128) -> Actor {
    Actor::of(DeviceId(Uuid::from_u128(n)), 1)
}

fn row() -> Row {
    let mut row = Row::empty(table("patients").unwrap());
    row.set("name", Value::Text("Ana".into()));
    row.set("allergies", Value::Texts(vec!["látex".into()]));
    row.set("emergency_contact", Value::Json(json!({"name": "Bia"})));
    row
}

fn put(field: &str, value: serde_json::Value) -> FieldOp {
    FieldOp::Put { field: field.into(), value }
}

fn edit(document: &mut Document, who: u128, at: i64, ops: &[FieldOp]) -> ParsedChange {
    let (bytes, _) = document.edit(actor(who), &header(who, at), false, ops).unwrap();
    ParsedChange::parse(&bytes).unwrap()
}

fn values(document: &mut Document) -> Row {
    let mut row = Row::empty(document.table());
    document.project(&Clamps::new(), &mut row).unwrap();
    row
}

#[test]
fn genesis_is_a_function_of_record_epoch_and_values_alone() {
    let mut one = Document::genesis(patient(0), 1, &row()).unwrap();
    let mut other = Document::genesis(patient(0), 1, &row()).unwrap();
    assert_eq!(one.heads(), other.heads());
    assert_ne!(one.heads(), Document::genesis(patient(0), 2, &row()).unwrap().heads());
    assert_eq!(values(&mut one).get("name"), &Value::Text("Ana".into()));
    assert!(values(&mut one).get("allergies").is_null(), "health is another document");
}

#[test]
fn different_fields_both_survive_and_the_later_capture_wins_the_same_field() {
    let mut a = Document::genesis(patient(0), 1, &row()).unwrap();
    let mut b = a.clone();
    let from_a = edit(&mut a, 1, 100, &[put("phone", json!("1")), put("email", json!("a@x"))]);
    let from_b = edit(&mut b, 2, 50, &[put("phone", json!("2")), put("address", json!("Rua B"))]);
    a.apply(&from_b).unwrap();
    b.apply(&from_a).unwrap();
    let (a, b) = (values(&mut a), values(&mut b));
    assert_eq!(a, b);
    assert_eq!(a.get("phone"), &Value::Text("1".into()));
    assert_eq!(a.get("address"), &Value::Text("Rua B".into()));
}

#[test]
fn a_clock_that_runs_ahead_is_clamped_to_the_merge() {
    let mut a = Document::genesis(patient(0), 1, &row()).unwrap();
    let mut b = a.clone();
    let ahead = edit(&mut a, 1, 1_000_000, &[put("phone", json!("ahead"))]);
    edit(&mut b, 2, 50, &[put("phone", json!("honest"))]);
    b.apply(&ahead).unwrap();
    let mut row = Row::empty(b.table());
    b.project(&Clamps::from([(ahead.hash(), ServerInstant(10))]), &mut row).unwrap();
    assert_eq!(row.get("phone"), &Value::Text("honest".into()));
}

#[test]
fn a_guarded_field_with_two_values_is_disputed_and_a_later_edit_settles_it() {
    let mut a = Document::genesis(patient(0), 1, &row()).unwrap();
    let mut b = a.clone();
    edit(&mut a, 1, 100, &[put("cpf", json!("529.982.247-25"))]);
    let from_b = edit(&mut b, 2, 50, &[put("cpf", json!("11144477735"))]);
    a.apply(&from_b).unwrap();
    let mut row = Row::empty(a.table());
    let disputes = a.project(&Clamps::new(), &mut row).unwrap();
    assert_eq!(disputes.len(), 1);
    assert_eq!(disputes[0].values.len(), 2);
    assert_eq!(row.get("cpf"), &Value::Text("52998224725".into()));
    edit(&mut a, 1, 200, &[put("cpf", json!("11144477735"))]);
    assert!(a.project(&Clamps::new(), &mut row).unwrap().is_empty());
}

#[test]
fn adding_an_allergy_wins_over_a_concurrent_removal_and_the_reason_stays() {
    let mut a = Document::genesis(patient(1), 1, &row()).unwrap();
    let mut b = a.clone();
    let remove =
        FieldOp::Remove { field: "allergies".into(), member: "látex".into(), reason: "erro".into() };
    let removal = edit(&mut a, 1, 100, &[remove]);
    let field = table("patients").unwrap().field("allergies").unwrap().1;
    assert_eq!(a.removal_reasons(field).get("látex").map(String::as_str), Some("erro"));
    let add = |member: &str| FieldOp::Add { field: "allergies".into(), member: member.into() };
    let addition = edit(&mut b, 2, 50, &[add("látex"), add("iodo")]);
    a.apply(&addition).unwrap();
    b.apply(&removal).unwrap();
    assert_eq!(values(&mut a).get("allergies"), &Value::Texts(vec!["iodo".into(), "látex".into()]));
    assert_eq!(values(&mut a), values(&mut b));
}

#[test]
fn text_merges_by_character_and_objects_by_key() {
    let mut a = Document::genesis(patient(1), 1, &row()).unwrap();
    let base = edit(&mut a, 9, 1, &[FieldOp::Text { field: "notes".into(), value: "pele seca".into() }]);
    let mut b = Document::genesis(patient(1), 1, &row()).unwrap();
    b.apply(&base).unwrap();
    let text = |value: &str| FieldOp::Text { field: "notes".into(), value: value.into() };
    let merge = |patch| FieldOp::Merge { field: "medical_history".into(), patch };
    let from_a = edit(&mut a, 1, 2, &[text("pele muito seca"), merge(json!({"x": {"a": 1}}))]);
    let from_b = edit(&mut b, 2, 2, &[text("pele seca e fina"), merge(json!({"x": {"b": 2}}))]);
    a.apply(&from_b).unwrap();
    b.apply(&from_a).unwrap();
    assert_eq!(values(&mut a), values(&mut b));
    assert_eq!(values(&mut a).get("notes"), &Value::Text("pele muito seca e fina".into()));
    assert_eq!(values(&mut a).get("medical_history"), &Value::Json(json!({"x": {"a": 1, "b": 2}})));
}

#[test]
fn a_change_whose_dependency_is_missing_is_refused_not_hidden() {
    let mut a = Document::genesis(patient(0), 1, &row()).unwrap();
    let mut b = a.clone();
    edit(&mut a, 1, 1, &[put("phone", json!("1"))]);
    let second = edit(&mut a, 1, 2, &[put("phone", json!("2"))]);
    assert_eq!(b.apply(&second), Err(DocumentError::MissingDependency));
}

#[test]
fn a_failed_edit_leaves_the_document_as_it_was() {
    let mut a = Document::genesis(patient(0), 1, &row()).unwrap();
    let heads = a.heads();
    let ops = [put("phone", json!("1")), put("cpf", json!("123"))];
    assert!(matches!(a.edit(actor(1), &header(1, 1), false, &ops), Err(EditError::Invalid(_))));
    assert!(matches!(a.edit(actor(1), &header(1, 1), false, &[]), Err(EditError::NothingToDo)));
    assert_eq!(a.heads(), heads);
    assert_eq!(values(&mut a).get("phone"), &Value::Null);
}

#[test]
fn saved_bytes_load_with_the_same_heads_and_every_flipped_bit_of_a_change_is_refused() {
    let mut a = Document::genesis(patient(0), 1, &row()).unwrap();
    let change = edit(&mut a, 1, 1, &[put("phone", json!("1"))]);
    let mut loaded = Document::load(patient(0), &a.save()).unwrap();
    assert_eq!(loaded.heads(), a.heads());
    for at in 0..change.bytes().len() {
        let mut bytes = change.bytes().to_vec();
        bytes[at] ^= 1;
        assert!(ParsedChange::parse(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn every_facet_of_the_catalogue_has_a_root_that_projects_to_nothing() {
    for table in crate::catalogue::TABLES {
        for facet in table.facet_ids() {
            let id = DocumentId { table: table.id, record: RecordId(Uuid::from_u128(1)), facet };
            let mut document = Document::genesis(id, 1, &Row::empty(table)).unwrap();
            assert_eq!(values(&mut document), Row::empty(table), "{id}");
            assert_eq!(document.check_fields(), Ok(()));
        }
    }
}

#[test]
fn what_a_change_says_is_read_back_and_gives_the_same_on_another_base() {
    let mut base = Document::genesis(patient(1), 1, &row()).unwrap();
    let ops = vec![
        put("skin_type", json!("III")),
        FieldOp::Add { field: "allergies".into(), member: "iodo".into() },
        FieldOp::Remove { field: "allergies".into(), member: "látex".into(), reason: "engano".into() },
        FieldOp::Text { field: "notes".into(), value: "Primeira nota.".into() },
    ];
    let change = edit(&mut base, 1, 5, &ops);
    let wanted = values(&mut base);
    // The document was flattened meanwhile, and got other values.
    let mut flat = row();
    flat.set("skin_type", Value::Text("I".into()));
    let mut next = Document::genesis(patient(1), 2, &flat).unwrap();
    let read = change.operations(&patient(1), &flat).unwrap();
    next.edit(Actor::of_release(EditId(Uuid::from_u128(7))), &header(7, 5), false, &read).unwrap();
    let got = values(&mut next);
    for field in ["skin_type", "allergies", "notes"] {
        assert_eq!(got.get(field), wanted.get(field), "{field}");
    }
}

#[test]
fn objects_and_registers_of_an_identity_are_read_back() {
    let mut base = Document::genesis(patient(0), 1, &row()).unwrap();
    let ops = vec![
        put("phone", json!("1")),
        put("date_of_birth", json!("1990-02-03")),
        FieldOp::Merge { field: "emergency_contact".into(), patch: json!({"phone": "9", "name": null}) },
    ];
    let change = edit(&mut base, 1, 5, &ops);
    let wanted = values(&mut base);
    let mut next = Document::genesis(patient(0), 2, &row()).unwrap();
    let read = change.operations(&patient(0), &row()).unwrap();
    next.edit(actor(9), &header(7, 5), false, &read).unwrap();
    assert!(values(&mut next) == wanted);
}

#[test]
fn words_in_the_middle_of_a_text_that_is_gone_are_not_guessed() {
    let mut base = Document::genesis(patient(1), 1, &row()).unwrap();
    let text = |value: &str| vec![FieldOp::Text { field: "notes".into(), value: value.into() }];
    edit(&mut base, 1, 1, &text("Início. Fim."));
    let middle = edit(&mut base, 1, 2, &text("Início. Meio. Fim."));
    assert_eq!(middle.operations(&patient(1), &row()), None);
    // What was put in front of everything needs no base.
    let front = edit(&mut base, 1, 3, &text("Antes. Início. Meio. Fim."));
    let mut now = row();
    now.set("notes", Value::Text("Outra.".into()));
    let FieldOp::Text { value, .. } = front.operations(&patient(1), &now).unwrap().remove(0) else {
        panic!()
    };
    assert_eq!(value, "Antes. Outra.");
}

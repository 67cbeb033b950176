//! Hostile values inside well-formed changes: typed answers, and texts that stay texts.

use super::admission::tampered;
use neonpro_contract::catalogue::{Format, Kind, Lifecycle, Role, Scope, TABLES, TableId};
use neonpro_contract::edit::{DocumentChange, FieldOp};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::permissions::may_write;
use neonpro_contract::value::{Column, Value};
use neonpro_tests::device::{document, put};
use neonpro_tests::poison::{Chunk, INT, KEY_TEXT, TEXT, run, sleb, uleb};
use neonpro_tests::world::World;
use serde_json::json;

const INVALID: Fate = Fate::Quarantined { code: Code::InvalidValue };

/// Replaces the value of one field of one record, past every check of a tablet.
async fn replaced(world: &World, name: &str, honest: FieldOp, kind: u64, value: &[u8]) -> Fate {
    let clinic = world.clinic(0).id;
    let (record, row) = world.record(0, name, 0);
    let id = document(name, record, 0);
    let mut device = world.device(clinic).await;
    device.open(id, row);
    let mut envelope = device.envelope(world.person(0, Role::Admin), &[(id, false, vec![honest])]);
    for DocumentChange { change, .. } in &mut envelope.changes {
        *change = Chunk::read(change).with_value(kind, value).write().into();
    }
    world.push(clinic, vec![device.incoming(&envelope)]).await.remove(0)
}

#[tokio::test]
async fn names_of_6400_bytes_and_characters_no_text_holds_are_invalid() {
    let world = World::new().await;
    let name = || put("name", json!("Ana"));
    for text in ["a".repeat(6_400), "Ana\0".into(), "Ana\u{7}".into(), "A\u{301}na".into(), "é".repeat(401)]
    {
        assert_eq!(replaced(&world, "patients", name(), TEXT, text.as_bytes()).await, INVALID);
    }
}

#[tokio::test]
async fn numbers_beyond_their_column_are_invalid() {
    let world = World::new().await;
    let (table, field) = numeric();
    for number in ["1.005", "1e400", "NaN", "Infinity", "-", "", "99999999999999999999.99", "1,50", "0x10"] {
        let fate = replaced(&world, table, put(field, json!("7.77")), TEXT, number.as_bytes()).await;
        assert_eq!(fate, INVALID, "{table}.{field} = {number}");
    }
    let fate = replaced(&world, table, put(field, json!("7.77")), INT, &sleb(i64::MAX)).await;
    assert_eq!(fate, INVALID, "a number that is no text");
}

/// A numeric field of a table that an administrator may change.
fn numeric() -> (&'static str, &'static str) {
    let found = TABLES.iter().find_map(|table| {
        let open = table.lifecycle != Lifecycle::Ledger
            && table.scope != Scope::Reference
            && ["procedures", "services", "treatment_plans", "appointments"].contains(&table.name);
        let field = table
            .facet_fields(neonpro_contract::catalogue::FacetId(0))
            .map(|(_, field)| field)
            .find(|field| {
                matches!(field.column, Column::Numeric(_, 2)) && !field.fixed && field.kind == Kind::Register
            })?;
        (open && may_write(table, neonpro_contract::catalogue::FacetId(0), Role::Admin))
            .then_some((table.name, field.name))
    });
    found.expect("the catalogue has a price")
}

#[tokio::test]
async fn dates_and_instants_outside_the_calendar_are_invalid() {
    let world = World::new().await;
    for date in
        ["0000-01-01", "9999999-01-01", "1899-12-31", "2201-01-01", "2026-02-30", "-0001-01-01", "today"]
    {
        let honest = put("date_of_birth", json!("1990-01-02"));
        assert_eq!(replaced(&world, "patients", honest, TEXT, date.as_bytes()).await, INVALID, "{date}");
    }
    for instant in [i64::MIN, -62_135_596_800_000_001, 253_402_300_800_000_000, i64::MAX] {
        let honest = put("end_time", json!("2026-01-02T03:04:05Z"));
        assert_eq!(replaced(&world, "appointments", honest, INT, &sleb(instant)).await, INVALID, "{instant}");
    }
}

#[tokio::test]
async fn unknown_choices_unknown_fields_and_other_types_are_invalid() {
    let world = World::new().await;
    let status = || put("status", json!("cancelled"));
    assert_eq!(replaced(&world, "appointments", status(), TEXT, b"erased").await, INVALID);
    assert_eq!(replaced(&world, "appointments", status(), TEXT, b"CANCELLED").await, INVALID);
    assert_eq!(replaced(&world, "appointments", status(), INT, &sleb(3)).await, INVALID);
    let clinic = world.clinic(0).id;
    let (patient, row) = world.patient(0, 3);
    let id = document("patients", patient, 0);
    for field in ["nope", "clinic_id", "id", "photo_consent", "feed_seq", "allergies", "name'; --"] {
        let mut device = world.device(clinic).await;
        device.open(id, row);
        let key = [uleb(field.len() as u64), field.as_bytes().to_vec()].concat();
        let edit = tampered(&mut device, world.person(0, Role::Admin), id, |chunk| {
            // Nothing is replaced at a key that was never there.
            let chunk = chunk.with(KEY_TEXT, run(-1, &key)).with(0x70, run(-1, &[0]));
            Chunk { others: Vec::new(), ..chunk.with(0x71, Vec::new()).with(0x73, Vec::new()) }.write()
        });
        let fate = world.push(clinic, vec![edit]).await.remove(0);
        assert_eq!(fate, INVALID, "{field}");
    }
}

#[tokio::test]
async fn a_path_too_deep_and_a_leaf_that_is_no_json_are_invalid() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (patient, row) = world.patient(0, 4);
    let id = document("patients", patient, 0);
    for (path, leaf) in [("/a".repeat(2_000), "1"), ("/a".into(), "[[[["), ("/a".into(), "\"\\u0000\"")] {
        let mut device = world.device(clinic).await;
        device.open(id, row);
        let merge = FieldOp::Merge { field: "emergency_contact".into(), patch: json!({"zz": "y"}) };
        let mut envelope = device.envelope(world.person(0, Role::Admin), &[(id, false, vec![merge])]);
        let key = [uleb(path.len() as u64), path.as_bytes().to_vec()].concat();
        for DocumentChange { change, .. } in &mut envelope.changes {
            let chunk = Chunk::read(change).with(KEY_TEXT, run(-1, &key));
            *change = chunk.with_value(TEXT, leaf.as_bytes()).write().into();
        }
        let fate = world.push(clinic, vec![device.incoming(&envelope)]).await.remove(0);
        assert_eq!(fate, INVALID, "{} bytes of path, {leaf}", path.len());
    }
}

/// Texts that mean something to SQL, LIKE, HTML, JSON, logs and shells.
pub(super) const INJECTIONS: [&str; 9] = [
    "'; drop table patients; --",
    "' or '1'='1",
    "%_%\\%",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} #{7*7}",
    "\"}],\"x\":[{",
    "$(reboot) `reboot` | reboot",
    "\u{202e}gnp.exe",
    "{\"a\":1}' || pg_sleep(9) || '",
];

#[tokio::test]
async fn what_means_something_to_sql_html_or_a_shell_is_stored_as_text_in_every_field() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (mut fields, mut stored, mut listed) = (0, 0, Vec::new());
    for table in TABLES.iter().filter(|table| table.scope != Scope::Reference) {
        let Some(found) = world.clinic(0).batch.records().iter().find(|record| record.table.id == table.id)
        else {
            continue;
        };
        let (record, row) = (found.id.0, &found.row);
        for facet in table.facet_ids() {
            let writers = [Role::Admin, Role::Professional, Role::Assistant];
            let Some(role) = writers.into_iter().find(|role| may_write(table, facet, *role)) else {
                continue;
            };
            let plain = table.facet_fields(facet).filter(|(_, field)| {
                field.column == Column::Text
                    && field.format == Format::Plain
                    && !field.fixed
                    && matches!(field.kind, Kind::Register | Kind::Text)
            });
            for (index, field) in plain {
                fields += 1;
                let text = INJECTIONS[fields % INJECTIONS.len()];
                let mut device = world.device(clinic).await;
                let id = document(table.name, record, facet.0);
                device.open(id, row);
                let op = put(field.name, json!(text));
                // A field that refuses the text on the tablet refuses it here too.
                let Some(edit) = device.try_edit(world.person(0, role), &[(id, false, vec![op])]) else {
                    continue;
                };
                let fate = world.push(clinic, vec![edit]).await.remove(0);
                assert_ne!(fate, Fate::Quarantined { code: Code::ProjectionFailed }, "{}", field.name);
                if fate == INVALID {
                    listed.push(format!("{}.{}", table.name, field.name));
                }
                if matches!(fate, Fate::Accepted { .. }) {
                    let now = world.row(clinic, table.name, record).await.unwrap();
                    assert_eq!(now.at(index), &Value::Text(text.into()), "{}.{}", table.name, field.name);
                    stored += 1;
                }
            }
        }
    }
    let registered = ["professionals.professional_type", "professionals.council_type"];
    assert_eq!(listed, registered, "codes of a registry, and nothing else, are asked of the judge");
    assert!(stored >= 40 && fields > stored / 2, "{stored} of {fields} fields took the text");
    let people = document("patients", world.patient(0, 0).0, 0);
    assert_ne!(people.table, TableId(0), "and the table is still there");
}

//! Nobody is blamed for what several people did together, and no pair of records changes its roles.

use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::FieldOp;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::limits::LONG_TEXT_BYTES_MAX;
use neonpro_contract::row::Row;
use neonpro_contract::value::{Value, instant_text};
use neonpro_server::clock::{fresh_id, now};
use neonpro_tests::device::{document, put};
use neonpro_tests::world::World;
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn text(field: &str, value: String) -> FieldOp {
    FieldOp::Text { field: field.to_owned(), value }
}

fn merge(field: &str, patch: Json) -> FieldOp {
    FieldOp::Merge { field: field.to_owned(), patch }
}

/// An open session of the clinic.
fn session(world: &World) -> (Uuid, &'static Row) {
    let sessions =
        world.clinic(0).batch.records().iter().filter(|record| {
            record.table.name == "treatment_sessions" && record.row.get("locked_at").is_null()
        });
    sessions.map(|record| (record.id.0, &record.row)).next().unwrap()
}

#[tokio::test]
async fn two_notes_that_are_too_long_together_are_both_kept_until_a_person_shortens_them() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (session, row) = session(&world);
    let id = document("treatment_sessions", session, 0);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    a.open(id, row);
    b.open(id, row);
    // Together more than one edit may write, and less than one edit may delete.
    let half = LONG_TEXT_BYTES_MAX * 52 / 100;
    let from_a = a.edit(author, &[(id, false, vec![text("notes", "a".repeat(half))])]);
    let from_b = b.edit(author, &[(id, false, vec![text("notes", "b".repeat(half))])]);
    let fates = world.push(clinic, vec![from_a.clone(), from_b]).await;
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
    let after = world.row(clinic, "treatment_sessions", session).await.unwrap();
    assert!(after.get("notes").as_text().unwrap().len() > LONG_TEXT_BYTES_MAX);
    let items = world.items(clinic).await;
    assert_eq!((items.len(), items[0].code.as_str()), (1, "merged_too_long"));

    b.receive(&from_a);
    let other = b.edit(author, &[(id, false, vec![text("outcome", "bem".to_owned())])]);
    assert!(matches!(world.push(clinic, vec![other]).await[0], Fate::Accepted { .. }), "other fields go on");
    let shorter = b.edit(author, &[(id, false, vec![text("notes", "a".repeat(half))])]);
    assert!(matches!(world.push(clinic, vec![shorter]).await[0], Fate::Accepted { .. }));
    assert!(world.items(clinic).await.is_empty(), "settled");
}

#[tokio::test]
async fn a_pair_of_duplicates_keeps_its_roles_when_both_are_written_at_once() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let mut a = world.device(clinic).await;
    let (first, second) = (fresh_id(now()), fresh_id(now()));
    let edits = vec![
        a.new_patient(author, first, Some("52998224725")),
        a.new_patient(author, second, Some("52998224725")),
    ];
    world.push(clinic, edits).await;
    let phone = |record: Uuid| (document("patients", record, 0), false, vec![put("phone", json!("1"))]);
    let edits = vec![a.edit(author, &[phone(second)]), a.edit(author, &[phone(first)])];
    let fates = world.push(clinic, edits).await;
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
    let duplicate_of =
        async |record: Uuid| world.row(clinic, "patients", record).await.unwrap().get("duplicate_of").clone();
    assert_eq!(duplicate_of(first).await, Value::Null);
    assert_eq!(duplicate_of(second).await, Value::Uuid(first));
}

#[tokio::test]
async fn an_addendum_to_a_locked_session_is_never_overwritten_or_hidden() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (session, row) = session(&world);
    let id = document("treatment_sessions", session, 0);
    let mut a = world.device(clinic).await;
    a.open(id, row);
    let lock = vec![put("locked_at", json!(instant_text(now().0))), put("locked_by", json!(author))];
    let lock = a.edit(author, &[(id, false, lock)]);
    assert!(matches!(world.push(clinic, vec![lock.clone()]).await[0], Fate::Accepted { .. }));
    let opened = async || {
        let mut device = world.device(clinic).await;
        device.open(id, row);
        device.receive(&lock);
        device
    };
    let (mut b, mut c, mut d) = (opened().await, opened().await, opened().await);
    let add = |device: &mut neonpro_tests::device::Device, ago: i64, patch: Json| {
        device.captured_at = Some(now().0 - ago);
        device.edit(author, &[(id, false, vec![merge("addenda", patch)])])
    };
    let first = add(&mut a, 2_000_000, json!({"1": "primeiro"}));
    // Written without seeing the first: once with a later clock, once with an earlier one.
    let over = add(&mut b, 1_000_000, json!({"1": "por cima"}));
    let under = add(&mut c, 3_000_000, json!({"1": "por baixo"}));
    let own = add(&mut a, 0, json!({"1": null}));
    let locked = Fate::Quarantined { code: Code::RecordLocked };
    assert!(matches!(world.push(clinic, vec![first]).await[0], Fate::Accepted { .. }));
    assert_eq!(
        world.push(clinic, vec![over, under, own]).await,
        vec![locked.clone(), locked.clone(), locked]
    );
    let more = add(&mut d, 0, json!({"2": "segundo"}));
    assert!(matches!(world.push(clinic, vec![more]).await[0], Fate::Accepted { .. }));
    let after = world.row(clinic, "treatment_sessions", session).await.unwrap();
    assert_eq!(after.get("addenda").to_json(), json!({"1": "primeiro", "2": "segundo"}));
}

//! Before / tablet A / tablet B / after / items.

use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::Fate;
use neonpro_contract::value::Value;
use neonpro_server::clock::{fresh_id, now};
use neonpro_tests::device::{add, document, put};
use neonpro_tests::world::World;
use serde_json::json;

fn accepted(fates: &[Fate]) -> bool {
    fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. }))
}

#[tokio::test]
async fn different_fields_of_one_patient_both_survive() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, row) = world.patient(0, 0);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    let identity = document("patients", patient, 0);
    a.open(identity, row);
    b.open(identity, row);
    let edits = vec![
        a.edit(author, &[(identity, false, vec![put("phone", json!("+5511900000001"))])]),
        b.edit(author, &[(identity, false, vec![put("email", json!("b@exemplo.com.br"))])]),
    ];
    let fates = world.push(clinic, edits).await;
    assert!(accepted(&fates), "{fates:?}");
    let after = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(after.get("phone"), &Value::Text("+5511900000001".into()));
    assert_eq!(after.get("email"), &Value::Text("b@exemplo.com.br".into()));
    assert_eq!(after.get("name"), row.get("name"));
}

#[tokio::test]
async fn a_record_begun_by_two_edits_of_one_push_keeps_what_both_wrote() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let doctor = world.person(0, Role::Professional);
    let (mut a, patient) = (world.device(clinic).await, fresh_id(now()));
    let (identity, health) = (document("patients", patient, 0), document("patients", patient, 1));
    let edits = vec![
        a.edit(doctor, &[(identity, true, vec![put("name", json!("Ana Prova"))])]),
        a.edit(doctor, &[(health, false, vec![add("allergies", "látex")])]),
    ];
    let fates = world.push(clinic, edits).await;
    assert!(accepted(&fates), "{fates:?}");
    // What builds on the first of them fits: it is part of the document, not of the row alone.
    let later = a.edit(doctor, &[(identity, false, vec![put("phone", json!("+5511900000003"))])]);
    let fates = world.push(clinic, vec![later]).await;
    assert!(accepted(&fates), "{fates:?}");
    world.assert_digest(clinic).await;
}

#[tokio::test]
async fn two_values_of_a_guarded_field_open_an_item_that_a_later_edit_settles() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (patient, row) = world.patient(0, 1);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    let identity = document("patients", patient, 0);
    a.open(identity, row);
    b.open(identity, row);
    a.captured_at = Some(now().0 - 2_000_000);
    b.captured_at = Some(now().0 - 1_000_000);
    let from_a = a.edit(author, &[(identity, false, vec![put("name", json!("Nome A"))])]);
    let from_b = b.edit(author, &[(identity, false, vec![put("name", json!("Nome B"))])]);
    assert!(accepted(&world.push(clinic, vec![from_b.clone()]).await));
    assert!(accepted(&world.push(clinic, vec![from_a]).await));
    let after = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(after.get("name"), &Value::Text("Nome B".into()), "the later capture, whatever the arrival");
    let items = world.items(clinic).await;
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].kind.as_str(), items[0].code.as_str()), ("fields", "concurrent_values"));
    a.receive(&from_b);
    a.captured_at = None;
    let settle = a.edit(author, &[(identity, false, vec![put("name", json!("Nome A"))])]);
    assert!(accepted(&world.push(clinic, vec![settle]).await));
    assert!(world.items(clinic).await.is_empty());
}

#[tokio::test]
async fn allergies_added_on_two_tablets_are_both_there() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, row) = world.patient(0, 2);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    let health = document("patients", patient, 1);
    a.open(health, row);
    b.open(health, row);
    let edits = vec![
        a.edit(author, &[(health, false, vec![add("allergies", "iodo")])]),
        b.edit(author, &[(health, false, vec![add("allergies", "látex")])]),
    ];
    assert!(accepted(&world.push(clinic, edits).await));
    let after = world.row(clinic, "patients", patient).await.unwrap();
    let Value::Texts(members) = after.get("allergies").clone() else { panic!("a set") };
    assert!(members.contains(&"iodo".to_owned()) && members.contains(&"látex".to_owned()));
}

#[tokio::test]
async fn one_slot_booked_twice_keeps_both_and_opens_an_agenda_item_until_one_moves() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let professional = world.person(0, Role::Professional);
    let (patient, _) = world.patient(0, 3);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    let book = |start: &str, end: &str| {
        vec![
            put("patient_id", json!(patient)),
            put("professional_id", json!(professional)),
            put("status", json!("scheduled")),
            put("start_time", json!(start)),
            put("end_time", json!(end)),
            put("duration_minutes", json!(60)),
        ]
    };
    let (first, second) = (fresh_id(now()), fresh_id(now()));
    let edits = vec![
        a.edit(
            author,
            &[(
                document("appointments", first, 0),
                true,
                book("2031-03-05T13:00:00Z", "2031-03-05T14:00:00Z"),
            )],
        ),
        b.edit(
            author,
            &[(
                document("appointments", second, 0),
                true,
                book("2031-03-05T13:30:00Z", "2031-03-05T14:30:00Z"),
            )],
        ),
    ];
    let fates = world.push(clinic, edits).await;
    assert!(accepted(&fates), "{fates:?}");
    let items = world.items(clinic).await;
    assert_eq!((items.len(), items[0].code.as_str()), (1, "double_booking"));
    let moved = vec![
        put("start_time", json!("2031-04-05T15:00:00Z")),
        put("end_time", json!("2031-04-05T16:00:00Z")),
    ];
    let fates = world
        .push(clinic, vec![b.edit(author, &[(document("appointments", second, 0), false, moved)])])
        .await;
    assert!(accepted(&fates), "{fates:?}");
    assert!(world.items(clinic).await.is_empty());
    let row = world.row(clinic, "appointments", second).await.unwrap();
    assert_eq!(row.get("start_time").to_json(), json!("2031-04-05T15:00:00Z"));
}

#[tokio::test]
async fn stock_below_zero_is_taken_and_opens_an_item() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (product, _) = world.record(0, "inventory_products", 0);
    let (lot, _) = world.record(0, "inventory_lots", 0);
    let mut a = world.device(clinic).await;
    let ops = vec![
        put("product_id", json!(product)),
        put("lot_id", json!(lot)),
        put("transaction_type", json!("usage")),
        put("quantity", json!("999999.000")),
        put("transaction_date", json!("2026-11-20T12:00:00Z")),
    ];
    let id = document("inventory_transactions", fresh_id(now()), 0);
    let fates = world.push(clinic, vec![a.edit(author, &[(id, true, ops)])]).await;
    assert!(accepted(&fates), "{fates:?}");
    let items = world.items(clinic).await;
    assert!(items.iter().any(|item| item.kind == "stock" && item.code == "negative_lot"), "{items:?}");
    let product = world.row(clinic, "inventory_products", product).await.unwrap();
    assert!(product.get("current_quantity").to_json().as_str().unwrap().starts_with('-'));
}

#[tokio::test]
async fn one_person_registered_on_two_tablets_is_an_item_never_an_error() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    let (first, second) = (fresh_id(now()), fresh_id(now()));
    let edits = vec![
        a.new_patient(author, first, Some("52998224725")),
        b.new_patient(author, second, Some("529.982.247-25")),
    ];
    let fates = world.push(clinic, edits).await;
    assert!(accepted(&fates), "{fates:?}");
    let items = world.items(clinic).await;
    assert_eq!((items.len(), items[0].kind.as_str()), (1, "duplicates"));
    let later = world.row(clinic, "patients", second).await.unwrap();
    assert_eq!(later.get("duplicate_of"), &Value::Uuid(first));
}

#[tokio::test]
async fn a_replay_is_told_so_and_changes_nothing() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let mut a = world.device(clinic).await;
    let edit = a.new_patient(author, fresh_id(now()), None);
    let first = world.push(clinic, vec![edit.clone()]).await;
    let Fate::Accepted { seq, merged_at } = first[0] else { panic!("{first:?}") };
    let again = world.push(clinic, vec![edit.clone(), edit]).await;
    assert_eq!(again, vec![Fate::Duplicate { seq, merged_at }; 2]);
}

#[tokio::test]
async fn an_edit_whose_dependency_is_missing_is_held_and_goes_in_when_it_comes() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (patient, row) = world.patient(0, 4);
    let mut a = world.device(clinic).await;
    let identity = document("patients", patient, 0);
    a.open(identity, row);
    let first = a.edit(author, &[(identity, false, vec![put("phone", json!("1"))])]);
    let second = a.edit(author, &[(identity, false, vec![put("phone", json!("2"))])]);
    assert_eq!(world.push(clinic, vec![second.clone()]).await, vec![Fate::Held { missing: identity }]);
    assert!(accepted(&world.push(clinic, vec![first]).await));
    let after = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(after.get("phone"), &Value::Text("2".into()));
    assert!(matches!(world.push(clinic, vec![second]).await[0], Fate::Duplicate { .. }));
}

#[tokio::test]
async fn an_edit_the_database_refuses_is_quarantined_alone() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (patient, _) = world.patient(0, 5);
    let mut a = world.device(clinic).await;
    // A whole number that fits the catalogue's type but not the column's CHECK: nothing before the database knows.
    let ops = vec![
        put("patient_id", json!(patient)),
        put("professional_id", json!(world.person(0, Role::Professional))),
        put("status", json!("scheduled")),
        put("start_time", json!("2031-03-06T13:00:00Z")),
        put("end_time", json!("2031-03-06T14:00:00Z")),
        put("duration_minutes", json!(-5)),
    ];
    let bad = a.edit(author, &[(document("appointments", fresh_id(now()), 0), true, ops)]);
    let good: Vec<_> = (0..5).map(|_| a.new_patient(author, fresh_id(now()), None)).collect();
    let mut edits = good.clone();
    edits.insert(2, bad);
    let fates = world.push(clinic, edits).await;
    let set_aside = fates.iter().filter(|fate| fate.set_aside().is_some()).count();
    assert!(set_aside <= 1, "{fates:?}");
    assert_eq!(fates.iter().filter(|fate| matches!(fate, Fate::Accepted { .. })).count(), 6 - set_aside);
}

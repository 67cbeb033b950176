//! The gate: signature, device, clinic, role. A foreign record is answered like one that does not exist.

use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::{Envelope, SignedEdit};
use neonpro_contract::fate::{Code, Fate};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::merge::Incoming;
use neonpro_tests::device::{add, document, put};
use neonpro_tests::world::World;
use serde_json::json;

const fn refused(code: Code) -> Fate {
    Fate::Refused { code }
}

#[tokio::test]
async fn a_record_of_another_clinic_is_answered_like_one_that_does_not_exist() {
    let world = World::new().await;
    let (here, there) = (world.clinic(0).id, world.clinic(1).id);
    let author = world.person(0, Role::Professional);
    let (foreign, row) = world.patient(1, 0);
    let mut a = world.device(here).await;
    let theirs = document("patients", foreign, 0);
    a.open(theirs, row);
    let edit = a.edit(author, &[(theirs, false, vec![put("name", json!("Roubada"))])]);
    let nowhere = document("patients", fresh_id(now()), 0);
    a.open(nowhere, row);
    let missing = a.edit(author, &[(nowhere, false, vec![put("name", json!("Ninguém"))])]);
    let fates = world.push(here, vec![edit, missing]).await;
    assert_eq!(fates[0], fates[1], "the same answer");
    assert!(!matches!(fates[0], Fate::Accepted { .. }));
    let untouched = world.row(there, "patients", foreign).await.unwrap();
    assert_eq!(untouched.get("name"), row.get("name"));
}

#[tokio::test]
async fn a_child_of_another_clinics_parent_is_refused() {
    let world = World::new().await;
    let here = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (foreign, _) = world.patient(1, 0);
    let mut a = world.device(here).await;
    let fates = world.push(here, vec![a.plan(author, foreign, fresh_id(now()))]).await;
    assert_eq!(fates, vec![refused(Code::NotFound)]);
}

#[tokio::test]
async fn an_author_of_another_clinic_does_not_exist_here() {
    let world = World::new().await;
    let here = world.clinic(0).id;
    let mut a = world.device(here).await;
    let fates =
        world.push(here, vec![a.new_patient(world.person(1, Role::Admin), fresh_id(now()), None)]).await;
    assert_eq!(fates, vec![refused(Code::NotFound)]);
}

#[tokio::test]
async fn a_signature_for_one_clinic_means_nothing_in_another() {
    let world = World::new().await;
    let (here, there) = (world.clinic(0).id, world.clinic(1).id);
    let mut a = world.device(here).await;
    let edit = a.new_patient(world.person(0, Role::Assistant), fresh_id(now()), None);
    assert_eq!(world.push(there, vec![edit]).await, vec![refused(Code::BadSignature)]);
}

#[tokio::test]
async fn every_flipped_bit_of_a_signed_edit_is_refused() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    let edit = a.new_patient(world.person(0, Role::Assistant), fresh_id(now()), None);
    let mut edits = Vec::new();
    for at in (0..edit.signed.envelope.len()).step_by(7) {
        let mut envelope = edit.signed.envelope.to_vec();
        envelope[at] ^= 1 << (at % 8);
        let signed = SignedEdit { envelope: envelope.into(), signature: edit.signed.signature.clone() };
        edits.push(Incoming { signed, ..edit.clone() });
    }
    let fates = world.push(clinic, edits).await;
    let expected = [refused(Code::BadSignature), refused(Code::Malformed)];
    assert!(fates.iter().all(|fate| expected.contains(fate)));
}

#[tokio::test]
async fn an_edit_in_the_name_of_another_device_is_refused() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (mut a, b) = (world.device(clinic).await, world.device(clinic).await);
    let author = world.person(0, Role::Assistant);
    let record = document("patients", fresh_id(now()), 0);
    let envelope: Envelope = a.envelope(author, &[(record, true, vec![put("name", json!("X"))])]);
    // b signs what claims to come from a.
    let fates = world.push(clinic, vec![b.incoming(&envelope)]).await;
    assert_eq!(fates, vec![refused(Code::BadSignature)]);
}

#[tokio::test]
async fn a_revoked_device_writes_nothing() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    let mut scoped = world.store().begin(&Actor::system(clinic)).await.unwrap();
    assert!(scoped.mark_device_revoked(a.id, now()).await.unwrap());
    scoped.commit().await.unwrap();
    let fates =
        world.push(clinic, vec![a.new_patient(world.person(0, Role::Admin), fresh_id(now()), None)]).await;
    assert_eq!(fates, vec![refused(Code::DeviceRevoked)]);
}

#[tokio::test]
async fn an_assistant_writes_no_health_data() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (patient, row) = world.patient(0, 0);
    let mut a = world.device(clinic).await;
    let health = document("patients", patient, 1);
    a.open(health, row);
    let author = world.person(0, Role::Assistant);
    let fates =
        world.push(clinic, vec![a.edit(author, &[(health, false, vec![add("allergies", "pólen")])])]).await;
    assert_eq!(fates, vec![refused(Code::RoleNotAllowed)]);
}

#[tokio::test]
async fn what_is_fixed_at_creation_stays() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (appointment, row) = world.record(0, "appointments", 0);
    let (other, _) = world.patient(0, 9);
    let mut a = world.device(clinic).await;
    let id = document("appointments", appointment, 0);
    a.open(id, row);
    // The tablet's own check is circumvented: the operation claims to create.
    let fates =
        world.push(clinic, vec![a.edit(author, &[(id, true, vec![put("patient_id", json!(other))])])]).await;
    assert_eq!(fates, vec![Fate::Quarantined { code: Code::FieldFixed }]);
}

#[tokio::test]
async fn a_ledger_entry_is_never_edited() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Admin);
    let (payment, row) = world.record(0, "payments", 0);
    let mut a = world.device(clinic).await;
    let id = document("payments", payment, 0);
    a.open(id, row);
    let fates =
        world.push(clinic, vec![a.edit(author, &[(id, true, vec![put("amount", json!("0.01"))])])]).await;
    assert_eq!(fates, vec![Fate::Quarantined { code: Code::LedgerAppendOnly }]);
}

#[tokio::test]
async fn bytes_that_are_no_edit_are_refused_and_the_others_go_through() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    let good = a.new_patient(world.person(0, Role::Assistant), fresh_id(now()), None);
    let junk = vec![0xff; 64];
    let signature = a.sign(&junk);
    let bad = Incoming {
        signed: SignedEdit { envelope: junk.into(), signature: signature.into() },
        ..good.clone()
    };
    let fates = world.push(clinic, vec![bad, good]).await;
    assert_eq!(fates[0], refused(Code::Malformed));
    assert!(matches!(fates[1], Fate::Accepted { .. }));
}

#[tokio::test]
async fn a_code_that_is_in_no_registry_is_an_invalid_value_and_a_registered_one_is_taken() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let admin = world.person(0, Role::Admin);
    let mut a = world.device(clinic).await;
    let person = |kind: &str, council: &str, email: &str| {
        vec![
            put("name", json!("Pessoa Nova")),
            put("email", json!(email)),
            put("professional_type", json!(kind)),
            put("council_type", json!(council)),
            put("council_number", json!("1234")),
            put("council_state", json!("SP")),
        ]
    };
    let mut fates = Vec::new();
    for (kind, council, email) in [
        ("alchemist", "COREN", "1@exemplo.com.br"),
        ("nurse", "ORDEM", "2@exemplo.com.br"),
        ("nurse", "COREN", "3@exemplo.com.br"),
    ] {
        let record = document("professionals", fresh_id(now()), 0);
        let edit = a.edit(admin, &[(record, true, person(kind, council, email))]);
        fates.extend(world.push(clinic, vec![edit]).await);
    }
    let invalid = Fate::Quarantined { code: Code::InvalidValue };
    assert_eq!(fates[..2], [invalid.clone(), invalid]);
    assert!(matches!(fates[2], Fate::Accepted { .. }), "{:?}", fates[2]);
    // Nor can a registered one be exchanged for one that is not.
    let (known, row) = world.record(0, "professionals", 0);
    let known = document("professionals", known, 0);
    a.open(known, row);
    let edit = a.edit(admin, &[(known, false, vec![put("professional_type", json!("alchemist"))])]);
    assert_eq!(world.push(clinic, vec![edit]).await, [Fate::Quarantined { code: Code::InvalidValue }]);
}

#[tokio::test]
async fn nobody_begins_a_clinic_on_a_tablet() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    let begun = document("clinics", fresh_id(now()), 0);
    let name = vec![put("name", json!("Clínica Nova"))];
    let edit = a.edit(world.person(0, Role::Admin), &[(begun, true, name)]);
    assert_eq!(world.push(clinic, vec![edit]).await, [refused(Code::RoleNotAllowed)]);
}

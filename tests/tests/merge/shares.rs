//! Shares between clinics, on the database itself: who may read and write them, and what a receiving clinic may do.

use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::jobs::settle_shares;
use neonpro_tests::device::{document, put};
use neonpro_tests::world::World;
use serde_json::json;
use uuid::Uuid;

/// A patient of the first clinic, shared with the second: patient and referral.
async fn shared(world: &World) -> (Uuid, Uuid) {
    let (from, to) = (world.clinic(0).id, world.clinic(1).id);
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut device = world.device(from).await;
    let referral = fresh_id(now());
    let (_, treatment) = device.consent(author, patient, "treatment", true, &[]);
    let (_, sharing) = device.consent(author, patient, "data_sharing", true, &[]);
    let ops = vec![
        put("patient_id", json!(patient)),
        put("referring_professional_id", json!(author)),
        put("referral_type", json!("consultation")),
        put("reason", json!("Avaliar")),
        put("urgency_level", json!("low")),
        put("status", json!("accepted")),
        put("receiving_clinic_id", json!(to)),
    ];
    let refer = device.edit(author, &[(document("professional_referrals", referral, 0), true, ops)]);
    let fates = world.push(from, vec![treatment, sharing, refer]).await;
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
    assert_eq!(settle_shares(world.store(), from, now()).await.unwrap(), [to]);
    (patient, referral)
}

#[tokio::test]
async fn settling_again_changes_nothing_and_a_third_clinic_receives_nothing() {
    let world = World::new().await;
    let (patient, _) = shared(&world).await;
    let (from, to, third) = (world.clinic(0).id, world.clinic(1).id, world.clinic(2).id);
    assert_eq!(settle_shares(world.store(), from, now()).await.unwrap(), []);
    for (clinic, copies) in [(from, 0), (to, 3), (third, 0)] {
        let mut scoped = world.store().begin(&Actor::system(clinic)).await.unwrap();
        // Identity, health and the referral.
        assert_eq!(scoped.list_shared_from(from).await.unwrap().len(), copies);
        assert_eq!(scoped.list_shared_of(&[patient]).await.unwrap().len(), copies.min(2));
        scoped.rollback().await.unwrap();
    }
    world.assert_digest(to).await;
}

#[tokio::test]
async fn a_shared_record_is_as_absent_for_writing_as_any_foreign_one() {
    let world = World::new().await;
    let (patient, _) = shared(&world).await;
    let to = world.clinic(1).id;
    let author = world.person(1, Role::Professional);
    let mut device = world.device(to).await;
    let not_found = Fate::Refused { code: Code::NotFound };
    let row = world.row(world.clinic(0).id, "patients", patient).await.unwrap();
    let (identity, health) = (document("patients", patient, 0), document("patients", patient, 1));
    device.open(identity, &row);
    device.open(health, &row);
    let phone = device.edit(author, &[(identity, false, vec![put("phone", json!("1"))])]);
    let notes = device.edit(author, &[(health, false, vec![put("skin_type", json!("II"))])]);
    let mut other = world.device(to).await;
    let usurped = other.new_patient(author, patient, None);
    let plan = other.plan(author, patient, fresh_id(now()));
    let fates = world.push(to, vec![phone, notes, usurped, plan]).await;
    assert_eq!(fates, vec![not_found; 4], "to edit, to claim, to point at");
    assert!(world.row(to, "patients", patient).await.is_none());
}

#[tokio::test]
async fn only_the_giving_clinic_reads_and_writes_a_share() {
    let world = World::new().await;
    let (_, referral) = shared(&world).await;
    for (index, reads, writes) in [(0, 1, 1), (1, 0, 0), (2, 0, 0)] {
        let mut admin = world.database.admin().await;
        let clinic = world.clinic(index).id;
        let enter = format!("begin; set local role neonpro_server; set local neonpro.clinic_id = '{clinic}'");
        sqlx_core::executor::Executor::execute(&mut admin, sqlx_core::sql_str::AssertSqlSafe(enter))
            .await
            .unwrap();
        let count = "select count(*) from sync.shares where referral_id = $1";
        let seen: i64 =
            sqlx_core::query_scalar::query_scalar(count).bind(referral).fetch_one(&mut admin).await.unwrap();
        let change = "update sync.shares set told_seq = told_seq where referral_id = $1";
        let changed = sqlx_core::query::query(change).bind(referral).execute(&mut admin).await.unwrap();
        assert_eq!((seen, changed.rows_affected()), (reads, writes), "clinic {index}");
    }
}

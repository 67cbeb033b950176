//! Authority at the moment of receipt: people granted on a device, memberships, roles, revocation.

use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::permissions::Audience;
use neonpro_server::authority::{revoke, set_membership, set_people};
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::store::authority::{Grant, People};
use neonpro_tests::device::{Device, document, put};
use neonpro_tests::fleet::eventually;
use neonpro_tests::world::World;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

const fn refused(code: Code) -> Fate {
    Fate::Refused { code }
}

fn accepted(fates: &[Fate]) -> bool {
    fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. }))
}

async fn actions(world: &World) -> Vec<String> {
    let sql = "select action || coalesce(' ' || code, '') from sync.audit where clinic_id = $1 order by seq";
    let mut admin = world.database.admin().await;
    sqlx_core::query_scalar::query_scalar(sql).bind(world.clinic(0).id.0).fetch_all(&mut admin).await.unwrap()
}

#[tokio::test]
async fn an_author_who_was_not_granted_the_device_does_not_exist_on_it() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (granted, other) = (world.person(0, Role::Assistant), world.person(0, Role::Admin));
    let people = People::Named(BTreeSet::from([granted]));
    let mut a = world.device_granted(clinic, &Grant { audience: Audience::Clinical, people }).await;
    let edits = [granted, other].map(|author| a.new_patient(author, fresh_id(now()), None)).to_vec();
    let fates = world.push(clinic, edits).await;
    assert!(accepted(&fates[..1]), "{fates:?}");
    assert_eq!(fates[1], refused(Code::NotFound), "the answer for an unknown author");

    assert!(
        set_people(world.store(), clinic, a.id, &People::Named(BTreeSet::from([other])), now())
            .await
            .unwrap()
    );
    let edits = [granted, other].map(|author| a.new_patient(author, fresh_id(now()), None)).to_vec();
    let fates = world.push(clinic, edits).await;
    assert_eq!(fates[0], refused(Code::NotFound), "from that moment");
    assert!(accepted(&fates[1..]), "{fates:?}");

    assert!(set_people(world.store(), clinic, a.id, &People::Members, now()).await.unwrap());
    assert!(accepted(&world.push(clinic, vec![a.new_patient(granted, fresh_id(now()), None)]).await));
    let told = actions(&world).await;
    assert_eq!(told.iter().filter(|action| *action == "device_people_set").count(), 2, "{told:?}");
}

#[tokio::test]
async fn a_grant_names_people_of_the_clinic_only() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let a = world.device(clinic).await;
    let foreign = People::Named(BTreeSet::from([world.person(1, Role::Admin)]));
    let error = set_people(world.store(), clinic, a.id, &foreign, now()).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    let grant = Grant { audience: Audience::Clinical, people: foreign };
    let code = neonpro_server::http::enrol::make_code(world.store(), clinic, &grant, now()).await;
    assert!(code.is_err());
}

#[tokio::test]
async fn an_ended_membership_and_a_lesser_role_count_from_the_next_edit() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let person = world.person(0, Role::Professional);
    let mut a = world.device(clinic).await;
    let (patient, row) = world.patient(0, 0);
    let health = document("patients", patient, 1);
    a.open(health, row);
    let note = |a: &mut Device, text: &str| {
        a.edit(person, &[(health, false, vec![put("medical_history", json!({ "nota": text }))])])
    };
    assert!(accepted(&world.push(clinic, vec![note(&mut a, "antes")]).await));

    assert!(set_membership(world.store(), clinic, person, Some(Role::Assistant), now()).await.unwrap());
    assert_eq!(world.push(clinic, vec![note(&mut a, "depois")]).await, vec![refused(Code::RoleNotAllowed)]);

    assert!(set_membership(world.store(), clinic, person, None, now()).await.unwrap());
    let edit = a.new_patient(person, fresh_id(now()), None);
    assert_eq!(world.push(clinic, vec![edit]).await, vec![refused(Code::NotFound)]);
    let told = actions(&world).await;
    assert!(told.contains(&"membership_set".to_owned()) && told.contains(&"membership_ended".to_owned()));
    assert!(!set_membership(world.store(), clinic, world.person(1, Role::Admin), None, now()).await.unwrap());
}

/// An edit of an appointment, which nothing puts ahead of its place in the group.
fn appointment_note(
    world: &World,
    a: &mut Device,
    author: neonpro_contract::ids::AuthorId,
    index: usize,
) -> neonpro_server::merge::Incoming {
    let (id, row) = world.record(0, "appointments", index);
    let appointment = document("appointments", id, 0);
    a.open(appointment, row);
    a.edit(author, &[(appointment, false, vec![put("price", json!("77.00"))])])
}

#[tokio::test]
async fn someone_deactivated_earlier_in_the_same_push_writes_nothing_after_it() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (admin, person) = (world.person(0, Role::Admin), world.person(0, Role::Assistant));
    let mut a = world.device(clinic).await;
    let row = world.row(clinic, "professionals", person.0).await.unwrap();
    let profile = document("professionals", person.0, 0);
    a.open(profile, &row);
    let before = appointment_note(&world, &mut a, person, 0);
    let ending = a.edit(admin, &[(profile, false, vec![put("is_active", json!(false))])]);
    let after = appointment_note(&world, &mut a, person, 1);
    let fates = world.push(clinic, vec![before, ending, after]).await;
    assert!(accepted(&fates[..2]), "{fates:?}");
    assert_eq!(fates[2], refused(Code::NotFound));
}

#[tokio::test]
async fn someone_registered_earlier_in_the_same_push_may_write_after_it() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let admin = world.person(0, Role::Admin);
    let (person, membership): (Uuid, Uuid) = (fresh_id(now()), fresh_id(now()));
    let mut a = world.device(clinic).await;
    let profile = a.edit(
        admin,
        &[(
            document("professionals", person, 0),
            true,
            vec![
                put("name", json!("Recém Chegada")),
                put("email", json!("recem@example.com")),
                put("professional_type", json!("doctor")),
                put("council_type", json!("CFM")),
                put("council_number", json!("1")),
                put("council_state", json!("SP")),
            ],
        )],
    );
    let member = a.edit(
        admin,
        &[(
            document("clinic_professionals", membership, 0),
            true,
            vec![put("professional_id", json!(person))],
        )],
    );
    let work = appointment_note(&world, &mut a, neonpro_contract::ids::AuthorId(person), 2);
    let fates = world.push(clinic, vec![profile, member, work]).await;
    assert!(accepted(&fates), "{fates:?}");
}

#[tokio::test]
async fn an_edit_that_waits_for_the_clinic_while_its_device_is_revoked_is_refused() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    let record = fresh_id(now());
    let edit = a.new_patient(world.person(0, Role::Assistant), record, None);
    // Somebody works in the clinic: the revocation waits for its turn, and the push behind it.
    let mut busy = world.store().begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
    busy.lock_head().await.unwrap();
    let (store, device) = (world.store().clone(), a.id);
    let revoking = tokio::spawn(async move { revoke(&store, clinic, device, now()).await.unwrap() });
    waiting(&world, 1).await;
    let fates = world.merger.enqueue(clinic, vec![edit]).unwrap();
    waiting(&world, 2).await;
    busy.rollback().await.unwrap();
    assert!(revoking.await.unwrap());
    assert_eq!(fates.await.unwrap().unwrap()[0].fate, refused(Code::DeviceRevoked));
    assert!(world.row(clinic, "patients", record).await.is_none());
    assert_eq!(actions(&world).await, ["device_revoked", "edit_refused device_revoked"]);
}

/// Waits until so many transactions of this database wait for a lock.
async fn waiting(world: &World, count: i64) {
    let sql = "select count(distinct pid) from pg_locks where not granted and pid in \
               (select pid from pg_stat_activity where datname = current_database())";
    let mut admin = world.database.admin().await;
    eventually("transactions wait for the clinic", async || {
        let seen: i64 = sqlx_core::query_scalar::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
        seen == count
    })
    .await;
}

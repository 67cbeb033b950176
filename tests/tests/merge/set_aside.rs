//! Edits that were set aside: deadlines, release, discard, chains, flattened documents.

use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::{Envelope, FieldOp};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{ClinicId, EditId};
use neonpro_contract::limits::HELD_DAYS_MAX;
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::jobs::compact_above;
use neonpro_server::merge::Incoming;
use neonpro_server::set_aside::{self, Outcome};
use neonpro_tests::device::{document, put};
use neonpro_tests::world::World;
use serde_json::json;
use uuid::Uuid;

fn id_of(incoming: &Incoming) -> EditId {
    minicbor::decode::<Envelope>(&incoming.signed.envelope).unwrap().edit
}

fn accepted(fate: &Fate) -> bool {
    matches!(fate, Fate::Accepted { .. })
}

fn text(field: &str, value: &str) -> FieldOp {
    FieldOp::Text { field: field.to_owned(), value: value.to_owned() }
}

async fn release(world: &World, clinic: ClinicId, edit: EditId) -> Outcome {
    let admin = world.person(0, Role::Admin);
    set_aside::release(&world.merger, clinic, edit, admin, "conferido com a paciente", now()).await.unwrap()
}

/// What is kept of an edit: fate, and whether its signed bytes and its decision are there.
async fn kept(world: &World, edit: EditId) -> (String, bool, Option<String>) {
    let mut admin = world.database.admin().await;
    sqlx_core::query_as::query_as::<sqlx_postgres::Postgres, _>(
        "select fate, envelope is not null and octet_length(signature) = 64, reason from sync.edits where id = $1",
    )
    .bind(edit.0)
    .fetch_one(&mut admin)
    .await
    .unwrap()
}

async fn flatten(world: &World, clinic: ClinicId) {
    assert!(compact_above(world.store(), clinic, 1, now()).await.unwrap() >= 1);
}

#[tokio::test]
async fn a_held_edit_past_its_deadline_becomes_an_item_and_still_goes_in_when_its_dependency_comes() {
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
    let expire = async || set_aside::expire(world.store(), clinic, now()).await.unwrap();
    assert_eq!(expire().await, 0, "its time is not over");
    let mut admin = world.database.admin().await;
    sqlx_core::query::query("update sync.edits set received_at = received_at - make_interval(days => $1)")
        .bind(i32::try_from(HELD_DAYS_MAX).unwrap())
        .execute(&mut admin)
        .await
        .unwrap();
    assert_eq!((expire().await, expire().await), (1, 0), "once");
    let expired = Fate::Quarantined { code: Code::DependencyExpired };
    assert_eq!(world.push(clinic, vec![second.clone()]).await, vec![expired], "its tablet is told");
    let items = world.items(clinic).await;
    assert_eq!((items.len(), items[0].code.as_str()), (1, "dependency_expired"));

    assert!(accepted(&world.push(clinic, vec![first]).await[0]));
    let after = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(after.get("phone"), &Value::Text("2".into()));
    assert!(matches!(world.push(clinic, vec![second]).await[0], Fate::Duplicate { .. }));
    assert!(world.items(clinic).await.is_empty(), "settled");
}

#[tokio::test]
async fn an_administrator_releases_an_edit_without_consent_and_nobody_else_does() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let plan = fresh_id(now());
    let edit = a.plan(author, patient, plan);
    let id = id_of(&edit);
    let missing = Fate::Quarantined { code: Code::ConsentMissing };
    assert_eq!(world.push(clinic, vec![edit.clone()]).await, vec![missing]);
    for nobody in [author, world.person(0, Role::Assistant), world.person(1, Role::Admin)] {
        let outcome = set_aside::release(&world.merger, clinic, id, nobody, "x", now()).await.unwrap();
        assert_eq!(outcome, Outcome::NotAnAdministrator);
    }
    assert!(world.row(clinic, "treatment_plans", plan).await.is_none());
    let outcome = release(&world, clinic, id).await;
    assert!(matches!(&outcome, Outcome::Judged(fate) if accepted(fate)), "{outcome:?}");
    let row = world.row(clinic, "treatment_plans", plan).await.unwrap();
    assert_eq!(row.get("professional_id"), &Value::Uuid(author.0));
    assert_eq!(
        kept(&world, id).await,
        ("accepted".into(), true, Some("conferido com a paciente".into())),
        "with the signature of its device and the reason"
    );
    assert!(matches!(world.push(clinic, vec![edit]).await[0], Fate::Duplicate { .. }));
    assert_eq!(release(&world, clinic, id).await, Outcome::NoSuchEdit, "once");
}

#[tokio::test]
async fn what_no_administrator_may_override_stays_set_aside() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (appointment, row) = world.record(0, "appointments", 0);
    let (other, _) = world.patient(0, 9);
    let mut a = world.device(clinic).await;
    let id = document("appointments", appointment, 0);
    a.open(id, row);
    let author = world.person(0, Role::Assistant);
    let edit = a.edit(author, &[(id, true, vec![put("patient_id", json!(other))])]);
    let fixed = Fate::Quarantined { code: Code::FieldFixed };
    assert_eq!(world.push(clinic, vec![edit.clone()]).await, vec![fixed.clone()]);
    assert_eq!(release(&world, clinic, id_of(&edit)).await, Outcome::Judged(fixed));
    let after = world.row(clinic, "appointments", appointment).await.unwrap();
    assert_eq!(after.get("patient_id"), row.get("patient_id"));
}

#[tokio::test]
async fn a_discarded_edit_is_kept_with_its_reason_and_never_released_by_itself() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let plan = fresh_id(now());
    let edit = a.plan(author, patient, plan);
    world.push(clinic, vec![edit.clone()]).await;
    let admin = world.person(0, Role::Admin);
    let outcome =
        set_aside::discard(world.store(), clinic, id_of(&edit), admin, "em duplicidade", now()).await;
    assert_eq!(outcome.unwrap(), Outcome::Discarded);
    assert_eq!(kept(&world, id_of(&edit)).await, ("discarded".into(), true, Some("em duplicidade".into())));
    let (_, grant) = a.consent(author, patient, "treatment", true, &[]);
    assert!(accepted(&world.push(clinic, vec![grant]).await[0]));
    assert!(world.row(clinic, "treatment_plans", plan).await.is_none());
    let discarded = Fate::Refused { code: Code::Discarded };
    assert_eq!(world.push(clinic, vec![edit.clone()]).await, vec![discarded]);
    let outcome = release(&world, clinic, id_of(&edit)).await;
    assert!(matches!(&outcome, Outcome::Judged(fate) if accepted(fate)), "a second thought: {outcome:?}");
}

#[tokio::test]
async fn a_waiting_edit_whose_document_was_flattened_is_expressed_anew_by_the_server() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (patient, row) = world.patient(0, 6);
    let identity = document("patients", patient, 0);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    a.open(identity, row);
    b.open(identity, row);
    let missing = a.edit(author, &[(identity, false, vec![put("address", json!("Rua A"))])]);
    let waits = a.edit(author, &[(identity, false, vec![put("email", json!("espera@exemplo.com.br"))])]);
    assert_eq!(world.push(clinic, vec![waits.clone()]).await, vec![Fate::Held { missing: identity }]);
    let live = b.edit(author, &[(identity, false, vec![put("phone", json!("1"))])]);
    assert!(accepted(&world.push(clinic, vec![live]).await[0]));
    flatten(&world, clinic).await;
    assert_eq!(world.push(clinic, vec![missing]).await, vec![Fate::Rebase { document: identity, epoch: 2 }]);

    let flat = world.row(clinic, "patients", patient).await.unwrap();
    b.open_at(identity, 2, &flat);
    let touches = b.edit(author, &[(identity, false, vec![put("phone", json!("2"))])]);
    assert!(accepted(&world.push(clinic, vec![touches]).await[0]));
    let after = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(after.get("email"), &Value::Text("espera@exemplo.com.br".into()), "released");
    assert_eq!(after.get("phone"), &Value::Text("2".into()));
    assert!(matches!(world.push(clinic, vec![waits.clone()]).await[0], Fate::Duplicate { .. }));
    assert_eq!(
        kept(&world, id_of(&waits)).await,
        ("accepted".into(), true, None),
        "its signed bytes are there"
    );
}

/// A session with notes, one quarantined edit in the middle of them, and the document flattened under it.
async fn buried(world: &World) -> (ClinicId, Uuid, neonpro_tests::device::Device, Incoming) {
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let sessions = world.clinic(0).batch.records().iter();
    let open = |record: &&neonpro_server::store::load::LoadRecord| {
        record.table.name == "treatment_sessions" && record.row.get("locked_at").is_null()
    };
    let session = sessions.clone().find(open).unwrap();
    let plan = session.row.get("treatment_plan_id").as_uuid().unwrap();
    let plan = sessions.clone().find(|record| record.id.0 == plan).unwrap();
    let patient = plan.row.get("patient_id").as_uuid().unwrap();
    let id = document("treatment_sessions", session.id.0, 0);
    let mut a = world.device(clinic).await;
    a.open(id, &session.row);
    let first = a.edit(author, &[(id, false, vec![text("notes", "Primeira frase. Última frase.")])]);
    let (_, withdrawal) = a.consent(author, patient, "treatment", false, &[]);
    let fates = world.push(clinic, vec![first, withdrawal]).await;
    assert!(fates.iter().all(accepted), "{fates:?}");
    let middle =
        a.edit(author, &[(id, false, vec![text("notes", "Primeira frase. No meio. Última frase.")])]);
    let withdrawn = Fate::Quarantined { code: Code::ConsentWithdrawn };
    assert_eq!(world.push(clinic, vec![middle.clone()]).await, vec![withdrawn]);
    flatten(world, clinic).await;
    (clinic, session.id.0, a, middle)
}

#[tokio::test]
async fn a_released_edit_only_its_tablet_can_express_is_asked_for_and_then_merged() {
    let world = World::new().await;
    let (clinic, session, mut a, middle) = buried(&world).await;
    let outcome = release(&world, clinic, id_of(&middle)).await;
    assert!(matches!(outcome, Outcome::Judged(Fate::Rebase { .. })), "{outcome:?}");
    // The tablet says it again: the same edit, other bytes. The question it was released from is not asked again.
    let flat: Row = world.row(clinic, "treatment_sessions", session).await.unwrap();
    let id = document("treatment_sessions", session, 0);
    a.open_at(id, 2, &flat);
    a.edit_id = Some(id_of(&middle));
    let author = world.person(0, Role::Professional);
    let again = a.edit(author, &[(id, false, vec![text("notes", "Primeira frase. No meio. Última frase.")])]);
    let fates = world.push(clinic, vec![again]).await;
    assert!(accepted(&fates[0]), "{fates:?}");
    let after = world.row(clinic, "treatment_sessions", session).await.unwrap();
    assert_eq!(after.get("notes").as_text().unwrap(), "Primeira frase. No meio. Última frase.");
}

#[tokio::test]
async fn two_hundred_edits_on_a_set_aside_one_are_released_with_it_in_their_order() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let plan = fresh_id(now());
    let mut edits = vec![a.plan(author, patient, plan)];
    let id = document("treatment_plans", plan, 0);
    for n in 0..199 {
        edits.push(a.edit(author, &[(id, false, vec![put("title", json!(format!("Plano {n}")))])]));
    }
    let session = fresh_id(now());
    let of_plan = vec![
        put("treatment_plan_id", json!(plan)),
        put("session_number", json!(1)),
        put("session_date", json!("2026-11-20T12:00:00Z")),
    ];
    edits.push(a.edit(author, &[(document("treatment_sessions", session, 0), true, of_plan)]));
    let fates = world.push(clinic, edits.clone()).await;
    assert_eq!(fates[0], Fate::Quarantined { code: Code::ConsentMissing });
    let depends = Fate::Quarantined { code: Code::DependsOnSetAside };
    assert!(
        fates[1..].iter().all(|fate| *fate == depends),
        "{:?}",
        fates.iter().find(|fate| **fate != depends)
    );

    let outcome = release(&world, clinic, id_of(&edits[0])).await;
    assert!(matches!(&outcome, Outcome::Judged(fate) if accepted(fate)), "{outcome:?}");
    let row = world.row(clinic, "treatment_plans", plan).await.unwrap();
    assert_eq!(row.get("title"), &Value::Text("Plano 198".into()), "all, in order");
    let again = world.push(clinic, edits).await;
    let merged = again.iter().filter(|fate| matches!(fate, Fate::Duplicate { .. })).count();
    // The session asks for consent of its own: nobody released it from that.
    assert_eq!(merged, 200);
    assert!(world.row(clinic, "treatment_sessions", session).await.is_none());
}

#[tokio::test]
async fn what_points_at_a_released_record_follows_it() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let (plan, session) = (fresh_id(now()), fresh_id(now()));
    let of_plan = vec![
        put("treatment_plan_id", json!(plan)),
        put("session_number", json!(1)),
        put("session_date", json!("2026-11-20T12:00:00Z")),
    ];
    let edits = vec![
        a.plan(author, patient, plan),
        a.edit(author, &[(document("treatment_sessions", session, 0), true, of_plan)]),
    ];
    let fates = world.push(clinic, edits).await;
    assert!(fates.iter().all(|fate| fate.set_aside().is_some()), "{fates:?}");
    let (_, grant) = a.consent(author, patient, "treatment", true, &[]);
    assert!(accepted(&world.push(clinic, vec![grant]).await[0]));
    assert!(world.row(clinic, "treatment_plans", plan).await.is_some());
    assert!(world.row(clinic, "treatment_sessions", session).await.is_some(), "in a round of its own");
}

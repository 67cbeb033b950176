//! What a person decides about an edit that was set aside, on the tablet and on the server, and that the other side hears
//! of it.

use neonpro_client_core::{Draft, Place};
use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::value::Value;
use neonpro_server::clock::now;
use neonpro_server::set_aside::{self, Outcome};
use neonpro_tests::compare::differences;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use serde_json::json;
use sqlx_core::executor::Executor;

async fn synced(fleet: &Fleet, name: &str) -> Tablet {
    let mut tablet = fleet.tablet(fleet.clinic(0).id, name).await;
    tablet.online();
    tablet.quiet().await;
    tablet
}

/// A plan for a patient of whom no consent was asked, set aside by the server.
async fn uncovered(fleet: &Fleet, tablet: &mut Tablet) -> (RecordId, RecordId) {
    let desk = fleet.person(0, Role::Assistant);
    let person = [("name", json!("Paciente sem consentimento"))];
    let patient = tablet.replica.create_record(desk, "patients", person).unwrap()[0].record().unwrap();
    let doctor = fleet.person(0, Role::Professional);
    let plan =
        [("patient_id", json!(patient)), ("professional_id", json!(doctor)), ("title", json!("Toxina"))];
    let plan = tablet.replica.create_record(doctor, "treatment_plans", plan).unwrap()[0].record().unwrap();
    eventually("the plan is set aside", async || tablet.status().needs_attention == 1).await;
    tablet.quiet().await;
    (patient, plan)
}

async fn agrees(fleet: &Fleet, tablet: &mut Tablet) {
    tablet.quiet().await;
    let found = differences(&fleet.database.store, fleet.clinic(0).id, &tablet.replica).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_releases_an_edit_and_its_attention_entry_closes_by_itself() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (mut a, mut b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let (_, plan) = uncovered(&fleet, &mut a).await;
    let edit = a.replica.attention().unwrap()[0].edit;
    let admin = fleet.person(0, Role::Admin);
    let outcome =
        set_aside::release(&fleet.server.state.merger, clinic, edit, admin, "assinado no papel", now()).await;
    assert!(matches!(outcome.unwrap(), Outcome::Judged(_)));
    eventually("the entry is closed", async || a.status().needs_attention == 0).await;
    for tablet in [&mut a, &mut b] {
        eventually("the plan is here", async || {
            tablet.replica.row("treatment_plans", plan).unwrap().is_some()
        })
        .await;
        agrees(&fleet, tablet).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_edit_tells_its_author_who_and_why_and_keeps_the_text() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    uncovered(&fleet, &mut a).await;
    let edit = a.replica.attention().unwrap()[0].edit;
    let admin = fleet.person(0, Role::Admin);
    set_aside::discard(&fleet.database.store, clinic, edit, admin, "paciente errada", now()).await.unwrap();
    eventually("the author is told", async || {
        a.replica.attention().unwrap()[0].code == Some(Code::Discarded)
    })
    .await;
    let entry = a.replica.attention().unwrap().remove(0);
    assert_eq!((entry.decided_by, entry.reason.as_deref()), (Some(admin), Some("paciente errada")));
    assert_eq!(entry.place, Place::Refused);
    assert!(entry.documents[0].ops.iter().any(|op| op.field() == "title"), "the words are still there");
    agrees(&fleet, &mut a).await;
    a.replica.resend(edit).unwrap();
    eventually("set aside again", async || {
        a.replica.attention().unwrap().first().is_some_and(|entry| entry.code == Some(Code::ConsentMissing))
    })
    .await;
    agrees(&fleet, &mut a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_edit_that_is_handed_over_reaches_the_administrator_with_its_words() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    let desk = fleet.person(0, Role::Assistant);
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    let mut admin = fleet.database.admin().await;
    let membership = async |admin: &mut sqlx_postgres::PgConnection, active: bool| {
        sqlx_core::query::query(
            "update clinic_professionals set is_active = $3 where clinic_id = $1 and professional_id = $2",
        )
        .bind(clinic.0)
        .bind(desk.0)
        .bind(active)
        .execute(admin)
        .await
        .unwrap();
    };
    // Somebody who left the clinic, as the server knows and the tablet does not yet.
    membership(&mut admin, false).await;
    a.replica.edit(Draft::new(desk).put("patients", patient, "phone", json!("+55 11 90000-0009"))).unwrap();
    eventually("it is refused", async || a.status().needs_attention == 1).await;
    let entry = a.replica.attention().unwrap().remove(0);
    assert_eq!((entry.code, entry.place), (Some(Code::NotFound), Place::Refused));
    a.replica.hand_over(entry.edit, desk).unwrap();
    assert!(a.replica.attention().unwrap().is_empty());
    let store = &fleet.database.store;
    eventually("it is on the server", async || {
        !set_aside::list(store, clinic, false, 9).await.unwrap().is_empty()
    })
    .await;
    a.quiet().await;
    let shown = set_aside::show(store, clinic, entry.edit).await.unwrap().unwrap().to_string();
    assert!(shown.contains("+55 11 90000-0009"), "its words: {shown}");
    assert_eq!(fleet.items(clinic).await, ["devices/handed_over"]);

    membership(&mut admin, true).await;
    let boss = fleet.person(0, Role::Admin);
    let outcome =
        set_aside::release(&fleet.server.state.merger, clinic, entry.edit, boss, "estava no quadro", now())
            .await
            .unwrap();
    assert!(matches!(outcome, Outcome::Judged(neonpro_contract::fate::Fate::Accepted { .. })), "{outcome:?}");
    eventually("it is here", async || {
        let row = a.replica.row("patients", patient).unwrap().unwrap();
        row.get("phone") == &Value::Text("+55 11 90000-0009".into())
    })
    .await;
    agrees(&fleet, &mut a).await;
    assert_eq!(fleet.items(clinic).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_edit_is_not_released_when_consent_comes() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    let (patient, plan) = uncovered(&fleet, &mut a).await;
    let desk = fleet.person(0, Role::Assistant);
    let edit = a.replica.attention().unwrap()[0].edit;
    a.replica.dismiss(edit, desk).unwrap();
    eventually("the server knows", async || {
        set_aside::list(&fleet.database.store, clinic, false, 9).await.unwrap().is_empty()
    })
    .await;
    grant(&a, desk, patient);
    agrees(&fleet, &mut a).await;
    assert!(a.replica.row("treatment_plans", plan).unwrap().is_none());
}

fn grant(tablet: &Tablet, author: AuthorId, patient: RecordId) {
    let consent = [
        ("patient_id", json!(patient)),
        ("consent_type", json!("treatment")),
        ("consent_given", json!(true)),
    ];
    tablet.replica.create_record(author, "data_consent_records", consent).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resent_edit_and_its_release_merge_once() {
    let fleet = Fleet::start().await;
    let mut a = synced(&fleet, "a").await;
    let (patient, plan) = uncovered(&fleet, &mut a).await;
    let edit = a.replica.attention().unwrap()[0].edit;
    a.offline();
    let again = a.replica.resend(edit).unwrap();
    assert_eq!(again.edit, edit, "one id, one merge");
    assert!(a.replica.row("treatment_plans", plan).unwrap().is_some());
    let mut b = synced(&fleet, "b").await;
    grant(&b, fleet.person(0, Role::Assistant), patient);
    b.quiet().await;
    eventually("released", async || b.replica.row("treatment_plans", plan).unwrap().is_some()).await;
    a.online();
    a.quiet().await;
    assert_eq!(a.status().needs_attention, 0);
    for tablet in [&mut a, &mut b] {
        agrees(&fleet, tablet).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_server_gets_back_what_was_set_aside_released_and_built_on_by_others() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (mut a, mut b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let desk = fleet.person(0, Role::Assistant);
    let backup = fleet.database.backup().await;
    // One plan released by consent, one still set aside, and a second tablet that built on the first patient.
    let (covered, released) = uncovered(&fleet, &mut a).await;
    grant(&a, desk, covered);
    eventually("released", async || a.status().needs_attention == 0).await;
    let (_, quarantined) = uncovered(&fleet, &mut a).await;
    let head = a.status().head;
    b.reaches(head).await;
    b.replica.edit(Draft::new(desk).put("patients", covered, "phone", json!("+55 11 90000-0007"))).unwrap();
    b.quiet().await;
    let head = b.status().head;
    a.reaches(head).await;
    a.offline();
    b.offline();
    fleet.database.restore(&backup).await;
    let mut admin = fleet.database.admin().await;
    admin.execute("update sync.server set epoch = gen_random_uuid()").await.unwrap();
    // The one who built on it comes first: its edit waits for the record it needs, and nobody is asked.
    b.online();
    eventually("the edit waits", async || {
        b.replica.attention().unwrap().iter().any(|entry| entry.place == Place::Held)
    })
    .await;
    a.online();
    eventually("everything is back", async || {
        a.replica.row("treatment_plans", released).unwrap().is_some() && a.status().waiting.edits == 0
    })
    .await;
    a.quiet().await;
    eventually("the second tablet's edit is merged", async || b.status().waiting.edits == 0).await;
    b.quiet().await;
    assert_eq!((a.status().needs_attention, b.status().needs_attention), (1, 0));
    let waits = set_aside::list(&fleet.database.store, clinic, false, 9).await.unwrap();
    assert_eq!(waits.len(), 1, "the server keeps it again");
    assert!(a.replica.row("treatment_plans", quarantined).unwrap().is_none());
    let head = a.status().head.max(b.status().head);
    for tablet in [&mut a, &mut b] {
        tablet.reaches(head).await;
        let row = tablet.replica.row("patients", covered).unwrap().unwrap();
        assert_eq!(row.get("phone"), &Value::Text("+55 11 90000-0007".into()));
        agrees(&fleet, tablet).await;
    }
}

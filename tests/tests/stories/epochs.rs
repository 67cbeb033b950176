//! Set aside, rebase, compaction, a server restored from a backup: nothing is lost, nothing is stranded.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::Code;
use neonpro_contract::value::Value;
use neonpro_server::jobs::compact_above;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_edit_stays_with_its_author_and_strands_none_after_it() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    a.offline();
    let doctor = fleet.person(0, Role::Professional);
    let desk = fleet.person(0, Role::Assistant);
    let person = [("name", json!("Paciente sem consentimento"))];
    let patient = a.replica.create_record(desk, "patients", person).unwrap()[0].record().unwrap();
    let plan = [
        ("patient_id", json!(patient)),
        ("professional_id", json!(doctor)),
        ("title", json!("Toxina, terço superior")),
    ];
    let plan = a.replica.create_record(doctor, "treatment_plans", plan).unwrap()[0].record().unwrap();
    let phone = Draft::new(desk).put("patients", patient, "phone", json!("+55 11 90000-0000"));
    a.replica.edit(phone).unwrap();
    a.online();
    eventually("the plan is set aside", async || a.status().needs_attention == 1).await;
    a.quiet().await;
    let attention = a.replica.attention().unwrap();
    assert_eq!(attention[0].code, Some(Code::ConsentMissing));
    assert!(format!("{:?}", attention[0].documents[0].document).contains(&plan.0.to_string()));
    assert_eq!(a.status().waiting.edits, 0);
    let row = a.replica.row("patients", patient).unwrap().unwrap();
    assert_eq!(row.get("phone"), &Value::Text("+55 11 90000-0000".into()));
    assert_eq!(differences(&fleet.database.store, clinic, &a.replica).await, Vec::<String>::new());
    let consent = [
        ("patient_id", json!(patient)),
        ("consent_type", json!("treatment")),
        ("consent_given", json!(true)),
    ];
    a.replica.create_record(desk, "data_consent_records", consent).unwrap();
    eventually("the plan is released", async || a.status().needs_attention == 0).await;
    a.quiet().await;
    eventually("the plan is here", async || a.replica.row("treatment_plans", plan).unwrap().is_some()).await;
    assert_eq!(differences(&fleet.database.store, clinic, &a.replica).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_on_a_flattened_document_is_expressed_again() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (mut a, mut b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let desk = fleet.person(0, Role::Assistant);
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    let put = |field: &str, value: &str| Draft::new(desk).put("patients", patient, field, json!(value));
    a.replica.edit(put("phone", "1")).unwrap();
    a.quiet().await;
    let head = a.status().head;
    b.reaches(head).await;
    b.offline();
    b.replica.edit(put("email", "b@exemplo.com.br")).unwrap();
    let flattened =
        compact_above(&fleet.database.store, clinic, 1, neonpro_server::clock::now()).await.unwrap();
    assert!(flattened >= 1);
    fleet.server.state.merger.wake(clinic);
    a.reaches(head + 1).await;
    a.replica.edit(put("address", "Rua Nova, 1")).unwrap();
    a.quiet().await;
    b.online();
    eventually("settled", async || b.status().waiting.edits == 0).await;
    b.quiet().await;
    let head = a.status().head.max(b.status().head);
    a.reaches(head).await;
    b.reaches(head).await;
    for tablet in [&a, &b] {
        assert_eq!(differences(&fleet.database.store, clinic, &tablet.replica).await, Vec::<String>::new());
        assert_eq!(tablet.handle.state().repairs, 0);
        let row = tablet.replica.row("patients", patient).unwrap().unwrap();
        assert_eq!(row.get("email"), &Value::Text("b@exemplo.com.br".into()));
        assert_eq!(row.get("phone"), &Value::Text("1".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_differs_is_noticed_and_repaired() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    a.offline();
    // The server's digest says otherwise than its documents would: one document more than the tablet can have.
    let mut admin = fleet.database.admin().await;
    admin
        .execute(
            "update sync.documents set epoch = 2 where (clinic_id, record_id, table_id, facet) = (select clinic_id, \
             record_id, table_id, facet from sync.documents where clinic_id = (select clinic_id from \
             sync.device_clinics limit 1) and table_id = 9 and facet = 0 order by record_id limit 1)",
        )
        .await
        .unwrap();
    let sums = digests(&fleet, clinic).await;
    sqlx_core::query::query("update sync.heads set digests = $2 where clinic_id = $1")
        .bind(clinic.0)
        .bind(sums)
        .execute(&mut admin)
        .await
        .unwrap();
    a.online();
    eventually("the difference is noticed", async || a.handle.state().repairs > 0).await;
    a.quiet().await;
    assert_eq!(a.replica.digest().unwrap(), a.replica.recompute_digest().unwrap());
    a.offline();
    a.online();
    a.quiet().await;
    assert_eq!(a.handle.state().repairs, 1, "repaired once and for all");
}

/// What the digests must be, from the documents themselves.
async fn digests(fleet: &Fleet, clinic: neonpro_contract::ids::ClinicId) -> Vec<u8> {
    use neonpro_contract::catalogue::Purpose;
    use neonpro_contract::digest::Digest;
    let mut scoped = fleet.database.store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
    let states = scoped.list_documents_seen().await.unwrap();
    scoped.rollback().await.unwrap();
    let mut sums = [Digest::default(); 6];
    for state in states {
        let index = Purpose::ALL.iter().position(|purpose| *purpose == state.purpose).unwrap();
        sums[index].add(state.fingerprint());
    }
    sums.iter().flat_map(|sum| sum.to_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restored_from_a_backup_is_healed_by_its_tablets() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    let desk = fleet.person(0, Role::Assistant);
    let backup = fleet.database.backup().await;
    let made = a.replica.create_record(desk, "patients", [("name", json!("Depois do backup"))]).unwrap();
    let patient = made[0].record().unwrap();
    a.quiet().await;
    eventually("confirmed", async || a.status().waiting.edits == 0).await;
    a.offline();
    fleet.database.restore(&backup).await;
    let mut admin = fleet.database.admin().await;
    admin.execute("update sync.server set epoch = gen_random_uuid()").await.unwrap();
    a.online();
    let store = fleet.database.store.clone();
    eventually("the edit is back on the server", async || {
        let mut scoped = store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
        let table = neonpro_contract::catalogue::table("patients").unwrap();
        let found = scoped.list_records(table, &[patient.0]).await.unwrap();
        scoped.rollback().await.unwrap();
        !found.is_empty()
    })
    .await;
    a.quiet().await;
    assert_eq!(differences(&fleet.database.store, clinic, &a.replica).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_later_epoch_is_expressed_again_for_a_restored_server_that_is_behind() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = synced(&fleet, "a").await;
    let desk = fleet.person(0, Role::Assistant);
    let backup = fleet.database.backup().await;
    let made = a.replica.create_record(desk, "patients", [("name", json!("Depois do backup"))]).unwrap();
    let patient = made[0].record().unwrap();
    let put = |field: &str, value: &str| Draft::new(desk).put("patients", patient, field, json!(value));
    a.replica.edit(put("email", "a@exemplo.com.br")).unwrap();
    a.quiet().await;
    let head = a.status().head;
    let flattened =
        compact_above(&fleet.database.store, clinic, 1, neonpro_server::clock::now()).await.unwrap();
    assert!(flattened >= 1);
    fleet.server.state.merger.wake(clinic);
    a.reaches(head + 1).await;
    // Of the second epoch. The restored server is given the record again, and that begins with the first.
    a.replica.edit(put("phone", "2")).unwrap();
    a.quiet().await;
    a.offline();
    fleet.database.restore(&backup).await;
    let mut admin = fleet.database.admin().await;
    admin.execute("update sync.server set epoch = gen_random_uuid()").await.unwrap();
    a.online();
    let store = fleet.database.store.clone();
    eventually("everything is back on the server", async || {
        let mut scoped = store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
        let table = neonpro_contract::catalogue::table("patients").unwrap();
        let found = scoped.list_records(table, &[patient.0]).await.unwrap();
        scoped.rollback().await.unwrap();
        found.first().is_some_and(|stored| stored.row.get("phone").as_text() == Some("2"))
    })
    .await;
    a.quiet().await;
    assert_eq!(a.status().needs_attention, 0);
    assert_eq!(differences(&fleet.database.store, clinic, &a.replica).await, Vec::<String>::new());
}

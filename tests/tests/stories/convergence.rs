//! Two tablets, one clinic.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_contract::value::Value;
use neonpro_tests::compare::differences;
use neonpro_tests::fleet::{Fleet, eventually};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_brings_the_whole_clinic_and_nothing_of_another() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = fleet.tablet(clinic, "a").await;
    a.online();
    a.quiet().await;
    eventually("confirmed", async || a.status().last_confirmed_at.is_some()).await;
    assert!(a.status().synced_once);
    assert_eq!(differences(&fleet.database.store, clinic, &a.replica).await, Vec::<String>::new());
    assert_eq!(a.handle.state().repairs, 0);
    let clinics = a.replica.query("select count(*) from clinics", &[], 1).unwrap();
    assert_eq!(clinics.rows[0][0], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_edits_of_two_tablets_converge_with_postgres() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (mut a, mut b) = (fleet.tablet(clinic, "a").await, fleet.tablet(clinic, "b").await);
    for tablet in [&mut a, &mut b] {
        tablet.online();
        tablet.quiet().await;
        tablet.offline();
    }
    let author = fleet.person(0, Role::Professional);
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    let put = |field: &str, value: &str| Draft::new(author).put("patients", patient, field, json!(value));
    a.replica.edit(put("phone", "+55 11 90000-0001")).unwrap();
    b.replica.edit(put("email", "b@exemplo.com.br")).unwrap();
    a.replica.edit(Draft::new(author).add("patients", patient, "allergies", "iodo")).unwrap();
    b.replica.edit(Draft::new(author).add("patients", patient, "allergies", "pólen")).unwrap();
    assert_eq!(a.status().waiting.edits, 2);
    a.online();
    b.online();
    a.quiet().await;
    b.quiet().await;
    let head = b.status().head.max(a.status().head);
    a.reaches(head).await;
    b.reaches(head).await;
    for tablet in [&a, &b] {
        assert_eq!(differences(&fleet.database.store, clinic, &tablet.replica).await, Vec::<String>::new());
        assert_eq!(tablet.handle.state().repairs, 0, "digests agree");
        let row = tablet.replica.row("patients", patient).unwrap().unwrap();
        assert_eq!(row.get("email"), &Value::Text("b@exemplo.com.br".into()));
    }
    assert_eq!(a.replica.digest().unwrap(), b.replica.digest().unwrap());
}

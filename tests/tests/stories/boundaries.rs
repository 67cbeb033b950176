//! What a tablet must never hold: another clinic's data, and what its audience may not see.

use neonpro_contract::permissions::Audience;
use neonpro_tests::fleet::Fleet;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_another_clinic_is_anywhere_in_a_replica() {
    let fleet = Fleet::start().await;
    let mut a = fleet.tablet(fleet.clinic(0).id, "a").await;
    a.online();
    a.quiet().await;
    let home = fleet.clinic(0).batch.records();
    let at_home = |id: &str| home.iter().any(|record| record.id.to_string() == id);
    for record in fleet.clinic(1).batch.records().iter().filter(|record| !at_home(&record.id.to_string())) {
        let found = a.replica.row(record.table.name, record.id).unwrap();
        assert!(found.is_none(), "{}/{}", record.table.name, record.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_desk_tablet_never_receives_treatment_or_photographs() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut desk = fleet.tablet_for(clinic, Audience::FrontDesk, "desk").await;
    desk.online();
    desk.quiet().await;
    let count = |sql: &str| desk.replica.query(sql, &[], 1).unwrap().rows[0][0].clone();
    assert_ne!(count("select count(*) from patients"), json!(0));
    assert_ne!(count("select count(*) from appointments"), json!(0));
    for table in ["treatment_plans", "treatment_sessions", "treatment_assessments", "coordination_threads"] {
        assert_eq!(count(&format!("select count(*) from {table}")), json!(0), "{table}");
    }
    let health = "select count(*) from patients where allergies is not null and allergies <> '[]' \
                  or medications is not null and medications <> '[]' or fitzpatrick_scale is not null";
    assert_eq!(count(health), json!(0));
    assert_eq!(desk.handle.state().repairs, 0, "its digest is that of its audience");
}

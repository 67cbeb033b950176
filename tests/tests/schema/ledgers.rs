//! Ledgers are written once, uniqueness is per clinic, and reference data has a writer of its own.

use super::sample::{Clinic, fresh};
use neonpro_contract::catalogue::{self, Scope, TABLES};
use neonpro_tests::sql::{DENIED, Database, code, must, run};

#[tokio::test]
async fn the_same_cpf_may_live_in_two_clinics_but_not_twice_in_one() {
    let mut db = Database::create().await;
    let ours = Clinic::create(&mut db.admin, 1).await;
    let theirs = Clinic::create(&mut db.admin, 2).await;
    let patients = catalogue::table("patients").unwrap();
    // The number itself is sealed; equality is that of its blind index.
    let cpf = ("cpf_index", "decode(md5('52998224725'), 'hex')".to_owned());
    must(&mut db.admin, &ours.insert(patients, fresh(1, 501), std::slice::from_ref(&cpf))).await;
    must(&mut db.admin, &theirs.insert(patients, fresh(2, 501), std::slice::from_ref(&cpf))).await;
    let again = run(&mut db.admin, &ours.insert(patients, fresh(1, 502), std::slice::from_ref(&cpf))).await;
    assert_eq!(again.unwrap_err().constraint.as_deref(), Some("patients_clinic_id_cpf_key"));
    let marked = [cpf, ("duplicate_of", format!("'{}'", fresh(1, 501)))];
    must(&mut db.admin, &ours.insert(patients, fresh(1, 502), &marked)).await;
}

#[tokio::test]
async fn the_server_reads_reference_data_and_only_the_console_role_writes_it() {
    let mut db = Database::create().await;
    let ours = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(ours.id).await;
    let mut console = db.role("neonpro_reference").await;
    let tables = TABLES.iter().filter(|table| table.scope == Scope::Reference).map(|table| table.name);
    for table in tables.chain(["professional_types", "council_types", "clinic_networks"]) {
        must(&mut server, &format!("select from {table}")).await;
        let column = if table.ends_with("_types") && table != "service_types" { "code" } else { "id" };
        let update = format!("update {table} set {column} = {column}");
        assert_eq!(code(run(&mut server, &update).await).as_deref(), Some(DENIED), "{table}");
        must(&mut console, &update).await;
    }
    assert_eq!(code(run(&mut console, "select from patients").await).as_deref(), Some(DENIED));
}

#[tokio::test]
async fn a_ledger_row_says_the_same_for_ever() {
    let mut db = Database::create().await;
    let ours = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(ours.id).await;
    for (table, change) in [
        ("payments", "amount = amount + 1"),
        ("inventory_transactions", "quantity = quantity + 1"),
        ("data_consent_records", "consent_given = not consent_given"),
        ("treatment_assessments", "assessment_type = 'outra'"),
        ("scope_decisions", "reason = 'outro'"),
    ] {
        let refusal = run(&mut server, &format!("update {table} set {change}")).await.unwrap_err();
        assert_eq!(refusal.constraint, Some(format!("{table}_append_only_check")));
        must(&mut server, &format!("update {table} set feed_seq = 1, merged_at = now()")).await;
    }
    must(&mut server, "update payments set status = 'completed'").await;
    let history = run(&mut server, "update appointment_history set change_type = 'outra'").await;
    assert_eq!(code(history).as_deref(), Some(DENIED));
    must(&mut server, "update appointment_history set feed_seq = 1").await;
}

//! A tablet that worked without its server for too long, and what it noted of who read what.

use crate::fixture::{NOW_US, Tablet, add_allergy, desk, doctor};
use axum::http::StatusCode;
use neonpro_contract::catalogue::table;
use serde_json::json;

/// The same tablet, long after its server was last there.
fn expired(tablet: Tablet) -> Tablet {
    tablet.reopen_after(&format!(
        "UPDATE sync_meta SET lease_us = 1000, lease_used_us = 2000, lease_seen_us = {NOW_US};"
    ))
}

#[tokio::test]
async fn nothing_of_a_patient_is_shown_once_the_lease_is_over() {
    let tablet = Tablet::clinical();
    let ana = tablet.patient("Ana Conceição");
    add_allergy(&tablet, ana, "látex");
    let tablet = expired(tablet);
    for path in ["/", "/pacientes", "/pacientes/novo", &format!("/pacientes/{ana}"), "/sincronizacao"] {
        let page = tablet.get(path).await;
        assert_eq!(page.status, StatusCode::LOCKED, "{path}");
        page.shows("Conecte este tablet para continuar")
            .shows("1 registro")
            .hides("Conceição")
            .hides("látex");
    }
    assert_eq!(tablet.get("/estado.json").await.status, StatusCode::OK);
    assert_eq!(tablet.get("/recursos/tablet.css").await.status, StatusCode::OK);
    tablet.post("/conexao", &[("modo", "ligar"), ("de", "/")]).await.went_to("/");
}

#[tokio::test]
async fn a_form_that_was_open_when_the_lease_ended_is_still_saved() {
    let tablet = Tablet::clinical();
    let ana = tablet.patient("Ana Conceição");
    let tablet = expired(tablet);
    let saved = tablet.post(&format!("/pacientes/{ana}"), &[("name", "Ana Conceição Lima")]).await;
    saved.went_to(&format!("/pacientes/{ana}"));
    let row = tablet.replica.capturing().row("patients", ana).unwrap().unwrap();
    assert_eq!(row.get("name").as_text(), Some("Ana Conceição Lima"));
    let refused = tablet.post(&format!("/pacientes/{ana}"), &[("name", "Ana"), ("cpf", "11111111111")]).await;
    assert_eq!(refused.status, StatusCode::LOCKED);
    refused.shows("não foi salvo").hides("Conceição");
}

#[tokio::test]
async fn opening_a_card_is_noted_with_who_opened_it() {
    let tablet = Tablet::clinical();
    let (ana, bia) = (tablet.patient("Ana"), tablet.patient("Bia"));
    tablet.get_as(doctor(), &format!("/pacientes/{ana}")).await.shows("Ana");
    tablet.get_as(doctor(), &format!("/pacientes/{ana}")).await.shows("Ana");
    tablet.get_as(desk(), &format!("/pacientes/{ana}")).await.shows("Ana");
    tablet.get_as(desk(), "/pacientes").await.shows("Bia");
    let patients = i64::from(table("patients").unwrap().id.0);
    let sql = "SELECT uuid_text(person), uuid_text(record) FROM sync_read WHERE table_id = ?1 ORDER BY n";
    let rows = tablet.replica.query(sql, &[patients.into()], 10).unwrap().rows;
    let expected = [(doctor(), ana), (desk(), ana), (desk(), bia)]
        .map(|(who, what)| vec![json!(who.to_string()), json!(what.to_string())]);
    assert_eq!(rows, expected);
}

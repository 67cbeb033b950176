//! The agenda: a day by professional, a week, booking into a free cell, moving.

use crate::fixture::{Tablet, book, desk, doctor};
use serde_json::json;

#[tokio::test]
async fn a_day_has_a_column_per_professional_and_what_the_server_has_not_confirmed_is_marked() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Beatriz Lima");
    let appointment = book(&tablet, patient);
    let page = tablet.get("/agenda").await;
    page.shows("segunda-feira, 23 de novembro").shows("Helena Prado").shows("Joana Teixeira");
    page.shows(&format!("data-id=\"{appointment}\"")).shows("data-provisional").shows("Ana Beatriz Lima");
    let only = tablet.get(&format!("/agenda?profissional={}", desk())).await;
    only.hides("Ana Beatriz Lima");
    tablet
        .get("/agenda?visao=semana")
        .await
        .shows("Semana de 23 de novembro")
        .shows("Ana Beatriz Lima")
        .shows("seg 23");
    tablet.get("/agenda?dia=2026-11-30&visao=semana").await.hides("Ana Beatriz Lima");
}

#[tokio::test]
async fn a_free_cell_leads_over_the_patient_to_a_form_that_knows_day_hour_and_professional() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Bruno");
    let place = format!("2026-11-24T10:30~{}", doctor());
    tablet.get("/agenda?dia=2026-11-24").await.shows(&format!("/pacientes?agendar={place}"));
    let list = tablet.get(&format!("/pacientes?agendar={place}")).await;
    let next = format!(
        "/agendamentos/novo?paciente={patient}&#38;dia=2026-11-24&#38;hora=10:30&#38;profissional={}",
        doctor()
    );
    list.shows(&next).shows("Escolha o paciente");
    let form = tablet.get(&next.replace("&#38;", "&")).await;
    form.shows("value=\"2026-11-24\"")
        .shows("value=\"10:30\"")
        .shows(&format!("value=\"{}\" selected", doctor()));
    // What is no place in an agenda is no booking.
    for wrong in ["2026-13-01T10:30~", "2026-11-24T10:30", "x", "2026-11-24T10:30~%3Cscript%3E"] {
        tablet.get(&format!("/pacientes?agendar={wrong}")).await.hides("Escolha o paciente");
    }
}

#[tokio::test]
async fn moving_keeps_the_length_and_changes_hour_and_professional() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Carla");
    let appointment = book(&tablet, patient);
    tablet.get(&format!("/agendamentos/{appointment}")).await.shows(&format!("mover={appointment}"));
    tablet.get(&format!("/agenda?dia=2026-11-25&mover={appointment}")).await.shows("Mover para cá");
    let desk = desk().to_string();
    let form = [("dia", "2026-11-25"), ("hora", "09:15"), ("profissional", desk.as_str())];
    tablet.post(&format!("/agendamentos/{appointment}/mover"), &form).await.went_to("/agenda?dia=2026-11-25");
    let row = tablet.row("appointments", appointment);
    assert_eq!(
        (&row["start_time"], &row["end_time"]),
        (&json!("2026-11-25T12:15:00Z"), &json!("2026-11-25T12:55:00Z"))
    );
    assert_eq!(row["professional_id"], json!(desk));
    let again = tablet.post(&format!("/agendamentos/{appointment}/mover"), &form).await;
    assert!(again.location.contains("sem_mudanca"));
    let nobody = tablet
        .post_as(
            None,
            &format!("/agendamentos/{appointment}/mover"),
            &[("dia", "2026-11-26"), ("hora", "10:00")],
        )
        .await;
    assert!(nobody.refused().contains("toda edição precisa de um autor"));
}

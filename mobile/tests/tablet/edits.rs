//! Forms: what is saved, what is refused in words, and that nothing typed is ever lost.

use crate::fixture::{Tablet, add_allergy, book, desk, doctor, plan};
use neonpro_client_core::Draft;
use serde_json::json;

#[tokio::test]
async fn a_patient_is_registered_with_a_birth_date_as_brazilians_write_it() {
    let tablet = Tablet::clinical();
    let fields =
        [("name", "Ana Lima"), ("cpf", "529.982.247-25"), ("date_of_birth", "24/11/1990"), ("phone", "")];
    let answer = tablet.post_as(Some(desk()), "/pacientes", &fields).await;
    answer.went_to("/pacientes/");
    let card = tablet.get(&answer.location).await;
    card.shows("Paciente salvo neste tablet").shows("35 anos (24/11/1990)").hides("<script>");
    let id = answer.location.split(['/', '?']).nth(2).unwrap().parse().unwrap();
    let row = tablet.row("patients", id);
    assert_eq!((&row["cpf"], &row["date_of_birth"]), (&json!("52998224725"), &json!("1990-11-24")));
}

#[tokio::test]
async fn what_does_not_fit_is_said_beside_its_field_and_stays_typed() {
    let tablet = Tablet::clinical();
    let fields = [
        ("name", ""),
        ("cpf", "111.111.111-11"),
        ("date_of_birth", "31/02/1990"),
        ("address", "Rua das Flores"),
    ];
    let answer = tablet.post("/pacientes", &fields).await;
    answer.refused();
    answer.shows("Este campo é obrigatório").shows("Este CPF não confere").shows("Esta data não existe");
    answer.shows("value=\"111.111.111-11\"").shows("value=\"31/02/1990\"").shows("value=\"Rua das Flores\"");
    answer.shows("aria-describedby=\"campo-cpf-erro\"").shows("id=\"campo-cpf-erro\"");
}

#[tokio::test]
async fn without_a_person_nothing_is_saved_and_everything_stays_typed() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let card = format!("/pacientes/{patient}");
    let notes = [("notes", "Pele sensível"), ("era_notes", "")];
    let answer = tablet.post_as(None, &format!("{card}/notas"), &notes).await;
    answer.refused();
    answer.shows("toda edição precisa de um autor").shows("Pele sensível</textarea>");
    tablet.post_as(None, "/pacientes", &[("name", "Bruno")]).await.shows("value=\"Bruno\"").refused();
    let allergy = [("campo", "allergies"), ("acao", "adicionar"), ("item", "Látex")];
    tablet.post_as(None, &format!("{card}/itens"), &allergy).await.shows("value=\"Látex\"").refused();
    assert_eq!(tablet.row("patients", patient).get("notes"), None);
}

#[tokio::test]
async fn the_same_person_is_noticed_before_a_second_card_is_made() {
    let tablet = Tablet::clinical();
    let fields = [("name", "Ana Lima"), ("cpf", "52998224725")];
    tablet.post("/pacientes", &fields).await.went_to("/pacientes/");
    let again = tablet.post("/pacientes", &[("name", "A. Lima"), ("cpf", "529.982.247-25")]).await;
    again.shows("parece ser a mesma pessoa").shows("Ana Lima").shows("value=\"A. Lima\"").refused();
    let insists = [("name", "A. Lima"), ("cpf", "529.982.247-25"), ("outra_pessoa", "sim")];
    tablet.post("/pacientes", &insists).await.went_to("/pacientes/");
}

#[tokio::test]
async fn an_open_form_never_undoes_what_somebody_else_saved() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Lima");
    let other = Draft::new(desk()).put("patients", patient, "phone", json!("(11) 98888-7777"));
    tablet.replica.edit(other).unwrap();
    let fields = [("name", "Ana Beatriz Lima"), ("era_name", "Ana Lima"), ("phone", ""), ("era_phone", "")];
    tablet.post(&format!("/pacientes/{patient}"), &fields).await.went_to("/pacientes/");
    let row = tablet.row("patients", patient);
    assert_eq!((&row["name"], &row["phone"]), (&json!("Ana Beatriz Lima"), &json!("(11) 98888-7777")));
}

#[tokio::test]
async fn the_ribbon_appears_only_once_the_open_record_changed() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Lima");
    let card = format!("/pacientes/{patient}");
    let page = tablet.get(&card).await;
    let live = page
        .body
        .split("hx-get=\"")
        .filter_map(|part| part.split('"').next())
        .find(|url| url.contains("visto"));
    let live = live.unwrap().to_owned();
    tablet.get(&live).await.hides("alterado em outro aparelho");
    tablet.replica.edit(Draft::new(desk()).put("patients", patient, "phone", json!("11"))).unwrap();
    tablet.get(&live).await.shows("alterado em outro aparelho").shows(&format!("<a href=\"{card}\">"));
}

#[tokio::test]
async fn notes_written_in_two_places_are_both_kept_or_shown_to_the_person() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let write = |text: &str| Draft::new(doctor()).text("patients", patient, "notes", text);
    tablet.replica.edit(write("Pele seca.")).unwrap();
    tablet.replica.edit(write("Pele seca. Retorno em 30 dias.")).unwrap();
    let path = format!("/pacientes/{patient}/notas");
    let typed = [("notes", "Pele muito seca."), ("era_notes", "Pele seca.")];
    tablet.post(&path, &typed).await.went_to("/pacientes/");
    assert_eq!(tablet.row("patients", patient)["notes"], "Pele muito seca. Retorno em 30 dias.");

    let clash = [("notes", "Pele oleosa"), ("era_notes", "Pele mista")];
    let answer = tablet.post(&path, &clash).await;
    answer.refused();
    answer
        .shows("Pele oleosa</textarea>")
        .shows("Texto que está valendo: Pele muito seca. Retorno em 30 dias.");
    assert_eq!(tablet.row("patients", patient)["notes"], "Pele muito seca. Retorno em 30 dias.");
}

#[tokio::test]
async fn allergies_are_added_and_removed_with_a_reason() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let path = format!("/pacientes/{patient}/itens");
    let post = |fields: [(&'static str, &'static str); 4]| {
        let path = path.clone();
        let tablet = &tablet;
        async move { tablet.post(&path, &fields).await }
    };
    let add = [("campo", "allergies"), ("acao", "adicionar"), ("item", "Látex"), ("motivo", "")];
    post(add).await.went_to("/pacientes/");
    let bare = [("campo", "allergies"), ("acao", "remover"), ("item", "Látex"), ("motivo", " ")];
    post(bare).await.shows("Diga o motivo").refused();
    let told = [("campo", "allergies"), ("acao", "remover"), ("item", "Látex"), ("motivo", "Teste negativo")];
    post(told).await.went_to("/pacientes/");
    let row = tablet.row("patients", patient);
    assert!(row.get("allergies").is_none_or(|members| members == &json!([])), "{row}");
}

#[tokio::test]
async fn the_front_desk_may_not_write_health_and_is_told_why() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let fields = [("campo", "allergies"), ("acao", "adicionar"), ("item", "Látex")];
    let answer = tablet.post_as(Some(desk()), &format!("/pacientes/{patient}/itens"), &fields).await;
    answer.shows("não permite esta alteração").shows("value=\"Látex\"").refused();
}

#[tokio::test]
async fn consent_is_granted_withdrawn_and_granted_again() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let card = format!("/pacientes/{patient}");
    let path = format!("{card}/consentimentos");
    let grant = [("finalidade", "photography"), ("acao", "conceder")];
    let withdraw = [("finalidade", "photography"), ("acao", "retirar"), ("motivo", "Mudou de ideia")];
    tablet.post(&path, &grant).await.went_to(&card);
    tablet.get(&card).await.shows("em vigor desde 23/11/2026");
    tablet.post(&path, &withdraw).await.went_to(&card);
    tablet.get(&card).await.shows("retirado em 23/11/2026").hides("em vigor desde");
    tablet.post(&path, &grant).await.went_to(&card);
    tablet.get(&card).await.shows("em vigor desde 23/11/2026").hides("retirado em");
    let nonsense = tablet.post(&path, &[("finalidade", "operation"), ("acao", "conceder")]).await;
    assert_eq!(nonsense.status, axum::http::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_appointment_is_booked_with_the_usual_length_and_moved() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana").to_string();
    let service = crate::fixture::id(30).to_string();
    let fields = [
        ("patient_id", patient.as_str()),
        ("dia", "2026-11-24"),
        ("start_time", "09:15"),
        ("duration_minutes", ""),
        ("status", "scheduled"),
        ("professional_id", ""),
        ("service_type_id", &service),
    ];
    let booked = tablet.post("/agendamentos", &fields).await;
    booked.went_to("/agendamentos/");
    let id = booked.location.split(['/', '?']).nth(2).unwrap().parse().unwrap();
    let row = tablet.row("appointments", id);
    assert_eq!(
        (&row["start_time"], &row["end_time"]),
        (&json!("2026-11-24T12:15:00Z"), &json!("2026-11-24T12:55:00Z"))
    );
    let moved = [
        ("dia", "2026-11-24"),
        ("era_dia", "2026-11-24"),
        ("start_time", "10:00"),
        ("era_start_time", "09:15"),
        ("duration_minutes", "40"),
        ("era_duration_minutes", "40"),
        ("status", "confirmed"),
        ("era_status", "scheduled"),
    ];
    tablet.post(&format!("/agendamentos/{id}"), &moved).await.went_to("/agendamentos/");
    let row = tablet.row("appointments", id);
    assert_eq!((&row["start_time"], &row["status"]), (&json!("2026-11-24T13:00:00Z"), &json!("confirmed")));
}

#[tokio::test]
async fn two_appointments_at_once_are_both_kept_with_a_warning() {
    let tablet = Tablet::clinical();
    let first = book(&tablet, tablet.patient("Ana"));
    tablet.get(&format!("/agendamentos/{first}")).await.hides("já tem outro agendamento");
    book(&tablet, tablet.patient("Bruno"));
    tablet.get(&format!("/agendamentos/{first}")).await.shows("já tem outro agendamento");
}

#[tokio::test]
async fn a_session_is_written_without_consent_and_the_person_is_told_what_happens() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    add_allergy(&tablet, patient, "Látex");
    let planned = tablet.post(&format!("/pacientes/{patient}/planos"), &[("title", "Peeling seriado")]).await;
    planned.went_to("/pacientes/");
    let plan = plan(&tablet, patient).to_string();
    let fields =
        [("treatment_plan_id", plan.as_str()), ("procedure_id", ""), ("notes", "Primeira aplicação.")];
    tablet.get(&format!("/pacientes/{patient}/sessoes/nova")).await.shows("Sem consentimento de tratamento");
    tablet.post(&format!("/pacientes/{patient}/sessoes"), &fields).await.went_to("/sessoes/");
    tablet.get(&format!("/pacientes/{patient}")).await.shows("Sessão 1 · 23/11/2026");
    let unplanned = tablet.post(&format!("/pacientes/{patient}/sessoes"), &[("notes", "Sem plano")]).await;
    unplanned.shows("precisa de um plano").shows("Sem plano</textarea>").refused();
}

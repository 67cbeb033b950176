//! Every screen drawn over a replica with people in it.

use crate::fixture::{Tablet, add_allergy, book, desk, doctor, plan};
use axum::http::StatusCode;
use neonpro_contract::permissions::Audience;
use serde_json::json;

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;";

#[tokio::test]
async fn the_agenda_shows_the_day_and_where_each_record_stands() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Beatriz Lima");
    book(&tablet, patient);
    let today = tablet.get("/").await;
    today.shows("segunda-feira, 23 de novembro").shows("14:30").shows("15:10").shows("Ana Beatriz Lima");
    today.shows("Peeling químico").shows("Dra. Helena Prado").shows("Neste tablet").shows("1 agendamento");
    let tomorrow = tablet.get("/?dia=2026-11-24").await;
    tomorrow.shows("terça-feira, 24 de novembro").hides("14:30").shows("Nenhum agendamento neste dia.");
    assert_eq!(tablet.get("/?dia=nonsense").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_strip_keeps_the_three_facts_apart() {
    let tablet = Tablet::clinical();
    tablet.patient("Ana");
    tablet.patient("Bruno");
    let page = tablet.get("/").await;
    let strip =
        page.body.split("<section class=\"strip\"").nth(1).unwrap().split("</section>").next().unwrap();
    insta::assert_snapshot!(strip);
}

#[tokio::test]
async fn patients_are_found_by_part_of_a_name_without_accents() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Cecília Nogueira");
    tablet.patient("Bruno Carvalho");
    tablet.get("/pacientes").await.shows("Cecília Nogueira").shows("Bruno Carvalho");
    tablet.get("/pacientes?busca=cecilia").await.shows(&patient.to_string()).hides("Bruno Carvalho");
    tablet.get("/pacientes?busca=zzz").await.shows("Nenhum paciente encontrado");
    // What is fetched again after a change asks for the words typed by then, not for those the page began with.
    let live = "hx-get=\"/pacientes\" hx-trigger=\"neonpro:changed from:body\" hx-sync=\"this:queue last\" hx-include=\"#busca\"";
    tablet.get("/pacientes?busca=zzz").await.shows(live);
}

#[tokio::test]
async fn names_that_begin_with_an_accent_stand_beside_their_plain_letter() {
    let tablet = Tablet::clinical();
    for name in ["Zélia", "Ítalo", "Joana", "Álvaro", "bruno"] {
        tablet.patient(name);
    }
    let page = tablet.get("/pacientes").await.body;
    let at = |name: &str| page.find(&format!("<strong>{name}")).unwrap();
    let order = ["Álvaro", "bruno", "Ítalo", "Joana", "Zélia"].map(at);
    assert!(order.is_sorted());
}

#[tokio::test]
async fn the_patient_card_shows_health_consents_appointments_and_plans() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Beatriz Lima");
    add_allergy(&tablet, patient, "Látex");
    book(&tablet, patient);
    plan(&tablet, patient);
    let card = tablet.get(&format!("/pacientes/{patient}")).await;
    card.shows("Alergias: Látex").shows("Fotografias").shows("não registrado").shows("23/11/2026 · 14:30");
    card.shows("Peeling seriado").shows("Sem consentimento de tratamento em vigor");
}

#[tokio::test]
async fn a_front_desk_tablet_shows_no_health() {
    let tablet = Tablet::new(Audience::FrontDesk);
    let patient = tablet.patient("Ana");
    let card = tablet.get_as(desk(), &format!("/pacientes/{patient}")).await;
    card.shows("Este tablet é de recepção").hides("Observações de saúde").hides("Criar plano");
}

#[tokio::test]
async fn appointments_and_sessions_are_drawn_new_and_existing() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let appointment = book(&tablet, patient);
    let plan = plan(&tablet, patient);
    let values = [
        ("treatment_plan_id", json!(plan.to_string())),
        ("session_number", json!(1)),
        ("notes", json!("Aplicação em glabela.")),
    ];
    let session =
        tablet.replica.create_record(doctor(), "treatment_sessions", values).unwrap()[0].record().unwrap();
    tablet.get("/agendamentos/novo").await.went_to("/pacientes?ok=escolha_paciente");
    tablet
        .get(&format!("/agendamentos/novo?paciente={patient}"))
        .await
        .shows("2026-11-23")
        .shows("Peeling químico");
    tablet.get(&format!("/agendamentos/{appointment}")).await.shows("14:30").shows("value=\"40\"");
    tablet.get(&format!("/pacientes/{patient}/sessoes/nova?plano={plan}")).await.shows("Peeling seriado");
    tablet.get(&format!("/sessoes/{session}")).await.shows("Sessão 1").shows("Aplicação em glabela.");
}

#[tokio::test]
async fn a_session_says_once_what_the_scope_of_practice_says_of_it() {
    let tablet = Tablet::clinical().reopen_after(
        "UPDATE professionals SET professional_type = 'aesthetician';
         UPDATE service_types SET procedure_class = 'injectable';",
    );
    let patient = tablet.patient("Ana");
    let (plan, procedure) = (plan(&tablet, patient).to_string(), crate::fixture::id(30).to_string());
    let fields = [("treatment_plan_id", plan.as_str()), ("procedure_id", &procedure), ("notes", "Toxina.")];
    let saved = tablet.post(&format!("/pacientes/{patient}/sessoes"), &fields).await;
    saved.went_to("/sessoes/");
    let page = tablet.get(&saved.location).await;
    page.shows("Leia o que as regras de escopo dizem dela").shows("O registro do que já foi feito é mantido");
    page.shows("Base legal: Lei 13.643/2018")
        .shows("Precisa de revisão jurídica nomeada")
        .shows("Regras: 2026-11");
    assert_eq!(page.body.matches("Fora do escopo profissional").count(), 1);
    let session = saved.location.split(['/', '?']).nth(2).unwrap().parse().unwrap();
    assert_eq!(tablet.row("treatment_sessions", session)["performed_by"], json!(doctor().to_string()));
    let booked = book(&tablet, patient);
    tablet.get(&format!("/agendamentos/{booked}")).await.shows("O servidor não aceita o início deste ato");
}

#[tokio::test]
async fn what_is_not_here_says_so_in_words() {
    let tablet = Tablet::clinical();
    let missing = crate::fixture::id(77);
    for path in ["/pacientes", "/agendamentos", "/sessoes"] {
        let answer = tablet.get(&format!("{path}/{missing}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answer.shows("não existe neste tablet").shows("not_found");
    }
    assert_eq!(tablet.get("/nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn hostile_text_is_shown_and_never_run() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient(HOSTILE);
    add_allergy(&tablet, patient, HOSTILE);
    book(&tablet, patient);
    let values = [("patient_id", json!(patient.to_string())), ("title", json!(HOSTILE))];
    tablet.replica.create_record(doctor(), "treatment_plans", values).unwrap();
    let search = "/pacientes?busca=%3Cscript%3Ealert(1)%3C/script%3E";
    for path in ["/", "/pacientes", search, &format!("/pacientes/{patient}"), "/sincronizacao"] {
        let page = tablet.get(path).await;
        page.hides("<script>alert").hides("<img").shows("&#60;script&#62;");
    }
    let posted = [("name", HOSTILE), ("cpf", HOSTILE), ("phone", "\"><svg onload=alert(1)>")];
    let again = tablet.post("/pacientes", &posted).await;
    assert!(!again.refused().contains("<svg") && !again.body.contains("<script>alert"));
}

#[tokio::test]
async fn no_page_needs_anything_from_elsewhere() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let card = format!("/pacientes/{patient}");
    for path in ["/", "/pacientes", "/pacientes/novo", "/sincronizacao", &card] {
        let page = tablet.get(path).await.body;
        for forbidden in ["http://", "https://", "style=\"", "onclick", "onchange", "<style"] {
            assert!(!page.contains(forbidden), "{path} holds {forbidden}");
        }
    }
    for file in ["tablet.css", "tablet.js", "htmx.js", "neonpro.svg"] {
        assert_eq!(tablet.get(&format!("/recursos/{file}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_status_is_told_as_json() {
    let tablet = Tablet::clinical();
    tablet.patient("Ana");
    let status: serde_json::Value = serde_json::from_str(&tablet.get("/estado.json").await.body).unwrap();
    assert_eq!(status["waiting_records"], 1);
    assert_eq!(status["connection"], "offline");
    assert_eq!(status["last_confirmed_at"], serde_json::Value::Null);
}

#[tokio::test]
async fn the_page_hears_which_tables_changed() {
    use futures_util::StreamExt;
    let tablet = Tablet::clinical();
    let request = axum::http::Request::builder()
        .uri("/eventos")
        .header("host", crate::fixture::ADDRESS)
        .header("cookie", format!("neonpro_key_4000={}", tablet.key()))
        .body(axum::body::Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(tablet.router(), request).await.unwrap();
    let mut stream = response.into_body().into_data_stream();
    tablet.patient("Ana");
    let event = String::from_utf8(stream.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(event.starts_with("event: changed") && event.contains("patients"), "{event}");
    tablet.app.close();
    assert!(stream.next().await.is_none());
}

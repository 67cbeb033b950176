//! Work that was set aside: reason, the person's own words, and what can be done.

use crate::fixture::{Tablet, doctor};
use neonpro_client_core::{Draft, Edited};
use neonpro_contract::ids::RecordId;
use serde_json::json;

/// The state a server's answer leaves behind.
fn set_aside(edited: &Edited, code: &str, how: &str) -> String {
    let edit = edited.edit.0.simple();
    format!(
        "UPDATE sync_intent SET state = 5, code = '{code}', set_aside_as = '{how}', settled_at = captured_at
         WHERE edit = x'{edit}';"
    )
}

fn rename(tablet: &Tablet, patient: RecordId) -> Edited {
    tablet
        .replica
        .edit(Draft::new(doctor()).put("patients", patient, "name", json!("Ana <b>Lima</b>")))
        .unwrap()
}

#[tokio::test]
async fn a_refused_edit_is_shown_with_its_reason_and_the_persons_words() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let sql = set_aside(&rename(&tablet, patient), "role_not_allowed", "refused");
    let tablet = tablet.reopen_after(&sql);
    let page = tablet.get("/sincronizacao").await;
    page.shows("A função de quem fez a edição não permite")
        .shows("role_not_allowed")
        .shows("Dra. Helena Prado");
    page.shows("Nome completo: Ana &#60;b&#62;Lima")
        .shows("Corrigir")
        .shows("Reenviar")
        .shows("Encerrar sem reenviar");
    tablet
        .get("/")
        .await
        .shows("A função de quem fez a edição")
        .shows("href=\"/sincronizacao#atencao\">1</a>");
}

#[tokio::test]
async fn correcting_starts_from_the_kept_text_and_settles_the_old_edit() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let edited = rename(&tablet, patient);
    let sql = set_aside(&edited, "invalid_value", "refused");
    let tablet = tablet.reopen_after(&sql);
    let edit = edited.edit.to_string();
    let form = tablet.get(&format!("/pacientes/{patient}?corrigir={edit}")).await;
    form.shows("value=\"Ana &#60;b&#62;Lima").shows("edição separada").shows(&format!("value=\"{edit}\""));
    let fields = [("name", "Ana Lima"), ("era_name", "Ana"), ("corrige", edit.as_str())];
    tablet.post(&format!("/pacientes/{patient}"), &fields).await.went_to("/pacientes/");
    assert_eq!(tablet.row("patients", patient)["name"], "Ana Lima");
    assert!(tablet.replica.attention().unwrap().is_empty());
}

#[tokio::test]
async fn missing_consent_leads_to_the_patients_consents() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let values = [("patient_id", json!(patient.to_string())), ("title", json!("Peeling seriado"))];
    let edited = tablet.replica.create_record(doctor(), "treatment_plans", values).unwrap();
    let sql = set_aside(&edited[0], "consent_missing", "quarantined");
    let tablet = tablet.reopen_after(&sql);
    let page = tablet.get("/sincronizacao").await;
    page.shows(&format!("/pacientes/{patient}#consentimentos")).shows("Título: Peeling seriado");
    page.shows("<strong>Ana</strong>").shows("Entregar ao administrador").shows("Encerrar sem reenviar");
}

#[tokio::test]
async fn resending_and_handing_over_need_a_person_and_empty_the_list() {
    for (action, notice) in [("reenviar", "reenviado"), ("entregar", "entregue"), ("encerrar", "encerrado")] {
        let tablet = Tablet::clinical();
        let patient = tablet.patient("Ana");
        let edited = rename(&tablet, patient);
        let sql = set_aside(&edited, "role_not_allowed", "quarantined");
        let tablet = tablet.reopen_after(&sql);
        let path = format!("/sincronizacao/{}", edited.edit);
        tablet.post_as(None, &path, &[("acao", action)]).await.shows("precisa de um autor").refused();
        assert_eq!(tablet.replica.attention().unwrap().len(), 1);
        let answer = tablet.post(&path, &[("acao", action)]).await;
        assert!(answer.location.ends_with(notice), "{action}: {} {}", answer.location, answer.body);
        assert!(tablet.replica.attention().unwrap().is_empty(), "{action}");
        tablet.post(&path, &[("acao", action)]).await.shows("já foi resolvida").refused();
    }
}

#[tokio::test]
async fn a_disputed_field_shows_both_values_on_the_card_and_in_the_list() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Lima");
    let choices = json!([
        {"value": "Ana Lima", "author": doctor(), "edit": null, "captured_at": crate::fixture::NOW_US},
        {"value": "Ana B. Lima", "author": null, "edit": null, "captured_at": null},
    ]);
    let record = patient.0.simple();
    let sql = format!(
        "INSERT INTO sync_conflict (table_id, record, facet, field, choices, since)
         VALUES (9, x'{record}', 0, 'name', '{choices}', 1);"
    );
    let tablet = tablet.reopen_after(&sql);
    tablet.get(&format!("/pacientes/{patient}")).await.shows("Em disputa").shows("Outro valor: Ana B. Lima");
    let page = tablet.get("/sincronizacao").await;
    page.shows("Ana Lima — Dra. Helena Prado, 23/11/2026").shows("<dd>Ana B. Lima</dd>");
}

#[tokio::test]
async fn what_waits_is_listed_by_record() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Lima");
    let page = tablet.get("/sincronizacao").await;
    page.shows("1 registro").shows(&format!("href=\"/pacientes/{patient}\"")).shows("Neste tablet");
}

//! Working together: referrals, conversations with confirmations; and that every table a tablet may write has its screen.

use crate::fixture::{Tablet, admin, desk, doctor};
use axum::http::StatusCode;
use neonpro_contract::catalogue::{Lifecycle, Role, Scope, TABLES, table};
use neonpro_contract::permissions::{Audience, may_write};
use neonpro_mobile::screens::record::WRITTEN_HERE;
use serde_json::json;

/// Tables whose work has a screen of its own.
const OWN_SCREENS: [&str; 11] = [
    "patients",
    "patient_documents",
    "appointments",
    "treatment_sessions",
    "data_consent_records",
    "payments",
    "inventory_transactions",
    "inventory_alerts",
    "coordination_threads",
    "coordination_messages",
    // Decided in the console, where their grounds are.
    "scope_decisions",
];

#[tokio::test]
async fn every_table_a_tablet_may_write_has_its_screen() {
    let tablet = Tablet::clinical();
    for table in
        TABLES.iter().filter(|table| table.scope == Scope::Clinic && table.lifecycle != Lifecycle::Server)
    {
        let roles = [Role::Admin, Role::Manager, Role::Professional, Role::Assistant];
        let writable = table.facet_ids().any(|facet| roles.iter().any(|role| may_write(table, facet, *role)));
        let form = WRITTEN_HERE.iter().any(|(name, ..)| *name == table.name);
        let own = OWN_SCREENS.contains(&table.name);
        assert!(!writable || form != own, "{} has no screen, or two", table.name);
    }
    for (name, ..) in WRITTEN_HERE {
        tablet.get(&format!("/registros/{name}")).await.shows("Novo registro");
        let form = tablet.get(&format!("/registros/{name}/novo")).await;
        for field in neonpro_mobile::forms::record::fields(table(name).unwrap(), true) {
            form.shows(&format!("name=\"{}\"", field.name));
        }
    }
    for (name, status) in [("patients", StatusCode::NOT_FOUND), ("nonsense", StatusCode::NOT_FOUND)] {
        assert_eq!(tablet.get(&format!("/registros/{name}")).await.status, status);
    }
}

#[tokio::test]
async fn a_record_of_the_catalogue_is_written_changed_and_retired_with_a_reason() {
    let tablet = Tablet::clinical();
    let fields = [("name", "Intercorrências"), ("team_type", "emergency"), ("is_active", "true")];
    tablet.post_as(Some(admin()), "/registros/professional_teams", &fields).await.went_to("/equipe");
    let found = tablet.replica.query("SELECT uuid_text(id) FROM professional_teams", &[], 1).unwrap();
    let here = format!("/registros/professional_teams/{}", found.rows[0][0].as_str().unwrap());
    tablet
        .get("/registros/professional_teams")
        .await
        .shows("Intercorrências")
        .shows("Emergência")
        .shows(&here);
    let missing = tablet.post_as(Some(admin()), "/registros/professional_teams", &[("name", "")]).await;
    assert!(missing.refused().contains("obrigatório"));
    let change = [
        ("description", "Plantão"),
        ("era_description", ""),
        ("name", "Intercorrências"),
        ("era_name", "Intercorrências"),
    ];
    tablet.post_as(Some(admin()), &here, &change).await.went_to(&here);
    tablet.get(&here).await.shows("Plantão");
    let unsaid = tablet.post_as(Some(admin()), &here, &[("acao", "encerrar"), ("motivo", " ")]).await;
    assert!(unsaid.refused().contains("Diga o motivo"));
    let retired =
        tablet.post_as(Some(admin()), &here, &[("acao", "encerrar"), ("motivo", "equipe desfeita")]).await;
    retired.went_to("/equipe?ok=registro_encerrado");
    tablet.get("/registros/professional_teams").await.hides("Intercorrências");
}

#[tokio::test]
async fn a_referral_is_answered_by_whoever_it_is_to() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let (from, to) = (doctor().to_string(), desk().to_string());
    let card = tablet.get(&format!("/pacientes/{patient}")).await;
    let new = format!(
        "/registros/professional_referrals/novo?patient_id={patient}&#38;referring_professional_id={from}"
    );
    card.shows(&new.replace("&#38;", "&amp;"));
    tablet.get(&new.replace("&#38;", "&")).await.shows("Ana").shows("Dra. Helena Prado");
    let patient = patient.to_string();
    let fields = [
        ("patient_id", patient.as_str()),
        ("referring_professional_id", &from),
        ("referred_professional_id", &to),
        ("referral_type", "consultation"),
        ("urgency_level", "high"),
        ("reason", "Lesão pigmentada"),
        ("response_deadline", "2026-11-20T14:00"),
    ];
    tablet.post("/registros/professional_referrals", &fields).await.went_to("/pacientes/");
    tablet.get_as(doctor(), "/equipe").await.shows("Lesão pigmentada").shows("atrasado").hides("Aceitar");
    let asked = tablet.get_as(desk(), "/equipe").await;
    asked.shows("Aceitar");
    let id = asked.body.split("/encaminhamentos/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    // The role of the front desk may not: it is told so, and nothing changes.
    let refused =
        tablet.post_as(Some(desk()), &format!("/encaminhamentos/{id}"), &[("acao", "aceitar")]).await;
    assert!(refused.refused().contains("não permite"));
    tablet.post(&format!("/encaminhamentos/{id}"), &[("acao", "aceitar")]).await.went_to("/equipe");
    assert_eq!(tablet.row("professional_referrals", id.parse().unwrap())["status"], "accepted");
}

#[tokio::test]
async fn a_conversation_begins_with_its_first_message_and_asks_readers_to_confirm() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana").to_string();
    let empty =
        tablet.post("/conversas", &[("assunto", "Edema"), ("tipo", "patient_care"), ("mensagem", "")]).await;
    assert!(empty.refused().contains("Escreva a mensagem"));
    let fields = [
        ("patient_id", patient.as_str()),
        ("assunto", "Edema após preenchimento"),
        ("tipo", "patient_care"),
        ("mensagem", "Ligar amanhã cedo."),
        ("confirmar", "1"),
    ];
    let made = tablet.post("/conversas", &fields).await;
    made.went_to("/conversas/");
    let here = made.location.split('?').next().unwrap().to_owned();
    tablet.get(&here).await.shows("Ligar amanhã cedo.").shows("Ninguém confirmou").hides("Confirmar leitura");
    tablet.get_as(admin(), "/equipe").await.shows("1 a confirmar");
    let read = tablet.get_as(admin(), &here).await;
    read.shows("Confirmar leitura");
    let id = read
        .body
        .split("name=\"mensagem_id\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    tablet.post_as(Some(admin()), &here, &[("acao", "confirmar"), ("mensagem_id", &id)]).await.went_to(&here);
    tablet.get_as(admin(), &here).await.shows("Lida por Marta Andrade").hides("Confirmar leitura");
    tablet.get_as(admin(), "/equipe").await.hides("a confirmar");
    assert_eq!(tablet.row("coordination_messages", id.parse().unwrap())["acknowledged_by"], json!([admin()]));
    tablet.post(&here, &[("acao", "resolver")]).await.went_to(&here);
    tablet.get(&here).await.hides("Marcar como resolvida");
}

#[tokio::test]
async fn a_front_desk_tablet_has_no_conversations_and_no_referrals() {
    let tablet = Tablet::new(Audience::FrontDesk);
    let patient = tablet.patient("Ana");
    tablet.get_as(desk(), "/equipe").await.hides("Conversas").hides("Encaminhamentos").shows("Supervisão");
    tablet.get_as(desk(), &format!("/pacientes/{patient}")).await.hides("Encaminhar").shows("Cobrar");
    for path in ["/agenda", "/estoque", "/mais", "/conformidade", "/fechamento", "/pagamentos"] {
        assert_eq!(tablet.get_as(desk(), path).await.status, StatusCode::OK, "{path}");
    }
}

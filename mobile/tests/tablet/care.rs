//! A session: what was used and where, closing it, addenda; a consent that is signed; a payment with its code.

use crate::fixture::{Tablet, add_allergy, admin, doctor, plan, product};
use axum::http::StatusCode;
use neonpro_contract::ids::RecordId;
use neonpro_mobile::app::LockControl;
use neonpro_mobile::evidence::Evidence;
use serde_json::{Value as Json, json};

fn session(tablet: &Tablet, patient: RecordId) -> RecordId {
    let plan = plan(tablet, patient);
    let values = [("treatment_plan_id", json!(plan)), ("session_number", json!(1))];
    tablet.replica.create_record(doctor(), "treatment_sessions", values).unwrap()[0].record().unwrap()
}

/// Grants treatment by word of mouth.
async fn consented(tablet: &Tablet, patient: RecordId) {
    let form = [("finalidade", "treatment"), ("acao", "conceder")];
    tablet.post(&format!("/pacientes/{patient}/consentimentos"), &form).await.went_to("/pacientes/");
}

#[tokio::test]
async fn every_tap_on_the_face_is_saved_added_up_and_can_be_taken_back() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    add_allergy(&tablet, patient, "Lidocaína");
    let session = session(&tablet, patient);
    let (product, lot) = product(&tablet, "Toxina", "2027-03-31");
    let (here, chosen) = (format!("/sessoes/{session}"), format!("{product}/{lot}"));
    let tap = |x, y| {
        [
            ("fazer", "ponto"),
            ("lote", chosen.as_str()),
            ("quantidade", "2,5"),
            ("profundidade", "intramuscular"),
            ("x", x),
            ("y", y),
        ]
    };
    for (x, y) in [("400", "350"), ("600", "350")] {
        let saved = tablet.post(&format!("{here}/usos"), &tap(x, y)).await;
        assert_eq!(
            saved.location,
            format!("{here}?lote={chosen}&quantidade=2,5&profundidade=intramuscular&ok=uso")
        );
    }
    let page = tablet.get(&here).await;
    page.shows("Alergias: Lidocaína")
        .shows("cx=\"120\" cy=\"133\"")
        .shows("5 unidades (U)")
        .shows("lote LOTE7");
    let row = tablet.row("treatment_sessions", session);
    let used = row["products_used"].as_object().unwrap();
    let key = used.keys().next().unwrap().clone();
    assert_eq!(used[&key]["quantity"], "2.5");
    assert_eq!(used[&key]["depth"], "intramuscular");
    tablet.post(&format!("{here}/usos"), &[("fazer", "retirar"), ("chave", &key)]).await.went_to(&here);
    assert_eq!(tablet.row("treatment_sessions", session)["products_used"].as_object().unwrap().len(), 1);

    // Without a lot nothing is set; a scanned package chooses one.
    let bare = [("fazer", "ponto"), ("x", "1"), ("y", "1"), ("quantidade", "1")];
    assert!(
        tablet.post(&format!("{here}/usos"), &bare).await.refused().contains("Escolha o produto e o lote")
    );
    let scanned = [("acao", "uso"), ("codigo", "(01)07891234567895(10)LOTE7"), ("quantidade", "1")];
    tablet.post(&format!("{here}/usos"), &scanned).await.went_to(&here);
    tablet.get(&here).await.shows("Usos sem ponto no rosto");
}

#[tokio::test]
async fn the_points_of_the_last_session_are_copied_as_new_ones() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let (first, second) = (session(&tablet, patient), session(&tablet, patient));
    let (product, lot) = product(&tablet, "Toxina", "2027-03-31");
    let chosen = format!("{product}/{lot}");
    let none = tablet.post(&format!("/sessoes/{second}/usos"), &[("acao", "copiar")]).await;
    assert!(none.refused().contains("Não há sessão anterior"));
    let tap =
        [("fazer", "ponto"), ("lote", chosen.as_str()), ("quantidade", "4"), ("x", "500"), ("y", "500")];
    tablet.post(&format!("/sessoes/{first}/usos"), &tap).await.went_to("/sessoes/");
    tablet.post(&format!("/sessoes/{second}/usos"), &[("acao", "copiar")]).await.went_to("/sessoes/");
    let (one, other) = (tablet.row("treatment_sessions", first), tablet.row("treatment_sessions", second));
    let values = |row: &Json| row["products_used"].as_object().unwrap().values().cloned().collect::<Vec<_>>();
    assert_eq!(values(&one), values(&other));
    assert_ne!(one["products_used"], other["products_used"], "uses of their own");
}

#[tokio::test]
async fn a_session_is_closed_after_a_look_at_what_is_missing_and_then_takes_addenda_alone() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let session = session(&tablet, patient);
    let here = format!("/sessoes/{session}");
    let early = tablet.post(&format!("{here}/encerrar"), &[("acao", "encerrar")]).await;
    assert!(early.refused().contains("A evolução está em branco."));
    early.shows("Encerrar mesmo assim").shows("Sem consentimento de tratamento");
    consented(&tablet, patient).await;
    tablet.post(&here, &[("notes", "Tudo bem."), ("era_notes", "")]).await.went_to(&here);
    tablet.post(&format!("{here}/encerrar"), &[("acao", "mesmo_assim")]).await.went_to(&here);
    assert_eq!(tablet.row("treatment_sessions", session)["locked_by"], json!(doctor()));
    tablet.get(&here).await.shows("Sessão encerrada").shows("Adendos").hides("id=\"usos\"");
    assert!(
        tablet
            .post(&here, &[("notes", "Outra"), ("era_notes", "Tudo bem.")])
            .await
            .refused()
            .contains("encerrado")
    );
    let (product, lot) = product(&tablet, "Toxina", "2027-03-31");
    let chosen = format!("{product}/{lot}");
    let tap = [("fazer", "ponto"), ("lote", chosen.as_str()), ("quantidade", "1"), ("x", "1"), ("y", "1")];
    assert!(tablet.post(&format!("{here}/usos"), &tap).await.refused().contains("encerrado"));
    tablet
        .post(&format!("{here}/adendos"), &[("adendo", "Ligou após 48 h: sem queixas.")])
        .await
        .went_to(&here);
    tablet.get(&here).await.shows("sem queixas").shows("Dra. Helena Prado");
    assert!(
        tablet
            .post(&format!("{here}/adendos"), &[("adendo", " ")])
            .await
            .refused()
            .contains("Escreva o adendo")
    );
}

/// A signature of many points.
fn drawn() -> String {
    let lines: Vec<String> = (0..40).map(|n| format!("L{} {}", n * 10, n % 7 * 20)).collect();
    format!("M0 0{}", lines.concat())
}

#[tokio::test]
async fn while_a_patient_holds_the_tablet_it_opens_the_text_and_nothing_else() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana Beatriz Lima");
    let start = format!("/pacientes/{patient}/termos/photography");
    tablet.get(&start).await.shows("Entregar o tablet ao paciente").shows("não tem PIN");
    assert!(tablet.post_as(None, &start, &[]).await.refused().contains("precisa de um autor"));
    tablet.post(&start, &[]).await.went_to("/termo");
    for path in ["/", "/pacientes", "/sincronizacao", "/documentos/x", "/termos", "/termox"] {
        let answer = tablet.get(path).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, "/termo"), "{path}");
    }
    let posted = tablet.post("/pacientes", &[("name", "Intruso")]).await;
    assert_eq!(posted.location, "/termo");
    let page = tablet.get("/termo").await;
    page.shows("Ana Beatriz Lima").shows("A clínica quer fotografar").hides("Pacientes</a>");

    let signature = drawn();
    let missing = tablet.post("/termo", &[("acao", "assinar"), ("assinatura", "M1 1")]).await;
    assert!(missing.refused().contains("Falta a assinatura"));
    let guardian = [
        ("acao", "assinar"),
        ("quem", "responsavel"),
        ("responsavel", ""),
        ("assinatura", signature.as_str()),
    ];
    assert!(tablet.post("/termo", &guardian).await.refused().contains("nome do responsável"));
    let signed =
        [("acao", "assinar"), ("quem", "paciente"), ("ensino", "1"), ("assinatura", signature.as_str())];
    tablet.post("/termo", &signed).await.went_to("/termo");
    tablet.get("/termo").await.shows("Devolva o tablet");
    // Signed once: sending it again writes nothing.
    tablet.post("/termo", &signed).await.went_to("/termo");
    tablet.post("/devolver", &[]).await.went_to(&format!("/pacientes/{patient}"));

    let consents =
        tablet.replica.query("SELECT consent_document_url FROM data_consent_records", &[], 9).unwrap();
    assert_eq!(consents.rows.len(), 1);
    let address = consents.rows[0][0].as_str().unwrap().to_owned();
    let hex = address.strip_prefix("sha256:").unwrap();
    tablet
        .get(&format!("/pacientes/{patient}"))
        .await
        .shows(&format!("/documentos/{hex}"))
        .shows("em vigor desde");
    let shown = tablet.get(&format!("/documentos/{hex}")).await;
    shown
        .shows(&signature)
        .shows(hex)
        .shows("☑ Usar em aulas")
        .shows("☐ Mostrar a outros")
        .shows("Dra. Helena Prado");
    let bytes =
        tablet.replica.read_blob(&neonpro_contract::blob::Address::from_hex(hex).unwrap()).unwrap().unwrap();
    let evidence = Evidence::decode(&bytes).unwrap();
    assert_eq!((evidence.signer.as_str(), evidence.purpose.as_str()), ("Ana Beatriz Lima", "photography"));
    assert_eq!(evidence.device, tablet.replica.identity().device.to_string());
    assert_eq!(tablet.get(&format!("/documentos/{}", "0".repeat(64))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_does_not_agree_signs_nothing_and_with_a_pin_only_the_pin_leads_back() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Bruno");
    tablet.post(&format!("/pacientes/{patient}/termos/treatment"), &[]).await.went_to("/termo");
    tablet.app.set_lock(LockControl::Lock);
    tablet.post("/termo", &[("acao", "recusar")]).await.went_to("/termo");
    tablet.get("/termo").await.shows("Nada foi assinado").shows("action=\"/bloquear\"");
    tablet.post("/devolver", &[]).await.went_to("/termo");
    assert_eq!(tablet.get("/pacientes").await.location, "/termo");
    tablet.app.set_lock(LockControl::None);
    tablet.post("/devolver", &[]).await.went_to(&format!("/pacientes/{patient}?ok=sem_assinatura"));
    let consents = tablet.replica.query("SELECT 1 FROM data_consent_records", &[], 9).unwrap();
    assert!(consents.rows.is_empty());
    assert_eq!(
        tablet.get(&format!("/pacientes/{patient}/termos/operation")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_pix_is_charged_without_a_network_and_stays_pending() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Carla");
    let charge = format!("/pacientes/{patient}/cobrar");
    let form = [("valor", "1.250,00"), ("forma", "pix"), ("agendamento", "")];
    let made = tablet.post(&charge, &form).await;
    made.went_to("/pagamentos/");
    let here = made.location.split('?').next().unwrap().to_owned();
    tablet
        .get(&here)
        .await
        .shows("R$ 1.250,00")
        .shows("Aguardando confirmação")
        .shows("não tem uma chave Pix");
    let clinic = RecordId(tablet.replica.identity().clinic.0);
    let settings = json!({ "pix_key": "123e4567-e12b-12d1-a456-426655440000", "pix_city": "São Paulo" });
    let draft = neonpro_client_core::Draft::new(admin()).merge("clinics", clinic, "settings", settings);
    tablet.replica.edit(draft).unwrap();
    let page = tablet.get(&here).await;
    page.shows("class=\"qr\"").shows("br.gov.bcb.pix").shows("54071250.00").shows("SAO PAULO");
    let id: RecordId = here.rsplit('/').next().unwrap().parse().unwrap();
    let txid = tablet.row("payments", id)["transaction_id"].as_str().unwrap().to_owned();
    page.shows(&txid);
    for wrong in ["", "0", "-5", "muito"] {
        let refused = tablet.post(&charge, &[("valor", wrong), ("forma", "cash")]).await;
        assert!(refused.refused().contains("valor maior que zero"), "{wrong}");
    }
    tablet.post(&charge, &[("valor", "80"), ("forma", "cash")]).await.went_to("/pagamentos/");
    tablet.get("/pagamentos").await.shows("R$ 80,00").shows("Dinheiro").shows("R$ 1.250,00");
    tablet.get("/fechamento").await.shows("Pagamento aguardando confirmação");
    tablet.get(&format!("/pacientes/{patient}")).await.shows("Pagamento · R$ 80,00");
}

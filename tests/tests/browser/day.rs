//! A day's work without a network on two tablets, and what the server makes of it when they are back.

use neonpro_contract::catalogue::Role;
use neonpro_tests::browser::{Browser, Screen};
use neonpro_tests::fleet::{Fleet, eventually};
use serde_json::json;

fn name_of(fleet: &Fleet, role: Role) -> &'static str {
    &fleet.clinic(0).people.iter().find(|person| person.role == role).unwrap().name
}

async fn offline(screen: &Screen) {
    screen.goto("/").await;
    screen.window.click("#situacao button[value=desligar]").await;
    screen.shows("#situacao", "Sem internet").await;
}

async fn online(screen: &Screen) {
    screen.goto("/").await;
    screen.window.click("#situacao button[value=ligar]").await;
    screen.shows("#situacao", "Conectado ao servidor").await;
    screen.shows("#situacao", "0 registros").await;
}

/// A signature.
fn drawn() -> Vec<(u32, u32)> {
    (0..40).map(|step| (100 + step * 20, if step % 2 == 0 { 300 } else { 700 })).collect()
}

/// Registers somebody; their card's address.
async fn register(screen: &Screen, name: &str) -> String {
    screen.goto("/pacientes/novo").await;
    screen.window.fill("[name=name]", name).await;
    screen.window.click("main form button.primary").await;
    let here = screen.goes_to("/pacientes/0").await;
    here.split('?').next().unwrap().to_owned()
}

/// The patient signs for their treatment; meanwhile the tablet opens nothing else.
async fn sign(screen: &Screen, patient: &str) {
    screen.goto(&format!("{patient}/termos/treatment")).await;
    screen.window.click("form[action$='/termos/treatment'] button.primary").await;
    screen.goes_to("/termo").await;
    screen.goto("/sincronizacao").await;
    screen.goes_to("/termo").await;
    screen.window.draw("#quadro", &drawn()).await;
    screen.window.click("button[value=assinar]").await;
    screen.shows("main", "Devolva o tablet").await;
    screen.window.click("form[action='/devolver'] button").await;
    screen.goes_to(patient).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_offline_is_saved_shown_waiting_sent_and_repaired() {
    let (fleet, browser) = (Fleet::start().await, Browser::start().await);
    let doctor = name_of(&fleet, Role::Professional);
    let one = Screen::open(&fleet, &browser, 0, doctor).await;
    offline(&one).await;

    // A new patient, booked by tapping a free cell of the agenda.
    let patient = register(&one, "Zuleica Sem Rede").await;
    one.shows("#situacao", "1 registro").await;
    one.goto("/agenda?dia=2030-01-07").await;
    one.window.click("td[data-hora='10:00'] a").await;
    one.goes_to("/pacientes?agendar=").await;
    one.window.fill("#busca", "zuleica").await;
    one.shows("#lista", "Zuleica Sem Rede").await;
    one.window.click("#lista a.row").await;
    one.goes_to("/agendamentos/novo").await;
    one.window.click("main form button.primary").await;
    one.goes_to("/agendamentos/0").await;
    // Reading it again without a network keeps the state; so does another person taking the tablet.
    one.goto("/agenda?dia=2030-01-07").await;
    assert!(one.window.is_there(".slot[data-provisional]").await);
    one.shows("#situacao", "2 registros").await;
    one.as_person(name_of(&fleet, Role::Assistant)).await;
    one.shows("#situacao", "2 registros").await;
    one.as_person(doctor).await;

    // A plan and a session whose points are tapped on the face, without a consent.
    one.goto(&patient).await;
    one.window.fill("#planos [name=title]", "Terço superior").await;
    one.window.click("#planos form.inline button").await;
    one.goes_to(&patient).await;
    one.window.click("#planos a[href*='sessoes/nova']").await;
    one.goes_to(&format!("{patient}/sessoes/nova")).await;
    one.window.fill("[name=notes]", "Aplicação sem intercorrências.").await;
    one.window.click("main form button.primary").await;
    let session = one.goes_to("/sessoes/0").await;
    one.window.choose("#lote", "Toxina").await;
    one.window.fill("#quantidade", "4").await;
    for (count, x) in [(1, 380), (2, 500), (3, 620)] {
        one.window.draw("svg.face", &[(x, 350)]).await;
        eventually("the point is on the map", async || {
            one.window.run("return document.querySelectorAll('.point').length;", json!([])).await
                == json!(count)
        })
        .await;
    }
    one.shows("#mapa", "12 unidades").await;
    one.goto("/fechamento").await;
    one.shows("#fechamento", "esperando o envio").await;

    // Back: what needs the consent waits at the server, the rest is confirmed; nobody is told that all is well.
    one.window.click("#situacao button[value=ligar]").await;
    one.goto("/sincronizacao").await;
    one.shows("#atencao", "Falta o consentimento").await;
    one.goto("/fechamento").await;
    assert!(!one.window.text("#fechamento").await.contains("está confirmado pelo servidor"));

    // The patient signs on the tablet; the set-aside edits are released by themselves.
    sign(&one, &patient).await;
    one.goto("/sincronizacao").await;
    one.shows("#atencao", "Nada").await;
    one.shows("#situacao", "0 registros").await;

    // Another tablet has it all, the signed text too.
    let other = Screen::open(&fleet, &browser, 0, doctor).await;
    other.goto(session.split('?').next().unwrap()).await;
    other.shows("#mapa", "12 unidades").await;
    eventually("the signed text is on the other tablet", async || {
        other.goto(&patient).await;
        other.window.is_there("a[href^='/documentos/']").await
    })
    .await;
    other.window.click("a[href^='/documentos/']").await;
    other.shows("main", "Assinado por").await;
    let complaints = [one.window.complaints().await, other.window.complaints().await].concat();
    assert!(complaints.is_empty(), "{complaints:?}");
    one.close().await;
    other.close().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tablets_that_wrote_the_same_field_show_both_values_and_none_where_nothing_is_disputed() {
    let (fleet, browser) = (Fleet::start().await, Browser::start().await);
    let desk = name_of(&fleet, Role::Assistant);
    let one = Screen::open(&fleet, &browser, 0, desk).await;
    let other = Screen::open(&fleet, &browser, 0, desk).await;
    let patient = register(&one, "Yara Disputada").await;
    one.shows("#situacao", "0 registros").await;
    eventually("the other tablet has her", async || {
        other.goto(&patient).await;
        other.window.is_there("[name=cpf]").await
    })
    .await;
    other.goto("/sincronizacao").await;
    other.shows("#disputas", "Nenhum").await;
    offline(&one).await;
    offline(&other).await;
    for (screen, cpf) in [(&one, "529.982.247-25"), (&other, "111.444.777-35")] {
        screen.goto(&patient).await;
        screen.window.fill("[name=cpf]", cpf).await;
        screen.window.click("#identificacao button.primary").await;
        screen.shows("main", "Salvo neste tablet").await;
    }
    online(&one).await;
    online(&other).await;
    for screen in [&one, &other] {
        screen.goto("/sincronizacao").await;
        screen.shows("#disputas", "Yara Disputada").await;
        let words = screen.window.text("#disputas").await;
        assert!(words.contains("529") && words.contains("111"), "{words}");
    }
    // A ribbon tells whoever has the card open, and what is being typed stays.
    one.goto(&patient).await;
    one.window.fill("[name=phone]", "(11) 90000-0000").await;
    other.goto(&patient).await;
    other.window.fill("[name=address]", "Rua Nova, 1").await;
    other.window.click("#identificacao button.primary").await;
    one.shows("#faixa", "alterado em outro aparelho").await;
    let typed = one.window.run("return document.querySelector('[name=phone]').value;", json!([])).await;
    assert_eq!(typed, json!("(11) 90000-0000"));
    one.close().await;
    other.close().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_taken_over_the_ghost_of_the_one_before() {
    let (fleet, browser) = (Fleet::start().await, Browser::start().await);
    let one = Screen::open(&fleet, &browser, 0, name_of(&fleet, Role::Professional)).await;
    offline(&one).await;
    let patient = register(&one, "Xênia Fotografada").await;
    for count in 1..=2 {
        one.goto(&format!("{patient}/fotos")).await;
        one.window.click("#guia").await;
        let playing = "const video = document.querySelector('#palco video'); return video.videoWidth > 0;";
        eventually("the camera shows something", async || {
            one.window.run(playing, json!([])).await == json!(true)
        })
        .await;
        let ghost = "return !document.querySelector('#palco img').hidden;";
        assert_eq!(
            one.window.run(ghost, json!([])).await,
            json!(count > 1),
            "a ghost only where there was one"
        );
        one.window.click("#palco [data-tirar]").await;
        eventually("the picture is kept", async || {
            let shown = "return document.querySelectorAll('#fotos figure').length;";
            one.window.run(shown, json!([])).await == json!(count)
        })
        .await;
    }
    assert!(one.window.complaints().await.is_empty());
    one.close().await;
    fleet.stop().await;
}

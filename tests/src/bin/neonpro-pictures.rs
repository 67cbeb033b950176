//! Takes the pictures of the documentation: the tablet's main screens, from the demo clinic, in a real browser.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it stops where something is not as it must be, and its report belongs on standard output"
)]

use clap::Parser;
use neonpro_contract::catalogue::Role;
use neonpro_tests::browser::{Browser, LAID_DOWN, Screen, UPRIGHT};
use neonpro_tests::fleet::Fleet;
use serde_json::json;
use std::path::PathBuf;

/// Takes pictures of the tablet's screens.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where they go.
    #[arg(long, default_value = "docs/img")]
    to: PathBuf,
}

/// Screens that need nothing but their address: name, address, size.
const PLAIN: [(&str, &str, (u32, u32)); 8] = [
    ("tablet-hoje", "/", UPRIGHT),
    ("tablet-agenda", "/agenda", UPRIGHT),
    ("tablet-semana", "/agenda?visao=semana", LAID_DOWN),
    ("tablet-estoque", "/estoque", UPRIGHT),
    ("tablet-equipe", "/equipe", UPRIGHT),
    ("tablet-conformidade", "/conformidade", UPRIGHT),
    ("tablet-fechamento", "/fechamento", UPRIGHT),
    ("tablet-sincronizacao", "/sincronizacao", UPRIGHT),
];

struct Camera {
    screen: Screen,
    to: PathBuf,
}

impl Camera {
    async fn take(&self, name: &str, size: (u32, u32)) {
        self.screen.window.resize(size).await;
        let picture = self.screen.window.picture().await;
        let path = self.to.join(format!("{name}.png"));
        std::fs::write(&path, picture).expect("the folder is there");
        println!("{}", path.display());
    }

    async fn link(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0]).getAttribute('href');";
        self.screen.window.run(script, json!([css])).await.as_str().unwrap_or_default().to_owned()
    }
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let (fleet, browser) = (Fleet::start().await, Browser::start().await);
    let people = &fleet.clinic(0).people;
    let doctor = people.iter().find(|person| person.role == Role::Professional).map(|person| &person.name);
    let screen = Screen::open(&fleet, &browser, 0, doctor.expect("somebody works here")).await;
    let camera = Camera { screen, to: arguments.to };
    for (name, address, size) in PLAIN {
        camera.screen.window.resize(size).await;
        camera.screen.goto(address).await;
        camera.take(name, size).await;
    }
    patient(&camera).await;
    camera.screen.close().await;
    fleet.stop().await;
}

/// A patient with a plan: the card, a session with its map, a text to sign, a payment.
async fn patient(camera: &Camera) {
    let (screen, window) = (&camera.screen, &camera.screen.window);
    window.resize(UPRIGHT).await;
    screen.goto("/fechamento").await;
    screen.goto(&camera.link("#fechamento a[href^='/sessoes/']").await).await;
    let patient = camera.link("#cabecalho a").await;
    window.choose("#lote", "Toxina").await;
    window.fill("#quantidade", "4").await;
    window.choose("#profundidade", "intramuscular").await;
    for (count, place) in
        [(1, (365, 350)), (2, (440, 370)), (3, (500, 375)), (4, (560, 370)), (5, (635, 350))]
    {
        window.draw("svg.face", &[place]).await;
        screen.shows("#mapa", &format!("{} unidades", count * 4)).await;
    }
    window.run("document.getElementById('mapa').scrollIntoView();", json!([])).await;
    camera.take("tablet-sessao", UPRIGHT).await;
    screen.goto(&patient).await;
    camera.take("tablet-paciente", UPRIGHT).await;
    screen.goto(&format!("{patient}/cobrar")).await;
    window.fill("#valor", "350,00").await;
    window.click("main form button.primary").await;
    screen.goes_to("/pagamentos/0").await;
    camera.take("tablet-pix", UPRIGHT).await;
    screen.goto(&format!("{patient}/termos/photography")).await;
    window.click("form[action*='/termos/'] button.primary").await;
    screen.goes_to("/termo").await;
    let heights = SHAPE.iter().cycle().map(|height| 500_u32.saturating_add_signed(*height));
    let signature: Vec<(u32, u32)> = (0..60).map(|step| 80 + step * 14).zip(heights).collect();
    window.draw("#quadro", &signature).await;
    window.run("window.scrollTo(0, 0);", json!([])).await;
    camera.take("tablet-termo", UPRIGHT).await;
}

/// How a signature goes up and down, thousandths of its box.
const SHAPE: [i32; 10] = [0, -180, -260, -120, 80, 220, 120, -60, -160, 40];

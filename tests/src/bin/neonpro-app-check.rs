//! Drives the app through WebKitGTK's driver: a ticket, a first sync, work, an end and a second start.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it stops where something is not as it must be, and its report belongs on standard output"
)]

use clap::Parser;
use neonpro_contract::permissions::Audience;
use neonpro_tests::browser::Window;
use neonpro_tests::fleet::{Fleet, eventually};
use serde_json::json;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Drives the app on the display and the keystore of its environment.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The app.
    #[arg(long)]
    app: PathBuf,
}

/// A driver of its own for every start of the app, which it ends with.
fn driver(folder: &Path) -> (Child, SocketAddr) {
    let free =
        TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port");
    let child = Command::new("WebKitWebDriver")
        .args([format!("--port={}", free.port()), "--host=127.0.0.1".to_owned()])
        .env("TAURI_WEBVIEW_AUTOMATION", "true")
        .env("NEONPRO_APP_DIR", folder)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("WebKitWebDriver is there");
    (child, free)
}

async fn start(app: &Path, folder: &Path) -> (Child, Window) {
    let (child, address) = driver(folder);
    let mut started = Err(String::new());
    eventually("the app has started", async || {
        started = Window::of_app(address, app).await;
        // The driver may not listen yet; anything else it says is an answer.
        !matches!(&started, Err(error) if error.contains("refused"))
    })
    .await;
    (child, started.expect("the app starts"))
}

/// The app of this folder, while it runs.
fn find_app(folder: &Path) -> Option<OsString> {
    let ours = format!("NEONPRO_APP_DIR={}", folder.display());
    std::fs::read_dir("/proc").expect("processes are listed").flatten().find_map(|process| {
        let is_app =
            std::fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe.ends_with("neonpro-app"));
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        let is_ours = is_app && environment.split(|byte| *byte == 0).any(|one| one == ours.as_bytes());
        is_ours.then(|| process.file_name())
    })
}

/// Kills the app, as a system short of memory does.
async fn kill_app(folder: &Path) {
    let app = find_app(folder).expect("the app runs");
    let killed = Command::new("kill").arg("-9").arg(app).status().await;
    assert!(killed.is_ok_and(|status| status.success()), "the app could not be killed");
    eventually("the app is gone", async || find_app(folder).is_none()).await;
}

fn say(what: &str) {
    println!("ok  {what}");
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let app = arguments.app.canonicalize().expect("the app was built");
    let fleet = Fleet::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (_driver, window) = start(&app, folder.path()).await;
    window.shows("h1", "Cadastrar este tablet").await;
    window.fill("#bilhete", "isto não é um bilhete").await;
    window.fill("#nome", "Sala 1").await;
    window.click("form button.primary").await;
    window.shows("[role=alert]", "não é um bilhete").await;
    say("a text that is no ticket is refused with words");

    let ticket = fleet.ticket(fleet.clinic(0).id, Audience::Clinical).await;
    window.fill("#bilhete", &ticket).await;
    window.click("form button.primary").await;
    window.shows("#situacao", "Conectado ao servidor").await;
    say("a ticket makes it a tablet of the clinic");
    let key_file = folder.path().join("tablet.key");
    let key = std::fs::read(&key_file).expect("a key file");
    assert!(key.starts_with(b"NPKST1"), "the key does not lie under the keystore");
    say("its key lies under the platform's keystore");

    let person = fleet.clinic(0).people.first().expect("somebody works here");
    eventually("the clinic's people are here", async || {
        window.click("nav a[href='/']").await;
        let script = "return [...document.querySelectorAll('#autor option')]
            .some((one) => one.textContent.includes(arguments[0]));";
        window.run(script, json!([person.name])).await == json!(true)
    })
    .await;
    window.choose("#autor", &person.name).await;
    eventually("the person is known", async || !window.is_there(".person[data-missing]").await).await;
    window.click("nav a[href='/pacientes']").await;
    window.click("a[href='/pacientes/novo']").await;
    window.fill("[name=name]", "Wanda do Aplicativo").await;
    window.click("main form button.primary").await;
    window.shows("h1", "Wanda do Aplicativo").await;
    window.shows("#situacao", "0 registros").await;
    say("a patient is registered and confirmed");

    kill_app(folder.path()).await;
    drop(window);
    let (_second, window) = start(&app, folder.path()).await;
    window.click("nav a[href='/pacientes']").await;
    window.fill("#busca", "wanda").await;
    window.shows("#lista", "Wanda do Aplicativo").await;
    say("killed and started again, it is the same tablet with everything in it");

    window.close_window().await;
    eventually("the app ends with its window", async || find_app(folder.path()).is_none()).await;
    drop(window);
    say("it ends when its window is closed");

    std::fs::write(&key_file, b"no key").expect("the key file is written");
    let (_third, window) = start(&app, folder.path()).await;
    window.shows("h1", "O tablet não abriu").await;
    window.shows("[role=alert]", "danificado").await;
    std::fs::write(&key_file, key).expect("the key file is written");
    window.click("form button.primary").await;
    window.click("nav a[href='/pacientes']").await;
    window.fill("#busca", "wanda").await;
    window.shows("#lista", "Wanda do Aplicativo").await;
    say("it says why it does not open, and opens once that is mended");
    kill_app(folder.path()).await;
    drop(window);
    fleet.stop().await;
}

//! The tablet as an app: the system's WebView over the tablet's own page on loopback.
//!
//! Owns the window, where the files lie, the platform's keystore and the clean end. Everything a person sees is drawn by
//! `neonpro-mobile`. Invariant: the window goes nowhere but to the page.

use keyring::v1::{Entry, Error};
use neonpro_mobile::enrolling::{enrol_by_page, is_needed};
use neonpro_mobile::key_file::random;
use neonpro_mobile::keystore::{self, Secret};
use neonpro_mobile::serve::{ServeError, Served, serve};
use neonpro_mobile::unopened::tell;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tauri::{AppHandle, Manager, RunEvent, Url, WebviewUrl, WebviewWindowBuilder};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Name of the app's entries in the platform's keystore.
const SERVICE: &str = "br.neonpro.tablet";
const WINDOW: &str = "tablet";
/// Where the files lie, instead of the platform's place: for tests and for several tablets on one machine.
const FOLDER: &str = "NEONPRO_APP_DIR";

/// How long a start waits for the app's last run to close the replica.
const CLOSING_LIMIT: Duration = Duration::from_secs(20);
/// How often it asks meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The keystore's secret for the tablet of this folder, made the first time. Without a keystore key files lie under PINs, or open.
fn hold_keystore(folder: &str) -> Result<(), Error> {
    if keystore::is_held() {
        return Ok(());
    }
    let entry = Entry::new(SERVICE, folder)?;
    let secret = match entry.get_secret() {
        Ok(secret) => Zeroizing::new(secret),
        Err(Error::NoEntry) => {
            let fresh = random().map_err(|error| Error::PlatformFailure(Box::new(error)))?;
            entry.set_secret(fresh.as_slice())?;
            Zeroizing::new(fresh.to_vec())
        }
        Err(error) => return Err(error),
    };
    let key: [u8; 32] =
        secret.as_slice().try_into().map_err(|_| Error::BadDataFormat(Vec::new(), "32 bytes".into()))?;
    keystore::hold(Secret::new(Zeroizing::new(key)));
    Ok(())
}

/// Shows an address of the page; the window goes nowhere else.
fn show(app: &AppHandle, url: &str) {
    let Ok(url) = url.parse::<Url>() else { return tracing::error!("the page has no address") };
    let shown = match app.get_webview_window(WINDOW) {
        Some(window) => window.navigate(url),
        None => WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::External(url))
            .title("NeonPro")
            .inner_size(1280.0, 800.0)
            .on_navigation(|url| url.host_str() == Some("127.0.0.1"))
            .build()
            .map(|_| ()),
    };
    if let Err(error) = shown {
        tracing::error!(%error, "the page cannot be shown");
    }
}

/// Enrols where that is needed, then serves until the app ends. A page whose listener broke (a suspended device) is served anew.
async fn serve_page(app: AppHandle, folder: PathBuf, mut ending: watch::Receiver<bool>) {
    let (replica, key_file) = (folder.join("tablet.replica"), folder.join("tablet.key"));
    let begun = Instant::now();
    while !*ending.borrow() {
        let name = folder.to_string_lossy().into_owned();
        match tokio::task::spawn_blocking(move || hold_keystore(&name)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "this device has no keystore; a PIN protects the tablet's key");
            }
            Err(error) => tracing::error!(%error, "asking the keystore ended early"),
        }
        let ready = |url: &str| show(&app, url);
        let served = if is_needed(&replica) {
            tokio::select! {
                enrolled = enrol_by_page(replica.clone(), key_file.clone(), ready) => enrolled,
                _ = ending.wait_for(|ending| *ending) => return,
            }
        } else {
            let listen = ([127, 0, 0, 1], 0).into();
            let (replica, key_file) = (replica.clone(), key_file.clone());
            let served = Served { replica, key_file, enrol: None, listen, offline: false };
            let mut end = ending.clone();
            serve(served, ready, async move { drop(end.wait_for(|ending| *ending).await) }).await
        };
        if served.as_ref().is_err_and(ServeError::is_in_use) && begun.elapsed() < CLOSING_LIMIT {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        if let Err(error) = served {
            tracing::error!(%error, code = error.code(), "the tablet does not open");
            let again = tokio::select! {
                again = tell(&error, ready) => again,
                _ = ending.wait_for(|ending| *ending) => return,
            };
            if let Err(error) = again {
                return tracing::error!(%error, "nor can the page say why");
            }
        }
    }
}

/// Runs the app until its window is closed.
#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let ending = watch::Sender::new(false);
    let told = ending.clone();
    let app = tauri::Builder::default().setup(move |app| {
        let folder = match std::env::var_os(FOLDER) {
            Some(folder) => PathBuf::from(folder),
            None => app.path().app_data_dir()?,
        };
        std::fs::create_dir_all(&folder)?;
        let (handle, ending) = (app.handle().clone(), told.subscribe());
        let runtime = tokio::runtime::Runtime::new()?;
        let serving = std::thread::spawn(move || runtime.block_on(serve_page(handle, folder, ending)));
        app.manage(std::sync::Mutex::new(Some(serving)));
        Ok(())
    });
    let app = match app.build(tauri::generate_context!()) {
        Ok(app) => app,
        Err(error) => return eprintln!("NeonPro cannot start: {error}"),
    };
    app.run(move |app, event| {
        if let RunEvent::Exit = event {
            // The database is closed before the process ends.
            ending.send_replace(true);
            let serving = app.state::<std::sync::Mutex<Option<std::thread::JoinHandle<()>>>>();
            let serving = serving.lock().ok().and_then(|mut serving| serving.take());
            drop(serving.map(std::thread::JoinHandle::join));
        }
    });
}

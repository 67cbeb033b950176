//! A tablet that was told to wipe: what is gone, what stays, and what a kill in the middle leaves.

use crate::fixture::{ADDRESS, NOW_US, Tablet as Fixture, alter_with, doctor, key_path, replica_path};
use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{Request, StatusCode};
use neonpro_client_core::Clock;
use neonpro_mobile::guard::Guard;
use neonpro_mobile::key_file::load_keys;
use neonpro_mobile::lock::{Place, Tablet, router};
use neonpro_mobile::pin::Pin;
use neonpro_mobile::wipe::{self, Note};
use std::collections::BTreeSet;
use tempfile::TempDir;
use tower::ServiceExt;

/// A public key (the base point of X25519).
const CLINIC_KEY: &str = "escrow_key = x'0900000000000000000000000000000000000000000000000000000000000000'";

/// A closed tablet with unsent work, after running this on its bookkeeping.
fn closed(set: &str) -> (TempDir, Place) {
    let fixture = Fixture::clinical();
    fixture.patient("Beatriz Moura");
    fixture.replica.close().unwrap();
    let key = load_keys(&key_path(&fixture.folder)).unwrap().key;
    alter_with(&fixture.folder, *key, &format!("UPDATE sync_meta SET {set}"));
    let place =
        Place { replica: replica_path(&fixture.folder), key_file: key_path(&fixture.folder), online: None };
    (fixture.folder, place)
}

fn begin(place: &Place) -> (Tablet, String) {
    let guard = Guard::new(ADDRESS.parse().unwrap()).unwrap();
    let key = guard.entrance().split("key=").nth(1).unwrap().to_owned();
    (Tablet::begin(place.clone(), guard, Clock::manual(NOW_US).0).unwrap(), key)
}

fn files(folder: &TempDir) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder.path()).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn answer(tablet: &Tablet, key: &str, method: &str, path: &str) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, ADDRESS)
        .header(ORIGIN, format!("http://{ADDRESS}"))
        .header(COOKIE, format!("neonpro_key_4000={key}"))
        .body(Body::empty())
        .unwrap();
    let response = router(tablet.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn key_and_replica_are_gone_the_escrow_file_stays_and_every_page_says_what_happened() {
    let (folder, place) = closed(&format!("stopped = 'wipe', {CLINIC_KEY}"));
    let (tablet, key) = begin(&place);
    assert!(!tablet.is_gone().await);
    tablet.wipe_if_told().await.unwrap();
    assert_eq!(files(&folder), ["replica.db.escrow", "replica.db.wiped"].map(str::to_owned).into());
    let note = wipe::find(&place.replica).unwrap();
    assert!(note.escrowed && note.done && !note.told);
    for (method, path) in [("GET", "/"), ("GET", "/entrar"), ("POST", "/entrar"), ("GET", "/pacientes")] {
        let (status, page) = answer(&tablet, &key, method, path).await;
        assert_eq!(status, StatusCode::GONE, "{method} {path}");
        assert!(page.contains("Este tablet foi apagado") && page.contains("Vila Mariana"), "{page}");
        assert!(page.contains("arquivo que só a clínica abre") && !page.contains("Beatriz"), "{page}");
    }
    let (later, _) = begin(&place);
    assert!(later.is_gone().await, "also in the next life of the program");
    assert_eq!(files(&folder).len(), 2, "which makes no new key");
}

#[tokio::test]
async fn a_replica_whose_unsent_work_cannot_be_sealed_is_set_aside_without_its_key() {
    let (folder, place) = closed("stopped = 'wipe'");
    let (tablet, key) = begin(&place);
    tablet.wipe_if_told().await.unwrap();
    let aside = format!("replica.db.set-aside-{NOW_US}");
    let kept = files(&folder);
    assert!(
        kept.contains(&aside) && !kept.contains("replica.db") && !kept.contains("replica.key"),
        "{kept:?}"
    );
    let (_, page) = answer(&tablet, &key, "GET", "/").await;
    assert!(page.contains("postos de lado"), "{page}");
}

#[tokio::test]
async fn a_kill_anywhere_in_a_wipe_is_made_good_by_the_next_start() {
    for steps in 0..4 {
        let (folder, place) = closed(&format!("stopped = 'wipe', {CLINIC_KEY}"));
        let (tablet, _) = begin(&place);
        tablet.shut().await.unwrap();
        let sealed = std::fs::read(folder.path().join("replica.db.escrow")).unwrap();
        let note: Note = serde_json::from_value(serde_json::json!({
            "device": crate::fixture::id(2), "clinic_name": "Clínica Vila Mariana", "server_url": "https://127.0.0.1:9",
            "pin": "00", "signature": "00", "began_at_us": NOW_US, "escrowed": true, "done": false, "told": false,
        }))
        .unwrap();
        std::fs::write(folder.path().join("replica.db.wiped"), serde_json::to_vec(&note).unwrap()).unwrap();
        let gone = [
            vec![],
            vec!["replica.key"],
            vec!["replica.key", "replica.db.device"],
            vec!["replica.key", "replica.db.device", "replica.db"],
        ];
        for name in &gone[steps] {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
        let (tablet, _) = begin(&place);
        assert!(tablet.is_gone().await, "after {steps} steps");
        tablet.wipe_if_told().await.unwrap();
        let left = files(&folder);
        assert!(!left.contains("replica.db") && !left.contains("replica.key"), "after {steps}: {left:?}");
        assert_eq!(std::fs::read(folder.path().join("replica.db.escrow")).unwrap(), sealed);
        assert!(wipe::find(&place.replica).unwrap().done);
    }
}

#[tokio::test]
async fn a_tablet_under_pins_that_was_told_before_a_kill_wipes_itself_when_somebody_enters() {
    let (folder, place) = closed(CLINIC_KEY);
    let (tablet, _) = begin(&place);
    let pin = || Pin::choose("274916").unwrap();
    tablet.choose_pin(doctor(), pin()).await.unwrap();
    tablet.lock().await.unwrap();
    let keys = neonpro_mobile::vault::Vault::read(&place.key_file).unwrap().unwrap();
    let key = { keys }.open(doctor(), &pin(), NOW_US).unwrap().key;
    alter_with(&folder, *key, "UPDATE sync_meta SET stopped = 'wipe'");
    tablet.wipe_if_told().await.unwrap();
    assert!(!tablet.is_gone().await, "locked, it knows nothing");
    tablet.enter(doctor(), pin()).await.unwrap();
    tablet.wipe_if_told().await.unwrap();
    assert!(tablet.is_gone().await && !place.key_file.exists() && !place.replica.exists());
}

//! How long a withdrawn photograph stays on tablets that are online: from the person's tap until the server has the
//! receipt of every one of them.

use super::bed::{Bed, Clinic};
use super::figures::{Figures, percentile};
use crate::fleet::Tablet;
use neonpro_client_core::Draft;
use neonpro_contract::ids::RecordId;
use neonpro_contract::time::ServerInstant;
use neonpro_server::actor::Actor;
use neonpro_server::clock;
use serde_json::json;
use std::time::{Duration, Instant};

/// Tablets online.
const TABLETS: usize = 5;
/// Withdrawals measured.
const ROUNDS: usize = 40;
/// Longest a round may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause between looks at the server: what a figure is rounded up by.
const PAUSE: Duration = Duration::from_millis(2);

/// W9: consent withdrawn until purged and confirmed everywhere.
pub async fn purge(bed: &Bed, figures: &mut Figures) {
    let clinic = bed.clinic(9, ROUNDS as u32).await;
    let proxy = bed.proxy().await;
    let mut tablets = Vec::new();
    for index in 0..TABLETS {
        let mut tablet = bed.tablet(&clinic, &proxy, &format!("w9-{index}")).await;
        tablet.online();
        tablet.quiet().await;
        tablets.push(tablet);
    }
    let mut samples = Vec::new();
    for patient in clinic.patients.iter().take(ROUNDS) {
        let photo = photograph(&clinic, &tablets[0], *patient);
        wait("every tablet has the photograph", async || {
            tablets.iter().all(|tablet| tablet.replica.row("patient_documents", photo).unwrap().is_some())
        })
        .await;
        let began = Instant::now();
        consent(&clinic, &tablets[0], *patient, false);
        wait("every tablet goes without it", async || {
            tablets.iter().all(|tablet| tablet.replica.row("patient_documents", photo).unwrap().is_none())
        })
        .await;
        wait("every tablet has confirmed", async || open_purges(bed, &clinic).await == 0).await;
        samples.push(began.elapsed());
    }
    figures.put("consent_purge_p50_ms", percentile(&mut samples, 0.50), "5 tablets online");
    figures.put("consent_purge_p95_ms", percentile(&mut samples, 0.95), "<= 5,000");
    for tablet in tablets {
        tablet.handle.stop().await;
    }
}

fn photograph(clinic: &Clinic, tablet: &Tablet, patient: RecordId) -> RecordId {
    consent(clinic, tablet, patient, true);
    let values = [
        ("patient_id", json!(patient)),
        ("document_type", json!("photo")),
        ("title", json!("Antes")),
        ("file_url", json!("blob:0")),
    ];
    let draft = Draft::new(clinic.doctor).create("patient_documents", values);
    tablet.replica.edit(draft).unwrap().record().unwrap()
}

fn consent(clinic: &Clinic, tablet: &Tablet, patient: RecordId, given: bool) {
    let values = [
        ("patient_id", json!(patient)),
        ("consent_type", json!("photography")),
        ("consent_given", json!(given)),
    ];
    tablet.replica.edit(Draft::new(clinic.author).create("data_consent_records", values)).unwrap();
}

async fn open_purges(bed: &Bed, clinic: &Clinic) -> usize {
    let mut scoped = bed.database.store.begin(&Actor::system(clinic.id)).await.unwrap();
    let later = ServerInstant(clock::now().0 + 3_600_000_000);
    let open = scoped.list_open_purges(later).await.unwrap();
    scoped.rollback().await.unwrap();
    open.len()
}

async fn wait(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let asked = tokio::time::timeout(LIMIT, async {
        let mut pause = tokio::time::interval(PAUSE);
        while !holds().await {
            pause.tick().await;
        }
    });
    assert!(asked.await.is_ok(), "never happened: {what}");
}

//! Consent over its life: granted, withdrawn, purged, confirmed, granted again.

use neonpro_contract::catalogue::{Purpose, Role};
use neonpro_contract::ids::{ClinicId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::{Frame, Welcome};
use neonpro_server::actor::Actor;
use neonpro_server::clock;
use neonpro_server::store::authority::Grant;
use neonpro_server::store::receipts::PurgeOrder;
use neonpro_tests::compare::differences;
use neonpro_tests::device::{Device, document};
use neonpro_tests::fleet::{Fleet, KEY, Tablet, eventually};
use neonpro_tests::pages::{holds, log_bytes};
use neonpro_tests::raw::{Raw, hello};
use serde_json::{Value as Json, json};

const CANARY: &str = "canario-da-fotografia-4711";

async fn synced(fleet: &Fleet, name: &str) -> Tablet {
    let mut tablet = fleet.tablet(fleet.clinic(0).id, name).await;
    tablet.online();
    tablet.quiet().await;
    tablet
}

/// Records a grant or a withdrawal as a person at the front desk does.
async fn consent(fleet: &Fleet, tablet: &mut Tablet, patient: RecordId, given: bool) {
    let desk = fleet.person(0, Role::Assistant);
    let values = [
        ("patient_id", json!(patient)),
        ("consent_type", json!("photography")),
        ("consent_given", json!(given)),
    ];
    tablet.replica.create_record(desk, "data_consent_records", values).unwrap();
    tablet.quiet().await;
}

/// A patient with a consented photograph.
async fn photographed(fleet: &Fleet, tablet: &mut Tablet) -> (RecordId, RecordId) {
    let (desk, doctor) = (fleet.person(0, Role::Assistant), fleet.person(0, Role::Professional));
    let person = [("name", json!("Paciente Fotografada"))];
    let patient = tablet.replica.create_record(desk, "patients", person).unwrap()[0].record().unwrap();
    consent(fleet, tablet, patient, true).await;
    let photo: [(&str, Json); 4] = [
        ("patient_id", json!(patient)),
        ("document_type", json!("photo")),
        ("title", json!(CANARY)),
        ("file_url", json!(format!("blob:{}", CANARY.repeat(780 / CANARY.len())))),
    ];
    let photo = tablet.replica.create_record(doctor, "patient_documents", photo).unwrap();
    tablet.quiet().await;
    (patient, photo[0].record().unwrap())
}

async fn open_purges(fleet: &Fleet, clinic: ClinicId) -> usize {
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let later = ServerInstant(clock::now().0 + 3_600_000_000);
    let open = scoped.list_open_purges(later).await.unwrap();
    scoped.rollback().await.unwrap();
    open.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_photograph_leaves_every_tablet_to_the_last_byte_and_the_server_knows() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (mut a, mut b, mut away) =
        (synced(&fleet, "a").await, synced(&fleet, "b").await, synced(&fleet, "away").await);
    let (patient, photo) = photographed(&fleet, &mut a).await;
    for tablet in [&mut b, &mut away] {
        let row = async || tablet.replica.row("patient_documents", photo).unwrap().is_some();
        eventually("the photograph arrives", row).await;
        tablet.quiet().await;
    }
    away.offline();
    for tablet in [&a, &b, &away] {
        assert!(holds(tablet.path(), &KEY, CANARY));
    }
    consent(&fleet, &mut a, patient, false).await;
    eventually("the tablets online confirm", async || open_purges(&fleet, clinic).await == 1).await;
    for tablet in [&mut a, &mut b] {
        assert!(tablet.replica.row("patient_documents", photo).unwrap().is_none());
        tablet.quiet().await;
        tablet.replica.checkpoint().unwrap();
        assert!(!holds(tablet.path(), &KEY, CANARY), "nothing of it is left in {}", tablet.path().display());
        assert_eq!(log_bytes(tablet.path()), 0);
        assert_eq!(tablet.handle.state().repairs, 0, "digests agree");
        assert_eq!(differences(&fleet.database.store, clinic, &tablet.replica).await, Vec::<String>::new());
    }
    // One that enrols now never sees it; the one that was away purges when it is back.
    let newcomer = synced(&fleet, "newcomer").await;
    assert!(newcomer.replica.row("patient_documents", photo).unwrap().is_none());
    assert_eq!(newcomer.handle.state().repairs, 0);
    away.online();
    eventually("the last one confirms", async || open_purges(&fleet, clinic).await == 0).await;
    away.quiet().await;
    away.replica.checkpoint().unwrap();
    assert!(!holds(away.path(), &KEY, CANARY));
    assert_eq!(away.handle.state().repairs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_grant_brings_the_photograph_back_to_every_tablet() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (mut a, mut b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let (patient, photo) = photographed(&fleet, &mut a).await;
    consent(&fleet, &mut a, patient, false).await;
    eventually("both confirm", async || open_purges(&fleet, clinic).await == 0).await;
    // The tablet names the withdrawal it has seen.
    consent(&fleet, &mut b, patient, true).await;
    for tablet in [&mut a, &mut b] {
        let row = async || tablet.replica.row("patient_documents", photo).unwrap().is_some();
        eventually("the photograph is back", row).await;
        tablet.quiet().await;
        assert_eq!(tablet.handle.state().repairs, 0, "digests agree");
        assert_eq!(differences(&fleet.database.store, clinic, &tablet.replica).await, Vec::<String>::new());
    }
}

/// A device that says where it stands, and is welcomed.
async fn welcomed(fleet: &Fleet, device: &Device, cursor: i64) -> Welcome {
    let (mut raw, challenge) = Raw::challenged(fleet.server.address).await;
    let mut hello = hello(device, &challenge.nonce);
    hello.cursor = cursor;
    raw.send_frame(&Frame::Hello(hello)).await;
    let Some(Frame::Welcome(welcome)) = raw.frame().await else { panic!("not welcomed") };
    welcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_whose_last_word_was_lost_with_the_line_still_stands_for_the_purges_before_it() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let device = Device::new(clinic);
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, clock::now()).await.unwrap();
    scoped.commit().await.unwrap();
    let began_at = welcomed(&fleet, &device, -1).await.head;
    // Withdrawn before the sync began: it is given nothing of it, and sweeps away what it held.
    let withdrawn = document("patients", fleet.clinic(0).batch.records()[0].id.0, 0);
    let order = PurgeOrder { seq: began_at, document: withdrawn, purpose: Purpose::Operation };
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    scoped.append_purge_orders(&[order], clock::now()).await.unwrap();
    scoped.commit().await.unwrap();
    assert_eq!(open_purges(&fleet, clinic).await, 1);
    // The line broke behind the last page, before the tablet could say that it has it.
    welcomed(&fleet, &device, began_at).await;
    assert_eq!(open_purges(&fleet, clinic).await, 0);
}

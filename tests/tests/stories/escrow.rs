//! A tablet whose key is gone: what it had not sent is merged from the file beside its replica.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_contract::escrow::HEADER_BYTES;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId, RecordId};
use neonpro_server::actor::Actor;
use neonpro_server::authority::revoke;
use neonpro_server::clock::now;
use neonpro_server::escrow::{FileFate, RecoverError, Report, recover, recover_files};
use neonpro_server::set_aside::{Outcome, release};
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use neonpro_tests::sql::text;
use serde_json::json;
use std::path::Path;

/// A tablet of the first clinic that has synced and is offline.
async fn tablet(fleet: &Fleet, name: &str) -> Tablet {
    let mut tablet = fleet.tablet(fleet.clinic(0).id, name).await;
    tablet.online();
    tablet.quiet().await;
    tablet.offline();
    tablet
}

fn new_patient(tablet: &Tablet, author: AuthorId, name: &str) -> RecordId {
    tablet.replica.create_record(author, "patients", [("name", json!(name))]).unwrap()[0].record().unwrap()
}

/// The tablet is lost with its key; its escrow file was found.
async fn lost(tablet: Tablet) -> Vec<u8> {
    tablet.handle.stop().await;
    tablet.replica.close().unwrap();
    let file = std::fs::read(escrow(&tablet.path)).unwrap();
    for suffix in ["", "-wal", "-shm", ".device"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", tablet.path.display()));
    }
    file
}

fn escrow(replica: &Path) -> String {
    format!("{}.escrow", replica.display())
}

async fn recovered(fleet: &Fleet, file: &[u8]) -> Result<Report, RecoverError> {
    let by = fleet.person(0, Role::Admin);
    recover(&fleet.server.state.merger, fleet.clinic(0).id, by, file, now()).await
}

/// The clinic's head, the length of its audit, and what the audit says was recovered.
async fn standing(fleet: &Fleet, clinic: ClinicId) -> (i64, String) {
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let head = scoped.find_head().await.unwrap().seq;
    scoped.rollback().await.unwrap();
    let sql = format!("select count(*)::text from sync.audit where clinic_id = '{}'", clinic.0);
    let entries = text(&mut fleet.database.admin().await, &sql).await;
    (head, entries)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_tablet_had_not_sent_is_merged_once_however_often_it_is_recovered() {
    let fleet = Fleet::start().await;
    let (clinic, author) = (fleet.clinic(0).id, fleet.person(0, Role::Assistant));
    let lost_one = tablet(&fleet, "perdido").await;
    let patient = new_patient(&lost_one, author, "Célia Recuperada");
    let draft = Draft::new(author).put("patients", patient, "phone", json!("11 98888-7777"));
    lost_one.replica.edit(draft).unwrap();
    let file = lost(lost_one).await;
    assert!(file.len() > HEADER_BYTES);
    assert!(!file.windows(6).any(|window| window == "Célia".as_bytes()), "sealed");

    let report = recovered(&fleet, &file).await.unwrap();
    assert_eq!((report.edits.len(), report.unreadable, report.torn_bytes), (2, 0, 0));
    assert!(report.edits.iter().all(|one| matches!(one.fate, Fate::Accepted { .. }) && !one.known));
    let before = standing(&fleet, clinic).await;
    let again = recovered(&fleet, &file).await.unwrap();
    assert!(again.edits.iter().all(|one| matches!(one.fate, Fate::Duplicate { .. }) && one.known));
    assert_eq!(standing(&fleet, clinic).await, before, "the second time changes nothing");

    let mut other = fleet.tablet(clinic, "outro").await;
    other.online();
    other.quiet().await;
    let row = other.replica.row("patients", patient).unwrap().unwrap();
    assert_eq!(row.get("name").as_text(), Some("Célia Recuperada"));
    assert_eq!(row.get("phone").as_text(), Some("11 98888-7777"));
    other.handle.stop().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_tablet_had_not_sent_waits_for_an_administrator() {
    let fleet = Fleet::start().await;
    let (clinic, author) = (fleet.clinic(0).id, fleet.person(0, Role::Assistant));
    let lost_one = tablet(&fleet, "revogado").await;
    let device = lost_one.replica.identity().device;
    let patient = new_patient(&lost_one, author, "Davi Guardado");
    assert!(revoke(&fleet.database.store, clinic, device, now()).await.unwrap());
    let file = lost(lost_one).await;

    let report = recovered(&fleet, &file).await.unwrap();
    let one = &report.edits[0];
    assert_eq!(one.fate, Fate::Refused { code: Code::DeviceRevoked });
    assert!(one.handed_over);
    let before = standing(&fleet, clinic).await;
    recovered(&fleet, &file).await.unwrap();
    assert_eq!(standing(&fleet, clinic).await, before, "the second time changes nothing");

    let admin = fleet.person(0, Role::Admin);
    let merger = &fleet.server.state.merger;
    let released = release(merger, clinic, one.edit, admin, "tablet perdido", now()).await.unwrap();
    assert!(matches!(released, Outcome::Judged(Fate::Accepted { .. })), "{released:?}");
    let mut other = fleet.tablet(clinic, "outro").await;
    other.online();
    other.quiet().await;
    assert!(other.replica.row("patients", patient).unwrap().is_some());
    other.handle.stop().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_recovered_by_an_administrator_of_its_own_clinic_and_nobody_else() {
    let fleet = Fleet::start().await;
    let author = fleet.person(0, Role::Assistant);
    let lost_one = tablet(&fleet, "alheio").await;
    new_patient(&lost_one, author, "Elisa");
    new_patient(&lost_one, author, "Fábio");
    let file = lost(lost_one).await;
    let merger = &fleet.server.state.merger;
    let try_as =
        async |clinic: ClinicId, by: AuthorId, file: Vec<u8>| recover(merger, clinic, by, &file, now()).await;

    let admin = fleet.person(0, Role::Admin);
    let other = fleet.clinic(1).id;
    let foreign = try_as(other, fleet.person(1, Role::Admin), file.clone()).await;
    assert!(matches!(foreign, Err(RecoverError::OtherClinic)));
    let assistant = try_as(fleet.clinic(0).id, author, file.clone()).await;
    assert!(matches!(assistant, Err(RecoverError::NotAnAdministrator)));
    let nothing = try_as(fleet.clinic(0).id, admin, b"qualquer coisa".to_vec()).await;
    assert!(matches!(nothing, Err(RecoverError::NotEscrow)));

    // Cut in the middle of the second edit: the first is merged, and the report says that something is missing.
    let report = recovered(&fleet, &file[..file.len() - 10]).await.unwrap();
    assert_eq!(report.edits.len(), 1);
    assert!(report.torn_bytes > 0);
    let whole = recovered(&fleet, &file).await.unwrap();
    assert_eq!(whole.edits.iter().map(|one| one.known).collect::<Vec<_>>(), [true, false]);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photograph_a_lost_tablet_had_not_sent_is_taken_over_once_its_record_is_there() {
    let fleet = Fleet::start().await;
    let (clinic, admin) = (fleet.clinic(0).id, fleet.person(0, Role::Admin));
    let lost_one = tablet(&fleet, "fotos").await;
    let desk = fleet.person(0, Role::Assistant);
    let patient = new_patient(&lost_one, desk, "Gisele Fotografada");
    let consent = [
        ("patient_id", json!(patient)),
        ("consent_type", json!("photography")),
        ("consent_given", json!(true)),
    ];
    lost_one.replica.create_record(desk, "data_consent_records", consent).unwrap();
    let bytes: Vec<u8> = b"sabia-laranjeira ".iter().copied().cycle().take(600_000).collect();
    let named = lost_one.replica.put_blob(&bytes, None).unwrap();
    let values = [
        ("patient_id", json!(patient)),
        ("document_type", json!("photo")),
        ("title", json!("Frente")),
        ("file_url", json!(named.to_string())),
    ];
    let professional = fleet.person(0, Role::Professional);
    lost_one.replica.create_record(professional, "patient_documents", values).unwrap();
    let unnamed = lost_one.replica.put_blob(b"nobody names this", None).unwrap();
    let changed = lost_one.replica.put_blob(b"somebody changed this", None).unwrap();
    let folder = std::path::PathBuf::from(format!("{}.blobs", lost_one.path.display()));
    let file = lost(lost_one).await;
    std::fs::write(folder.join(changed.hex()), b"another file altogether, of the same folder").unwrap();

    let state = &fleet.server.state;
    let doors = (&state.store, &state.blobs);
    let take = async || recover_files(doors, clinic, admin, &folder, now()).await.unwrap();
    let before = take().await;
    assert_eq!(before[&named], FileFate::Unnamed, "its record is not there yet");
    recovered(&fleet, &file).await.unwrap();
    let taken = take().await;
    let fates = [taken[&named], taken[&unnamed], taken[&changed]];
    assert_eq!(fates, [FileFate::Kept, FileFate::Unnamed, FileFate::Unreadable]);
    let standing_then = standing(&fleet, clinic).await;
    assert_eq!(take().await[&named], FileFate::Known, "the second time changes nothing");
    assert_eq!(standing(&fleet, clinic).await, standing_then);

    let by_desk = recover_files(doors, clinic, desk, &folder, now()).await;
    assert!(matches!(by_desk, Err(RecoverError::NotAnAdministrator)));
    let other = fleet.clinic(1).id;
    let foreign = recover_files(doors, other, fleet.person(1, Role::Admin), &folder, now()).await.unwrap();
    assert!(foreign.values().all(|fate| *fate == FileFate::Unreadable), "sealed to another clinic");

    let mut next = fleet.tablet(clinic, "outro").await;
    next.online();
    next.quiet().await;
    eventually("the photograph arrives", async || {
        next.replica.blob_state(&named).unwrap().is_some_and(|state| state.here)
    })
    .await;
    assert_eq!(next.replica.read_blob(&named).unwrap().unwrap().as_slice(), bytes);
    next.handle.stop().await;
    fleet.stop().await;
}

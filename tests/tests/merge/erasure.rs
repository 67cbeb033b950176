//! Erasure: what is gone is gone from everywhere the server keeps anything, what stays is provably what it was, and
//! neither a restored backup nor a late tablet brings anything back.

use neonpro_contract::catalogue::{Purpose, Role, Scope, TABLES};
use neonpro_contract::edit::decode_envelope;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_contract::signature::verifies;
use neonpro_server::actor::Actor;
use neonpro_server::audit::Notary;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::erasure::ledger::{Entry, Ledger};
use neonpro_server::erasure::{self, ErasureError, Request, certificate, read_restricted};
use neonpro_server::keys::aead::Key;
use neonpro_server::keys::{Keyring, Master};
use neonpro_server::store::edits::LoggedEdit;
use neonpro_server::store::erasures::Erasure;
use neonpro_tests::cluster::postgres_files;
use neonpro_tests::device::{Device, add, document, put};
use neonpro_tests::world::World;
use serde_json::json;
use std::collections::BTreeSet;
use tempfile::TempDir;
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;
const SECRET: &str = "rouxinolsecreto";
const NOTE: &str = "curiodocumentado";

/// A patient with a chart and photographs, whose consent to photographs was withdrawn.
struct Case {
    world: World,
    dir: TempDir,
    clinic: ClinicId,
    author: AuthorId,
    device: Device,
    patient: Uuid,
    session: Uuid,
    photo: Uuid,
}

impl Case {
    async fn new() -> Self {
        let world = World::new().await;
        let clinic = world.clinic(0).id;
        let author = world.person(0, Role::Professional);
        let (patient, _) = world.new_patient(0).await;
        let mut device = world.device(clinic).await;
        let (plan, session, photo) = (fresh_id(now()), fresh_id(now()), fresh_id(now()));
        device.captured_at = Some(now().0 - 3 * HOUR);
        let (_, treatment) = device.consent(author, patient, "treatment", true, &[]);
        let (granted, photography) = device.consent(author, patient, "photography", true, &[]);
        device.captured_at = Some(now().0 - 2 * HOUR);
        let photos = (document("treatment_sessions", session, 1), false, vec![add("photos_before", SECRET)]);
        let notes = (document("treatment_sessions", session, 0), false, vec![put("outcome", json!(NOTE))]);
        let edits = vec![
            treatment,
            photography,
            device.plan(author, patient, plan),
            device.session(author, plan, session),
            // One edit of two purposes: a part of it goes, a part stays.
            device.edit(author, &[photos, notes]),
            device.photo(author, patient, photo, SECRET),
        ];
        device.captured_at = Some(now().0 - HOUR);
        let (_, withdrawn) = device.consent(author, patient, "photography", false, &[granted]);
        device.captured_at = None;
        for edits in [edits, vec![withdrawn]] {
            let fates = world.push(clinic, edits).await;
            assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        Self { world, dir, clinic, author, device, patient, session, photo }
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(Ledger::file_in(self.dir.path()))
    }

    fn request(&self, purposes: &[Purpose]) -> Request {
        Request {
            id: fresh_id(now()),
            patient: PatientId(self.patient),
            purposes: purposes.iter().copied().collect(),
            by: self.author,
            reason: "pedido do titular".to_owned(),
        }
    }

    async fn erase(&self, purposes: &[Purpose]) -> Result<Erasure, ErasureError> {
        let request = self.request(purposes);
        erasure::erase(self.world.store(), &self.ledger(), self.clinic, &request, now()).await
    }

    async fn log(&self) -> Vec<LoggedEdit> {
        let mut scoped = self.world.store().begin(&Actor::system(self.clinic)).await.unwrap();
        let log = scoped.list_logged_edits(i64::MIN, i64::MAX).await.unwrap();
        scoped.rollback().await.unwrap();
        log.into_iter().filter(|edit| edit.device == self.device.id.0).collect()
    }

    async fn photo_is_here(&self) -> bool {
        self.world.row(self.clinic, "patient_documents", self.photo).await.is_some()
    }
}

#[tokio::test]
async fn photographs_go_and_the_chart_stays_and_is_restricted_if_it_was_asked_for() {
    let case = Case::new().await;
    let done = case.erase(&Purpose::ALL).await.unwrap();
    let gone = [Purpose::Photography, Purpose::DataSharing, Purpose::Marketing, Purpose::Research];
    assert_eq!(done.erased, gone.into());
    assert_eq!((done.counts.unwrap().keys, done.counts.unwrap().changes), (1, 2));
    assert!(!case.photo_is_here().await);
    let session = case.world.row(case.clinic, "treatment_sessions", case.session).await.unwrap();
    assert!(session.get("photos_before").is_null());
    assert_eq!(session.get("outcome").as_text(), Some(NOTE));
    case.world.assert_digest(case.clinic).await;
    // The chart is on no device and read only with a reason.
    let chart = document("treatment_sessions", case.session, 0);
    assert!(case.world.is_withdrawn(case.clinic, chart).await);
    let (store, patient) = (case.world.store(), PatientId(case.patient));
    let read = |reason| read_restricted(store, case.clinic, patient, case.author, reason, now());
    assert!(matches!(read("nada").await, Err(ErasureError::NoReason)));
    let told = read("perícia judicial 0001234").await.unwrap();
    assert!(told.to_string().contains(NOTE));
    assert_eq!(case.world.last_audit(case.clinic).await["reason"], "perícia judicial 0001234");
}

#[tokio::test]
async fn what_stays_of_an_edit_still_verifies_and_what_went_is_not_there() {
    let case = Case::new().await;
    case.erase(&[Purpose::Photography]).await.unwrap();
    let (mut kept, mut gone) = (0, 0);
    for edit in case.log().await {
        let message = edit.outline.signing_bytes(case.clinic);
        assert!(verifies(&case.device.public_key(), &message, &edit.signature));
        for (position, change) in edit.changes.iter().enumerate() {
            match &change.bytes {
                Some(bytes) => {
                    assert!(edit.outline.covers(position, bytes));
                    kept += 1;
                }
                None => gone += 1,
            }
        }
    }
    assert_eq!(gone, 2);
    assert!(kept >= 6, "{kept}");
    // Nothing else was asked: the chart is where it was.
    let chart = document("treatment_sessions", case.session, 0);
    assert!(!case.world.is_withdrawn(case.clinic, chart).await);
}

#[tokio::test]
async fn no_word_of_a_patient_is_in_any_file_of_the_database_before_or_after() {
    let case = Case::new().await;
    let session = case.world.row(case.clinic, "treatment_sessions", case.session).await.unwrap();
    assert_eq!(session.get("outcome").as_text(), Some(NOTE), "who has the keys reads it");
    case.erase(&[Purpose::Photography]).await.unwrap();
    let mut admin = case.world.database.admin().await;
    sqlx_core::executor::Executor::execute(&mut admin, "checkpoint").await.unwrap();
    let files = postgres_files();
    assert!(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000_000, "heap, log and all");
    let holds = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    let open = &case.world.clinic(0).name;
    assert!(files.iter().any(|(_, bytes)| holds(bytes, open)), "the search finds what is not sealed");
    for (path, bytes) in files {
        for word in [SECRET, NOTE] {
            assert!(!holds(&bytes, word), "{word} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_restored_backup_is_erased_again_before_anybody_is_served() {
    let case = Case::new().await;
    let backup = case.world.database.backup().await;
    case.erase(&[Purpose::Photography]).await.unwrap();
    case.world.database.restore(&backup).await;
    assert!(case.photo_is_here().await, "yesterday's backup has it");
    let replay = || async { erasure::replay(case.world.store(), &case.ledger(), now()).await.unwrap() };
    assert_eq!(replay().await, 1);
    assert!(!case.photo_is_here().await);
    assert_eq!(case.log().await.iter().flat_map(|e| &e.changes).filter(|c| c.bytes.is_none()).count(), 2);
    case.world.assert_digest(case.clinic).await;
    assert_eq!(replay().await, 0, "once is enough");
}

#[tokio::test]
async fn an_erasure_that_was_begun_and_killed_is_finished_at_the_next_start() {
    let case = Case::new().await;
    let request = case.request(&[Purpose::Photography]);
    let plan =
        erasure::preview(case.world.store(), case.clinic, request.patient, &request.purposes, now()).await;
    case.ledger().append(&Entry::begun(case.clinic, &request, &plan.unwrap(), now())).unwrap();
    assert!(case.photo_is_here().await, "killed before anything was written");
    let replay = || async { erasure::replay(case.world.store(), &case.ledger(), now()).await.unwrap() };
    assert_eq!(replay().await, 1);
    assert!(!case.photo_is_here().await);
    assert_eq!(replay().await, 0);
    // Killed after the commit and before the ledger knew: nothing is done twice.
    let again = case.request(&[Purpose::Marketing]);
    erasure::erase(case.world.store(), &case.ledger(), case.clinic, &again, now()).await.unwrap();
    let text = std::fs::read_to_string(Ledger::file_in(case.dir.path())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(Ledger::file_in(case.dir.path()), lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    assert_eq!(replay().await, 0);
    assert!(case.ledger().erasures().unwrap().iter().all(|(_, finished)| *finished));
}

#[tokio::test]
async fn what_waited_for_a_consent_goes_with_what_it_is_about() {
    let mut case = Case::new().await;
    let photo = case.device.photo(case.author, case.patient, fresh_id(now()), SECRET);
    let id = decode_envelope(&photo.signed.envelope).unwrap().edit;
    let fates = case.world.push(case.clinic, vec![photo.clone()]).await;
    assert_eq!(fates, vec![Fate::Quarantined { code: Code::ConsentWithdrawn }]);
    let waits = || async {
        let mut scoped = case.world.store().begin(&Actor::system(case.clinic)).await.unwrap();
        let found = scoped.find_waiting_edit(id).await.unwrap();
        scoped.rollback().await.unwrap();
        found.is_some()
    };
    assert!(waits().await);
    case.erase(&[Purpose::Photography]).await.unwrap();
    assert!(!waits().await, "nothing of it can be opened");
    let fates = case.world.push(case.clinic, vec![photo]).await;
    assert_eq!(fates, vec![Fate::Refused { code: Code::Discarded }]);
}

#[tokio::test]
async fn who_was_only_ever_registered_goes_whole_and_leaves_ids_and_times() {
    let world = World::new().await;
    let (clinic, by) = (world.clinic(0).id, world.person(0, Role::Assistant));
    let (mut device, patient) = (world.device(clinic).await, fresh_id(now()));
    let edit = device.new_patient(by, patient, Some("52998224725"));
    let fates = world.push(clinic, vec![edit]).await;
    assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(Ledger::file_in(dir.path()));
    let purposes = Purpose::ALL.into();
    let reason = "pedido do titular".to_owned();
    let request = Request { id: fresh_id(now()), patient: PatientId(patient), purposes, by, reason };
    let done = erasure::erase(world.store(), &ledger, clinic, &request, now()).await.unwrap();
    assert_eq!((done.erased.len(), done.kept), (6, json!([])));
    let left = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(left.get("name").as_text(), Some(""));
    assert!(left.get("cpf").is_null());
    world.assert_digest(clinic).await;
    // The number is free for whoever comes with it.
    let edit = device.new_patient(by, fresh_id(now()), Some("52998224725"));
    assert!(matches!(world.push(clinic, vec![edit]).await[0], Fate::Accepted { .. }));
    let duplicates = world.items(clinic).await.into_iter().filter(|item| item.kind == "duplicates").count();
    assert_eq!(duplicates, 0);
}

#[tokio::test]
async fn what_was_captured_before_the_erasure_comes_too_late() {
    let mut case = Case::new().await;
    let (author, patient, late, fresh) = (case.author, case.patient, fresh_id(now()), fresh_id(now()));
    case.device.captured_at = Some(now().0 - 2 * HOUR);
    let before = case.device.photo(author, patient, late, SECRET);
    case.device.captured_at = None;
    case.erase(&[Purpose::Photography]).await.unwrap();
    let fates = case.world.push(case.clinic, vec![before]).await;
    assert_eq!(fates, vec![Fate::Refused { code: Code::Discarded }]);
    // Who consents anew begins anew, under a key of its own.
    let (_, again) = case.device.consent(author, patient, "photography", true, &[]);
    let photo = case.device.photo(author, patient, fresh, "Depois");
    let fates = case.world.push(case.clinic, vec![again, photo]).await;
    assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
}

#[tokio::test]
async fn a_consent_in_force_is_withdrawn_before_anything_is_erased() {
    let case = Case::new().await;
    let (patient, purposes) = (PatientId(case.patient), BTreeSet::from([Purpose::Treatment]));
    let plan = erasure::preview(case.world.store(), case.clinic, patient, &purposes, now()).await.unwrap();
    assert_eq!(plan.keep[0].1.code(), "chart_retention");
    assert!(plan.erase.is_empty());
    let stranger = PatientId(fresh_id(now()));
    let nobody = erasure::preview(case.world.store(), case.clinic, stranger, &purposes, now()).await;
    assert!(matches!(nobody, Err(ErasureError::NoPatient)));
}

#[tokio::test]
async fn a_certificate_says_what_went_what_stays_and_who_has_not_answered_and_is_signed() {
    let case = Case::new().await;
    let done = case.erase(&Purpose::ALL).await.unwrap();
    let notary = Notary::open(&Notary::key_in(case.dir.path())).unwrap();
    let issued = certificate::issue(case.world.store(), &notary, case.clinic, done.id, now()).await.unwrap();
    let statement = &issued.statement;
    assert_eq!(statement["kept"][0]["code"], "chart_retention");
    assert_eq!(statement["counts"]["keys"], 1);
    let printed = issued.to_json();
    let bytes = |name: &str| -> Vec<u8> {
        let text = printed[name].as_str().unwrap();
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
    };
    assert!(verifies(&bytes("public_key"), &certificate::signing_bytes(statement), &bytes("signature")));
    assert!(!printed.to_string().contains(SECRET));
    let paper = certificate::paper(&issued, "Clínica");
    assert_eq!(paper.data.as_ref().unwrap().bytes, printed.to_string().into_bytes());
    assert!(paper.pdf().unwrap().starts_with(b"%PDF-1.7"));
}

#[tokio::test]
async fn keys_are_rotated_in_steps_that_may_stop_anywhere_and_everything_still_opens() {
    let case = Case::new().await;
    let store = case.world.store();
    let actor = Actor::system(case.clinic);
    let mut scoped = store.begin(&actor).await.unwrap();
    let version = scoped.begin_rotation().await.unwrap();
    scoped.commit().await.unwrap();
    assert_eq!(version, 2);
    // Begun, and stopped: old keys open, new ones are wrapped by the new version, and it goes on where it was.
    let again = case.world.database.open_again().await;
    assert!(case.world.row(case.clinic, "treatment_sessions", case.session).await.is_some());
    let mut scoped = again.begin(&actor).await.unwrap();
    assert_eq!(scoped.begin_rotation().await.unwrap(), 2);
    while scoped.rotate_some(2).await.unwrap() > 0 {}
    scoped.commit().await.unwrap();
    let fresh = case.world.database.open_again().await;
    let mut scoped = fresh.begin(&actor).await.unwrap();
    let standings = scoped.list_key_standings().await.unwrap();
    assert_eq!(standings.iter().map(|standing| standing.version).collect::<Vec<_>>(), [2]);
    let table = neonpro_contract::catalogue::table("treatment_sessions").unwrap();
    let session = scoped.list_records(table, &[case.session]).await.unwrap();
    assert_eq!(session[0].row.get("outcome").as_text(), Some(NOTE));
    scoped.rollback().await.unwrap();
}

#[tokio::test]
async fn another_master_key_opens_nothing_and_says_which_one_does_until_the_keys_are_rewrapped() {
    let case = Case::new().await;
    let other = Keyring::new(Master::of(Key::random().unwrap()));
    let store = case.world.database.open_again().await.with_keys(other);
    let table = neonpro_contract::catalogue::table("treatment_sessions").unwrap();
    let actor = Actor::system(case.clinic);
    let mut scoped = store.begin(&actor).await.unwrap();
    let refused = scoped.list_records(table, &[case.session]).await.unwrap_err().to_string();
    assert!(refused.contains("was wrapped by master key") && refused.contains("rewrap"), "{refused}");
    assert_eq!(scoped.rewrap_clinic_keys(&neonpro_tests::cluster::keyring()).await.unwrap(), 1);
    let session = scoped.list_records(table, &[case.session]).await.unwrap();
    assert_eq!(session[0].row.get("outcome").as_text(), Some(NOTE));
    scoped.commit().await.unwrap();
}

#[tokio::test]
async fn code_and_database_agree_which_records_are_removed_whole() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        let mut scoped = world.store().begin(&Actor::system(clinic)).await.unwrap();
        let opened = scoped.erase_records(table, &[], fresh_id(now())).await.is_ok();
        scoped.rollback().await.unwrap();
        assert_eq!(opened, erasure::is_removed_whole(table), "{}", table.name);
    }
}

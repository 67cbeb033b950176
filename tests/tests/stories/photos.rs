//! Photographs as files: taken without a network, sent after the records, there on the other tablet, gone with the consent.

use neonpro_client_core::{BlobState, Replica};
use neonpro_contract::blob::{
    AT_HEADER, Address, Custody, DEVICE_HEADER, SIGNATURE_HEADER, SIZE_HEADER, path, request_bytes,
};
use neonpro_contract::catalogue::{FacetId, Purpose, Role, table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{PatientId, RecordId};
use neonpro_contract::limits::{BLOB_CHUNK_BYTES, BLOB_PARTIAL_DAYS};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::erasure::ledger::Ledger;
use neonpro_server::erasure::{self, Request};
use neonpro_server::jobs::sweep_blobs;
use neonpro_server::subjects::write_files;
use neonpro_tests::device::Device;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use neonpro_tests::http::{Answer, ask};
use serde_json::json;
use sqlx_core::executor::Executor as _;
use std::path::{Path, PathBuf};

/// A file of some chunks whose bytes are found again wherever they lie open.
fn picture(seed: u8) -> Vec<u8> {
    let canary = format!("bem-te-vi fotografado {seed} ");
    canary.as_bytes().iter().copied().cycle().take(BLOB_CHUNK_BYTES * 2 + 4_321).collect()
}

async fn synced(fleet: &Fleet, name: &str) -> Tablet {
    let mut tablet = fleet.tablet(fleet.clinic(0).id, name).await;
    tablet.online();
    tablet.quiet().await;
    tablet
}

/// A patient who consents to photographs.
async fn consenting(fleet: &Fleet, tablet: &mut Tablet) -> RecordId {
    let desk = fleet.person(0, Role::Assistant);
    let person = [("name", json!("Paciente Fotografada"))];
    let patient = tablet.replica.create_record(desk, "patients", person).unwrap()[0].record().unwrap();
    consent(fleet, &tablet.replica, patient, true);
    tablet.quiet().await;
    patient
}

fn consent(fleet: &Fleet, replica: &Replica, patient: RecordId, given: bool) {
    let values = [
        ("patient_id", json!(patient)),
        ("consent_type", json!("photography")),
        ("consent_given", json!(given)),
    ];
    replica.create_record(fleet.person(0, Role::Assistant), "data_consent_records", values).unwrap();
}

/// Takes a photograph: the file, and the record that names it.
fn photograph(fleet: &Fleet, replica: &Replica, patient: RecordId, bytes: &[u8]) -> (DocumentId, Address) {
    let address = replica.put_blob(bytes, Some(b"mini")).unwrap();
    let values = [
        ("patient_id", json!(patient)),
        ("document_type", json!("photo")),
        ("title", json!("Frente")),
        ("file_url", json!(address.to_string())),
    ];
    let made =
        replica.create_record(fleet.person(0, Role::Professional), "patient_documents", values).unwrap();
    let record = made[0].record().unwrap();
    (DocumentId { table: table("patient_documents").unwrap().id, record, facet: FacetId(0) }, address)
}

fn custody(replica: &Replica, address: &Address) -> Option<BlobState> {
    replica.blob_state(address).unwrap()
}

async fn arrives(tablet: &Tablet, address: &Address) {
    eventually("the photograph arrives", async || custody(&tablet.replica, address).is_some_and(|b| b.here))
        .await;
}

/// A device that speaks for itself.
struct Caller<'a> {
    fleet: &'a Fleet,
    device: &'a Device,
    at: i64,
}

impl Caller<'_> {
    async fn ask(&self, method: &str, path: &str, size: Option<usize>, body: &[u8]) -> Answer {
        let message = request_bytes(self.device.id, self.at, method, path, body);
        let mut headers = vec![
            (DEVICE_HEADER, self.device.id.to_string()),
            (AT_HEADER, self.at.to_string()),
            (SIGNATURE_HEADER, self.device.sign(&message).iter().map(|byte| format!("{byte:02x}")).collect()),
        ];
        headers.extend(size.map(|size| (SIZE_HEADER, size.to_string())));
        ask(self.fleet.server.address, method, path, &headers, body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photograph_taken_without_a_network_reaches_the_other_tablet_after_its_record() {
    let fleet = Fleet::start().await;
    let (mut a, b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let patient = consenting(&fleet, &mut a).await;
    a.offline();
    let bytes = picture(1);
    let (document, address) = photograph(&fleet, &a.replica, patient, &bytes);
    assert_eq!(a.replica.read_blob(&address).unwrap().unwrap().as_slice(), bytes, "at once");
    let waiting = a.status().waiting;
    assert_eq!((waiting.files, waiting.file_bytes), (1, bytes.len() as u64));
    a.online();
    a.quiet().await;
    eventually("the server has it", async || custody(&a.replica, &address).unwrap().custody).await;
    assert_eq!(a.status().waiting.files, 0);
    arrives(&b, &address).await;
    assert_eq!(b.replica.read_blob(&address).unwrap().unwrap().as_slice(), bytes);
    assert!(b.replica.row("patient_documents", document.record).unwrap().is_some());
    // Nothing of it lies open on the server, nor in any file of a tablet.
    let (files, open) = sealed(&fleet.files());
    assert!(files > 0 && !open);
    for tablet in [&a, &b] {
        tablet.replica.checkpoint().unwrap();
    }
    let (files, open) = sealed(fleet.files().parent().unwrap());
    assert!(files > 8 && !open);
    // The patient is handed it with the statement.
    let folder = fleet.files().join("../entrega");
    let (store, blobs) = (&fleet.database.store, &fleet.server.state.blobs);
    let by = fleet.person(0, Role::Admin);
    let written =
        write_files(store, blobs, fleet.clinic(0).id, PatientId(patient.0), (&folder, by), now()).await;
    assert_eq!(written.unwrap(), 1);
    assert_eq!(std::fs::read(folder.join(format!("{}.jpg", address.hex()))).unwrap(), bytes);
}

/// How many files lie below a folder, and whether one of them can be read.
fn sealed(folder: &Path) -> (usize, bool) {
    let (mut count, mut open, mut folders): (usize, bool, Vec<PathBuf>) = (0, false, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                count += 1;
                let bytes = std::fs::read(entry.path()).unwrap();
                open |= [&b"bem-te-vi"[..], b"Paciente Fotografada"]
                    .iter()
                    .any(|word| bytes.windows(word.len()).any(|window| window == *word));
            }
        }
    }
    (count, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photograph_leaves_every_tablet_with_the_consent_and_the_server_gives_it_to_nobody() {
    let fleet = Fleet::start().await;
    let (mut a, mut b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let patient = consenting(&fleet, &mut a).await;
    let (document, address) = photograph(&fleet, &a.replica, patient, &picture(2));
    arrives(&b, &address).await;
    consent(&fleet, &a.replica, patient, false);
    a.quiet().await;
    for tablet in [&mut a, &mut b] {
        tablet.quiet().await;
        eventually("the file is gone", async || custody(&tablet.replica, &address).is_none()).await;
        let folder = PathBuf::from(format!("{}.blobs", tablet.path().display()));
        assert_eq!(folder.read_dir().unwrap().count(), 0);
    }
    let device = fleet.device(0, Audience::Clinical).await;
    let caller = Caller { fleet: &fleet, device: &device, at: now().0 };
    assert_eq!(caller.ask("GET", &path(&document, &address, Some(0)), None, b"").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_broke_off_and_another_file_is_never_taken_for_it() {
    let fleet = Fleet::start().await;
    let mut a = synced(&fleet, "a").await;
    let patient = consenting(&fleet, &mut a).await;
    let bytes = picture(3);
    let address = Address::of(&bytes);
    // The record names a file this tablet does not have: another one will bring it.
    let values = [
        ("patient_id", json!(patient)),
        ("document_type", json!("photo")),
        ("title", json!("Perfil")),
        ("file_url", json!(address.to_string())),
    ];
    let made =
        a.replica.create_record(fleet.person(0, Role::Professional), "patient_documents", values).unwrap();
    a.quiet().await;
    let record = made[0].record().unwrap();
    let document = DocumentId { table: table("patient_documents").unwrap().id, record, facet: FacetId(0) };
    let device = fleet.device(0, Audience::Clinical).await;
    let caller = Caller { fleet: &fleet, device: &device, at: now().0 };
    let chunks: Vec<&[u8]> = bytes.chunks(BLOB_CHUNK_BYTES).collect();
    let put = async |chunk: usize, body: &[u8]| {
        let to = path(&document, &address, Some(u32::try_from(chunk).unwrap()));
        caller.ask("PUT", &to, Some(bytes.len()), body).await
    };
    assert_eq!(put(1, chunks[1]).await.status, 404, "nothing was begun");
    assert_eq!(put(0, chunks[0]).await.json::<Custody>(), Custody { chunks: 1, stored: false });
    assert_eq!(put(0, chunks[0]).await.json::<Custody>().chunks, 1, "again changes nothing");
    assert_eq!(put(2, chunks[2]).await.status, 409, "out of order");
    assert_eq!(put(1, &chunks[1][1..]).await.status, 422, "cut");
    let asked = caller.ask("GET", &path(&document, &address, None), None, b"").await;
    assert_eq!(asked.json::<Custody>(), Custody { chunks: 1, stored: false });
    assert_eq!(
        caller.ask("GET", &path(&document, &address, Some(0)), None, b"").await.status,
        404,
        "not whole"
    );
    // Something else under its name: thrown away when the whole is looked at.
    let wrong = vec![7; BLOB_CHUNK_BYTES];
    assert_eq!(put(1, &wrong).await.status, 200);
    let last = put(2, chunks[2]).await;
    assert_eq!((last.status, last.code().as_str()), (422, "mismatch"));
    for (at, chunk) in chunks.iter().enumerate() {
        let custody: Custody = put(at, chunk).await.json();
        assert_eq!(custody.stored, at == 2);
    }
    arrives(&a, &address).await;
    assert_eq!(a.replica.read_blob(&address).unwrap().unwrap().as_slice(), bytes);
    // What was thrown away, and what nobody finishes, leaves the store of files.
    let clinic = fleet.clinic(0).id;
    let (store, blobs) = (&fleet.database.store, &fleet.server.state.blobs);
    assert_eq!(sweep_blobs(store, blobs, clinic, now()).await.unwrap(), 1);
    let later = ServerInstant(now().0 + (BLOB_PARTIAL_DAYS + 1) * US_PER_DAY);
    assert_eq!(sweep_blobs(store, blobs, clinic, later).await.unwrap(), 0, "the whole one stays");
    assert_eq!(sealed(&fleet.files()).0, chunks.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_have_a_file_hears_the_same_as_of_one_that_does_not_exist() {
    let fleet = Fleet::start().await;
    let mut a = synced(&fleet, "a").await;
    let patient = consenting(&fleet, &mut a).await;
    let (document, address) = photograph(&fleet, &a.replica, patient, &picture(4));
    eventually("the server has it", async || custody(&a.replica, &address).unwrap().custody).await;
    let to = path(&document, &address, Some(0));
    let clinical = fleet.device(0, Audience::Clinical).await;
    let at = now().0;
    let caller = Caller { fleet: &fleet, device: &clinical, at };
    assert_eq!(caller.ask("GET", &to, None, b"").await.status, 200);
    let nowhere = path(&DocumentId { record: RecordId(fresh_id(now())), ..document }, &address, Some(0));
    let absent = caller.ask("GET", &nowhere, None, b"").await;
    let other_file = path(&document, &Address([9; 32]), Some(0));
    let foreign = fleet.device(1, Audience::Clinical).await;
    let desk = fleet.device(0, Audience::FrontDesk).await;
    for (device, to) in [(&foreign, &to), (&desk, &to), (&clinical, &other_file)] {
        let caller = Caller { fleet: &fleet, device, at };
        for (method, body) in [("GET", &b""[..]), ("PUT", &b"x"[..])] {
            let answer = caller.ask(method, to, Some(1), body).await;
            assert_eq!((answer.status, &answer.body), (absent.status, &absent.body));
        }
    }
    // A forged, an old and a misused signature are nobody's.
    for caller in [
        Caller { at: at - 3_600_000_000, ..caller },
        Caller { at: at + 3_600_000_000, fleet: &fleet, device: &clinical },
    ] {
        assert_eq!(caller.ask("GET", &to, None, b"").await.status, 401);
    }
    let headers = [
        (DEVICE_HEADER, clinical.id.to_string()),
        (AT_HEADER, at.to_string()),
        (SIGNATURE_HEADER, "00".repeat(64)),
    ];
    assert_eq!(ask(fleet.server.address, "GET", &to, &headers, b"").await.status, 401);
    for odd in ["/blobs/x/y/z/w", "/blobs/10/not-an-id/0/00/0"] {
        assert_eq!(ask(fleet.server.address, "GET", odd, &headers, b"").await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_photograph_is_no_file_any_more_and_the_certificate_counts_it() {
    let fleet = Fleet::start().await;
    let mut a = synced(&fleet, "a").await;
    let patient = consenting(&fleet, &mut a).await;
    let (_, address) = photograph(&fleet, &a.replica, patient, &picture(5));
    eventually("the server has it", async || custody(&a.replica, &address).unwrap().custody).await;
    consent(&fleet, &a.replica, patient, false);
    a.quiet().await;
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(Ledger::file_in(dir.path()));
    let request = Request {
        id: fresh_id(now()),
        patient: PatientId(patient.0),
        purposes: [Purpose::Photography].into(),
        by: fleet.person(0, Role::Admin),
        reason: "pedido do titular".to_owned(),
    };
    let clinic = fleet.clinic(0).id;
    let (store, blobs) = (&fleet.database.store, &fleet.server.state.blobs);
    let done = erasure::erase(store, &ledger, clinic, &request, now()).await.unwrap();
    assert_eq!(done.counts.unwrap().files, 1);
    assert_eq!(sweep_blobs(store, blobs, clinic, now()).await.unwrap(), 1);
    assert_eq!(sealed(&fleet.files()).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_server_is_given_the_photographs_it_lacks() {
    let fleet = Fleet::start().await;
    let mut a = synced(&fleet, "a").await;
    let patient = consenting(&fleet, &mut a).await;
    let (_, address) = photograph(&fleet, &a.replica, patient, &picture(6));
    a.quiet().await;
    eventually("the server has it", async || custody(&a.replica, &address).unwrap().custody).await;
    a.offline();
    // Yesterday's backup: the record was there, the file was not.
    let mut admin = fleet.database.admin().await;
    for sql in ["delete from sync.blobs", "update sync.server set epoch = gen_random_uuid()"] {
        admin.execute(sql).await.unwrap();
    }
    a.online();
    let stored = "select count(*) from sync.blobs where stored_at is not null";
    eventually("the server has it again", async || {
        let row = admin.fetch_one(stored).await.unwrap();
        sqlx_core::row::Row::get::<i64, _>(&row, 0) == 1
    })
    .await;
    a.quiet().await;
    eventually("and the tablet knows", async || custody(&a.replica, &address).unwrap().custody).await;
}

//! Erasure at the size of a clinic: a text of its own in every field of 500 patients, erasures at random while tablets work
//! and come and go, and then every byte anybody could have is searched for what was erased: the database's files, its log,
//! a base backup from before, the server's files and logs, the tablets' replicas opened with their keys, and the backup
//! brought back to life.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stop the test where it broke"
)]

use neonpro_client_core::{Clock, Draft, ReplicaKey, SyncOptions, enrol};
use neonpro_contract::blob::Address;
use neonpro_contract::catalogue::{Field, Format, PatientLink, Purpose, Role, Table, table};
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId, RecordId};
use neonpro_contract::permissions::{Audience, purpose};
use neonpro_contract::signature::verifies;
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::value::Value;
use neonpro_server::actor::Actor;
use neonpro_server::audit::Notary;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::database::{Database, Source};
use neonpro_server::demo::{self, DemoClinic, DemoSize};
use neonpro_server::erasure::ledger::Ledger;
use neonpro_server::erasure::{self, Request, certificate};
use neonpro_server::http::enrol::{make_code, ticket};
use neonpro_server::keys::MasterSource;
use neonpro_server::store::authority::Grant;
use neonpro_server::store::load::{LoadBatch, LoadRecord};
use neonpro_server::subjects::{Extent, statement};
use neonpro_tests::backup::BaseBackup;
use neonpro_tests::fleet::{KEY, Tablet, eventually};
use neonpro_tests::pages::{holds, log_bytes};
use neonpro_tests::process::{ServerProcess, free_port};
use serde_json::json;
use std::collections::btree_map::Entry;
use std::collections::hash_map::Entry as HashEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PATIENTS: usize = 500;
const ROUNDS: usize = 120;
/// Begins every canary; long enough not to come up by chance in megabytes of base64.
const MARK: &str = "qzvxkwjq";
/// Letters of a canary behind the mark. A search index may keep only what a word does not share with the one before it.
const LETTERS: usize = 14;
/// What is searched for in a replica: enough of a canary's end, which it shares with no other.
const TAIL: usize = 10;

/// Numbers by chance that a seed repeats (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn canary(&mut self) -> String {
        let letters = (0..LETTERS).map(|_| char::from(b'a' + u8::try_from(self.next() % 26).unwrap()));
        MARK.chars().chain(letters).collect()
    }
}

/// The canary of every patient and purpose.
#[derive(Default)]
struct Canaries(BTreeMap<(RecordId, Purpose), String>);

impl Canaries {
    fn of(&mut self, patient: RecordId, purpose: Purpose, chance: &mut Chance) -> &str {
        self.0.entry((patient, purpose)).or_insert_with(|| chance.canary())
    }
}

/// A server over its own cluster, and a clinic in it.
struct Aviary {
    dir: TempDir,
    server: ServerProcess,
    database: Database,
    clinic: ClinicId,
    admin: AuthorId,
    doctor: AuthorId,
    desk: AuthorId,
    patients: Vec<RecordId>,
    canaries: Canaries,
    chance: Chance,
    /// The photograph of every patient, as a file.
    files: HashMap<RecordId, Vec<u8>>,
}

impl Aviary {
    async fn open(seed: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("neonpro-erasure-").tempdir().unwrap();
        open_to_all(dir.path());
        let server = ServerProcess::start_alone(&data(&dir), free_port(), &dir.path().join("server.log"));
        let database = attach(&dir).await;
        let size = DemoSize { patients: u32::try_from(PATIENTS).unwrap() * 3, days_before: 4, days_after: 4 };
        let mut network = demo::network(seed, now(), size).unwrap();
        network.clinics.truncate(1);
        let home = network.clinics.remove(0);
        let mut aviary = Self {
            dir,
            server,
            database,
            clinic: home.id,
            admin: home.people.iter().find(|person| person.role == Role::Admin).unwrap().id,
            doctor: home.people.iter().find(|person| person.role == Role::Professional).unwrap().id,
            desk: home.people.iter().find(|person| person.role == Role::Assistant).unwrap().id,
            patients: Vec::new(),
            canaries: Canaries::default(),
            chance: Chance(seed),
            files: HashMap::new(),
        };
        let batch = aviary.dressed(home.batch.records());
        network.clinics.push(DemoClinic { batch, ..home });
        demo::load(&aviary.database.store, &network, now()).await.unwrap();
        aviary
    }

    /// The clinic's records, every free text in them a canary of its patient and purpose; and a photograph of everybody,
    /// with a consent to it.
    fn dressed(&mut self, records: &[LoadRecord]) -> LoadBatch {
        let mut batch = LoadBatch::new();
        let mut patient_of: HashMap<RecordId, RecordId> = HashMap::new();
        let mut fields = BTreeSet::new();
        for record in records {
            let mut record = record.clone();
            let patient = match record.table.patient {
                PatientLink::None => None,
                PatientLink::Own => Some(record.id),
                PatientLink::Field(field) => record.row.get(field).as_uuid().map(RecordId),
                PatientLink::Parent(field) => record
                    .row
                    .get(field)
                    .as_uuid()
                    .and_then(|parent| patient_of.get(&RecordId(parent)).copied()),
            };
            let consent = record.row.get("consent_type").as_text() == Some("photography");
            if record.table.name == "data_consent_records" && consent {
                continue;
            }
            if let Some(patient) = patient {
                patient_of.insert(record.id, patient);
                fields.extend(self.dress(&mut record, patient));
            }
            let registered = (record.table.name == "patients").then_some(record.id);
            batch.push(record).unwrap();
            if let Some(patient) = registered {
                self.patients.push(patient);
                for made in self.photographed(patient) {
                    batch.push(made).unwrap();
                }
            }
        }
        println!("{} patients, a canary in each of {} fields", self.patients.len(), fields.len());
        assert!(self.patients.len() >= PATIENTS, "{} patients", self.patients.len());
        assert!(fields.len() >= 15, "{fields:?}");
        batch
    }

    /// Puts canaries into the free texts of a record.
    fn dress(&mut self, record: &mut LoadRecord, patient: RecordId) -> Vec<String> {
        let table: &'static Table = record.table;
        let free =
            |field: &&Field| table.seals(field) && field.format == Format::Plain && field.name != "phone";
        let fields: Vec<&'static Field> = table.columns().filter(free).collect();
        let mut dressed = Vec::new();
        for field in fields {
            let Some(facet) = table.facet(field.facet) else { continue };
            let canary = self.canaries.of(patient, purpose(facet, &record.row), &mut self.chance).to_owned();
            let value = match record.row.get(field.name) {
                Value::Text(_) if field.name == "email" => Value::Text(format!("{canary}@exemplo.com.br")),
                Value::Text(_) => Value::Text(canary),
                Value::Texts(_) => Value::Texts(vec![canary]),
                Value::Json(_) => Value::Json(json!({ canary.clone(): canary })),
                _ => continue,
            };
            record.row.set(field.name, value);
            dressed.push(format!("{}.{}", table.name, field.name));
        }
        dressed
    }

    /// A photograph, and the consent to it.
    fn photographed(&mut self, patient: RecordId) -> [LoadRecord; 2] {
        let canary = self.canaries.of(patient, Purpose::Photography, &mut self.chance).to_owned();
        let file = format!("%PDF-1.7 {canary} %%EOF").into_bytes();
        let text = |text: &str| Value::Text(text.to_owned());
        let consent = [
            ("patient_id", Value::Uuid(patient.0)),
            ("consent_type", text("photography")),
            ("consent_given", Value::Bool(true)),
        ];
        let photo = [
            ("patient_id", Value::Uuid(patient.0)),
            ("document_type", text("photo")),
            ("title", text(&canary)),
            ("description", text(&canary)),
            ("file_url", text(&Address::of(&file).to_string())),
        ];
        self.files.insert(patient, file);
        [made("data_consent_records", &consent), made("patient_documents", &photo)]
    }

    async fn tablet(&self, name: &str) -> Tablet {
        let grant = Grant::to_members(Audience::Clinical);
        let code = make_code(&self.database.store, self.clinic, &grant, now()).await.unwrap();
        let path = self.dir.path().join(format!("{name}.replica"));
        let ticket = ticket(&self.server.url, &self.server.fingerprint, &code);
        let replica = enrol(&ticket, &path, ReplicaKey::new(KEY), name, Clock::system()).await.unwrap();
        let handle = replica.start_sync(SyncOptions::default());
        let mut tablet = Tablet { replica, handle, path };
        tablet.quiet().await;
        tablet
    }

    /// Erases everything of a patient that may go. What it was, by canary.
    async fn erase(&self, patient: RecordId) -> (uuid::Uuid, Vec<String>) {
        let request = Request {
            id: fresh_id(now()),
            patient: PatientId(patient.0),
            purposes: Purpose::ALL.into(),
            by: self.admin,
            reason: "pedido do titular".to_owned(),
        };
        let ledger = Ledger::new(Ledger::file_in(&data(&self.dir)));
        let done = erasure::erase(&self.database.store, &ledger, self.clinic, &request, now()).await.unwrap();
        let gone = done.erased.iter().filter_map(|purpose| self.canaries.0.get(&(patient, *purpose)));
        (done.id, gone.cloned().collect())
    }
}

fn made(name: &str, values: &[(&str, Value)]) -> LoadRecord {
    let table = table(name).unwrap();
    let mut row = neonpro_contract::row::Row::empty(table);
    for (field, value) in values {
        row.set(field, value.clone());
    }
    LoadRecord {
        table,
        id: RecordId(fresh_id(now())),
        row,
        captured_at: DeviceInstant(now().0),
        author: None,
    }
}

fn data(dir: &TempDir) -> PathBuf {
    dir.path().join("server")
}

async fn attach(dir: &TempDir) -> Database {
    let data = data(dir);
    let source = Source::Embedded(data.join("postgres"));
    Database::open(&source, &MasterSource::in_directory(&data)).await.unwrap()
}

/// PostgreSQL runs as a user of its own, who must get in.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711)).unwrap();
}

/// Every file below a directory that holds a text.
fn files_with(dir: &Path, text: &str) -> Vec<PathBuf> {
    let (mut found, mut searched, mut dirs) = (Vec::new(), 0usize, vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in dir.read_dir().unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                // A running database removes files of its own.
                let Ok(bytes) = std::fs::read(entry.path()) else { continue };
                searched += bytes.len();
                if let Some(at) = bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
                    let around = &bytes[at.saturating_sub(60)..bytes.len().min(at + 60)];
                    println!("{}: {}", entry.path().display(), around.escape_ascii());
                    found.push(entry.path());
                }
            }
        }
    }
    assert!(searched > 1_000_000, "only {searched} bytes below {}", dir.display());
    found
}

/// A round of a tablet's day: a note, a photograph nobody consents to any more, a pause of the network.
async fn work(aviary: &mut Aviary, tablets: &mut [Tablet; 2], erasable: &mut Vec<RecordId>) {
    let at = aviary.chance.below(2);
    let patient = aviary.patients[aviary.chance.below(PATIENTS)];
    match aviary.chance.below(4) {
        0 => tablets[at].offline(),
        1 => tablets[at].online(),
        2 => {
            let canary = aviary.canaries.of(patient, Purpose::Treatment, &mut aviary.chance).to_owned();
            let note = Draft::new(aviary.doctor).put("patients", patient, "notes", json!(canary));
            // Erased by then: the tablet does not know the patient any more.
            let _ = tablets[at].replica.edit(note);
        }
        _ => {
            let values = [
                ("patient_id", json!(patient)),
                ("consent_type", json!("photography")),
                ("consent_given", json!(false)),
            ];
            if tablets[at].replica.create_record(aviary.desk, "data_consent_records", values).is_ok() {
                tablets[at].online();
                tablets[at].quiet().await;
                erasable.push(patient);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_is_in_no_byte_anybody_has() {
    let seed = std::env::var("NEONPRO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::try_from(now().0).unwrap());
    println!("seed {seed} (NEONPRO_SEED={seed} repeats it)");
    let mut aviary = Aviary::open(seed).await;
    let mut tablets = [aviary.tablet("a").await, aviary.tablet("b").await];
    for patient in aviary.patients.iter().take(PATIENTS) {
        tablets[0].replica.put_blob(&aviary.files[patient], None).unwrap();
    }
    for tablet in &tablets {
        let all = async || {
            let here =
                aviary.patients.iter().take(PATIENTS).map(|patient| Address::of(&aviary.files[patient]));
            here.into_iter()
                .all(|file| tablet.replica.blob_state(&file).unwrap().is_some_and(|blob| blob.custody))
        };
        eventually("every file is everywhere", all).await;
    }
    let (mut erasable, mut erased) = (Vec::new(), BTreeMap::new());
    let (mut backup, mut after_backup) = (None, 0);
    for round in 0..ROUNDS {
        work(&mut aviary, &mut tablets, &mut erasable).await;
        if round == ROUNDS / 2 {
            backup = Some(BaseBackup::take(&data(&aviary.dir).join("postgres"), aviary.dir.path()).await);
        }
        // What is erased is not always what was withdrawn last.
        if round % 3 == 2 && !erasable.is_empty() {
            let patient = erasable.swap_remove(aviary.chance.below(erasable.len()));
            if let Entry::Vacant(place) = erased.entry(patient) {
                place.insert(aviary.erase(patient).await);
                after_backup += usize::from(backup.is_some());
            }
        }
    }
    assert!(erased.values().all(|(_, gone)| !gone.is_empty()));
    assert!(erased.len() >= 8 && after_backup >= 3, "{} erased, {after_backup} late", erased.len());
    for tablet in &mut tablets {
        tablet.online();
        tablet.quiet().await;
    }
    confirmed(&aviary, &erased).await;
    tablets_hold_nothing(&aviary, &tablets, &erased);
    for tablet in tablets {
        tablet.handle.stop().await;
        tablet.replica.close().unwrap();
    }
    let backup = backup.unwrap();
    let data = data(&aviary.dir);
    assert_eq!(files_with(&data, MARK), Vec::<PathBuf>::new(), "no word of any patient lies open");
    assert_eq!(files_with(&backup.dir, MARK), Vec::<PathBuf>::new(), "nor in the backup");
    let log = std::fs::read(aviary.dir.path().join("server.log")).unwrap();
    assert!(!log.is_empty() && !log.windows(MARK.len()).any(|window| window == MARK.as_bytes()));
    nothing_opens(&aviary, &erased).await;
    no_file_opens(&aviary, &erased).await;
    // Yesterday's backup comes to life: what it still had is erased before anybody is served.
    let Aviary { dir, mut server, database, .. } = aviary;
    database.close().await.unwrap();
    server.stop();
    backup.restore();
    let server = ServerProcess::start_alone(&data, free_port(), &dir.path().join("restored.log"));
    let told = std::fs::read_to_string(dir.path().join("restored.log")).unwrap();
    assert_eq!(told.matches("an erasure is carried out again").count(), after_backup, "{told}");
    let database = attach(&dir).await;
    let aviary = Aviary { dir, server, database, ..aviary };
    nothing_opens(&aviary, &erased).await;
    no_file_opens(&aviary, &erased).await;
    let Aviary { database, .. } = aviary;
    database.close().await.unwrap();
}

type Erased = BTreeMap<RecordId, (uuid::Uuid, Vec<String>)>;

/// Every tablet has answered for every erasure.
async fn confirmed(aviary: &Aviary, erased: &Erased) {
    let notary = Notary::open(&Notary::key_in(&data(&aviary.dir))).unwrap();
    for (id, _) in erased.values() {
        eventually("every tablet confirms", async || {
            let issued = certificate::issue(&aviary.database.store, &notary, aviary.clinic, *id, now()).await;
            issued.unwrap().devices_open() == 0
        })
        .await;
    }
}

fn tablets_hold_nothing(aviary: &Aviary, tablets: &[Tablet; 2], erased: &Erased) {
    for (tablet, patient) in
        tablets.iter().flat_map(|tablet| erased.keys().map(move |patient| (tablet, patient)))
    {
        let file = Address::of(&aviary.files[patient]);
        assert_eq!(tablet.replica.blob_state(&file).unwrap(), None, "{patient}");
        let kept = PathBuf::from(format!("{}.blobs", tablet.path().display())).join(file.hex());
        assert!(!kept.exists(), "{patient}");
    }
    let kept = aviary.patients.iter().find(|patient| !erased.contains_key(patient)).unwrap();
    let known = &aviary.canaries.0[&(*kept, Purpose::Operation)];
    for tablet in tablets {
        tablet.replica.checkpoint().unwrap();
        assert_eq!(log_bytes(tablet.path()), 0);
        assert!(holds(tablet.path(), &KEY, known), "the search finds what is there");
        for canary in erased.values().flat_map(|(_, gone)| gone) {
            let tail = &canary[canary.len() - TAIL..];
            assert!(!holds(tablet.path(), &KEY, tail), "{canary} in {}", tablet.path().display());
        }
    }
}

/// No file of theirs is given out; of everybody else it is.
async fn no_file_opens(aviary: &Aviary, erased: &Erased) {
    let mut scoped = aviary.database.store.begin(&Actor::system(aviary.clinic)).await.unwrap();
    for patient in aviary.patients.iter().take(PATIENTS) {
        let files = scoped.list_blobs_of_patient(PatientId(patient.0)).await.unwrap();
        assert_eq!(files.len(), usize::from(!erased.contains_key(patient)), "{patient}");
    }
    scoped.rollback().await.unwrap();
}

/// With every key there is, nothing of what was erased opens, and what stays verifies.
async fn nothing_opens(aviary: &Aviary, erased: &Erased) {
    let store = &aviary.database.store;
    for (patient, (_, gone)) in erased {
        let told =
            statement(store, aviary.clinic, PatientId(patient.0), Extent::Full, aviary.admin, now()).await;
        let told = told.unwrap().to_string();
        for canary in gone {
            assert!(!told.contains(canary.as_str()), "{canary} of {patient}");
        }
    }
    let gone: BTreeSet<&str> = erased.values().flat_map(|(_, gone)| gone).map(String::as_str).collect();
    let mut scoped = store.begin(&Actor::system(aviary.clinic)).await.unwrap();
    let (mut verified, mut signers) = (0, HashMap::new());
    for edit in scoped.list_logged_edits(i64::MIN, i64::MAX).await.unwrap() {
        for bytes in edit.changes.iter().filter_map(|change| change.bytes.as_ref()) {
            let text = String::from_utf8_lossy(bytes);
            assert!(!gone.iter().any(|canary| text.contains(canary)), "in the log of {}", edit.device);
        }
        let device = neonpro_contract::ids::DeviceId(edit.device);
        let key = match signers.entry(device) {
            HashEntry::Occupied(known) => known.into_mut(),
            HashEntry::Vacant(place) => {
                place.insert(scoped.find_device(device).await.unwrap().map(|device| device.public_key))
            }
        };
        if let Some(key) = key {
            assert!(verifies(key, &edit.outline.signing_bytes(aviary.clinic), &edit.signature));
            verified += 1;
        }
    }
    scoped.rollback().await.unwrap();
    assert!(verified > 10, "{verified} signatures");
}

//! A clinic network on a real Postgres, with the merge running over it.

use crate::cluster::{TestDatabase, network};
use crate::device::Device;
use crate::process::admission_workers;
use neonpro_contract::catalogue::{Role, table};
use neonpro_contract::digest::Digest;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::Fate;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::Row;
use neonpro_server::actor::Actor;
use neonpro_server::admission::Admission;
use neonpro_server::clock::{self, Clock};
use neonpro_server::demo::DemoClinic;
use neonpro_server::merge::{Incoming, Merger};
use neonpro_server::store::Store;
use neonpro_server::store::authority::Grant;
use neonpro_server::store::feed::FeedKind;
use neonpro_server::store::items::OpenItem;
use neonpro_server::telemetry::Metrics;
use std::sync::Arc;
use uuid::Uuid;

/// The world of one test.
pub struct World {
    pub database: TestDatabase,
    pub merger: Merger,
}

impl World {
    pub async fn new() -> Self {
        Self::over(TestDatabase::create().await)
    }

    /// A world over a database.
    #[must_use]
    pub fn over(database: TestDatabase) -> Self {
        let metrics = Arc::new(Metrics::default());
        let admission = Admission::new(admission_workers(), Arc::clone(&metrics));
        let merger = Merger::new(database.store.clone(), metrics, admission, Clock::system());
        Self { database, merger }
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// A clinic of the network.
    #[must_use]
    pub fn clinic(&self, index: usize) -> &'static DemoClinic {
        &network().clinics[index]
    }

    /// An enrolled device of a clinic.
    pub async fn device(&self, clinic: ClinicId) -> Device {
        self.device_for(clinic, Audience::Clinical).await
    }

    /// An enrolled device with an audience.
    pub async fn device_for(&self, clinic: ClinicId, audience: Audience) -> Device {
        self.device_granted(clinic, &Grant::to_members(audience)).await
    }

    /// An enrolled device of an audience and people.
    pub async fn device_granted(&self, clinic: ClinicId, grant: &Grant) -> Device {
        let device = Device::new(clinic);
        let mut scoped = self.store().begin(&Actor::system(clinic)).await.unwrap();
        scoped.append_device(device.id, "tablet", &device.public_key(), grant, clock::now()).await.unwrap();
        scoped.commit().await.unwrap();
        device
    }

    /// Someone of this role in a clinic.
    #[must_use]
    pub fn person(&self, clinic: usize, role: Role) -> AuthorId {
        self.clinic(clinic).people.iter().find(|person| person.role == role).map(|person| person.id).unwrap()
    }

    /// Someone of this profession who attends patients.
    #[must_use]
    pub fn practitioner(&self, clinic: usize, profession: &str) -> AuthorId {
        let people = self.clinic(clinic).people.iter();
        let mut suits =
            people.filter(|person| person.profession == profession && person.role == Role::Professional);
        suits.next().map(|person| person.id).unwrap()
    }

    /// A procedure of this class.
    #[must_use]
    pub fn service(&self, class: &str) -> Uuid {
        let services = network().reference.iter().find(|(table, _)| table.name == "service_types").unwrap();
        let of_class = |row: &Row| row.get("procedure_class").as_text() == Some(class);
        services.1.iter().find(|(_, row)| of_class(row)).map(|(id, _)| id.0).unwrap()
    }

    /// A product of this class.
    #[must_use]
    pub fn product(&self, clinic: usize, class: &str) -> Uuid {
        let mut records = self.clinic(clinic).batch.records().iter();
        let of_class = |row: &Row| row.get("product_class").as_text() == Some(class);
        records
            .find(|record| record.table.name == "inventory_products" && of_class(&record.row))
            .map(|record| record.id.0)
            .unwrap()
    }

    /// A patient of a clinic, by place in the demo data.
    #[must_use]
    pub fn patient(&self, clinic: usize, index: usize) -> (Uuid, &'static Row) {
        self.record(clinic, "patients", index)
    }

    /// A record of a clinic, by place in the demo data.
    #[must_use]
    pub fn record(&self, clinic: usize, name: &str, index: usize) -> (Uuid, &'static Row) {
        let mut records =
            self.clinic(clinic).batch.records().iter().filter(|record| record.table.name == name);
        records.nth(index).map(|record| (record.id.0, &record.row)).unwrap()
    }

    /// A new patient, of whom no consent was ever asked.
    pub async fn new_patient(&self, clinic: usize) -> (Uuid, Row) {
        let (id, record) = (self.clinic(clinic).id, clock::fresh_id(clock::now()));
        let mut device = self.device(id).await;
        let edit = device.new_patient(self.person(clinic, Role::Assistant), record, None);
        let fates = self.push(id, vec![edit]).await;
        assert!(matches!(fates.as_slice(), [Fate::Accepted { .. }]), "{fates:?}");
        (record, self.row(id, "patients", record).await.unwrap())
    }

    /// Pushes edits of one clinic and returns their fates.
    pub async fn push(&self, clinic: ClinicId, edits: Vec<Incoming>) -> Vec<Fate> {
        let fates = self.merger.enqueue(clinic, edits).unwrap().await.unwrap().unwrap();
        fates.into_iter().map(|fate| fate.fate).collect()
    }

    /// Whether no device may hold a document.
    pub async fn is_withdrawn(&self, clinic: ClinicId, id: DocumentId) -> bool {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await.unwrap();
        let states = scoped.list_documents_of(&[id.record.0]).await.unwrap();
        scoped.rollback().await.unwrap();
        states.into_iter().find(|state| state.id == id).unwrap().withdrawn
    }

    /// The feed of a document as a clinical device reads it now.
    pub async fn feed(&self, clinic: ClinicId, id: DocumentId) -> Vec<FeedKind> {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await.unwrap();
        let feed = scoped.list_feed(0, 100_000).await.unwrap();
        scoped.rollback().await.unwrap();
        feed.into_iter().filter(|row| row.document == id).map(|row| row.kind).collect()
    }

    /// Fails if the clinic's digest is not the sum over the documents devices may hold.
    pub async fn assert_digest(&self, clinic: ClinicId) {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await.unwrap();
        let head = scoped.find_head().await.unwrap();
        let mut states = scoped.list_documents_seen().await.unwrap();
        states.extend(scoped.list_shared_seen().await.unwrap());
        scoped.rollback().await.unwrap();
        let mut sum = Digest::default();
        states.iter().for_each(|state| sum.add(state.fingerprint()));
        assert_eq!(head.digest(Audience::Clinical), sum, "the digest kept up");
    }

    /// The detail of the clinic's last entry in the audit.
    pub async fn last_audit(&self, clinic: ClinicId) -> serde_json::Value {
        let sql = "select detail from sync.audit where clinic_id = $1 order by seq desc limit 1";
        let mut admin = self.database.admin().await;
        sqlx_core::query_scalar::query_scalar(sql).bind(clinic.0).fetch_one(&mut admin).await.unwrap()
    }

    /// A canonical row as the server sees it.
    pub async fn row(&self, clinic: ClinicId, name: &str, id: Uuid) -> Option<Row> {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await.unwrap();
        let found = scoped.list_records(table(name).unwrap(), &[id]).await.unwrap();
        scoped.rollback().await.unwrap();
        found.into_iter().next().map(|stored| stored.row)
    }

    /// Open items of a clinic.
    pub async fn items(&self, clinic: ClinicId) -> Vec<OpenItem> {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await.unwrap();
        let items = scoped.list_open_items(100).await.unwrap();
        scoped.rollback().await.unwrap();
        items
    }
}
